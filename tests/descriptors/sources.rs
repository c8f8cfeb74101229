//! Half-open connections are limited by source.

use super::*;

#[test]
fn a_source_may_have_so_many_half_open_connections_and_others_get_in_meanwhile() {
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let gateway = Gateway::start(&scene.config(
        &format!("half_open_per_source = 5\n{PATIENT}"),
        upstream.address,
    ));
    let flooding = Ipv4Addr::new(127, 0, 0, 2);
    let mut flood: Vec<_> = (0..50)
        .map(|_| silent(flooding, gateway.address()))
        .collect();
    let rejected = || gateway.metric(REFUSED, &[("reason", "half_open_per_source")]);
    eventually("all but five are rejected", || {
        (rejected() == 45.0).then_some(())
    });
    gateway.wait_for_metric(
        "portcullis_half_open_connections",
        &[("listener", "main")],
        5.0,
    );
    assert_eq!(
        scene.client(&gateway, &scene.alice).get("/").status,
        200,
        "another source"
    );
    let is_told = |line: &serde_json::Value| line["reason"] == "half_open_per_source";
    eventually("a line in the log", || {
        gateway.log().into_iter().find(is_told)
    });
    let lines: Vec<_> = gateway.settled_log().into_iter().filter(is_told).collect();
    assert!(
        lines.len() == 1 && lines[0]["source"] == "127.0.0.2",
        "{lines:?}"
    );
    // A place is free again as soon as one of them goes.
    flood.retain_mut(|stream| !is_closed(stream));
    assert_eq!(flood.len(), 5);
    flood.pop();
    eventually("one is gone", || {
        (gateway.metric("portcullis_half_open_connections", &[]) == 4.0).then_some(())
    });
    let mut next = silent(flooding, gateway.address());
    eventually("it is accepted", || {
        (gateway.metric("portcullis_half_open_connections", &[]) == 5.0).then_some(())
    });
    assert!(!is_closed(&mut next));
    eventually_is("rejected connections", &45.0, rejected);
}

#[test]
fn handshakes_that_finish_are_not_counted_and_exempt_networks_and_off_are_not_limited() {
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let config = |lines: &str| scene.config(&format!("{lines}\n{PATIENT}"), upstream.address);
    let gateway = Gateway::start(&config("half_open_per_source = 1"));
    let alice = scene.client(&gateway, &scene.alice);
    let mut open: Vec<_> = (0..5)
        .map(|_| alice.connect(Version::Http2).unwrap())
        .collect();
    assert!(
        open.iter_mut()
            .all(|connection| connection.send(get("/")).unwrap().status == 200)
    );
    for lines in [
        "half_open_per_source = 1\nhalf_open_exempt = [\"127.0.0.0/8\"]",
        "half_open_per_source = \"off\"",
    ] {
        gateway.reload_with(&config(lines));
        let _silent: Vec<_> = (0..5)
            .map(|_| silent(Ipv4Addr::LOCALHOST, gateway.address()))
            .collect();
        assert_eq!(
            scene.client(&gateway, &scene.alice).get("/").status,
            200,
            "{lines}"
        );
        assert_eq!(gateway.metric(REFUSED, &[]), 0.0, "{lines}");
    }
}

#[test]
fn behind_a_configured_proxy_the_announced_address_is_counted() {
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let table = |sources: &str| {
        "[listener.main.front_proxy]\npeers = [\"alice\"]\nidentity = \"proxy-v2\"\ntrust_domain = \"test\"\n"
            .to_owned()
            + sources
    };
    let config = |sources: &str| {
        let lines = format!("half_open_per_source = 3\n{PATIENT}{}", table(sources));
        named_listener("main", &scene.pki, &lines)
            + &trust_domain("test", &scene.pki)
            + &process()
            + &user("alice", &["*"])
            + &routes(upstream.address)
    };
    let gateway = Gateway::start(&config("sources = [\"127.0.0.0/8\"]\n"));
    let announcing = |last: u8| {
        let mut stream = silent(Ipv4Addr::LOCALHOST, gateway.address());
        stream.write_all(&proxy_header([192, 0, 2, last])).unwrap();
        stream
    };
    let mut flood: Vec<_> = (0..10).map(|_| announcing(1)).collect();
    eventually("all but three are closed", || {
        (flood
            .iter_mut()
            .filter_map(|stream| is_closed(stream).then_some(()))
            .count()
            == 7)
            .then_some(())
    });
    gateway.wait_for_metric(REFUSED, &[("reason", "half_open_per_source")], 7.0);
    let mut others: Vec<_> = (2..12).map(announcing).collect();
    eventually("all others are served", || {
        (gateway.metric("portcullis_half_open_connections", &[]) == 13.0).then_some(())
    });
    assert!(!others.iter_mut().any(is_closed));
    drop((flood, others));
    // Where nobody says where the proxy is, anybody could announce anything, so the socket's address is counted.
    gateway.reload_with(&config(""));
    eventually("those before are gone", || {
        (gateway.metric("portcullis_half_open_connections", &[]) == 0.0).then_some(())
    });
    let mut all: Vec<_> = (1..11).map(announcing).collect();
    eventually("all but three are closed", || {
        (all.iter_mut()
            .filter_map(|stream| is_closed(stream).then_some(()))
            .count()
            == 7)
            .then_some(())
    });
}

/// A header of version 2 for a connection from this address, without anything else.
fn proxy_header(from: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(from);
    header.extend([192, 0, 2, 254]);
    header.extend([0x30, 0x39, 0x20, 0xfb]);
    header
}
