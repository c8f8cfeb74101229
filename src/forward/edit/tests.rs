//! Examples and properties of the edit list.

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
    let identity = IdentityBlock::for_nobody(&[IdentitySet::XClient]);
    let edit = RequestEdit {
        policy: FieldPolicy { reserved: &FieldNames::default(), judged: &FieldNames::default(), kept: &[] },
        authorizer: &[],
        identity: Some(&identity),
        client: &ClientAddress::new("192.0.2.1".parse().unwrap()),
        requested_host: "api.example.org",
        request_id: "id-1",
        client_version: "1.1",
        authorization: AuthorizationUp::of(authorization, AuthorizationUp::OfClient),
        upgrade: requested_upgrade("GET", fields).unwrap(),
    };
    let mut collected = Collected::default();
    request_fields(&public_permit(Admission::Public).unwrap(), fields, &edit, &mut collected);
    collected.0
}

fn values<'a>(fields: &'a [(String, Vec<u8>)], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(is, _)| is == name).map(|(_, value)| std::str::from_utf8(value).unwrap()).collect()
}

#[test]
fn hop_by_hop_fields_stay_behind_and_others_go_up() {
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
    assert_eq!(values(&up, "forwarded"), ["for=192.0.2.1;host=\"api.example.org\";proto=https"]);
    assert_eq!(values(&up, "x-request-id"), ["id-1"]);
    assert_eq!(values(&up, "authorization"), ["Basic eA=="]);
    for name in ["x-http-method-override", "x-original-url", "x_client_cn"] {
        assert!(values(&up, name).is_empty(), "{name}");
    }
}

#[test]
fn only_websocket_is_an_upgrade() {
    let ask = |upgrade: &'static [u8]| {
        let handshake = [("Sec-WebSocket-Version", &b"13"[..]), ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")];
        upward(&[&[("Connection", &b"Upgrade"[..]), ("Upgrade", upgrade)], &handshake[..]].concat(), None)
    };
    assert_eq!(values(&ask(b"WebSocket"), "upgrade"), ["websocket"]);
    assert!(values(&ask(b"h2c"), "upgrade").is_empty());
    assert!(values(&ask(b"websocket, h2c"), "upgrade").is_empty());
}

#[test]
fn connection_may_not_name_what_every_hop_needs() {
    let mut judged = FieldNames::default();
    judged.add_judged("x-team");
    let check = |value: &[u8]| check_connection(value, &judged);
    for value in ["close", "Upgrade, HTTP2-Settings", "TE, keep-alive", "X-Hop", "trailer", "proxy-connection"] {
        assert_eq!(check(value.as_bytes()), Ok(()), "{value}");
    }
    for value in ["close, HOST", "content-length", "X_Team", "x-team", "Content-Encoding", "X-Client-CN", "cookie"] {
        assert_eq!(check(value.as_bytes()), Err(BadConnection), "{value}");
    }
    for value in ["x-forwarded-for", "X_HTTP_Method_Override", "transfer-encoding", "via", "authorization"] {
        assert_eq!(check(value.as_bytes()), Err(BadConnection), "{value}");
    }
}

