//! Opening handshakes (RFC 6455 section 4): no tunnel without a key, version 13, and an upstream that has read the key.

use super::{HANDSHAKE, SWITCHING, echo, heads, open_tunnel, tunnels_open};
use crate::support::client::{reason, status};
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Upstream};

const BEGINNING: &str =
    "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

#[test]
fn a_request_without_a_key_or_with_another_version_opens_no_tunnel() {
    let (seen, sink) = heads();
    let upstream = Upstream::scripted(move |mut stream, _| {
        sink.lock().unwrap().push(read_head(&mut stream));
        write(&mut stream, SWITCHING);
        echo(&mut stream);
    });
    let chain = Chain::on("", upstream, "");
    for (fields, wanted) in [
        (VERSION.to_owned(), 400),
        (KEY.to_owned(), 400),
        (String::new(), 400),
        (VERSION.repeat(2) + KEY, 400),
        (VERSION.to_owned() + &KEY.repeat(2), 400),
        (VERSION.to_owned() + "Sec-WebSocket-Key: \r\n", 400),
        (
            VERSION.to_owned() + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
            400,
        ),
        (
            VERSION.to_owned() + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSEhIQ==\r\n",
            400,
        ),
        (KEY.to_owned() + "Sec-WebSocket-Version: 8\r\n", 426),
        (KEY.to_owned() + "Sec-WebSocket-Version: 13, 8\r\n", 426),
    ] {
        let mut raw = chain.client.raw();
        raw.write(format!("{BEGINNING}{fields}\r\n").as_bytes());
        let answer = raw.read_until("}\n").to_ascii_lowercase();
        assert_eq!(
            (status(&answer), reason(&answer).as_str()),
            (wanted, "bad_upgrade"),
            "{fields}"
        );
        assert_eq!(
            answer.contains("sec-websocket-version: 13\r\n"),
            wanted == 426,
            "{answer}"
        );
        let line = chain
            .gateway
            .wait_for_access(|line| line["reason"] == "bad_upgrade");
        assert!(
            line["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("Sec-WebSocket")),
            "{line}"
        );
    }
    assert!(
        seen.lock().unwrap().is_empty(),
        "nothing reached the upstream"
    );
    tunnels_open(&chain, 0.0);
    open_tunnel(&chain.client);
}

#[test]
fn an_upstream_that_has_not_read_the_key_gets_no_tunnel() {
    let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    for fields in [
        String::new(),
        accept.replace("s3p", "S3p"),
        accept.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "dGhlIHNhbXBsZSBub25jZQ=="),
        accept.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ""),
        accept.repeat(2),
    ] {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n{fields}\r\n"
        );
        let upstream = Upstream::scripted(move |mut stream, _| {
            read_head(&mut stream);
            write(&mut stream, &[head.as_bytes(), b"smuggled"].concat());
            echo(&mut stream);
        });
        let chain = Chain::on("", upstream, "");
        let mut raw = chain.client.raw();
        raw.write(HANDSHAKE);
        let answer = raw.read_until("}\n");
        let outcome = (status(&answer), reason(&answer));
        assert_eq!(outcome, (502, "upstream_upgraded".to_owned()), "{fields}");
        assert!(!answer.contains("smuggled"), "{answer}");
        tunnels_open(&chain, 0.0);
    }
    let chain = Chain::on("", super::echoing(), "");
    open_tunnel(&chain.client);
}
