//! A table of requests and what is decided about them, by one snapshot. Each denial has a twin that is permitted.

use super::{Client, Decision, Evidence, Need, PresentedCredentials, decide_with};
use crate::authorizer::{Opinion, Verdict};
use crate::head::RequestHead;
use crate::host::HostName;
use crate::pki::test_certificates::write_certificates;
use crate::proxy::ClientIdentity;
use crate::route::icinga2::EventTypes;
use crate::snapshot::{Depth, Snapshot, load};
use crate::telemetry::Telemetry;
use std::net::Ipv4Addr;
use std::sync::Arc;

const CONFIG: &str = r#"
[listener.main]
address = "127.0.0.1:0"
certificate = "server.crt"
private_key = "server.key"

[trust_domain.test]
anchors = ["ca.crt"]

[authorizer.opa]
protocol = "forward-auth"
endpoint = "http://127.0.0.1:1/check"

[upstream.api]
endpoints = ["http://127.0.0.1:1"]

[[route]]
path = "/api"
upstream = "api"

[[route]]
path = "/lower"
upstream = "api"
requirement = { list = "lower/list" }

[[route]]
path = "/public"
upstream = "api"
client_auth = "optional"

[[route]]
path = "/login"
upstream = "api"
credentials = ["certificate", "password"]

[[route]]
path = "/asked"
upstream = "api"
authorizer = "opa"

[[route]]
path = "/v1"
upstream = "api"
preset = "icinga2"

[[route]]
path = "/overridden"
upstream = "api"
method_override = "judge"

[[route]]
path = "/timed"
upstream = "api"
when = 'now < timestamp("2030-01-01T00:00:00Z")'

[api_user.alice]
client_cn = "alice"
password_hash = "$argon2id$v=19$m=19456,t=2,p=1$Ezm3mgK3An1iQKVHVFT4DQ$ufrJgsA5tsLjovJ0vXOAoH1UVsjpZ1m6YWWiZylXL2o"
permissions = ["GET /*", "lower/list", "events/CheckResult"]
deny = ["GET /public/secret"]

[api_user.limited]
client_cn = "limited"
permissions = ["GET /api/open"]
"#;

/// 2027 and 2033.
const NOW: i64 = 1_800_000_000;
const LATER: i64 = 2_000_000_000;

struct Scene {
    snapshot: Snapshot,
    _folder: tempfile::TempDir,
}

/// A request, and what is known beside it.
#[derive(Clone)]
struct Case {
    identity: ClientIdentity,
    method: &'static str,
    target: &'static str,
    fields: Vec<(&'static str, &'static [u8])>,
    evidence: Evidence,
    now: i64,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_certificates(folder.path());
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, CONFIG).unwrap();
        let telemetry = Arc::new(Telemetry::default());
        let outcome = load(&file, None, &telemetry, Depth::Errors);
        let report = outcome.report();
        let snapshot = outcome.snapshot.unwrap_or_else(|| panic!("{report}"));
        Self {
            snapshot,
            _folder: folder,
        }
    }

    fn user(&self, name: &str) -> ClientIdentity {
        ClientIdentity::Known(self.snapshot.users.named(name).unwrap())
    }

    fn get(&self, target: &'static str) -> Case {
        Case {
            identity: self.user("alice"),
            method: "GET",
            target,
            fields: vec![("host", b"localhost")],
            evidence: Evidence::default(),
            now: NOW,
        }
    }

    /// `permit`, the reason of a denial, or the need.
    fn decide(&self, case: &Case) -> String {
        let listener = self.snapshot.listeners.get("main").unwrap();
        let host = listener.host(HostName::parse("localhost").as_ref());
        let client = Client {
            listener,
            host: host.unwrap(),
            identity: &case.identity,
            verified_by: None,
            certificate: None,
            source: Ipv4Addr::LOCALHOST.into(),
            now: case.now,
        };
        let head = RequestHead {
            method: case.method,
            target: case.target,
            authority: None,
            fields: case.fields.as_slice(),
        };
        match decide_with(&self.snapshot, client, &case.evidence, &head).decision {
            Decision::Permit(_) => "permit".to_owned(),
            Decision::Deny(rejection) => rejection.reason().word().to_owned(),
            Decision::Needs(need) => format!("needs {need:?}"),
        }
    }
}

#[test]
fn who_asks_decides() {
    let scene = Scene::new();
    let api = scene.get("/api/x");
    let by = |identity| Case {
        identity,
        ..api.clone()
    };
    for (identity, expected) in [
        (scene.user("alice"), "permit"),
        (scene.user("limited"), "no_permission"),
        (ClientIdentity::Anonymous, "no_certificate"),
        (ClientIdentity::UnknownUser, "unknown_user"),
        (
            ClientIdentity::AmbiguousIdentity("a".into(), "b".into()),
            "ambiguous_identity",
        ),
        (ClientIdentity::ReservedName("x".into()), "reserved_name"),
    ] {
        let case = by(identity);
        assert_eq!(scene.decide(&case), expected, "{:?}", case.identity);
    }
    let open = Case {
        identity: scene.user("limited"),
        ..scene.get("/api/open")
    };
    assert_eq!(scene.decide(&open), "permit");
}

