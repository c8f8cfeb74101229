//! `portcullis explain`: the decision, what it was found by, and that the running gateway decides the same.

mod alerts;
mod all;
mod expectations;
mod live;
mod reasons;
mod questions;

use crate::support::client::{Version, request};
use crate::support::gateway::{listener_with, named_listener, process, trust_domain};
use crate::support::pki::{Kind, text};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use std::path::PathBuf;

/// Users, a role and routes; the upstream is only a name here.
const POLICY: &str = r#"
[api_user.alice]
client_cn = ["alice", "alice2"]
permissions = [
    "GET /api/*",
    "objects/query/h*",
]
deny = ["GET /api/secret*"]

[api_user.bob]
client_cn = "bob"
roles = ["ops"]

[api_user.nobody]
client_cn = "nobody"

[api_user.unprovable]
permissions = ["*"]

[role.ops]
permissions = ["* /*", "objects/*"]
deny = ["DELETE /*"]

[[route]]
path = "/"
upstream = "api"

[[route]]
path = "/v1/objects/{type}"
upstream = "api"
requirement = { GET = "objects/query/{type}", POST = "objects/create/{type}" }

[[route]]
path = "/public"
upstream = "api"
client_auth = "off"

[[route]]
path = "/me"
respond = "whoami"

[[route]]
path = "/loose"
upstream = "api"
encoded_slash = "keep"
dot_segments = "resolve"
"#;

/// A config file to ask about.
struct Question {
    pki: Pki,
    folder: tempfile::TempDir,
    config: String,
}

struct Explanation {
    output: String,
    errors: String,
    code: i32,
}

impl Question {
    fn new() -> Self {
        let pki = Pki::new();
        let config = listener_with(&pki, "") + &upstream_at("127.0.0.1:1") + POLICY;
        Self::with(pki, config)
    }

    fn with(pki: Pki, config: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), &config).unwrap();
        Self {
            pki,
            folder,
            config,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    fn ask(&self, arguments: &[&str]) -> Explanation {
        let file = text(&self.file());
        let (output, errors, code) = run(
            PORTCULLIS,
            &[&["explain", "--config", &file], arguments].concat(),
        );
        Explanation {
            output,
            errors,
            code,
        }
    }

    /// `file:line:column` of a text that stands once in the config.
    fn place(&self, text: &str) -> String {
        let at = self.config.find(text).expect("the text");
        assert_eq!(self.config.matches(text).count(), 1, "{text}");
        let before = &self.config[..at];
        let column = at - before.rfind('\n').map_or(0, |end| end + 1) + 1;
        let line = before.matches('\n').count() + 1;
        format!("{}:{line}:{column}", self.file().display())
    }
}

fn upstream_at(address: &str) -> String {
    format!("[upstream.api]\nendpoints = [\"http://{address}\"]\n")
}

impl Explanation {
    /// The value of a line.
    fn value(&self, name: &str) -> &str {
        let prefix = format!("{name}:");
        let line = self
            .output
            .lines()
            .find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no {name} in {:?}", self.output))
            .trim()
    }

    fn has(&self, name: &str) -> bool {
        self.output
            .lines()
            .any(|line| line.starts_with(&format!("{name}:")))
    }

    /// `200`, or status and reason of the rejection.
    fn decision(&self) -> String {
        let decision = self.value("decision");
        let rejection = decision
            .strip_prefix("refuse (")
            .and_then(|rest| rest.strip_suffix(')'));
        match (decision, rejection, self.code) {
            ("permit", None, 0) => "200".to_owned(),
            // What follows a colon are further words.
            (_, Some(rejection), 1) => rejection.split(':').next().unwrap_or_default().to_owned(),
            _ => panic!("exit code {} with {:?}", self.code, self.output),
        }
    }
}

#[test]
fn an_allowed_request_is_explained_by_user_route_requirement_and_permission() {
    let question = Question::new();
    let answer = question.ask(&["--cn", "alice2", "GET", "https://localhost/api/x%7Ey?q=1"]);
    assert_eq!((answer.code, answer.errors.as_str()), (0, ""));
    for (name, expected) in [
        ("decision", "permit".to_owned()),
        ("user", format!("alice at {}", question.place("alice]"))),
        ("path", "GET /api/x~y".to_owned()),
        ("upstream", "api".to_owned()),
        ("requirement", "GET /api/x~y".to_owned()),
        (
            "permission",
            format!("\"GET /api/*\" at {}", question.place("\"GET /api/*\"")),
        ),
    ] {
        assert_eq!(answer.value(name), expected, "{name}");
    }
    assert!(
        answer.value("route").starts_with("/ at "),
        "{}",
        answer.output
    );
}

