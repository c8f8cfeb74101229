//! What changes in the files is active at the next request, on open connections too; what is wrong changes nothing.

mod certificates;
mod failures;
mod files;
mod listeners;
mod passing;
mod special_files;

use crate::support::client::{Answer, BOTH, Connection, Version, get, request};
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One listener, one upstream, these users.
fn config(pki: &Pki, upstream: &Upstream, users: &str) -> String {
    listener(pki) + users + &route_to(upstream.address)
}

fn client(pki: &Pki, name: &str, gateway: &Gateway) -> Client {
    Client::new(pki, Some(&pki.client(name)), gateway.address())
}

fn alice() -> String {
    user("alice", &["GET /*"])
}

/// What a refused request says, or `ok`.
fn outcome(answer: &Answer) -> String {
    if answer.status == 200 {
        "ok".to_owned()
    } else {
        answer.reason()
    }
}

fn ask(connection: &mut Connection<'_>, path: &str) -> String {
    outcome(
        &connection
            .send(get(path))
            .expect("an answer on the open connection"),
    )
}

#[test]
fn an_added_user_is_permitted_on_its_open_connection() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, ""));
    let client = client(&pki, "alice", &gateway);
    let mut connections = BOTH.map(|version| client.connect(version).unwrap());
    for connection in &mut connections {
        assert_eq!(ask(connection, "/"), "unknown_user");
    }
    gateway.reload_with(&config(&pki, &upstream, &alice()));
    for connection in &mut connections {
        assert_eq!(ask(connection, "/"), "ok");
    }
    // No connection was opened anew.
    gateway.wait_for_metric("portcullis_connections_total", &[], 2.0);
}

#[test]
fn a_removed_user_is_denied_at_the_next_request() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let both = alice() + &user("bob", &["GET /*"]);
    let gateway = Gateway::start(&config(&pki, &upstream, &both));
    let (first, second) = (
        client(&pki, "alice", &gateway),
        client(&pki, "bob", &gateway),
    );
    for version in BOTH {
        gateway.reload_with(&config(&pki, &upstream, &both));
        let (mut alice, mut bob) = (
            first.connect(version).unwrap(),
            second.connect(version).unwrap(),
        );
        assert_eq!(
            (ask(&mut alice, "/"), ask(&mut bob, "/")),
            ("ok".into(), "ok".into())
        );
        gateway.reload_with(&config(&pki, &upstream, &user("bob", &["GET /*"])));
        assert_eq!(
            (ask(&mut alice, "/"), ask(&mut bob, "/")),
            ("unknown_user".into(), "ok".into()),
            "{version:?}"
        );
    }
}

#[test]
fn narrowed_and_denied_permissions_count_at_the_next_request() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &user("alice", &["*"])));
    let client = client(&pki, "alice", &gateway);
    for version in BOTH {
        gateway.reload_with(&config(&pki, &upstream, &user("alice", &["*"])));
        let mut connection = client.connect(version).unwrap();
        assert_eq!(ask(&mut connection, "/b"), "ok");
        gateway.reload_with(&config(&pki, &upstream, &user("alice", &["GET /a"])));
        assert_eq!(
            (ask(&mut connection, "/a"), ask(&mut connection, "/b")),
            ("ok".into(), "no_permission".into())
        );
        gateway.reload_with(&config(
            &pki,
            &upstream,
            &(user("alice", &["*"]) + "deny = [\"GET /a\"]\n"),
        ));
        assert_eq!(
            (ask(&mut connection, "/a"), ask(&mut connection, "/b")),
            ("denied".into(), "ok".into())
        );
    }
}

#[test]
fn a_common_name_that_moves_to_another_user_is_that_user_at_once() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    let mut connection = client.connect(Version::Http1).unwrap();
    assert_eq!(ask(&mut connection, "/"), "ok");
    let renamed = alice().replace("[api_user.alice]", "[api_user.carol]");
    gateway.reload_with(&config(&pki, &upstream, &renamed));
    assert_eq!(ask(&mut connection, "/"), "ok");
    let users: Vec<_> = upstream
        .recorded()
        .iter()
        .map(|seen| seen.values("x-client-user").join(","))
        .collect();
    assert_eq!(users, ["alice", "carol"]);
}

