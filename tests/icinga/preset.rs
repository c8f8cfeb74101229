//! `preset = "icinga2"` and `forbidden = "404"`: methods in fields, bodies that say what is needed, streams that lose their
//! right, and what is told to whom.

mod body_places;
mod denials;

use crate::support::client::{BOTH, RequestBody, Version, body, get, request, status};
use crate::support::gateway::{listener, user};
use crate::support::upstream::full;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, eventually_is, run};
use base64::Engine;
use http::{Request, Response};
use http_body_util::BodyExt;

struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
}

const ALICE: [&str; 3] = ["objects/query/*", "events/CheckResult", "events/State*"];

impl Scene {
    /// Alice may query and subscribe to some events; `more` continues the route's table.
    fn on(more: &str) -> Self {
        let (pki, upstream) = (
            Pki::new(),
            Upstream::answering(|_| Response::new(full("from Icinga"))),
        );
        let gateway = Gateway::start(&Self::config(&pki, &upstream, &ALICE, more));
        Self {
            pki,
            upstream,
            gateway,
        }
    }

    fn config(pki: &Pki, upstream: &Upstream, alice: &[&str], more: &str) -> String {
        listener(pki)
            + &user("alice", alice)
            + &format!(
                "[upstream.icinga]\nendpoints = [\"http://{}\"]\n",
                upstream.address
            )
            + "[[route]]\npath = \"/\"\nupstream = \"icinga\"\npreset = \"icinga2\"\n"
            + more
    }

    fn alice(&self) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client("alice")),
            self.gateway.address(),
        )
    }

    fn last(&self) -> crate::support::upstream::Recorded {
        self.upstream.recorded().last().expect("a request").clone()
    }
}

fn subscription(text: &str) -> Request<RequestBody> {
    request("POST", "/v1/events?queue=x", text)
}

fn with(
    mut request: Request<RequestBody>,
    fields: &[(&'static str, &str)],
) -> Request<RequestBody> {
    for (name, value) in fields {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// What is sent, with which fields, and the method that goes up or why none does.
type Overridden = (
    &'static str,
    &'static [(&'static str, &'static str)],
    Result<&'static str, (u16, &'static str)>,
);

const OVERRIDDEN: [Overridden; 10] = [
    ("POST", &[("x-http-method-override", "GET")], Ok("GET")),
    (
        "POST",
        &[
            ("x-http-method-override", "GET"),
            ("x-http-method-override", "DELETE"),
        ],
        Ok("GET"),
    ),
    ("PUT", &[("x-http-method-override", "GET")], Ok("GET")),
    ("GET", &[("x-http-method-override", "get")], Ok("GET")),
    ("GET", &[("x-http-method-override", "NONE")], Ok("GET")),
    (
        "GET",
        &[("x-http-method", "DELETE"), ("x-method-override", "DELETE")],
        Ok("GET"),
    ),
    ("GET", &[("x_http_method_override", "DELETE")], Ok("GET")),
    (
        "GET",
        &[("x-http-method-override", "DELETE")],
        Err((403, "no_permission")),
    ),
    (
        "GET",
        &[("x-http-method-override", "PATCH")],
        Err((404, "no_route")),
    ),
    (
        "GET",
        &[
            ("x-http-method-override", "DELETE"),
            ("x-http-method-override", "GET"),
        ],
        Err((403, "no_permission")),
    ),
];

#[test]
fn the_method_that_icinga_uses_is_forwarded() {
    let scene = Scene::on("");
    let alice = scene.alice();
    for version in BOTH {
        for (sent, fields, expected) in OVERRIDDEN {
            let answer = alice
                .send(
                    version,
                    with(request(sent, "/v1/objects/hosts", "{}"), fields),
                )
                .unwrap();
            match expected {
                Ok(method) => {
                    assert_eq!(
                        answer.status, 200,
                        "{version:?} {sent} {fields:?}: {}",
                        answer.body
                    );
                    let seen = scene.last();
                    assert_eq!((seen.method.as_str(), &seen.body[..]), (method, &b"{}"[..]));
                    let names: Vec<&str> = seen.headers.keys().map(|name| name.as_str()).collect();
                    assert!(
                        !names.iter().any(|name| name.contains("method")),
                        "{names:?}"
                    );
                }
                Err((status, reason)) => {
                    assert_eq!(
                        (answer.status, answer.reason().as_str()),
                        (status, reason),
                        "{sent} {fields:?}"
                    );
                }
            }
        }
    }
}

const REFUSED_BODIES: [(&str, u16, &str); 8] = [
    (
        r#"{"types":["CheckResult","Notification"]}"#,
        403,
        "no_permission",
    ),
    (
        r#"{"types":["CheckResult"],"types":["StateChange"]}"#,
        400,
        "bad_json",
    ),
    (r#"{"types":["CheckResult"]} x"#, 400, "bad_json"),
    ("[]", 400, "bad_json"),
    (r#"{"types":"CheckResult"}"#, 400, "bad_event_types"),
    (r#"{"types":["CheckResult",1]}"#, 400, "bad_event_types"),
    ("{}", 400, "no_event_types"),
    ("", 400, "no_event_types"),
];

#[test]
fn types_in_the_body_are_decided_on_and_forwarded_unchanged() {
    let scene = Scene::on("");
    let alice = scene.alice();
    for version in BOTH {
        let whole = r#" {"types":["CheckResult","StateChange"],"filter":"x"} "#;
        for sent in [
            subscription(whole),
            chunked(whole),
            with(subscription(whole), &[("content-encoding", "identity")]),
        ] {
            let answer = alice.send(version, sent).unwrap();
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, "from Icinga"),
                "{version:?}"
            );
            assert_eq!(&scene.last().body[..], whole.as_bytes());
            assert_eq!(
                scene.last().values("content-length"),
                [whole.len().to_string().as_str()]
            );
        }
        let before = scene.upstream.recorded().len();
        for (text, status, reason) in REFUSED_BODIES {
            let answer = alice.send(version, subscription(text)).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (status, reason),
                "{version:?} {text}"
            );
        }
        let encoded = with(subscription("\u{1f}"), &[("content-encoding", "gzip")]);
        let answer = alice.send(version, encoded).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "encoded_body")
        );
        let long = format!(
            r#"{{"types":["CheckResult"],"x":"{}"}}"#,
            "x".repeat(1 << 20)
        );
        let answer = alice.send(version, subscription(&long)).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (413, "body_too_large")
        );
        assert_eq!(
            scene.upstream.recorded().len(),
            before,
            "nothing of these went up"
        );
    }
    assert_eq!(scene.gateway.metric("portcullis_panics_total", &[]), 0.0);
}

