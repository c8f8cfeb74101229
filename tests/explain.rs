//! `portcullis explain`: the decision, what it was found by, and that the running gateway decides the same.

mod alerts;
mod all;
mod expectations;
mod live;
mod reasons;

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

    /// `200`, or status and reason of the refusal.
    fn decision(&self) -> String {
        let decision = self.value("decision");
        let refusal = decision
            .strip_prefix("refuse (")
            .and_then(|rest| rest.strip_suffix(')'));
        match (decision, refusal, self.code) {
            ("permit", None, 0) => "200".to_owned(),
            // What follows a colon are further words.
            (_, Some(refusal), 1) => refusal.split(':').next().unwrap_or_default().to_owned(),
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
fn a_refusal_says_what_denies_or_that_nothing_grants() {
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
fn a_certificate_is_judged_as_in_a_handshake() {
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

#[test]
fn a_question_that_cannot_be_answered_has_a_code_of_its_own() {
    let question = Question::new();
    let broken = Question::with(Pki::new(), "[listener.main]\nadress = \"x\"\n".to_owned());
    for (question, arguments, expected) in [
        (
            &question,
            vec!["--user", "mallory", "GET", "/"],
            "there is no api_user \"mallory\"",
        ),
        (
            &question,
            vec!["--user", "unprovable", "GET", "/"],
            "can never come in here",
        ),
        (
            &question,
            vec!["--cert", "/does/not/exist", "GET", "/"],
            "cannot read /does/not/exist",
        ),
        (
            &question,
            vec!["--listener", "other", "GET", "/"],
            "there is no listener \"other\"; there are: main",
        ),
        (
            &question,
            vec!["--cn", "alice", "GET", "ftp://localhost/"],
            "begins with https://",
        ),
        (
            &question,
            vec!["--cn", "alice", "GET", "https:///x"],
            "names no host",
        ),
        (
            &question,
            vec!["--cn", "a", "--user", "b", "GET", "/"],
            "cannot be used with",
        ),
        (
            &question,
            vec!["--cn", "alice", "GET"],
            "required arguments",
        ),
        (&broken, vec!["--cn", "alice", "GET", "/"], "adress"),
    ] {
        let answer = question.ask(&arguments);
        assert_eq!(
            (answer.code, answer.output.as_str()),
            (2, ""),
            "{arguments:?}"
        );
        assert!(
            answer.errors.contains(expected),
            "{arguments:?}: {}",
            answer.errors
        );
    }
}

#[test]
fn where_there_are_several_listeners_one_must_be_named() {
    let (staff, partners) = (Pki::named("Staff CA"), Pki::named("Partners CA"));
    let one = |name: &str, domain: &str| {
        format!(
            "[api_user.{name}]\nclient_cn = \"alice\"\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n"
        )
    };
    let config = named_listener("inner", &staff, "trust_domain = \"staff\"")
        + &named_listener("outer", &partners, "trust_domain = \"partners\"")
        + &named_listener("open", &partners, "client_auth = \"off\"")
        + &trust_domain("staff", &staff)
        + &trust_domain("partners", &partners)
        + &process()
        + &one("of-staff", "staff")
        + &one("of-partners", "partners")
        + &upstream_at("127.0.0.1:1")
        + "[[route]]\npath = \"/inner\"\nupstream = \"api\"\nlisteners = [\"inner\"]\n";
    let certificate = text(&staff.client("alice").certificate_file);
    let question = Question::with(staff, config);
    let answer = question.ask(&["--cn", "alice", "GET", "/inner"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer
            .errors
            .contains("--listener NAME (inner, open, outer)"),
        "{}",
        answer.errors
    );
    for (listener, who, value, decision, user) in [
        ("inner", "--cn", "alice", "200", "of-staff at"),
        ("outer", "--cn", "alice", "404 no_route", "of-partners at"),
        (
            "open",
            "--cn",
            "alice",
            "401 no_certificate",
            "none: no certificate",
        ),
        ("inner", "--user", "of-staff", "200", "of-staff at"),
        (
            "open",
            "--user",
            "of-staff",
            "401 no_certificate",
            "none: no certificate",
        ),
        ("inner", "--cert", &certificate, "200", "of-staff at"),
        (
            "outer",
            "--cert",
            &certificate,
            "TLS alert unknown_ca",
            "none: the certificate is refused",
        ),
    ] {
        let answer = question.ask(&["--listener", listener, who, value, "GET", "/inner"]);
        assert_eq!(answer.decision(), decision, "{listener} {who} {value}");
        assert!(answer.value("user").starts_with(user), "{}", answer.output);
    }
    // A user of one domain cannot be asked about where only the other's certificates count.
    let answer = question.ask(&["--listener", "outer", "--user", "of-staff", "GET", "/inner"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer
            .errors
            .contains("no `client_cn` or the like in trust domain \"partners\""),
        "{}",
        answer.errors
    );
}

#[test]
fn several_domains_of_a_host_and_deny_lists_are_seen_as_the_gateway_sees_them() {
    let (staff, partners) = (Pki::named("Staff CA"), Pki::named("Partners CA"));
    std::fs::write(
        staff.path("denied"),
        format!(
            "user of-staff\ncn mallory\nfingerprint {}\n",
            "AB:".repeat(31) + "AB"
        ),
    )
    .unwrap();
    let one = |name: &str, domain: &str| {
        format!(
            "[api_user.{name}]\nclient_cn = \"alice\"\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n"
        )
    };
    let config = named_listener("both", &staff, "trust_domains = [\"staff\", \"partners\"]")
        + &named_listener("inner", &staff, "trust_domain = \"staff\"")
        + &trust_domain("staff", &staff)
        + &format!("deny_list = \"{}\"\n", text(&staff.path("denied")))
        + &trust_domain("partners", &partners)
        + &process()
        + &one("of-staff", "staff")
        + &one("of-partners", "partners")
        + &upstream_at("127.0.0.1:1")
        + "[[route]]\npath = \"/\"\nupstream = \"api\"\n";
    let [of_staff, of_partners] =
        [&staff, &partners].map(|pki| text(&pki.client("alice").certificate_file));
    let question = Question::with(staff, config);
    for (listener, who, value, decision) in [
        ("both", "--user", "of-partners", "200"),
        ("both", "--user", "of-staff", "403 revoked"),
        ("both", "--cert", &of_partners, "200"),
        ("both", "--cert", &of_staff, "403 revoked"),
        ("inner", "--cn", "alice", "403 revoked"),
        ("inner", "--cn", "mallory", "TLS alert certificate_revoked"),
        ("inner", "--cn", "bob", "403 unknown_user"),
        (
            "inner",
            "--fingerprint",
            &"ab".repeat(32),
            "TLS alert certificate_revoked",
        ),
        (
            "inner",
            "--fingerprint",
            &"ac".repeat(32),
            "403 unknown_user",
        ),
    ] {
        let answer = question.ask(&["--listener", listener, who, value, "GET", "/"]);
        assert_eq!(answer.decision(), decision, "{listener} {who} {value}");
    }
    let answer = question.ask(&["--listener", "both", "--cn", "alice", "GET", "/"]);
    assert_eq!(answer.code, 2);
    let hint = "\"staff\" or \"partners\"; use --trust-domain, --user or --cert";
    assert!(answer.errors.contains(hint), "{}", answer.errors);
    for (domain, decision) in [("partners", "200"), ("staff", "403 revoked")] {
        let asked = [
            "--listener",
            "both",
            "--trust-domain",
            domain,
            "--cn",
            "alice",
            "GET",
            "/",
        ];
        assert_eq!(question.ask(&asked).decision(), decision, "{domain}");
    }
    let answer = question.ask(&[
        "--listener",
        "inner",
        "--trust-domain",
        "partners",
        "--cn",
        "alice",
        "GET",
        "/",
    ]);
    assert!(
        answer.code == 2 && answer.errors.contains("\"partners\" does not vouch here"),
        "{}",
        answer.errors
    );
}

#[test]
fn the_running_gateway_decides_what_explain_says() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener_with(&pki, "") + &upstream_at(&upstream.address.to_string()) + POLICY;
    let gateway = Gateway::start(&config);
    let question = Question::with(pki, config);
    let requests = [
        ("GET", "/"),
        ("GET", "/api/x"),
        ("POST", "/api/x"),
        ("GET", "/api/secret"),
        ("GET", "/api/s%65cret"),
        ("GET", "/api/a%2Fb"),
        ("GET", "/api//x"),
        ("GET", "/API/x"),
        ("DELETE", "/x"),
        ("TRACE", "/x"),
        ("GET", "/v1/objects/hosts"),
        ("GET", "/v1/objects/HOSTS"),
        ("GET", "/v1/objects/services"),
        ("POST", "/v1/objects/hosts"),
        ("PUT", "/v1/objects/hosts"),
        ("GET", "/v1/objects"),
        ("GET", "/public"),
        ("DELETE", "/public/x"),
        ("GET", "/me"),
        ("POST", "/me"),
        ("GET", "/loose/a%2fb"),
        ("GET", "/loose/../api/x"),
        ("GET", "/loose/x/../y"),
        ("GET", "/%zz"),
    ];
    for name in ["alice", "bob", "nobody", "mallory"] {
        let client = Client::new(
            &question.pki,
            Some(&question.pki.client(name)),
            gateway.address(),
        );
        for (method, path) in requests {
            let answer = client
                .send(Version::Http1, request(method, path, ""))
                .unwrap();
            let real = match answer.status {
                200 => "200".to_owned(),
                status => format!("{status} {}", answer.reason()),
            };
            let explained = question.ask(&["--cn", name, method, path]);
            assert_eq!(explained.decision(), real, "{name} {method} {path}");
        }
    }
}
