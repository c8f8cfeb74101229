//! Examples and properties of the edit list.

mod oracle;

use super::*;
use crate::authorize::public_permit;
use crate::forward::fields::may_be_named_by_connection;
use crate::forward::{BadConnection, FieldNames, check_connection};
use crate::forward::{ExpiryFieldName, HeadWriter, requested_upgrade};
use crate::identity::{IdentitySet, identity_field_names, is_identity_field};
use crate::route::Admission;
use proptest::prelude::*;

#[derive(Default)]
struct Collected(Vec<(String, Vec<u8>)>);

impl FieldSink for Collected {
    fn add(&mut self, name: &str, value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }
}

fn upward(fields: &[(&str, &[u8])], authorization: Option<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let identity = IdentityBlock::without_user(&[IdentitySet::XClient]);
    let edit = RequestEdit {
        policy: FieldPolicy {
            reserved: &FieldNames::default(),
            decision_fields: &FieldNames::default(),
            kept: &[],
        },
        authorizer: &[],
        identity: Some(&identity),
        client: &ClientAddress::new("192.0.2.1".parse().unwrap()),
        requested_host: "api.example.org",
        request_id: "id-1",
        client_version: "1.1",
        authorization: UpstreamAuthorization::of(authorization, UpstreamAuthorization::OfClient),
        upgrade: requested_upgrade("GET", fields).unwrap(),
    };
    let mut collected = Collected::default();
    request_fields(
        &public_permit(Admission::Public).unwrap(),
        fields,
        &edit,
        &mut collected,
    );
    collected.0
}

fn values<'a>(fields: &'a [(String, Vec<u8>)], name: &str) -> Vec<&'a str> {
    fields
        .iter()
        .filter(|(is, _)| is == name)
        .map(|(_, value)| std::str::from_utf8(value).unwrap())
        .collect()
}

#[test]
fn hop_by_hop_fields_are_removed_and_others_forwarded() {
    let up = upward(
        &[
            ("Host", b"evil"),
            ("Connection", b"close, X-Hop"),
            ("X-Hop", b"1"),
            ("Keep-Alive", b"5"),
            ("Transfer-Encoding", b"chunked"),
            ("TE", b"gzip, trailers"),
            ("Accept", b"a"),
            ("Accept", b"b"),
            ("Cookie", b"x=1"),
            ("Cookie", b"y=2"),
            ("Via", b"1.0 other"),
            ("Authorization", b"Bearer t"),
        ],
        None,
    );
    assert_eq!(values(&up, "host"), ["api.example.org"]);
    assert_eq!(values(&up, "accept"), ["a", "b"]);
    assert_eq!(values(&up, "cookie"), ["x=1; y=2"]);
    assert_eq!(values(&up, "te"), ["trailers"]);
    assert_eq!(values(&up, "via"), ["1.0 other, 1.1 portcullis"]);
    assert_eq!(values(&up, "authorization"), ["Bearer t"]);
    for name in ["connection", "x-hop", "keep-alive", "transfer-encoding"] {
        assert!(values(&up, name).is_empty(), "{name}");
    }
}

#[test]
fn what_the_client_says_about_itself_is_replaced() {
    let up = upward(
        &[
            ("X-Forwarded-For", b"10.0.0.1"),
            ("Forwarded", b"for=10.0.0.1"),
            ("X-Request-Id", b"mine"),
            ("X-HTTP-Method-Override", b"DELETE"),
            ("X-Original-URL", b"/admin"),
            ("X_Client_CN", b"admin"),
            ("Authorization", b"Bearer t"),
        ],
        Some(b"Basic eA=="),
    );
    assert_eq!(values(&up, "x-forwarded-for"), ["192.0.2.1"]);
    assert_eq!(
        values(&up, "forwarded"),
        ["for=192.0.2.1;host=\"api.example.org\";proto=https"]
    );
    assert_eq!(values(&up, "x-request-id"), ["id-1"]);
    assert_eq!(values(&up, "authorization"), ["Basic eA=="]);
    for name in ["x-http-method-override", "x-original-url", "x_client_cn"] {
        assert!(values(&up, name).is_empty(), "{name}");
    }
}

