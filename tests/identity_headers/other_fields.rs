//! What else the gateway writes or takes away: forwarding, overrides, connection fields.

use super::Scene;
use crate::support::client::{BOTH, Version, get, reason, status};

#[test]
fn forwarding_fields_are_written_by_the_gateway_alone() {
    let scene = Scene::new();
    for (version, via) in [
        (Version::Http1, "1.1 portcullis"),
        (Version::Http2, "2.0 portcullis"),
    ] {
        let up = scene.sent(
            version,
            &[
                ("forwarded", "for=1.2.3.4;proto=http"),
                ("x-forwarded-for", "1.2.3.4"),
                ("x_forwarded_for", "1.2.3.4"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "evil.test"),
                ("x-forwarded-port", "80"),
                ("x-forwarded-prefix", "/evil"),
                ("x-forwarded-server", "evil.test"),
                ("x-real-ip", "1.2.3.4"),
                ("true-client-ip", "1.2.3.4"),
                ("x-request-id", "chosen-by-client"),
            ],
        );
        for (name, expected) in [
            ("forwarded", "for=127.0.0.1;host=\"localhost\";proto=https"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "localhost"),
            ("via", via),
            ("host", "localhost"),
        ] {
            assert_eq!(up.values(name), [expected], "{name} {version:?}");
        }
        for name in [
            "x_forwarded_for",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-server",
            "x-real-ip",
            "true-client-ip",
        ] {
            assert_eq!(up.values(name), [""; 0], "{name} {version:?}");
        }
        let id = up.values("x-request-id")[0];
        assert_ne!(id, "chosen-by-client");
        scene.gateway.wait_for_access(|line| line["id"] == id);
    }
}

#[test]
fn via_grows_and_the_request_id_comes_back() {
    let scene = Scene::new();
    for version in BOTH {
        let up = scene.sent(version, &[("via", "1.0 first"), ("via", "1.1 second")]);
        let own = if version == Version::Http2 {
            "2.0"
        } else {
            "1.1"
        };
        assert_eq!(
            up.values("via"),
            [format!("1.0 first, 1.1 second, {own} portcullis")]
        );
        let answer = scene.alice().send(version, get("/")).unwrap();
        let up = scene.upstream.recorded().pop().unwrap();
        assert_eq!(
            answer.header("x-request-id"),
            Some(up.values("x-request-id")[0])
        );
        assert_eq!(answer.header("via"), Some("1.1 portcullis"));
    }
}

#[test]
fn fields_that_would_show_an_upstream_another_path_or_host_never_arrive() {
    let scene = Scene::new();
    for name in [
        "X-Original-URL",
        "X_Original_Url",
        "X-Rewrite-URL",
        "X-Original-Size",
        "X-Original-Host",
        "X-Forwarded-Uri",
    ] {
        for version in BOTH {
            let up = scene.sent(version, &[(name, "/admin")]);
            assert!(
                !up.headers.values().any(|value| value == "/admin"),
                "{name} {version:?}"
            );
        }
    }
    // Of the same make, but harmless.
    let up = scene.sent(
        Version::Http1,
        &[("X-Origin-Size", "1"), ("X-Forward-Form", "2")],
    );
    assert_eq!(
        (up.values("x-origin-size"), up.values("x-forward-form")),
        (vec!["1"], vec!["2"])
    );
}

#[test]
fn connection_fields_stay_on_their_connection() {
    let scene = Scene::new();
    let up = scene.sent_raw(
        "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nX-Stay: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n\
         Proxy-Authorization: Basic eA==\r\nTE: trailers, gzip;q=0.5\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    );
    for name in [
        "x-hop",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
        "http2-settings",
    ] {
        assert_eq!(up.values(name), [""; 0], "{name}");
    }
    assert_eq!(
        (up.values("x-stay"), up.values("te")),
        (vec!["2"], vec!["trailers"])
    );
}

#[test]
fn connection_must_not_name_what_every_hop_needs() {
    let scene = Scene::new();
    let names = [
        "Host",
        "content-length",
        "Authorization",
        "Cookie",
        "Content-Type",
        "X_Client_CN",
        "X-Forwarded-For",
    ];
    for name in names {
        let request =
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close, {name}\r\n\r\n");
        let answer = scene.alice().exchange(request.as_bytes());
        assert_eq!(
            (status(&answer), reason(&answer).as_str()),
            (400, "bad_connection_field"),
            "{name}"
        );
    }
    assert!(scene.upstream.recorded().is_empty());
}

#[test]
fn cookies_that_http_2_has_split_arrive_as_one_field() {
    let scene = Scene::new();
    for version in BOTH {
        let up = scene.sent(
            version,
            &[
                ("cookie", "a=1"),
                ("cookie", "b=2"),
                ("authorization", "Bearer x"),
            ],
        );
        assert_eq!(up.values("cookie"), ["a=1; b=2"]);
        assert_eq!(
            up.values("authorization"),
            ["Bearer x"],
            "without credentials of ours the client's own go up"
        );
    }
}

#[test]
fn a_route_keeps_the_fields_that_it_names_and_no_others() {
    let scene = Scene::with("keep_headers = [\"True-Client-IP\", \"x-client-version\"]\n");
    let sent = [
        ("true-client-ip", "192.0.2.9"),
        ("true_client_ip", "192.0.2.8"),
        ("x-client-version", "7"),
        ("x-client-cn", "root"),
        ("cf-connecting-ip", "192.0.2.7"),
    ];
    for version in BOTH {
        let up = scene.sent(version, &sent);
        assert_eq!(
            (up.values("true-client-ip"), up.values("x-client-version")),
            (vec!["192.0.2.9"], vec!["7"])
        );
        assert_eq!(
            (up.values("true_client_ip"), up.values("cf-connecting-ip")),
            (vec![], vec![]),
            "{version:?}"
        );
        assert_eq!(up.values("x-client-cn"), ["alice"], "{version:?}");
    }
}
