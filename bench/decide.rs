//! What a judgement costs, with few ApiUsers and with many: `cargo bench --bench decide`. Shows that the cost of a
//! request does not grow with the number of users, and how long a config with many users takes to load. Measures no
//! network. Without `--bench` (under `cargo test`) it only checks that it works.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a program that prints figures, and stops at whatever goes wrong"
)]

use portcullis::head::RequestHead;
use portcullis::host::HostName;
use portcullis::pki::{Authority, CertificateRequest, OutputFile, Overwrite, Profile, write_files};
use portcullis::proxy::{Client, Standing, decide};
use portcullis::snapshot::{Depth, Snapshot, load};
use portcullis::telemetry::Telemetry;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PERMISSIONS_EACH: usize = 20;

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let (sizes, rounds, judgements): (&[usize], usize, u32) =
        if measures { (&[10, 10_000, 100_000], 7, 200_000) } else { (&[10, 100], 1, 100) };
    println!("{:>8}  {:>9}  {:>11}  {:>11}  {:>6}", "users", "load", "decide", "refuse", "ratio");
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_certificates(folder.path());
    let mut first = None;
    for users in sizes {
        let begun = Instant::now();
        let snapshot = snapshot(folder.path(), *users);
        let loaded = begun.elapsed();
        // The last user, with a path that only its last permission grants.
        let name = format!("user-{}", users - 1);
        let granted = fastest(rounds, || judge(&snapshot, &name, "/v19/objects/hosts", true, judgements));
        let refused = fastest(rounds, || judge(&snapshot, &name, "/nothing/here", false, judgements));
        let base = *first.get_or_insert(granted);
        println!(
            "{users:>8}  {:>7.0}ms  {:>8.0} ns  {:>8.0} ns  {:>6.2}",
            loaded.as_secs_f64() * 1e3,
            granted.as_secs_f64() * 1e9,
            refused.as_secs_f64() * 1e9,
            granted.as_secs_f64() / base.as_secs_f64()
        );
    }
    println!(
        "\n{PERMISSIONS_EACH} permissions for each user; ratio: decide to that with the fewest users.\n1 passed, 0 failed"
    );
}

fn write_certificates(folder: &Path) {
    let authority = Authority::create("Bench CA", 1).expect("a CA");
    let (request, key) = CertificateRequest::create("server").expect("a request");
    let server = Profile::Server { dns: vec!["localhost".parse().expect("a name")], ip: Vec::new() };
    let signed = authority.sign(&request, &server, 1).expect("a certificate");
    let mut files = authority.files(folder);
    files.push(OutputFile::private_key(folder.join("server.key"), &key));
    files.push(OutputFile::certificate(folder.join("server.crt"), &signed.certificate_pem, signed.valid_until));
    write_files(&files, Overwrite::Refuse).expect("a writable folder");
}

fn snapshot(folder: &Path, users: usize) -> Snapshot {
    let mut config =
        "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
        [trust_domain.bench]\nanchors = [\"ca.crt\"]\n[upstream.api]\nendpoints = [\"http://127.0.0.1:1\"]\n\
        [[route]]\npath = \"/\"\nupstream = \"api\"\n"
            .to_owned();
    for route in 0..200 {
        let _ = write!(config, "[[route]]\npath = \"/v{route}/objects/{{type}}\"\nupstream = \"api\"\n");
    }
    for user in 0..users {
        let _ = write!(config, "[api_user.user-{user}]\nclient_cn = \"user-{user}\"\npermissions = [");
        for permission in 0..PERMISSIONS_EACH {
            let _ = write!(config, "\"GET /v{permission}/*\", ");
        }
        config.push_str("]\n");
    }
    let file = folder.join("gateway.toml");
    std::fs::write(&file, config).expect("a writable folder");
    let outcome = load(&file, None, &Arc::new(Telemetry::default()), Depth::Errors);
    let report = outcome.report();
    outcome.snapshot.unwrap_or_else(|| {
        println!("{report}");
        std::process::exit(1)
    })
}

/// The best of several rounds: the one that was disturbed least.
fn fastest(rounds: usize, mut round: impl FnMut() -> Duration) -> Duration {
    (0..rounds).map(|_| round()).min().unwrap_or_default()
}

/// Time for one judgement.
fn judge(snapshot: &Snapshot, user: &str, path: &str, expected: bool, judgements: u32) -> Duration {
    let listener = snapshot.listeners.get("main").expect("the listener");
    let host = listener.host(HostName::parse("localhost").as_ref()).expect("the host");
    let standing = Standing::Known(snapshot.users.named(user).expect("the user"));
    let fields: &[(&str, &[u8])] = &[("host", b"localhost"), ("accept", b"*/*"), ("user-agent", b"bench")];
    let begun = Instant::now();
    for _ in 0..judgements {
        let head = RequestHead { method: "GET", target: black_box(path), authority: None, fields };
        let judgement = decide(snapshot, Client { listener, host, standing: &standing }, &head);
        assert!(black_box(judgement.outcome.is_ok()) == expected, "the judgement of {path}");
    }
    begun.elapsed() / judgements
}
