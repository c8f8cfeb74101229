//! In front of the real Icinga 2: its API over TLS, with the gateway's credentials there and ApiUsers here.

mod live;
mod preset;
mod verdicts;
mod users;

use crate::support::client::{BOTH, Version, get, request};
use crate::support::gateway::listener;
use crate::support::{Client, Gateway, Icinga, Pki, eventually, require_program};
use http::Request;
use http_body_util::BodyExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Queries, actions and event streams, each with its own requirement, as `gateway.toml` shows.
fn config(pki: &Pki, icinga: &Icinga) -> String {
    std::fs::write(
        pki.path("credentials"),
        format!("{}:{}\n", icinga.user, icinga.password),
    )
    .unwrap();
    listener(pki)
        + &format!(
            r#"
[api_user.reader]
client_cn = "reader"
permissions = ["Objects/Query/*", "status/query"]

[api_user.operator]
client_cn = "operator"
permissions = ["actions/*", "events/subscribe", "objects/query/hosts"]
deny = ["actions/shutdown-process"]

[upstream.icinga]
endpoints = ["https://{name}:{port}"]
anchors = ["{anchors}"]
basic_credentials = "{credentials}"
preset = "icinga2"

[[route]]
path = "/"
match = "exact"
upstream = "icinga"
requirement = "status/query"

[[route]]
path = "/v1"
respond = "whoami"

[[route]]
path = "/v1/objects/{{type}}"
upstream = "icinga"
requirement = {{ GET = "objects/query/{{type}}", HEAD = "objects/query/{{type}}", POST = "objects/modify/{{type}}", DELETE = "objects/delete/{{type}}" }}
method_override = "judge"

[[route]]
path = "/v1/actions/{{action}}"
match = "exact"
upstream = "icinga"
requirement = {{ POST = "actions/{{action}}" }}

[[route]]
path = "/v1/events"
match = "exact"
upstream = "icinga"
requirement = {{ POST = "events/subscribe" }}
idle_timeout = "off"
"#,
            name = icinga.node_name,
            port = icinga.port,
            anchors = icinga.ca_file.display(),
            credentials = pki.path("credentials").display(),
        )
}

fn has_icinga() -> bool {
    // `require_program` fails where `tests/run` has installed everything; Icinga's own search looks in more folders.
    Icinga::is_installed() || require_program("icinga2")
}

/// Icinga with the gateway in front of it.
struct Front {
    pki: Pki,
    icinga: Icinga,
    gateway: Gateway,
}

impl Front {
    /// `None` where Icinga is not installed.
    fn start() -> Option<Self> {
        has_icinga().then(|| {
            let (pki, icinga) = (Pki::new(), Icinga::start());
            let gateway = Gateway::start(&config(&pki, &icinga));
            Self {
                pki,
                icinga,
                gateway,
            }
        })
    }

    fn client(&self, name: &str) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client(name)),
            self.gateway.address(),
        )
    }
}

fn post(path: &str, text: &str) -> Request<crate::support::client::RequestBody> {
    let mut request = request("POST", path, text);
    request
        .headers_mut()
        .insert("accept", "application/json".parse().unwrap());
    request
}

fn overridden(
    method: &str,
    path: &str,
    text: &str,
) -> Request<crate::support::client::RequestBody> {
    let mut request = post(path, text);
    request
        .headers_mut()
        .insert("x-http-method-override", method.parse().unwrap());
    request
}

const RESULT: &str =
    r#"{"type":"Host","host":"web1","exit_status":1,"plugin_output":"down by test"}"#;
const QUERY: &str =
    r#"{"filter":"host.name==name","filter_vars":{"name":"web1"},"attrs":["name"]}"#;
const ACTION: &str = "/v1/actions/process-check-result";

#[test]
fn queries_pass_for_the_right_user_and_are_rejected_for_others() {
    let Some(front) = Front::start() else { return };
    let (reader, operator, stranger) = (
        front.client("reader"),
        front.client("operator"),
        front.client("stranger"),
    );
    for version in BOTH {
        let answer = reader.send(version, get("/v1/objects/hosts")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(
            answer.body.contains("\"name\":\"web1\"")
                && answer.header("server").unwrap().starts_with("Icinga/")
        );
        let one = reader.send(version, get("/v1/objects/hosts/web1")).unwrap();
        assert_eq!(one.status, 200, "{}", one.body);

        assert_eq!(
            operator
                .send(version, get("/v1/objects/hosts"))
                .unwrap()
                .status,
            200
        );
        let refused = operator.send(version, get("/v1/objects/services")).unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );
        let refused = stranger.send(version, get("/v1/objects/hosts")).unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "unknown_user")
        );
    }
    // It logs a request after it is answered.
    assert_eq!(reader.get("/v1/objects/hosts/web1").status, 200);
    let permitted = || front.icinga.log().matches("GET /v1/objects/hosts").count();
    crate::support::eventually_is("permitted requests in its log", &7, permitted);
    let log = front.icinga.log();
    assert!(
        !log.contains("GET /v1/objects/services"),
        "what is refused here never reaches Icinga:\n{log}"
    );
}

#[test]
fn a_query_with_a_body_is_decided_by_the_overriding_method() {
    let Some(front) = Front::start() else { return };
    let reader = front.client("reader");
    for version in BOTH {
        let answer = reader
            .send(version, overridden("GET", "/v1/objects/hosts", QUERY))
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let found: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            found["results"][0]["attrs"],
            serde_json::json!({ "name": "web1" })
        );

        // The other way round: what looks like reading deletes, so it needs the right to delete.
        let mut disguised = overridden("DELETE", "/v1/objects/hosts/web1", "");
        *disguised.method_mut() = http::Method::GET;
        let refused = reader.send(version, disguised).unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );
        let refused = reader
            .send(version, post("/v1/objects/hosts", QUERY))
            .unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission"),
            "a plain POST modifies"
        );
    }
    assert_eq!(
        reader.get("/v1/objects/hosts/web1").status,
        200,
        "web1 is still there"
    );
}

