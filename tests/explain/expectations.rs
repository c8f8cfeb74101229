//! `[[expect]]`: `check` holds the config against what is expected of it, and `run` does not.

use super::{POLICY, Question, upstream_at};
use crate::support::gateway::listener_with;
use crate::support::pki::text;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};

const MET: &str = r#"
[[expect]]
user = "alice"
request = "GET /api/x"
verdict = "permit"
permission = "GET /api/*"

[[expect]]
cn = "alice2"
method = "GET"
url = "https://localhost/api/secret"
headers = { X-Change = "approved" }
source = "192.0.2.7"
at = "2030-01-01T00:00:00Z"
body = "x"
listener = "main"
trust_domain = "test"
verdict = "refuse"
reason = "denied"
permission = "GET /api/secret*"

[[expect]]
request = "GET /public"
verdict = "refuse"
reason = "no_certificate"
"#;

fn check(expectations: &str, beside: &[(&str, &str)]) -> (Question, String, String, i32) {
    let pki = Pki::new();
    let config = listener_with(&pki, "") + &upstream_at("127.0.0.1:1") + POLICY + expectations;
    let question = Question::with(pki, config);
    let file = text(&question.file());
    let mut arguments = vec!["check".to_owned(), "-c".to_owned(), file];
    for (name, content) in beside {
        std::fs::write(question.pki.path(name), content).unwrap();
        arguments.extend(["--expect".to_owned(), text(&question.pki.path(name))]);
    }
    let (out, err, code) = run(
        PORTCULLIS,
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    (question, out, err, code)
}

#[test]
fn what_is_expected_and_so_is_counted() {
    let (_, out, err, code) = check(MET, &[]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(", 2 warnings, 3 expectations met"), "{out}");
    let certificate =
        "[[expect]]\ncertificate = \"bob.crt\"\nrequest = \"PUT /x\"\nverdict = \"permit\"\n";
    let (question, ..) = check("", &[]);
    question.pki.client("bob");
    std::fs::write(question.pki.path("more.toml"), certificate).unwrap();
    let more = text(&question.pki.path("more.toml"));
    let (out, err, code) = run(
        PORTCULLIS,
        &["check", "-c", &text(&question.file()), "--expect", &more],
    );
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(", 2 warnings, 1 expectation met"), "{out}");
}

#[test]
fn what_is_expected_and_otherwise_is_an_error_with_place_and_reasoning() {
    let wrong = "\n[[expect]]\nuser = \"alice\"\nrequest = \"POST /api/x\"\nverdict = \"permit\"\n";
    let (question, out, err, code) = check(&(MET.to_owned() + wrong), &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    let last = question.config.lines().count();
    assert!(err.contains(&format!("gateway.toml:{last}:11")), "{err}");
    let message = "\"alice\", POST /api/x: expected is permit, but what comes out is refuse (403 no_permission)";
    assert!(err.contains(message), "{err}");
    let hint = format!(
        "user alice at {}; route / at {}; required is POST /api/x; no permission grants it",
        question.place("alice]"),
        question.place("[[route]]\npath = \"/\"\n"),
    );
    assert!(err.contains(&hint), "{hint}\n{err}");
    assert!(err.contains(": 1 error, 3 expectations met"), "{err}");
    for (entry, message) in [
        (
            "user = \"alice\"\nrequest = \"GET /api/x\"\nverdict = \"refuse\"",
            "expected is refuse, but what comes out is permit",
        ),
        (
            "user = \"alice\"\nrequest = \"GET /api/secret\"\nverdict = \"refuse\"\nreason = \"no_permission\"",
            "expected is the reason no_permission, but what comes out is denied",
        ),
        (
            "user = \"alice\"\nrequest = \"GET /api/x\"\nverdict = \"permit\"\npermission = \"*\"",
            "expected is the permission \"*\", but what decides is \"GET /api/*\"",
        ),
        (
            "user = \"alise\"\nrequest = \"GET /\"\nverdict = \"permit\"",
            "there is no api_user \"alise\"",
        ),
        (
            "user = \"alice\"\nrequest = \"GET x\"\nverdict = \"permit\"",
            "the URL begins with https:// or is a path",
        ),
        (
            "request = \"GET /\"\nsource = \"here\"\nverdict = \"permit\"",
            "\"here\" is no address",
        ),
        (
            "request = \"GET /\"\nlistener = \"inner\"\nverdict = \"permit\"",
            "there is no listener \"inner\"",
        ),
        (
            "certificate = \"no.crt\"\nrequest = \"GET /\"\nverdict = \"permit\"",
            "cannot read",
        ),
    ] {
        let (_, _, err, code) = check(&format!("\n[[expect]]\n{entry}\n"), &[]);
        assert!(code == 1 && err.contains(message), "{entry}: {err}");
    }
}

#[test]
fn files_beside_the_config_hold_expectations_and_nothing_else() {
    let good = "[[expect]]\nuser = \"bob\"\nrequest = \"PUT /x\"\nverdict = \"permit\"\n";
    let bad = "[[expect]]\nuser = \"bob\"\nrequest = \"DELETE /x\"\nverdict = \"permit\"\n";
    let (_, out, err, code) = check("", &[("a.toml", good), ("b.toml", good)]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("2 expectations met"), "{out}");
    let (_, _, err, code) = check("", &[("a.toml", good), ("b.toml", bad)]);
    assert!(
        code == 1 && err.contains("b.toml:4:11") && err.contains(": 1 error, 1 expectation met"),
        "{err}"
    );
    for (content, message) in [
        (
            "[api_user.x]\nclient_cn = \"x\"\n",
            "unknown key `api_user`",
        ),
        ("[[expect]\n", "b.toml:1"),
        (
            "[[expect]]\nverdikt = \"permit\"\nrequest = \"GET /\"\n",
            "unknown key `expect[0].verdikt`",
        ),
    ] {
        let (_, _, err, code) = check("", &[("b.toml", content)]);
        assert!(code == 1 && err.contains(message), "{content}: {err}");
    }
    let (question, ..) = check("", &[]);
    let (_, err, code) = run(
        PORTCULLIS,
        &[
            "check",
            "-c",
            &text(&question.file()),
            "--expect",
            "/does/not/exist",
        ],
    );
    assert!(
        code == 1 && err.contains("cannot read /does/not/exist"),
        "{err}"
    );
}

#[test]
fn a_gateway_runs_and_reloads_with_failing_expectations() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let unmet = "[[expect]]\nuser = \"nobody-here\"\nrequest = \"GET /\"\nverdict = \"permit\"\n";
    let config =
        listener_with(&pki, "") + &upstream_at(&upstream.address.to_string()) + POLICY + unmet;
    let gateway = Gateway::start(&config);
    gateway.reload_with(&(config.clone() + "# again\n"));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/api/x").status, 200);
    // But what is no expectation is a mistake like others.
    let (_, err, code) = run(PORTCULLIS, &["check", "-c", &text(&gateway.config_file)]);
    assert!(
        code == 1 && err.contains("there is no api_user \"nobody-here\""),
        "{err}"
    );
}
