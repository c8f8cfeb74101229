//! `portcullis verify --live` against right and wrong gateways.

mod deny_lists;

use crate::support::gateway::{listener, listener_with, process, route_to, trust_domain, user};
use crate::support::{Gateway, PORTCULLIS, Peer, Pki, ReservedPort, Upstream, eventually, run};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What `verify --live --json` says, with further arguments.
struct Verified {
    code: i32,
    attempts: Vec<Value>,
    summary: Value,
}

impl Verified {
    /// Tries listener `main` of a running gateway by the config in a file, with the CA that makes certificates.
    fn by(config: &Path, gateway: &Gateway, rest: &[&str]) -> Self {
        let address = gateway.address().to_string();
        let mut arguments = vec![
            "verify",
            "--live",
            "--json",
            "--listener",
            "main",
            "--connect",
            &address,
            "-c",
        ];
        arguments.push(config.to_str().unwrap());
        arguments.extend(rest);
        let (out, err, code) = run(PORTCULLIS, &arguments);
        let report: Value =
            serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}{err}"));
        let attempts = report["attempts"].as_array().unwrap().clone();
        Self {
            code,
            attempts,
            summary: report["summary"].clone(),
        }
    }

    /// `expected`, `happened` and `result` of what was tried under the entry with this label.
    fn line(&self, host: &str, tried: &str) -> (&str, &str, &str) {
        let line = self
            .attempts
            .iter()
            .find(|line| line["host"] == host && line["tried"] == tried);
        let line = line.unwrap_or_else(|| panic!("{tried} at {host}: {:#?}", self.attempts));
        let text = |key: &str| line[key].as_str().unwrap();
        (text("expected"), text("happened"), text("result"))
    }

    fn results(&self, result: &str) -> Vec<&str> {
        let lines = self.attempts.iter().filter(|line| line["result"] == result);
        lines.map(|line| line["tried"].as_str().unwrap()).collect()
    }
}

