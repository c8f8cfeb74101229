//! The sample configs: the small `gateway.toml`, and `docs/gateway-all-keys.toml`, which names every key.

use crate::support::{PORTCULLIS, Pki, run};
use std::path::Path;

/// The folder that the sample expects: certificates, credentials and an included user.
fn folder_for_the_sample() -> Pki {
    let pki = Pki::new();
    let root = pki.folder.path();
    for folder in ["pki", "secrets", "users.d"] {
        std::fs::create_dir(root.join(folder)).unwrap();
    }
    for (from, to) in [
        ("ca.crt", "ca.crt"),
        ("ca.crt", "icinga-ca.crt"),
        ("server.crt", "server.crt"),
        ("server.key", "server.key"),
    ] {
        std::fs::copy(root.join(from), root.join("pki").join(to)).unwrap();
    }
    std::fs::write(root.join("secrets/icinga"), "root:secret\n").unwrap();
    std::fs::write(
        root.join("users.d/bob.toml"),
        "[api_user.bob]\nclient_cn = \"bob\"\npermissions = [\"*\"]\n",
    )
    .unwrap();
    pki
}

fn sample() -> String {
    file_of_the_repository("docs/gateway-all-keys.toml")
}

fn file_of_the_repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_small_sample_is_good_and_has_no_warning() {
    let pki = folder_for_the_sample();
    let file = pki.path("gateway.toml");
    std::fs::write(&file, file_of_the_repository("gateway.toml")).unwrap();
    let (out, err, code) = run(PORTCULLIS, &["check", "--config", file.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

#[test]
fn the_sample_is_good_and_has_no_warning() {
    let pki = folder_for_the_sample();
    let file = pki.path("gateway.toml");
    std::fs::write(&file, sample()).unwrap();
    let (out, err, code) = run(PORTCULLIS, &["check", "--config", file.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.ends_with(
            "gateway.toml: OK: 2 users, 6 routes, 2 upstreams, 0 warnings, 2 expectations met\n"
        ),
        "{out}"
    );
}

/// Takes the comment off every line that is a key or a table, so that examples cannot rot.
#[test]
fn every_example_in_a_comment_is_a_key_that_exists() {
    let pki = folder_for_the_sample();
    let text: Vec<String> = sample().lines().map(uncommented).collect();
    let file = pki.path("gateway.toml");
    std::fs::write(&file, text.join("\n")).unwrap();
    let (_, err, _) = run(PORTCULLIS, &["check", "--config", file.to_str().unwrap()]);
    for complaint in [
        "unknown key",
        "cannot be",
        "is a TOML",
        "unclosed",
        "expected",
        "duplicate key",
    ] {
        assert!(!err.contains(complaint), "{err}");
    }
    let examples = text
        .iter()
        .filter(|line| !line.starts_with('#') && line.contains('='))
        .count();
    let real = sample()
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains('='))
        .count();
    assert!(
        examples > real + 20,
        "the comments were taken off: {examples} keys, of which {real} were none"
    );
}

/// The line, or the key or table that is written in a comment.
pub fn uncommented(line: &str) -> String {
    let Some(inner) = line.strip_prefix("# ") else {
        return line.to_owned();
    };
    let name = inner.split([' ', '=']).next().unwrap_or_default();
    let is_key = inner.contains(" = ")
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let is_table = inner.starts_with('[')
        && inner
            .split(" #")
            .next()
            .is_some_and(|table| table.trim_end().ends_with(']'));
    if is_key || is_table {
        inner.to_owned()
    } else {
        line.to_owned()
    }
}
