//! Hosts: routes by host, Host fields in all spellings, and 421 for what belongs to another entry.

use super::{Scene, api, route};
use crate::support::client::{BOTH, Version, reason, request, status};
use crate::support::gateway::{process, trust_domain, user};
use crate::support::pki::text;
use crate::support::{Client, Gateway, Pki, Upstream};

#[test]
fn a_route_for_a_host_goes_before_a_wildcard_and_that_before_all_hosts() {
    let scene = Scene::new(
        &(route("/", "")
            + &route("/x", "host = \"api.test\"")
            + &route("/x", "host = [\"*.test\", \"other.example\"]")
            + &route("/y", "host = \"API.Test\"")),
    );
    for (host, path, expected) in [
        ("api.test", "/x", "api.test/x"),
        ("API.TEST", "/x", "api.test/x"),
        ("api.test:8443", "/x", "api.test/x"),
        ("api.test.", "/x", "api.test/x"),
        ("www.test", "/x", "*.test,other.example/x"),
        ("other.example", "/x", "*.test,other.example/x"),
        ("a.b.test", "/x", "/"),
        ("test", "/x", "/"),
        ("www.example", "/x", "/"),
        ("api.test", "/y", "API.Test/y"),
        ("api.test", "/z", "/"),
        ("www.test", "/y", "/"),
    ] {
        let raw = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Case: {host}{path}\r\nConnection: close\r\n\r\n"
        );
        let answer = scene.alice().exchange(raw.as_bytes());
        assert_eq!(status(&answer), 200, "{host}{path}: {answer}");
        let up = scene.upstream.recorded().pop().unwrap();
        assert_eq!(
            up.values("host"),
            [host],
            "the upstream sees the Host that the client sent"
        );
        let id = up.values("x-request-id")[0];
        let line = scene.gateway.wait_for_access(|line| line["id"] == id);
        assert_eq!(line["route"], expected, "{host}{path}");
    }
}

#[test]
fn a_host_that_is_none_is_rejected() {
    let scene = Scene::new(&route("/", ""));
    for host in [
        "",
        "a b",
        "user@localhost",
        "localhost:",
        "localhost:99999",
        "localhost:8a",
        "a..b",
        "local/host",
        "[::1",
        "localhost,other",
    ] {
        let answer = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(
            scene.outcome_of(answer.as_bytes()),
            "400 bad_host",
            "{host:?}"
        );
    }
    for host in [
        "localhost",
        "localhost:8443",
        "LocalHost",
        "localhost.",
        "127.0.0.1",
        "[::1]:8443",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(scene.outcome_of(request.as_bytes()), "GET /", "{host:?}");
    }
}

#[test]
fn a_request_with_two_hosts_or_none_is_rejected() {
    let scene = Scene::new(&route("/", ""));
    for lines in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nhost: other.test\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
        assert_eq!(
            scene.outcome_of(request.as_bytes()),
            "400 bad_framing",
            "{lines:?}"
        );
    }
    let mut hosts = request("GET", "/", "");
    hosts
        .headers_mut()
        .append("host", "localhost".parse().unwrap());
    hosts
        .headers_mut()
        .append("host", "localhost".parse().unwrap());
    let answer = scene.alice().send(Version::Http2, hosts).unwrap();
    assert_eq!((answer.status, answer.reason().as_str()), (400, "bad_host"));
}

#[test]
fn in_http_2_authority_and_host_must_agree() {
    let scene = Scene::new(&route("/", ""));
    for (host, expected) in [
        ("localhost", 200),
        ("LOCALHOST", 200),
        ("other.test", 400),
        ("localhost:1", 400),
    ] {
        let mut request = request("GET", "/", "");
        request.headers_mut().insert("host", host.parse().unwrap());
        let answer = scene.alice().send(Version::Http2, request).unwrap();
        assert_eq!(answer.status, expected, "{host}");
        if expected != 200 {
            assert_eq!(answer.reason(), "bad_host", "{host}");
        }
    }
    for up in scene.upstream.recorded() {
        assert_eq!(up.values("host"), ["localhost"]);
    }
}

