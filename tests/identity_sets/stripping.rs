//! No name of any set comes from a client, however it is written.

use super::told;
use crate::support::client::{BOTH, get, reason, status};
use crate::support::gateway::{listener, user};
use crate::support::{Client, Gateway, Pki, Upstream};
use http::{HeaderName, HeaderValue};
use portcullis::identity::{IDENTITY_FIELD_PREFIXES, identity_field_names};

type Spelling = fn(&str) -> String;

/// How a name may be written so that somebody still takes it for what it looks like.
const SPELLINGS: [Spelling; 5] = [
    |name| name.to_owned(),
    |name| name.to_ascii_uppercase(),
    |name| name.replace('-', "_"),
    |name| name.replacen('-', "_", 1),
    |name| name.replace('-', "."),
];

/// Fewer than a head may have fields, and each stands twice.
const AT_ONCE: usize = 40;

/// All names, and for each family one that no list has.
fn names() -> Vec<String> {
    let families = IDENTITY_FIELD_PREFIXES
        .iter()
        .map(|family| format!("{family}-of-tomorrow").replace("--", "-"));
    identity_field_names()
        .map(str::to_owned)
        .chain(families)
        .collect()
}

/// No value of the client's arrived but the one that may.
fn check(upstream: &Upstream, what: &str) {
    let up = upstream.recorded().pop().unwrap();
    let forged: Vec<_> = up
        .headers
        .iter()
        .filter(|(_, value)| *value == "root")
        .collect();
    assert!(forged.is_empty(), "{what}: {forged:?}");
    assert_eq!(up.values("x-mine"), ["mine"], "{what}");
    assert!(
        up.trailers
            .is_none_or(|trailers| trailers.values().all(|value| value != "root")),
        "{what}"
    );
}

/// A gateway that writes no set itself: what arrives would be the client's.
fn gateway(pki: &Pki, upstream: &Upstream) -> Gateway {
    let route = told("api", upstream, "identity_headers = []");
    Gateway::start(&(listener(pki) + &user("alice", &["*"]) + &route))
}

#[test]
fn no_name_of_any_set_passes_in_any_spelling() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let names = names();
    let gateway = gateway(&pki, &upstream);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let mut open = BOTH.map(|version| client.connect(version).unwrap());
    for spelling in SPELLINGS {
        for some in names.chunks(AT_ONCE) {
            for connection in &mut open {
                let mut request = get("/api");
                request
                    .headers_mut()
                    .insert("x-mine", HeaderValue::from_static("mine"));
                for name in some.iter().map(|name| spelling(name)) {
                    let name: HeaderName = name.parse().unwrap();
                    request
                        .headers_mut()
                        .append(name.clone(), HeaderValue::from_static("root"));
                    request
                        .headers_mut()
                        .append(name, HeaderValue::from_static("root"));
                }
                assert_eq!(connection.send(request).unwrap().status, 200);
                check(&upstream, &format!("{some:?}"));
            }
        }
    }
}

#[test]
fn no_name_of_any_set_passes_with_its_case_or_as_a_trailer() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let names = names();
    let gateway = gateway(&pki, &upstream);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for spelling in SPELLINGS {
        for some in names.chunks(AT_ONCE) {
            let written: Vec<String> = some.iter().map(|name| spelling(name)).collect();
            let listed = written.join(", ");
            let lines: String = written
                .iter()
                .map(|name| format!("{name}: root\r\n"))
                .collect();
            let answer = client.exchange(
                format!(
                    "POST /api HTTP/1.1\r\nHost: localhost\r\nX-Mine: mine\r\nConnection: close\r\n{lines}\
                     Trailer: {listed}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n{lines}\r\n"
                )
                .as_bytes(),
            );
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            check(&upstream, &listed);
        }
    }
}

#[test]
fn no_name_of_any_set_may_be_named_by_connection() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let names = names();
    let mut at_upstream = 0;
    let gateway = gateway(&pki, &upstream);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let status_naming = |name: &str| {
        let head =
            format!("GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close, {name}\r\n\r\n");
        let answer = client.exchange(head.as_bytes());
        (status(&answer), reason(&answer))
    };
    for (at, name) in names.iter().enumerate() {
        let written = SPELLINGS[at % SPELLINGS.len()](name);
        assert_eq!(
            status_naming(&written),
            (400, "bad_connection_field".to_owned()),
            "{written}"
        );
    }
    assert_eq!(status_naming("x-mine").0, 200);
    at_upstream += 1;
    assert_eq!(
        upstream.recorded().len(),
        at_upstream,
        "no other request arrived"
    );
}