#[test]
fn strangers_do_not_learn_which_paths_exist() {
    let scene = Scene::new();
    for target in ["/api/x", "/nowhere"] {
        let stranger = Case {
            identity: ClientIdentity::Anonymous,
            ..scene.get(target)
        };
        assert_eq!(scene.decide(&stranger), "no_certificate", "{target}");
    }
    assert_eq!(scene.decide(&scene.get("/nowhere")), "no_route");
}

#[test]
fn what_is_asked_for_decides() {
    let scene = Scene::new();
    for (method, target, expected) in [
        ("GET", "/api/x", "permit"),
        ("DELETE", "/api/x", "no_permission"),
        ("CONNECT", "/api/x", "method_not_forwarded"),
        ("trace", "/api/x", "method_not_forwarded"),
        ("get", "/api/x", "lower_case_method"),
        ("list", "/lower", "permit"),
        ("GET", "/lower", "method_not_allowed"),
        ("GET", "/api/%zz", "bad_path"),
        ("GET", "*", "bad_path"),
        ("GET", "/timed", "permit"),
        ("GET", "/public/x", "permit"),
        ("GET", "/public/secret", "denied"),
        ("GET", "/PUBLIC/secret", "no_route"),
    ] {
        let case = Case {
            method,
            ..scene.get(target)
        };
        assert_eq!(scene.decide(&case), expected, "{method} {target}");
    }
    let late = Case {
        now: LATER,
        ..scene.get("/timed")
    };
    assert_eq!(scene.decide(&late), "condition_not_met");
}

#[test]
fn header_fields_decide() {
    let scene = Scene::new();
    let host: (&str, &[u8]) = ("host", b"localhost");
    let overriding: (&str, &[u8]) = ("x-http-method-override", b"DELETE");
    let reading: (&str, &[u8]) = ("x-http-method-override", b"GET");
    for (target, fields, expected) in [
        ("/api/x", vec![host], "permit"),
        ("/api/x", vec![], "bad_host"),
        ("/api/x", vec![host, host], "bad_host"),
        ("/api/x", vec![host, overriding], "method_override"),
        ("/overridden", vec![host, overriding], "no_permission"),
        ("/overridden", vec![host, reading], "permit"),
    ] {
        let case = Case {
            fields: fields.clone(),
            ..scene.get(target)
        };
        assert_eq!(scene.decide(&case), expected, "{target} {fields:?}");
    }
}

#[test]
fn evidence_is_needed_where_the_route_says_so_and_nowhere_else() {
    let scene = Scene::new();
    let by_certificate = PresentedCredentials::Nothing;
    let login = scene.get("/login");
    assert_eq!(scene.decide(&login), "needs Credentials");
    let mut checked = login.clone();
    checked.evidence.presented = by_certificate;
    assert_eq!(scene.decide(&checked), "permit");
    checked.identity = ClientIdentity::Anonymous;
    assert_eq!(scene.decide(&checked), "no_credentials");

    let asked = scene.get("/asked");
    assert_eq!(scene.decide(&asked), "needs Authorizer");
    let verdict = |by: &str, about: &str| Verdict {
        by: by.into(),
        about: Some(about.into()),
        opinion: Opinion::Permit(Arc::default()),
    };
    for (by, about, expected) in [
        ("opa", "alice", "permit"),
        ("other", "alice", "needs Authorizer"),
        ("opa", "limited", "needs Authorizer"),
    ] {
        let mut answered = asked.clone();
        answered.evidence.verdict = Some(verdict(by, about));
        assert_eq!(scene.decide(&answered), expected, "{by} about {about}");
    }
    // Only what the gateway permits itself is asked about.
    let denied = Case {
        identity: scene.user("limited"),
        ..asked
    };
    assert_eq!(scene.decide(&denied), "no_permission");
}

#[test]
fn a_body_decides_about_a_subscription_to_events() {
    let scene = Scene::new();
    let subscribing = Case {
        method: "POST",
        ..scene.get("/v1/events")
    };
    assert_eq!(
        scene.decide(&subscribing),
        format!("needs {:?}", Need::Body)
    );
    for (body, expected) in [
        (r#"{"types": ["CheckResult"], "queue": "q"}"#, "permit"),
        (
            r#"{"types": ["StateChange"], "queue": "q"}"#,
            "no_permission",
        ),
        ("{", "bad_json"),
    ] {
        let mut read = subscribing.clone();
        read.evidence.body = Some(EventTypes::from_body(body.as_bytes()));
        assert_eq!(scene.decide(&read), expected, "{body}");
    }
    let mut encoded = subscribing;
    encoded.fields.push(("content-encoding", b"gzip"));
    assert_eq!(scene.decide(&encoded), "encoded_body");
}