/// A subscription whose length is not announced.
fn chunked(text: &str) -> Request<RequestBody> {
    let mut request = subscription("");
    *request.body_mut() = body(text.to_owned())
        .map_frame(|frame| frame)
        .boxed_unsync();
    request
}

#[test]
fn types_in_the_query_go_before_the_body_which_passes_unread() {
    let scene = Scene::on("");
    let alice = scene.alice();
    for version in BOTH {
        let text = r#"{"types":["Notification"]}"#;
        let sent = request("POST", "/v1/events?types=CheckResult", text);
        assert_eq!(alice.send(version, sent).unwrap().status, 200);
        assert_eq!(&scene.last().body[..], text.as_bytes());
        let sent = request(
            "POST",
            "/v1/events?types=Notification",
            r#"{"types":["CheckResult"]}"#,
        );
        let answer = alice.send(version, sent).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "no_permission")
        );
    }
}

#[test]
fn a_client_that_expects_100_gets_it_before_its_body_is_decided_on() {
    let scene = Scene::on("");
    for (types, expected) in [("CheckResult", 200), ("Notification", 403)] {
        let text = format!(r#"{{"types":["{types}"]}}"#);
        let mut raw = scene.alice().raw();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            text.len()
        );
        raw.write(head.as_bytes());
        let first = raw.read_until("\r\n\r\n");
        assert!(first.starts_with("HTTP/1.1 100 "), "{first}");
        raw.write(text.as_bytes());
        assert_eq!(status(&raw.read_to_end()), expected, "{types}");
    }
}

#[test]
fn a_stream_with_types_in_the_body_ends_when_one_is_no_longer_permitted() {
    let (pki, upstream) = (Pki::new(), endless());
    let config = |alice: &[&str]| Scene::config(&pki, &upstream, alice, "");
    let gateway = Gateway::start(&config(&ALICE));
    let alice = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in BOTH {
        let mut connection = alice.connect(version).unwrap();
        let mut events = connection
            .start(subscription(r#"{"types":["CheckResult","StateChange"]}"#))
            .unwrap();
        assert_eq!(events.status(), 200);
        let mut frame = || alice.runtime().block_on(events.body_mut().frame());
        assert!(frame().unwrap().is_ok(), "it is open");

        // The twin: other rights come and go, and the stream goes on.
        let before = gateway.generation();
        gateway.write_config(&config(&["events/CheckResult", "events/StateChange"]));
        gateway.wait_for_generation_after(before);
        assert!(
            frame().unwrap().is_ok() && frame().unwrap().is_ok(),
            "both types are still allowed"
        );

        gateway.write_config(&config(&["events/CheckResult", "objects/*"]));
        eventually("the stream is cut", || {
            frame().is_none_or(|frame| frame.is_err()).then_some(())
        });
        let before = gateway.generation();
        gateway.write_config(&config(&ALICE));
        gateway.wait_for_generation_after(before);
    }
    let cut = [
        ("listener", "main"),
        ("kind", "stream"),
        ("reason", "no_permission"),
    ];
    gateway.wait_for_metric("portcullis_cut_total", &cut, 2.0);
}

/// An upstream that sends a line every few milliseconds until the other side goes.
fn endless() -> Upstream {
    Upstream::scripted(|mut stream, _| {
        use std::io::{Read, Write};
        let mut head = [0; 4096];
        let _ = stream.read(&mut head);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        while stream.write_all(b"{}\n").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    })
}
