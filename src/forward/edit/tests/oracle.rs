//! A simple, slow version of the edit as the oracle.

use super::*;

/// The names that `Connection` lists, by the text of RFC 9110 section 7.6.1.
fn names_slowly<'a>(fields: &'a [(&'a str, &'a [u8])]) -> Vec<&'a str> {
    let connection = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let texts = connection.filter_map(|(_, value)| std::str::from_utf8(value).ok());
    texts
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

/// The client's own fields that are forwarded unchanged.
fn kept_slowly(fields: &[(&str, &[u8])], edit: &RequestEdit<'_>) -> Vec<(String, Vec<u8>)> {
    let named = names_slowly(fields);
    let passes = |name: &str| !named.iter().any(|hop| hop.eq_ignore_ascii_case(name));
    let mut kept = Vec::new();
    for (name, value) in fields.iter().filter(|(name, _)| passes(name)) {
        let is_clients = edit.authorization == UpstreamAuthorization::OfClient;
        let is_reserved =
            |name: &str| name.trim().to_ascii_lowercase().replace('_', "-") == "x-tag";
        let announces = name.eq_ignore_ascii_case("trailer")
            && value
                .split(|byte| *byte == b',')
                .any(|name| std::str::from_utf8(name).is_ok_and(is_reserved));
        if edit.policy.reserved.iter().next().is_some() && (is_reserved(name) || announces) {
            continue;
        }
        let kind = crate::forward::fields::kind(name);
        if kind == FieldKind::EndToEnd || kind == FieldKind::Authorization && is_clients {
            kept.push((name.to_ascii_lowercase(), value.to_vec()));
        }
    }
    kept
}

/// A simple, slow version of `request_fields`.
fn request_fields_slowly(
    fields: &[(&str, &[u8])],
    edit: &RequestEdit<'_>,
) -> Vec<(String, Vec<u8>)> {
    let named = names_slowly(fields);
    let passes = |name: &str| !named.iter().any(|hop| hop.eq_ignore_ascii_case(name));
    let of_kind = |wanted: FieldKind| -> Vec<&[u8]> {
        let passing = fields
            .iter()
            .filter(|(name, _)| wanted == FieldKind::Te || passes(name));
        passing
            .filter(|(name, _)| crate::forward::fields::kind(name) == wanted)
            .map(|(_, value)| *value)
            .collect()
    };
    let mut up = vec![("host".to_owned(), edit.requested_host.as_bytes().to_vec())];
    up.extend(kept_slowly(fields, edit));
    let mut add = |name: &str, value: &[u8]| up.push((name.to_owned(), value.to_vec()));
    let cookies = of_kind(FieldKind::Cookie);
    if !cookies.is_empty() {
        add("cookie", &cookies.join(&b"; "[..]));
    }
    if of_kind(FieldKind::Te)
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(is_trailers)
    {
        add("te", b"trailers");
    }
    let own = format!("{} portcullis", edit.client_version).into_bytes();
    add(
        "via",
        &[of_kind(FieldKind::Via), vec![&own]]
            .concat()
            .join(&b", "[..]),
    );
    let node = edit.client.node();
    let address = edit.client.as_str();
    let host = edit.requested_host;
    add(
        "forwarded",
        format!("for={node};host=\"{host}\";proto=https").as_bytes(),
    );
    add("x-forwarded-for", address.as_bytes());
    add("x-forwarded-proto", b"https");
    add("x-forwarded-host", host.as_bytes());
    add("x-request-id", edit.request_id.as_bytes());
    if let UpstreamAuthorization::OfGateway(authorization) = edit.authorization {
        add("authorization", authorization);
    }
    edit.identity
        .into_iter()
        .flat_map(IdentityBlock::fields)
        .for_each(|(name, value)| add(name, value.as_bytes()));
    edit.authorizer
        .iter()
        .for_each(|(name, value)| add(name.as_str(), value.as_bytes()));
    if edit.upgrade != Upgrade::None {
        add("connection", b"upgrade");
        add("upgrade", b"websocket");
    }
    up
}

/// A simple, slow version of `response_fields`.
fn response_fields_slowly(
    fields: &[(&str, &[u8])],
    length: ContentLength,
    expiry: Option<&ExpiryField>,
) -> Vec<(String, Vec<u8>)> {
    const STAYS: [&str; 7] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "transfer-encoding",
        "upgrade",
        "te",
    ];
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
    let expiry_field = expiry.and_then(ExpiryField::field);
    down.extend(expiry_field.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
    down
}

/// Names and values that matter, disguised or not, few or many.
fn any_fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        proptest::sample::select(
            &[
                "Cookie",
                "cookie",
                "Via",
                "TE",
                "Authorization",
                "Host",
                "Close",
                "Keep-Alive"
            ][..]
        ),
        proptest::sample::select(
            &[
                "Connection",
                "connection",
                "Upgrade",
                "content-length",
                "X-Request-ID",
                "x-hop"
            ][..]
        ),
        proptest::sample::select(
            &[
                "Accept",
                "Server",
                "proxy-connection",
                "Transfer-Encoding",
                "X_Client_CN"
            ][..]
        ),
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
        expiry_field in 0..3_u8,
        is_reserved in any::<bool>(),
    ) {
        let fields: Vec<(&str, &[u8])> = fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let fields = fields.as_slice();
        let identity = IdentityBlock::without_user(&[IdentitySet::XClient]);
        let mut reserved = FieldNames::default();
        let answer = [(HeaderName::from_static("x-tag"), HeaderValue::from_static("said"))];
        if is_reserved {
            reserved.add_reserved("x-tag").unwrap();
        }
        // None of these requests has a key, so a valid handshake is used in their place.
        let handshake: &[(&str, &[u8])] = &[
            ("connection", b"upgrade"),
            ("upgrade", b"websocket"),
            ("sec-websocket-version", b"13"),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let upgrade = requested_upgrade("GET", fields).or_else(|_| requested_upgrade("GET", handshake)).unwrap();
        let edit = RequestEdit {
            policy: FieldPolicy { reserved: &reserved, decision_fields: &FieldNames::default(), kept: &[] },
            authorizer: if is_reserved { &answer } else { &[] },
            identity: Some(&identity),
            client: &ClientAddress::new(client),
            requested_host: "api.example.org",
            request_id: "id-1",
            client_version: "1.1",
            authorization: UpstreamAuthorization::of(
                authorization.as_deref(),
                if removed { UpstreamAuthorization::Removed } else { UpstreamAuthorization::OfClient },
            ),
            upgrade,
        };
        let permit = public_permit(Admission::Public).unwrap();
        let mut collected = Collected::default();
        let mut written = Vec::new();
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
        let expiry = expiry[usize::from(expiry_field)].as_ref();
        response_fields(fields, &ResponseEdit { length, request_id: "id-1", expiry }, &mut collected);
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