#[test]
fn an_answer_keeps_its_length_only_where_no_body_follows() {
    let down = |length| {
        let mut collected = Collected::default();
        let fields: &[(&str, &[u8])] =
            &[("Content-Length", b"5"), ("Connection", b"x-hop"), ("X-Hop", b"1"), ("Server", b"s"), ("Via", b"1.1 a")];
        response_fields(fields, &AnswerEdit { length, request_id: "id-1", expiry: None }, &mut collected);
        collected.0
    };
    assert_eq!(values(&down(ContentLength::FromField), "content-length"), ["5"]);
    let with_body = down(ContentLength::FromBody);
    assert!(values(&with_body, "content-length").is_empty() && values(&with_body, "x-hop").is_empty());
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

/// The names that `Connection` lists, by the text of RFC 9110 section 7.6.1.
fn names_slowly<'a>(fields: &'a [(&'a str, &'a [u8])]) -> Vec<&'a str> {
    let connection = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let texts = connection.filter_map(|(_, value)| std::str::from_utf8(value).ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// `request_fields` without a thought of what it costs.
fn request_fields_slowly(fields: &[(&str, &[u8])], edit: &RequestEdit<'_>) -> Vec<(String, Vec<u8>)> {
    let named = names_slowly(fields);
    let passes = |name: &str| !named.iter().any(|hop| hop.eq_ignore_ascii_case(name));
    let of_kind = |wanted: FieldKind| -> Vec<&[u8]> {
        let passing = fields.iter().filter(|(name, _)| wanted == FieldKind::Te || passes(name));
        passing.filter(|(name, _)| crate::forward::fields::kind(name) == wanted).map(|(_, value)| *value).collect()
    };
    let mut up = vec![("host".to_owned(), edit.requested_host.as_bytes().to_vec())];
    for (name, value) in fields.iter().filter(|(name, _)| passes(name)) {
        let is_clients = edit.authorization == AuthorizationUp::OfClient;
        let is_reserved = |name: &str| name.trim().to_ascii_lowercase().replace('_', "-") == "x-tag";
        let announces = name.eq_ignore_ascii_case("trailer")
            && value.split(|octet| *octet == b',').any(|name| std::str::from_utf8(name).is_ok_and(is_reserved));
        if edit.policy.reserved.iter().next().is_some() && (is_reserved(name) || announces) {
            continue;
        }
        let kind = crate::forward::fields::kind(name);
        if kind == FieldKind::EndToEnd || kind == FieldKind::Authorization && is_clients {
            up.push((name.to_ascii_lowercase(), value.to_vec()));
        }
    }
    let mut add = |name: &str, value: &[u8]| up.push((name.to_owned(), value.to_vec()));
    let cookies = of_kind(FieldKind::Cookie);
    if !cookies.is_empty() {
        add("cookie", &cookies.join(&b"; "[..]));
    }
    if of_kind(FieldKind::Te).iter().flat_map(|value| value.split(|octet| *octet == b',')).any(is_trailers) {
        add("te", b"trailers");
    }
    let own = format!("{} portcullis", edit.client_version).into_bytes();
    add("via", &[of_kind(FieldKind::Via), vec![&own]].concat().join(&b", "[..]));
    let (node, address, host) = (edit.client.node(), edit.client.as_str(), edit.requested_host);
    add("forwarded", format!("for={node};host=\"{host}\";proto=https").as_bytes());
    add("x-forwarded-for", address.as_bytes());
    add("x-forwarded-proto", b"https");
    add("x-forwarded-host", host.as_bytes());
    add("x-request-id", edit.request_id.as_bytes());
    if let AuthorizationUp::OfGateway(authorization) = edit.authorization {
        add("authorization", authorization);
    }
    edit.identity.into_iter().flat_map(IdentityBlock::fields).for_each(|(name, value)| add(name, value.as_bytes()));
    edit.authorizer.iter().for_each(|(name, value)| add(name.as_str(), value.as_bytes()));
    if edit.upgrade != Upgrade::None {
        add("connection", b"upgrade");
        add("upgrade", b"websocket");
    }
    up
}

/// `response_fields` without a thought of what it costs.
fn response_fields_slowly(
    fields: &[(&str, &[u8])],
    length: ContentLength,
    expiry: Option<&ExpiryField>,
) -> Vec<(String, Vec<u8>)> {
    const STAYS: [&str; 7] =
        ["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "transfer-encoding", "upgrade", "te"];
    let named = names_slowly(fields);
    let mut via: Vec<&[u8]> = Vec::new();
    let mut down = Vec::new();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            _ if named.iter().any(|hop| hop.eq_ignore_ascii_case(&name)) => {}
            "via" => via.push(value),
            "content-length" if length == ContentLength::FromBody => {}
            "x-request-id" => {}
            "x-hop" if expiry.is_some() => {}
            name if STAYS.contains(&name) => {}
            _ => down.push((name, value.to_vec())),
        }
    }
    via.push(b"1.1 portcullis");
    down.push(("via".to_owned(), via.join(&b", "[..])));
    down.push(("x-request-id".to_owned(), b"id-1".to_vec()));
    let said = expiry.and_then(ExpiryField::said);
    down.extend(said.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
    down
}

/// Names and values that matter, disguised or not, few or many.
fn any_fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        proptest::sample::select(
            &["Cookie", "cookie", "Via", "TE", "Authorization", "Host", "Close", "Keep-Alive"][..]
        ),
        proptest::sample::select(
            &["Connection", "connection", "Upgrade", "content-length", "X-Request-ID", "x-hop"][..]
        ),
        proptest::sample::select(&["Accept", "Server", "proxy-connection", "Transfer-Encoding", "X_Client_CN"][..]),
        proptest::sample::select(&["X_Tag", "x-tag", "Trailer"][..]),
    ];
    let value = prop_oneof![
        "(close|Keep-Alive|keep-alive|x-hop|X-Tag|te|via|cookie|upgrade|trailers|websocket|[, ]){0,5}"
            .prop_map(String::into_bytes),
        "[a-z=]{0,6}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec((name.prop_map(str::to_owned), value), 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn edits_are_what_they_are_without_haste(
        fields in any_fields(),
        authorization in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4)),
        removed in any::<bool>(),
        client in any::<std::net::IpAddr>(),
        from_body in any::<bool>(),
        said in 0..3_u8,
        is_reserved in any::<bool>(),
    ) {
        let fields: Vec<(&str, &[u8])> = fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let fields = fields.as_slice();
        let identity = IdentityBlock::for_nobody(&[IdentitySet::XClient]);
        let mut reserved = FieldNames::default();
        let answer = [(HeaderName::from_static("x-tag"), HeaderValue::from_static("said"))];
        if is_reserved {
            reserved.add_reserved("x-tag").unwrap();
        }
        // None of these requests has a key, so a valid handshake stands for those that ask.
        let handshake: &[(&str, &[u8])] = &[
            ("connection", b"upgrade"),
            ("upgrade", b"websocket"),
            ("sec-websocket-version", b"13"),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let upgrade = requested_upgrade("GET", fields).or_else(|_| requested_upgrade("GET", handshake)).unwrap();
        let edit = RequestEdit {
            policy: FieldPolicy { reserved: &reserved, judged: &FieldNames::default(), kept: &[] },
            authorizer: if is_reserved { &answer } else { &[] },
            identity: Some(&identity),
            client: &ClientAddress::new(client),
            requested_host: "api.example.org",
            request_id: "id-1",
            client_version: "1.1",
            authorization: AuthorizationUp::of(
                authorization.as_deref(),
                if removed { AuthorizationUp::Removed } else { AuthorizationUp::OfClient },
            ),
            upgrade,
        };
        let permit = public_permit(Admission::Public).unwrap();
        let (mut collected, mut written) = (Collected::default(), Vec::new());
        request_fields(&permit, fields, &edit, &mut collected);
        prop_assert_eq!(&collected.0, &request_fields_slowly(fields, &edit));
        request_fields(&permit, fields, &edit, &mut HeadWriter(&mut written));
        let line = |(name, value): &(String, Vec<u8>)| [name.as_bytes(), b": ", value, b"\r\n"].concat();
        let lines = collected.0.iter().flat_map(line).collect::<Vec<_>>();
        prop_assert!(written.eq_ignore_ascii_case(&lines));

        let length = if from_body { ContentLength::FromBody } else { ContentLength::FromField };
        let mut collected = Collected::default();
        let name = ExpiryFieldName::parse("x-hop").unwrap();
        let expiry = [None, Some(ExpiryField::silent(&name)), Some(ExpiryField::saying(&name, 0))];
        let expiry = expiry[usize::from(said)].as_ref();
        response_fields(fields, &AnswerEdit { length, request_id: "id-1", expiry }, &mut collected);
        prop_assert_eq!(collected.0, response_fields_slowly(fields, length, expiry));

        let names = names_slowly(fields);
        let asked: Vec<_> = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("upgrade")).collect();
        let asks = matches!(asked.as_slice(), [(_, value)] if value.eq_ignore_ascii_case(b"websocket"))
            && names.iter().any(|name| name.eq_ignore_ascii_case("upgrade"));
        prop_assert_eq!(edit.upgrade != Upgrade::None, asks);
        prop_assert_eq!(requested_upgrade("POST", fields), Ok(Upgrade::None));
        let passes = |value| check_connection(value, &FieldNames::default()).is_ok();
        prop_assert_eq!(fields.values("connection").all(passes), names.into_iter().all(may_be_named_by_connection));
    }
}