#[test]
fn actions_pass_for_the_right_user_and_are_rejected_for_others() {
    let Some(front) = Front::start() else { return };
    let (reader, operator) = (front.client("reader"), front.client("operator"));
    for version in BOTH {
        let answer = operator.send(version, post(ACTION, RESULT)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("Successfully processed check result"));
        let refused = reader.send(version, post(ACTION, RESULT)).unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );
        let refused = operator
            .send(version, post("/v1/actions/shutdown-process", "{}"))
            .unwrap();
        assert_eq!((refused.status, refused.reason().as_str()), (403, "denied"));
        let refused = operator
            .send(version, overridden("GET", ACTION, RESULT))
            .unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (400, "method_override")
        );
    }
}

#[test]
fn an_event_stream_brings_events_while_it_is_open() {
    let Some(front) = Front::start() else { return };
    let (reader, operator) = (front.client("reader"), front.client("operator"));
    for version in BOTH {
        let path = "/v1/events?queue=test&types=CheckResult";
        let refused = reader.send(version, post(path, "")).unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );

        let mut connection = operator.connect(version).unwrap();
        let mut events = connection.start(post(path, "")).unwrap();
        assert_eq!(events.status(), 200);
        assert_eq!(
            operator
                .send(Version::Http1, post(ACTION, RESULT))
                .unwrap()
                .status,
            200
        );
        // Icinga itself may be five seconds late.
        let first = operator.runtime().block_on(async {
            let frame = tokio::time::timeout(Duration::from_secs(30), events.body_mut().frame());
            frame
                .await
                .expect("an event")
                .expect("a frame")
                .expect("a whole frame")
                .into_data()
                .expect("data")
        });
        let event: serde_json::Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(
            (&event["type"], &event["host"]),
            (&"CheckResult".into(), &"web1".into())
        );
    }
}

/// The same users with Icinga's own permissions and the preset.
fn config_with_preset(pki: &Pki, icinga: &Icinga) -> String {
    let by_hand = config(pki, icinga);
    let upstream =
        &by_hand[by_hand.find("[upstream.icinga]").unwrap()..by_hand.find("[[route]]").unwrap()];
    listener(pki)
        + "[api_user.reader]\nclient_cn = \"reader\"\npermissions = [\"objects/query/Host\", \"events/CheckResult\"]\n"
        + "[api_user.operator]\nclient_cn = \"operator\"\npermissions = [\"actions/process-check-result\"]\n"
        + upstream
        + "[[route]]\npath = \"/\"\nupstream = \"icinga\"\npreset = \"icinga2\"\n"
}

/// Of what the operator says to the host.
fn events_are_followed(reader: &Client, operator: &Client, version: Version) {
    let mut connection = reader.connect(version).unwrap();
    let mut events = connection
        .start(post(
            "/v1/events",
            r#"{"types":["CheckResult"],"queue":"x"}"#,
        ))
        .unwrap();
    assert_eq!(events.status(), 200);
    assert_eq!(
        operator.send(version, post(ACTION, RESULT)).unwrap().status,
        200
    );
    // Icinga itself may be five seconds late.
    let first = reader.runtime().block_on(async {
        let frame = tokio::time::timeout(Duration::from_secs(30), events.body_mut().frame());
        frame
            .await
            .expect("an event")
            .expect("a frame")
            .expect("a whole frame")
            .into_data()
            .expect("data")
    });
    let event: serde_json::Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(
        (&event["type"], &event["host"]),
        (&"CheckResult".into(), &"web1".into())
    );
}

/// `PORTCULLIS_ICINGA_RELOADS=20 cargo test icinga::reloads` makes so many.
#[test]
fn reloads_under_load_are_invisible_to_clients_that_may_retry() {
    let Some(front) = Front::start() else { return };
    let reloads = std::env::var("PORTCULLIS_ICINGA_RELOADS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(2);
    let (answered, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failures = std::thread::scope(|scope| {
        let (answered, over) = (&answered, &over);
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let reader = front.client("reader");
                scope.spawn(move || {
                    let mut connection = reader.connect(BOTH[number % 2]).unwrap();
                    let mut failures = Vec::new();
                    while !over.load(Ordering::SeqCst) {
                        let answer = connection.send(get("/v1/objects/hosts")).unwrap();
                        answered.fetch_add(1, Ordering::SeqCst);
                        failures
                            .extend((answer.status != 200).then_some((answer.status, answer.body)));
                    }
                    failures
                })
            })
            .collect();
        for _ in 0..reloads {
            let before = answered.load(Ordering::SeqCst);
            front.icinga.reload();
            eventually("answers since", || {
                (answered.load(Ordering::SeqCst) > before + 100).then_some(())
            });
        }
        over.store(true, Ordering::SeqCst);
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect::<Vec<_>>()
    });
    let counted = |name: &str| front.gateway.metric(name, &[("upstream", "icinga")]);
    let (again, connects) = (
        counted("portcullis_upstream_retries_total"),
        counted("portcullis_upstream_connect_retries_total"),
    );
    let answered = answered.load(Ordering::SeqCst);
    eprintln!(
        "{reloads} reloads, {answered} answers, {again} requests sent and {connects} connects tried once more"
    );
    assert!(failures.is_empty(), "{failures:?}");
}