#[test]
fn only_websocket_is_an_upgrade() {
    let ask = |upgrade: &'static [u8]| {
        let handshake = [
            ("Sec-WebSocket-Version", &b"13"[..]),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        upward(
            &[
                &[("Connection", &b"Upgrade"[..]), ("Upgrade", upgrade)],
                &handshake[..],
            ]
            .concat(),
            None,
        )
    };
    assert_eq!(values(&ask(b"WebSocket"), "upgrade"), ["websocket"]);
    assert!(values(&ask(b"h2c"), "upgrade").is_empty());
    assert!(values(&ask(b"websocket, h2c"), "upgrade").is_empty());
}

#[test]
fn connection_may_not_name_what_every_hop_needs() {
    let mut decision_fields = FieldNames::default();
    decision_fields.add_decision_field("x-team");
    let check = |value: &[u8]| check_connection(value, &decision_fields);
    for value in [
        "close",
        "Upgrade, HTTP2-Settings",
        "TE, keep-alive",
        "X-Hop",
        "trailer",
        "proxy-connection",
    ] {
        assert_eq!(check(value.as_bytes()), Ok(()), "{value}");
    }
    for value in [
        "close, HOST",
        "content-length",
        "X_Team",
        "x-team",
        "Content-Encoding",
        "X-Client-CN",
        "cookie",
    ] {
        assert_eq!(check(value.as_bytes()), Err(BadConnection), "{value}");
    }
    for value in [
        "x-forwarded-for",
        "X_HTTP_Method_Override",
        "transfer-encoding",
        "via",
        "authorization",
    ] {
        assert_eq!(check(value.as_bytes()), Err(BadConnection), "{value}");
    }
}

#[test]
fn a_response_keeps_its_length_only_without_a_body() {
    let down = |length| {
        let mut collected = Collected::default();
        let fields: &[(&str, &[u8])] = &[
            ("Content-Length", b"5"),
            ("Connection", b"x-hop"),
            ("X-Hop", b"1"),
            ("Server", b"s"),
            ("Via", b"1.1 a"),
        ];
        response_fields(
            fields,
            &ResponseEdit {
                length,
                request_id: "id-1",
                expiry: None,
            },
            &mut collected,
        );
        collected.0
    };
    assert_eq!(
        values(&down(ContentLength::FromField), "content-length"),
        ["5"]
    );
    let with_body = down(ContentLength::FromBody);
    assert!(
        values(&with_body, "content-length").is_empty() && values(&with_body, "x-hop").is_empty()
    );
    assert_eq!(values(&with_body, "via"), ["1.1 a, 1.1 portcullis"]);
    assert_eq!(values(&with_body, "x-request-id"), ["id-1"]);
}

/// An identity field's name as an attacker would write it.
fn disguised() -> impl Strategy<Value = String> {
    let names: Vec<&str> = identity_field_names().collect();
    (proptest::sample::select(names), any::<u64>()).prop_map(|(name, bits)| {
        name.chars()
            .enumerate()
            .map(|(at, c)| match (c, bits >> (at % 64) & 1) {
                ('-', 1) => ['_', '.', '~', '+'][at % 4],
                (c, 1) => c.to_ascii_uppercase(),
                (c, _) => c,
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn exactly_our_identity_arrives(
        names in proptest::collection::vec(disguised(), 0..6),
        hidden in proptest::option::of(disguised()),
        value in "[a-z]{1,8}",
    ) {
        let mut fields: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), value.as_bytes())).collect();
        let connection = hidden.unwrap_or_else(|| "x-client-verify".to_owned());
        fields.push(("Connection", connection.as_bytes()));
        let up = upward(&fields, None);
        let identity: Vec<_> = up.iter().filter(|(name, _)| is_identity_field(name)).collect();
        let ours = ("x-client-verify".to_owned(), b"NONE".to_vec());
        prop_assert_eq!(identity, vec![&ours]);
    }
}