/// The folder of a CA whose key is in a file, too.
fn mint(pki: &Pki) -> [String; 4] {
    let path = |name: &str| pki.path(name).to_str().unwrap().to_owned();
    std::fs::write(pki.path("ca.key"), pki.authority_key()).unwrap();
    [
        "--ca-cert".into(),
        path("ca.crt"),
        "--ca-key".into(),
        path("ca.key"),
    ]
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn config_file(pki: &Pki, text: &str) -> PathBuf {
    let file = pki.path("verified.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_right_gateway_passes_and_everything_is_proven_with_a_ca() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener(&pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let verified = Verified::by(&gateway.config_file, &gateway, &words(&mint(&pki)));
    assert_eq!(verified.code, 0, "{:#?}", verified.attempts);
    for (tried, happened) in [
        ("the server's certificate", "that of the config"),
        ("no certificate", "alert certificate_required"),
        ("a valid certificate", "400 method_not_forwarded"),
        ("of an unknown CA", "alert unknown_ca"),
        ("self-signed", "alert unknown_ca"),
        (
            "of a CA with the name of test's anchor",
            "alert decrypt_error",
        ),
        ("expired", "alert certificate_expired"),
        ("not yet valid", "alert certificate_expired"),
        ("for servers only", "alert unsupported_certificate"),
        ("a CA's own, as client", "alert certificate_unknown"),
    ] {
        let line = verified.line("*", tried);
        assert_eq!((line.1, line.2), (happened, "ok"), "{tried}");
    }
    assert_eq!(
        verified.line("", "plain HTTP"),
        ("400", "400 plain_http", "ok")
    );
    assert_eq!(verified.line("", "TLS 1.1").1, "alert protocol_version");
    assert_eq!(verified.summary["failed"], 0);
    assert!(
        upstream.recorded().is_empty(),
        "no attempt reaches an upstream"
    );
}

#[test]
fn without_a_good_certificate_denials_are_unproven_and_with_one_they_are_proven() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener(&pki) + &user("alice", &["*"]) + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let verified = Verified::by(&gateway.config_file, &gateway, &[]);
    assert_eq!(verified.code, 2, "what proves nothing is no success");
    assert_eq!(
        verified.results("unproven").len(),
        3,
        "{:#?}",
        verified.attempts
    );
    assert_eq!(verified.line("*", "expired").2, "skipped");
    assert_eq!(
        Verified::by(&gateway.config_file, &gateway, &["--allow-skipped"]).code,
        0
    );

    let alice = pki.client("alice");
    let [certificate, key] =
        [alice.certificate_file, alice.key_file].map(|file| file.to_str().unwrap().to_owned());
    let verified = Verified::by(
        &gateway.config_file,
        &gateway,
        &["--cert", &certificate, "--key", &key],
    );
    assert_eq!(
        (verified.code, verified.results("unproven").len()),
        (2, 0),
        "without a CA some are skipped"
    );
    assert_eq!(verified.line("*", "a valid certificate").2, "ok");
    assert!(
        upstream.recorded().is_empty(),
        "also where the certificate may do everything"
    );
}

#[test]
fn a_gateway_that_lets_in_more_than_the_config_says_is_found() {
    let (pki, other, upstream) = (Pki::new(), Pki::named("Other CA"), Upstream::start());
    let rest = user("alice", &["GET /*"]) + &route_to(upstream.address);
    let both = format!("anchors = [\"{}\", ", other.ca_file().display());
    let running =
        listener_with(&pki, "client_auth = \"optional\"").replace("anchors = [", &both) + &rest;
    let gateway = Gateway::start(&running);
    let said = config_file(&pki, &(listener(&pki) + &rest));
    let verified = Verified::by(&said, &gateway, &words(&mint(&pki)));
    assert_eq!(verified.code, 1);
    assert_eq!(
        verified.line("*", "no certificate"),
        (
            "alert certificate_required",
            "LET IN: 401 no_certificate",
            "failed"
        )
    );
    assert_eq!(verified.results("failed"), ["no certificate"]);
    // The very same gateway, by the config that it runs.
    assert_eq!(
        Verified::by(&gateway.config_file, &gateway, &words(&mint(&pki))).code,
        0
    );

    // A CA that the config trusts no more, and the gateway still does.
    let verified = Verified::by(&said, &gateway, &words(&mint(&other)));
    assert_eq!(verified.code, 1);
    assert_eq!(
        verified.line("*", "of the CA of --ca-cert"),
        ("refused", "LET IN: 400 method_not_forwarded", "failed")
    );
}

#[test]
fn a_gateway_that_rejects_what_the_config_lets_in_is_found() {
    let (pki, other, upstream) = (Pki::new(), Pki::named("Other CA"), Upstream::start());
    let rest = user("alice", &["GET /*"]) + &route_to(upstream.address);
    let gateway = Gateway::start(&(listener(&pki) + &rest));
    let anchor = format!("{}/ca.crt\"]", pki.folder.path().display());
    let said = listener(&pki).replace(
        &anchor,
        &format!("{}/ca.crt\"]", other.folder.path().display()),
    ) + &rest;
    let verified = Verified::by(&config_file(&pki, &said), &gateway, &words(&mint(&other)));
    assert_eq!(verified.code, 1);
    assert_eq!(
        verified.line("*", "a valid certificate").1,
        "alert unknown_ca"
    );
    assert!(verified.results("failed").contains(&"a valid certificate"));
}

#[test]
fn hosts_and_server_names_are_kept_apart() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    pki.server("a", &["a.example.org"]);
    pki.server("b", &["b.example.org"]);
    let folder = pki.folder.path().display();
    let host = |names: &str, file: &str, lines: &str| {
        format!(
            "[[listener.main.host]]\nnames = {names}\ncertificate = \"{folder}/{file}.crt\"\n\
             private_key = \"{folder}/{file}.key\"\n{lines}\n"
        )
    };
    let config = "[listener.main]\naddress = \"127.0.0.1:0\"\n".to_owned()
        + &host("[\"a.example.org\"]", "a", "")
        + &host("[\"*.example.org\"]", "b", "client_auth = \"off\"")
        + &trust_domain("test", &pki)
        + &process()
        + &user("alice", &["GET /*"])
        + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let verified = Verified::by(&gateway.config_file, &gateway, &words(&mint(&pki)));
    assert_eq!(verified.code, 0, "{:#?}", verified.attempts);
    for host in ["a.example.org", "*.example.org"] {
        for tried in [
            "Host of another entry",
            "HTTP/2 :authority of another entry",
        ] {
            assert_eq!(
                verified.line(host, tried),
                ("421", "421 misdirected", "ok"),
                "{host}"
            );
        }
    }
    assert_eq!(
        verified.line("*.example.org", "no certificate"),
        ("401", "401 no_certificate", "ok")
    );
    for tried in ["an unknown server name", "no server name"] {
        assert_eq!(verified.line("", tried).1, "alert unrecognized_name");
    }
    // Without a certificate, what lies behind TLS cannot be tried.
    let verified = Verified::by(&gateway.config_file, &gateway, &[]);
    assert_eq!(
        (
            verified.code,
            verified.line("a.example.org", "Host of another entry").2
        ),
        (2, "skipped")
    );
}