#[test]
fn a_named_requirement_and_a_role_are_named() {
    let question = Question::new();
    let answer = question.ask(&["--user", "bob", "POST", "/v1/objects/hosts"]);
    assert_eq!(answer.decision(), "200");
    assert_eq!(answer.value("requirement"), "objects/create/hosts");
    let place = question.place("\"objects/*\"");
    assert_eq!(
        answer.value("permission"),
        format!("\"objects/*\" of role \"ops\" at {place}")
    );
}

#[test]
fn a_denial_names_the_denying_permission_or_that_none_grants() {
    let question = Question::new();
    let denied = question.ask(&["--cn", "alice", "GET", "/api/secret/x"]);
    assert_eq!(denied.decision(), "403 denied");
    let place = question.place("\"GET /api/secret*\"");
    assert_eq!(
        denied.value("denied by"),
        format!("\"GET /api/secret*\" at {place}")
    );

    let by_role = question.ask(&["--cn", "bob", "DELETE", "/x"]);
    assert_eq!(by_role.decision(), "403 denied");
    let place = question.place("\"DELETE /*\"");
    assert_eq!(
        by_role.value("denied by"),
        format!("\"DELETE /*\" of role \"ops\" at {place}")
    );

    let nothing = question.ask(&["--cn", "nobody", "GET", "/api/x"]);
    assert_eq!(nothing.decision(), "403 no_permission");
    assert_eq!(nothing.value("permission"), "none grants this");
    assert_eq!(nothing.value("requirement"), "GET /api/x");
}

#[test]
fn strangers_are_explained_too() {
    let question = Question::new();
    let unknown = question.ask(&["--cn", "mallory", "GET", "/api/x"]);
    assert_eq!(unknown.decision(), "403 unknown_user");
    assert_eq!(
        unknown.value("user"),
        "none: the certificate is no ApiUser's"
    );
    let unusable = question.ask(&["--cn", "", "GET", "/api/x"]);
    assert_eq!(unusable.decision(), "403 unusable_name");
    assert_eq!(unusable.value("user"), "none: the common name is empty");
    let nobody = question.ask(&["GET", "/api/x"]);
    assert_eq!(nobody.decision(), "TLS alert certificate_required");
    assert_eq!(nobody.value("user"), "none: no certificate");
    // What needs nobody is permitted, but only to who gets through the handshake.
    assert_eq!(
        question.ask(&["GET", "/public"]).decision(),
        "TLS alert certificate_required"
    );
    let public = question.ask(&["--cn", "mallory", "GET", "/public"]);
    assert_eq!(public.decision(), "200");
    assert_eq!(
        public.value("permission"),
        "none needed: the route is public"
    );
    assert!(!public.has("requirement"));
    let whoami = question.ask(&["--cn", "nobody", "GET", "/me"]);
    assert_eq!(
        whoami.value("permission"),
        "none needed: the route is for any ApiUser"
    );
}

#[test]
fn a_certificate_is_verified_as_in_a_handshake() {
    let question = Question::new();
    let other = Pki::named("Other CA");
    for (identity, expected) in [
        (question.pki.client("alice"), "200"),
        (
            question.pki.of_kind("alice", Kind::ClientWithoutUsage),
            "200",
        ),
        (question.pki.client("mallory"), "403 unknown_user"),
        (
            question.pki.of_kind("alice", Kind::Expired),
            "TLS alert certificate_expired",
        ),
        (
            question.pki.of_kind("alice", Kind::NotYetValid),
            "TLS alert certificate_expired",
        ),
        (
            question.pki.of_kind("alice", Kind::Server),
            "TLS alert unsupported_certificate",
        ),
        (
            question.pki.of_kind("alice", Kind::Authority),
            "TLS alert certificate_unknown",
        ),
        (other.client("alice"), "TLS alert unknown_ca"),
    ] {
        let file = text(&identity.certificate_file);
        let answer = question.ask(&["--cert", &file, "GET", "/api/x"]);
        assert_eq!(answer.decision(), expected, "{file}");
    }
}

#[test]
fn the_certificate_of_a_ca_is_called_so() {
    let question = Question::new();
    let authority = question.pki.of_kind("alice", Kind::Authority);
    let answer = question.ask(&[
        "--cert",
        &text(&authority.certificate_file),
        "GET",
        "/api/x",
    ]);
    assert_eq!(
        answer.value("decision"),
        "refuse (TLS alert certificate_unknown: ca_certificate)"
    );
    assert!(
        answer.value("user").contains("this is a CA's certificate"),
        "{}",
        answer.output
    );
}
