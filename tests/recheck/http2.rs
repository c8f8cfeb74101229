//! What HTTP/2 connections are told: goodbye when something of theirs was cut, or when their client does not count.

use super::*;
use crate::support::client::body;
use http::Request;

fn goodbyes(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric(
        "portcullis_cut_total",
        &[("kind", "connection"), ("reason", reason)],
    )
}

#[test]
fn an_idle_connection_gets_goaway_once_its_client_is_disabled() {
    let (pki, other, pulse) = (Pki::new(), Pki::named("Other CA"), Pulse::start());
    let gateway = Gateway::start(&config(&pki, &pulse, "", &alice()));
    let alice = client(&pki, "alice", &gateway);
    let ours = std::fs::read_to_string(pki.ca_file()).unwrap();
    let theirs = std::fs::read_to_string(other.ca_file()).unwrap();
    let mut connection = alice.connect(Version::Http2).unwrap();
    assert_eq!(connection.send(get("/")).unwrap().status, 200);
    let before = gateway.generation();
    replace(&pki.ca_file(), &(ours + &theirs));
    gateway.wait_for_generation_after(before);
    gateway.reload_with(&config(&pki, &pulse, "", &(super::alice() + &bob())));
    assert_eq!(connection.send(get("/")).unwrap().status, 200, "it counts");
    assert!(!connection.http2().is_closed());
    let before = gateway.generation();
    replace(&pki.ca_file(), &theirs);
    gateway.wait_for_generation_after(before);
    eventually("a goodbye", || connection.http2().is_closed().then_some(()));
    eventually("the metric", || {
        (goodbyes(&gateway, "unknown_issuer") == 1.0).then_some(())
    });
}

#[test]
fn a_stream_that_is_cut_takes_no_other_along_and_the_connection_ends_behind_them() {
    let (pki, pulse) = (Pki::new(), Pulse::start());
    let gateway = Gateway::start(&config(
        &pki,
        &pulse,
        "",
        &user("alice", &["GET /events", "GET /poll"]),
    ));
    let alice = client(&pki, "alice", &gateway);
    let connection = alice.connect(Version::Http2).unwrap();
    let mut sender = connection.http2().clone();
    let asked = |path: &str| {
        Request::get(format!("https://localhost{path}"))
            .body(body(""))
            .unwrap()
    };
    let runtime = alice.runtime();
    let stays = runtime
        .block_on(sender.send_request(asked("/events")))
        .unwrap();
    let stays = runtime.spawn(stays.into_body().collect());
    let goes = runtime.spawn(sender.send_request(asked("/poll")));
    pulse.wait_until_arrived(2);
    gateway.reload_with(&config(&pki, &pulse, "", &user("alice", &["GET /events"])));
    assert_eq!(runtime.block_on(goes).unwrap().unwrap().status(), 403);
    eventually("a goodbye", || {
        runtime
            .block_on(sender.send_request(asked("/other")))
            .is_err()
            .then_some(())
    });
    pulse.wait_until_left(1);
    pulse.finish();
    let whole = runtime
        .block_on(stays)
        .unwrap()
        .expect("the stream that may go on is whole");
    nothing_is_missing(std::str::from_utf8(&whole.to_bytes()).unwrap());
}

#[test]
fn a_client_that_takes_nothing_does_not_keep_what_was_cut() {
    let (pki, pulse) = (Pki::new(), Pulse::start());
    let gateway = Gateway::start(&config(&pki, &pulse, "", &alice()));
    let alice = client(&pki, "alice", &gateway);
    let mut connection = alice.connect(Version::Http2).unwrap();
    let mut answer = connection.start(get("/events")).unwrap();
    // Nobody opens the window any further: what is there is read only at the end.
    let open = || gateway.metric("portcullis_connections_open", &[("listener", "main")]);
    eventually_is("open connections", &1.0, open);
    gateway.reload_with(&config(&pki, &pulse, "", &bob()));
    pulse.wait_until_left(1);
    let line = gateway.wait_for_access(|line| line["cut"] == "stream");
    assert_eq!(line["reason"], "unknown_user");
    let end = loop {
        match alice.runtime().block_on(answer.body_mut().frame()) {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(end, Some(Err(_))), "{end:?}");
    eventually("the connection ends", || (open() == 0.0).then_some(()));
}