#[test]
fn another_certificate_than_the_configs_is_another_gateway() {
    let (pki, other, upstream) = (Pki::new(), Pki::new(), Upstream::start());
    let rest = user("alice", &["GET /*"]) + &route_to(upstream.address);
    let gateway = Gateway::start(&(listener(&pki) + &rest));
    let verified = Verified::by(
        &config_file(&other, &(listener(&other) + &rest)),
        &gateway,
        &[],
    );
    assert_eq!(verified.code, 1);
    assert_eq!(
        verified.line("*", "the server's certificate"),
        (
            "that of the config",
            "another certificate is shown",
            "failed"
        )
    );
}

#[test]
fn what_cannot_be_tried_is_no_success() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let file = config_file(
        &pki,
        &(listener(&pki) + &user("alice", &["*"]) + &route_to(upstream.address)),
    );
    let file = file.to_str().unwrap();
    let closed = ReservedPort::new();
    let nobody = closed.address().to_string();
    for (arguments, says) in [
        (vec!["-c", file], "say --live"),
        (vec!["--live", "-c", file], "port 0"),
        (
            vec!["--live", "-c", file, "--listener", "x"],
            "there is no listener \"x\"",
        ),
        (vec!["--live", "-c", "/nowhere.toml"], "nowhere.toml"),
        (vec!["--live", "-c", file, "--connect", &nobody], "not run"),
        (
            vec![
                "--live",
                "-c",
                file,
                "--connect",
                &nobody,
                "--ca-cert",
                file,
                "--ca-key",
                file,
            ],
            "not a certificate in PEM",
        ),
    ] {
        let arguments: Vec<&str> = ["verify"].into_iter().chain(arguments).collect();
        let (out, err, code) = run(PORTCULLIS, &arguments);
        assert!(
            code == 2 && (out + &err).contains(says),
            "{arguments:?}: {code} {err}"
        );
    }
}

#[test]
fn the_table_is_for_people() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway =
        Gateway::start(&(listener(&pki) + &user("alice", &["*"]) + &route_to(upstream.address)));
    let (address, config) = (
        gateway.address().to_string(),
        gateway.config_file.to_str().unwrap(),
    );
    let (out, err, code) = run(
        PORTCULLIS,
        &["verify", "--live", "-c", config, "--connect", &address],
    );
    assert_eq!((code, err.as_str()), (2, ""));
    let headings: Vec<&str> = out.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        headings,
        ["tried", "expected", "happened", "result"],
        "{out}"
    );
    assert!(
        out.contains(&format!("\nlistener main at {address}\n  host *\n")),
        "{out}"
    );
    let line = out
        .lines()
        .find(|line| line.trim_start().starts_with("no certificate "))
        .unwrap();
    assert!(
        line.contains("alert certificate_required") && line.ends_with("  ok"),
        "{line}"
    );
    assert!(
        out.contains("\n4 as expected, 3 as expected but unproven, 5 skipped, 4 not applicable\n"),
        "{out}"
    );
    assert!(
        out.ends_with("incomplete: exit code 2; with --allow-skipped it is 0\n"),
        "{out}"
    );
}