/// A listener with an entry of its own, one for `api.test` and `also.test`, and one for `*.open.test`, where
/// certificates are optional.
fn with_entries(pki: &Pki, upstream: &Upstream) -> Gateway {
    let entry = |names: &[&str], lines: &str| {
        let identity = pki.server(&names[0].replace('*', "any"), names);
        format!(
            "names = {names:?}\ncertificate = {:?}\nprivate_key = {:?}\n{lines}\n",
            text(&identity.certificate_file),
            text(&identity.key_file)
        )
    };
    let own = entry(&["localhost", "default.test"], "");
    let own = own.split_once('\n').expect("a line of names").1.to_owned();
    let config = format!("[listener.main]\naddress = \"127.0.0.1:0\"\n{own}")
        + "[[listener.main.host]]\n"
        + &entry(&["api.test", "also.test"], "")
        + "[[listener.main.host]]\n"
        + &entry(&["*.open.test"], "client_auth = \"optional\"")
        + &trust_domain("test", pki)
        + &process()
        + &user("alice", &["*"])
        + &api(upstream)
        + &route("/", "");
    Gateway::start(&config)
}

#[test]
fn a_host_of_another_entry_is_misdirected_in_both_versions() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = with_entries(&pki, &upstream);
    let alice = pki.client("alice");
    for (server_name, host, expected) in [
        ("api.test", "api.test", 200),
        ("api.test", "API.TEST:443", 200),
        ("api.test", "api.test.", 200),
        ("api.test", "also.test", 200),
        ("api.test", "a.open.test", 421),
        ("api.test", "other.test", 421),
        ("a.open.test", "a.open.test", 200),
        ("a.open.test", "b.open.test", 200),
        // The way around the demand for a certificate.
        ("a.open.test", "api.test", 421),
        ("a.open.test", "API.test.:8443", 421),
        ("a.open.test", "localhost", 421),
        ("localhost", "localhost", 200),
        ("localhost", "unnamed.test", 200),
        ("localhost", "api.test", 421),
    ] {
        let client =
            Client::new(&pki, Some(&alice), gateway.address()).with_server_name(server_name);
        let raw = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = client.exchange(raw.as_bytes());
        assert_eq!(status(&answer), expected, "{server_name}: {host}");
        if expected == 421 {
            assert_eq!(reason(&answer), "misdirected");
        }
        let mut over_http2 = request("GET", "/", "");
        *over_http2.uri_mut() = format!("https://{host}/").parse().unwrap();
        let answer = client.send(Version::Http2, over_http2).unwrap();
        assert_eq!(answer.status, expected, "{server_name}: {host} in HTTP/2");
    }
}

#[test]
fn a_stranger_gets_no_further_by_naming_another_host() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = with_entries(&pki, &upstream);
    let stranger = Client::new(&pki, None, gateway.address()).with_server_name("a.open.test");
    for (host, expected, word) in [
        ("a.open.test", 401, "no_certificate"),
        ("api.test", 421, "misdirected"),
    ] {
        for version in BOTH {
            let mut request = request("GET", "/", "");
            *request.uri_mut() = format!("https://{host}/").parse().unwrap();
            let answer = stranger.send(version, request).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (expected, word),
                "{host} {version:?}"
            );
        }
    }
    assert!(upstream.recorded().is_empty());
}

#[test]
fn each_request_of_a_connection_is_decided_by_its_own_host() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = with_entries(&pki, &upstream);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address())
        .with_server_name("api.test");
    for version in BOTH {
        // HTTP/2 clients put requests for several names of one certificate and address on one connection.
        let mut connection = client.connect(version).unwrap();
        for (host, expected) in [
            ("api.test", 200),
            ("also.test", 200),
            ("a.open.test", 421),
            ("ALSO.Test:8443", 200),
            ("localhost", 421),
            ("nowhere.test", 421),
            ("api.test.", 200),
            ("A.Open.Test.:443", 421),
            ("api.test", 200),
        ] {
            let mut asked = request("GET", "/", "");
            *asked.uri_mut() = format!("https://{host}/").parse().unwrap();
            let answer = connection.send(asked).unwrap();
            assert_eq!(answer.status, expected, "{host} {version:?}");
            if expected == 421 {
                assert_eq!(answer.reason(), "misdirected");
            }
        }
    }
    // A misdirected request ends no connection.
    gateway.wait_for_metric("portcullis_connections_total", &[], 2.0);
}
