# Shortcuts for contributors. `just` lists them; each is one command that works without just, too.

_list:
    @just --list --unsorted

# Unit tests and the checks of the architecture: under a minute after a warm build
test-fast:
    cargo test --locked --workspace --lib
    cargo test --locked --test portcullis -- architecture::

# End-to-end tests of one module of tests/, such as `just test reload`
test MODULE:
    cargo test --locked --test portcullis -- {{MODULE}}::

# All tests, as CI runs them; installs what they need on Debian
test-all:
    tests/run

# Format everything
format:
    cargo fmt --all

# What CI asks of format, lints and documentation
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# Licenses, bans, sources and advisories of dependencies
deny:
    cargo deny --locked check

# Spelling, which needs `cargo install typos-cli`
typos:
    typos

# Fuzz one parser for a minute; needs nightly and cargo-fuzz
fuzz TARGET:
    cargo +nightly fuzz run --fuzz-dir tests/fuzz {{TARGET}} -- -max_total_time=60

# Compare with nginx and HAProxy
bench *ARGUMENTS:
    bench/run {{ARGUMENTS}}

# Everything that must pass before a change lands
ci:
    .ci/run
