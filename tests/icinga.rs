//! In front of the real Icinga 2: its API over TLS, with the gateway's credentials there and ApiUsers here.

mod live;
mod preset;
mod verdicts;

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
fn queries_pass_for_the_right_user_and_are_refused_for_others() {
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
fn a_query_with_a_body_is_judged_as_the_method_that_overrides() {
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
fn actions_pass_for_the_right_user_and_are_refused_for_others() {
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

#[test]
fn with_the_preset_icinga_serves_what_its_own_permissions_allow() {
    if !has_icinga() {
        return;
    }
    let (pki, icinga) = (Pki::new(), Icinga::start());
    let text = config_with_preset(&pki, &icinga);
    let gateway = Gateway::start(&text);
    let client = |name| Client::new(&pki, Some(&pki.client(name)), gateway.address());
    let (reader, operator) = (client("reader"), client("operator"));
    for version in BOTH {
        assert_eq!(
            reader
                .send(version, get("/v1//objects/HOSTS/web1"))
                .unwrap()
                .status,
            200
        );
        assert_eq!(
            reader
                .send(version, overridden("GET", "/v1/objects/hosts", QUERY))
                .unwrap()
                .status,
            200
        );
        let refused = reader
            .send(version, overridden("DELETE", "/v1/objects/hosts/web1", ""))
            .unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );
        let refused = operator
            .send(version, get("/v1/objects/hosts/web1"))
            .unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );
        assert_eq!(
            operator.send(version, get("/v1")).unwrap().status,
            200,
            "any ApiUser"
        );

        let refused = reader.send(
            version,
            post(
                "/v1/events",
                r#"{"types":["CheckResult","Flapping"],"queue":"x"}"#,
            ),
        );
        assert_eq!(refused.unwrap().reason(), "no_permission");
        events_are_followed(&reader, &operator, version);
    }
}

#[test]
fn whoami_answers_as_icinga_does() {
    let Some(front) = Front::start() else { return };
    let reader = front.client("reader");
    let ours: serde_json::Value = serde_json::from_str(&reader.get("/v1").body).unwrap();
    let result = &ours["results"][0];
    assert_eq!(result["user"], "reader");
    assert_eq!(
        result["permissions"],
        serde_json::json!(["Objects/Query/*", "status/query"])
    );
    // The fields of Icinga's own answer are all there.
    for field in ["info", "permissions", "user", "version"] {
        assert!(!result[field].is_null(), "{field}");
    }
}

#[test]
fn an_upstream_whose_certificate_does_not_count_is_not_spoken_to() {
    if !has_icinga() {
        return;
    }
    let (pki, icinga) = (Pki::new(), Icinga::start());
    let good = config(&pki, &icinga);
    let other_ca = Pki::named("Other CA");
    let wrong = good.replace(
        icinga.ca_file.to_str().unwrap(),
        other_ca.ca_file().to_str().unwrap(),
    );
    let gateway = Gateway::start(&wrong);
    let reader = Client::new(&pki, Some(&pki.client("reader")), gateway.address());
    let refused = reader.get("/v1/objects/hosts");
    assert_eq!(
        (refused.status, refused.reason().as_str()),
        (502, "upstream_tls")
    );
    let before = gateway.generation();
    gateway.write_config(&good);
    gateway.wait_for_generation_after(before);
    assert_eq!(
        reader.get("/v1/objects/hosts").status,
        200,
        "the twin: with the right anchor"
    );
}

#[test]
fn the_redirect_of_the_root_and_heads_are_answered_at_once() {
    let Some(front) = Front::start() else { return };
    let reader = front.client("reader");
    for version in BOTH {
        let mut connection = reader.connect(version).unwrap();
        for _ in 0..3 {
            let redirect = connection.send(get("/")).unwrap();
            assert_eq!(
                (redirect.status, redirect.body.as_str()),
                (302, ""),
                "{redirect:?}"
            );
            assert!(
                redirect.header("location").unwrap().ends_with("/v1"),
                "{redirect:?}"
            );
            // Icinga itself knows no HEAD, and answers it with a body.
            let head = connection
                .send(request("HEAD", "/v1/objects/hosts", ""))
                .unwrap();
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
            let whole = connection.send(get("/v1/objects/hosts")).unwrap();
            assert_eq!(
                head.header("content-length"),
                whole.header("content-length"),
                "{head:?}"
            );
        }
    }
    // It logs a request after it is answered.
    assert_eq!(reader.get("/v1/objects/hosts/web1").status, 200);
    let is_logged = || {
        front
            .icinga
            .log()
            .contains("GET /v1/objects/hosts/web1")
            .then_some(())
    };
    eventually("the last request in its log", is_logged);
    let log = front.icinga.log();
    assert!(!log.contains("HEAD "), "{log}");
}

#[test]
fn an_event_stream_ends_with_its_right() {
    let Some(front) = Front::start() else { return };
    let operator = front.client("operator");
    for version in BOTH {
        let mut connection = operator.connect(version).unwrap();
        let events = connection
            .start(post("/v1/events?queue=test&types=CheckResult", ""))
            .unwrap();
        assert_eq!(events.status(), 200);
        let good = config(&front.pki, &front.icinga);
        front
            .gateway
            .reload_with(&good.replace("\"events/subscribe\", ", ""));
        let rest = operator.runtime().block_on(events.into_body().collect());
        assert!(rest.is_err(), "what was cut must not look whole: {rest:?}");
        front
            .gateway
            .wait_for_access(|line| line["cut"] == "stream" && line["reason"] == "no_permission");
        front.gateway.reload_with(&good);
    }
}

#[test]
fn users_that_are_somebody_at_icinga_see_what_its_own_filters_let_them_see() {
    let Some(front) = Front::start() else { return };
    let (certificate, key) = front.icinga.who_sees_web1();
    let (name, password) = front.icinga.who_sees_web2();
    std::fs::write(
        front.pki.path("web2.secret"),
        format!("{name}:{password}\n"),
    )
    .unwrap();
    let (certificate, key, secret) = (
        certificate.display(),
        key.display(),
        front.pki.path("web2.secret"),
    );
    let users = format!(
        "[api_user.one]\nclient_cn = \"one\"\npermissions = [\"objects/query/hosts\"]\n\
         upstream.icinga = {{ certificate = \"{certificate}\", private_key = \"{key}\" }}\n\
         [api_user.two]\nclient_cn = \"two\"\npermissions = [\"objects/query/hosts\"]\n\
         upstream.icinga = {{ basic_credentials = \"{}\" }}\n",
        secret.display()
    );
    front
        .gateway
        .reload_with(&(config(&front.pki, &front.icinga) + &users));
    for version in BOTH {
        for _ in 0..3 {
            for (name, sees) in [
                ("one", vec!["web1"]),
                ("two", vec!["web2"]),
                ("reader", vec!["web1", "web2"]),
            ] {
                let answer = front
                    .client(name)
                    .send(version, get("/v1/objects/hosts?attrs=name"))
                    .unwrap();
                assert_eq!(answer.status, 200, "{name} {}", answer.body);
                let found: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
                let results = found["results"].as_array().unwrap().iter();
                let mut hosts: Vec<_> =
                    results.map(|host| host["name"].as_str().unwrap()).collect();
                hosts.sort_unstable();
                assert_eq!(hosts, sees, "{name} {version:?}");
            }
        }
    }
}

/// `PORTCULLIS_ICINGA_RELOADS=20 cargo test icinga::reloads` makes so many.
#[test]
fn reloads_under_load_are_seen_by_nobody_who_may_ask_twice() {
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