#[test]
fn routes_and_upstreams_change_under_an_open_connection() {
    let (pki, one) = (Pki::new(), Upstream::start());
    let two =
        Upstream::answering(|_| http::Response::new(crate::support::upstream::full("second")));
    let gateway = Gateway::start(&config(&pki, &one, &alice()));
    let client = client(&pki, "alice", &gateway);
    let mut connection = client.connect(Version::Http2).unwrap();
    assert_eq!(connection.send(get("/a")).unwrap().body, "hello");
    gateway.reload_with(&config(&pki, &two, &alice()));
    assert_eq!(connection.send(get("/a")).unwrap().body, "second");
    let elsewhere = config(&pki, &two, &alice()).replace("path = \"/\"", "path = \"/b\"");
    gateway.reload_with(&elsewhere);
    assert_eq!(
        (ask(&mut connection, "/a"), ask(&mut connection, "/b")),
        ("no_route".into(), "ok".into())
    );
    assert_eq!(one.recorded().len(), 1);
}

#[test]
fn an_upstream_that_did_not_change_keeps_its_connections() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    let mut connection = client.connect(Version::Http1).unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&mut connection, "/"), "ok");
        gateway.reload_with(&config(&pki, &upstream, &alice()));
    }
    let connections: Vec<_> = upstream
        .recorded()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[test]
fn the_access_log_counts_generations_and_each_request_has_one() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    let mut connection = client.connect(Version::Http1).unwrap();
    let mut expected = Vec::new();
    for round in 0..3 {
        let path = format!("/{round}");
        ask(&mut connection, &path);
        let line = gateway.wait_for_access(|line| line["path"] == path.as_str());
        expected.push(gateway.generation());
        assert_eq!(line["generation"].as_u64(), expected.last().copied());
        gateway.reload_with(&config(&pki, &upstream, &alice()));
    }
    assert!(
        expected.is_sorted() && expected[0] == 1 && expected[2] >= 3,
        "{expected:?}"
    );
}

#[test]
fn a_request_that_is_under_way_is_finished_as_it_began_if_it_may_go_on() {
    let (pki, other) = (Pki::new(), Upstream::start());
    let held = crate::support::upstream::HeldUpstream::start();
    let gateway = Gateway::start(&config(&pki, &held.upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    let answer = std::thread::scope(|scope| {
        let running = scope.spawn(|| client.send(Version::Http1, get("/")).unwrap());
        held.wait_for_requests(1);
        // What it went to is not its route's upstream any more.
        gateway.reload_with(&config(&pki, &other, &alice()));
        held.open();
        running.join().unwrap()
    });
    assert_eq!((answer.status, answer.body.as_str()), (200, "late"));
    assert_eq!(client.get("/").body, "hello");
}

#[test]
fn no_request_fails_while_snapshots_come_and_go() {
    const RELOADS: usize = 20;
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let texts =
        [alice(), alice() + &user("bob", &["*"])].map(|users| config(&pki, &upstream, &users));
    let gateway = Gateway::start(&texts[0]);
    let clients: Vec<Client> = (0..4).map(|_| client(&pki, "alice", &gateway)).collect();
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for (number, client) in clients.iter().enumerate() {
            let (version, done, answered) = (BOTH[number % 2], &done, &answered);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // Half of the requests on a connection that stays, half on new ones.
                    let mut connection = client.connect(version).expect("a connection");
                    for _ in 0..5 {
                        let answer = connection
                            .send(request("GET", "/x", "body"))
                            .expect("an answer");
                        assert_eq!(answer.status, 200, "{answer:?}");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for round in 1..=RELOADS {
            let before = gateway.generation();
            gateway.write_config(&texts[round % 2]);
            gateway.signal("HUP");
            gateway.wait_for_generation_after(before);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(
        answered.load(Ordering::Relaxed) > RELOADS,
        "there was some load"
    );
    // A reload is counted when its snapshot is active, and its files are watched.
    eventually("all reloads are counted", || {
        (gateway.reloads("success") >= RELOADS as f64).then_some(())
    });
    assert_eq!(gateway.reloads("failure"), 0.0);
    assert_eq!(gateway.metric("portcullis_responses_cut_total", &[]), 0.0);
}
