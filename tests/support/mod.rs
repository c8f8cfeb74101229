//! What all tests use: certificates, a gateway (the real binary), an upstream that records, clients, waiting.

pub mod chain;
pub mod client;
pub mod config_schema;
pub mod der;
pub mod eventually;
pub mod feed;
pub mod gateway;
pub mod http2_upstream;
pub mod icinga;
pub mod nginx;
pub mod peer;
pub mod pki;
pub mod reloading;
pub mod reserved_port;
pub mod terminal;
pub mod tls_upstream;
pub mod upstream;

pub use chain::Chain;
pub use client::Client;
pub use config_schema::assert_valid_config;
pub use eventually::{eventually, eventually_is};
pub use gateway::Gateway;
pub(crate) use icinga::Icinga;
pub use peer::Peer;
pub use pki::Pki;
pub use reserved_port::ReservedPort;
pub use upstream::Upstream;

use std::process::{Command, Stdio};

/// Whether a program that a test needs is there. Says so if not; where `tests/run` has installed everything, a missing
/// program is a failure, not a skip.
pub fn require_program(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin".into(), "/sbin".into()];
    let found = std::env::split_paths(&paths)
        .chain(extra)
        .any(|folder| folder.join(name).is_file());
    if !found {
        assert!(
            std::env::var_os("PORTCULLIS_TESTS_REQUIRE").is_none(),
            "{name} is not installed"
        );
        eprintln!("skipped: {name} is not installed (tests/run installs it)");
    }
    found
}

/// Runs a program to its end and gives standard output, standard error and exit code.
pub fn run(program: &str, arguments: &[&str]) -> (String, String, i32) {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap_or(-1),
    )
}

/// The whole lines of a file of JSON lines so far, none if it is not there. A line that is being written may be read in part.
pub fn json_lines(file: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// The real binary.
pub const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
