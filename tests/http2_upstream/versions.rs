//! Which version an endpoint speaks.

use super::*;
use crate::support::Upstream;
use crate::support::http2_upstream::tls;
use crate::support::tls_upstream::tls_upstream;
use crate::support::upstream::{read_head, write};
use h2::server::Builder;

fn anchors(pki: &Pki) -> String {
    format!(
        "anchors = [\"{}\"]\nserver_name = \"localhost\"",
        pki.ca_file().display()
    )
}

#[test]
fn over_tls_the_version_is_what_alpn_selects() {
    let http1 = |pki: &Pki| {
        tls_upstream(pki, |mut stream| {
            while !stream.read_head().is_empty() {
                stream.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhttp1");
            }
        })
    };
    for (scheme, keys, with_http2, with_http1) in [
        ("https", "http_version = \"auto\"", 200, 200),
        ("https", "http_version = \"2\"", 200, 502),
        ("grpcs", "", 200, 502),
        ("https", "", 502, 200),
        ("https", "http_version = \"1.1\"", 502, 200),
    ] {
        let pki = Pki::new();
        let upstream = Http2Upstream::with(Builder::new(), Some(tls(&pki, &["h2"])), echo);
        let other = http1(&pki);
        let keys = format!("{keys}\n{}", anchors(&pki));
        let routes = format!(
            "{}[upstream.other]\nendpoints = [\"{scheme}://{}\"]\n{keys}\n[[route]]\npath = \"/other\"\nupstream = \"other\"\n",
            upstream.route(scheme, &keys),
            other.address,
        );
        let front = Front::with(pki, &routes);
        for version in BOTH {
            let answer = front
                .client
                .send(version, request("POST", "/", "h2"))
                .unwrap();
            assert_eq!(answer.status, with_http2, "{scheme} {keys} {version:?}");
            let answer = front.client.send(version, get("/other")).unwrap();
            assert_eq!(answer.status, with_http1, "{scheme} {keys} {version:?}");
        }
        let schemes: Vec<_> = upstream.seen.heads();
        assert!(
            schemes
                .iter()
                .all(|(_, head)| head.uri().scheme_str() == Some("https"))
        );
    }
}

#[test]
fn an_endpoint_that_does_not_speak_http2_gets_no_request() {
    let upstream = Upstream::scripted(|mut stream, _| {
        // What HTTP/1 servers say to the preface of HTTP/2.
        read_head(&mut stream);
        write(
            &mut stream,
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    });
    let address = upstream.address;
    let route = format!(
        "[upstream.api]\nendpoints = [\"h2c://{address}\"]\n[[route]]\npath = \"/\"\nupstream = \"api\"\n"
    );
    let front = Front::configured(&route);
    for version in BOTH {
        let answer = front
            .client
            .send(version, request("POST", "/", "x"))
            .unwrap();
        assert_eq!(
            (answer.status, &*answer.reason()),
            (503, "connect_failed"),
            "{version:?}"
        );
    }
    front
        .gateway
        .reload_with(&(front.config.replace("h2c://", "http://") + &user("alice", &["*"])));
    assert_eq!(front.client.get("/").status, 400, "its own response");
}

#[test]
fn an_http2_upstream_is_asked_for_no_upgrade() {
    let upstream = Http2Upstream::start(echo);
    let front = Front::new(&upstream);
    let handshake = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut raw = front.client.raw();
    raw.write(handshake.as_bytes());
    let head = raw.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (_, head) = upstream.seen.heads().pop().unwrap();
    assert!(!head.headers().contains_key("upgrade"));
}
