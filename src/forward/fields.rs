//! Classifies header fields by what the gateway does with them. Removes and adds no field.

use super::names::NameTable;
use super::singletons::is_singleton;
use crate::identity::{
    FOREIGN_IDENTITY_FIELDS, IDENTITY_FIELD_PREFIXES, WRITTEN_IDENTITY_FIELDS, begins,
    folded_equal, is_identity_field, is_written_identity_field,
};
use std::sync::LazyLock;

/// What happens to a client's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// Forwarded unchanged.
    EndToEnd,
    /// Applies to this connection only (RFC 9110 section 7.6.1), or is rewritten by each sender.
    HopByHop,
    /// Could be read as proof of identity. Never accepted from a client.
    Identity,
    /// Written by the gateway (`Forwarded`, `X-Forwarded-*`, the request id).
    Forwarding,
    /// Overrides path or method: the upstream would act on others than those authorized.
    Override,
    /// `Cookie`. HTTP/2 may split it.
    Cookie,
    /// `Via`. The gateway appends an entry.
    Via,
    /// `TE`. Only `trailers` is forwarded.
    Te,
    /// `Authorization`. The gateway's credentials for the upstream replace it.
    Authorization,
    /// Set only by an authorizer.
    Reserved,
}

/// Names by which an upstream takes another method than the request line's. Compared folded, as
/// identity fields are.
const METHOD_OVERRIDES: [&str; 11] = [
    "x-http-method-override",
    "x-http-methodoverride",
    "x-httpmethod-override",
    "x-httpmethodoverride",
    "x-http-method",
    "x-httpmethod",
    "x-method-override",
    "x-methodoverride",
    "http-method-override",
    "x-http-verb-override",
    "x-http-verb",
];

/// Names by which some frameworks take another path, host or method than the authorized one.
const PATH_OVERRIDES: [&str; 4] = [
    "x-forwarded-uri",
    "x-forwarded-path",
    "x-forwarded-method",
    "x-http-host-override",
];

/// Prefixes of such names.
const OVERRIDE_FAMILIES: [&str; 2] = ["x-original-", "x-rewrite-"];

/// Forwarding fields that the gateway writes. No route keeps the client's.
const WRITTEN_FORWARDING: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
];

/// Prefixes of the fields in which proxies describe the origin of a request.
const FORWARDING_FAMILIES: [&str; 2] = ["x-forwarded-", "x-real-"];

const HOP_BY_HOP: [&str; 12] = [
    "connection",
    "keep-alive",
    // Becomes the environment variable HTTP_PROXY in CGI (httpoxy).
    "proxy",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "expect",
    "host",
];

const OWN_KINDS: [(&str, FieldKind); 4] = [
    ("cookie", FieldKind::Cookie),
    ("via", FieldKind::Via),
    ("te", FieldKind::Te),
    ("authorization", FieldKind::Authorization),
];

/// The kind of a field that a client sent.
pub(super) fn kind(name: &str) -> FieldKind {
    static KINDS: LazyLock<NameTable<FieldKind>> = LazyLock::new(|| {
        let lists: [&[&str]; 6] = [
            &HOP_BY_HOP,
            WRITTEN_IDENTITY_FIELDS,
            FOREIGN_IDENTITY_FIELDS,
            &WRITTEN_FORWARDING,
            &METHOD_OVERRIDES,
            &PATH_OVERRIDES,
        ];
        let names = lists
            .into_iter()
            .flatten()
            .copied()
            .chain(OWN_KINDS.iter().map(|(name, _)| *name));
        let identity = IDENTITY_FIELD_PREFIXES
            .iter()
            .map(|family| (*family, FieldKind::Identity));
        let overrides = OVERRIDE_FAMILIES
            .iter()
            .map(|family| (*family, FieldKind::Override));
        let forwarding = FORWARDING_FAMILIES
            .iter()
            .map(|family| (*family, FieldKind::Forwarding));
        NameTable::new(
            names.map(|name| (name, kind_by_lists(name))),
            identity.chain(overrides).chain(forwarding),
        )
    });
    KINDS.find(name).unwrap_or(FieldKind::EndToEnd)
}

/// The kind by search through all lists. The table is built from it and must agree with it.
fn kind_by_lists(name: &str) -> FieldKind {
    let among = |names: &[&str]| names.iter().any(|known| folded_equal(known, name));
    match name {
        // Compared folded: an upstream that reads `Transfer_Encoding` as `Transfer-Encoding` must
        // not receive one.
        _ if among(&HOP_BY_HOP) => FieldKind::HopByHop,
        _ if is_identity_field(name) => FieldKind::Identity,
        _ if among(&WRITTEN_FORWARDING) => FieldKind::Forwarding,
        _ if is_method_override(name) || among(&PATH_OVERRIDES) => FieldKind::Override,
        _ if OVERRIDE_FAMILIES.iter().any(|family| begins(family, name)) => FieldKind::Override,
        _ if FORWARDING_FAMILIES
            .iter()
            .any(|family| begins(family, name)) =>
        {
            FieldKind::Forwarding
        }
        _ => {
            let own = OWN_KINDS
                .iter()
                .find(|(known, _)| name.eq_ignore_ascii_case(known));
            own.map_or(FieldKind::EndToEnd, |(_, kind)| *kind)
        }
    }
}

/// Whether a route may keep a client's field of this name that is removed by default. Excludes
/// fields that the gateway writes, that frame a request, or that override method or path.
pub(super) fn may_be_kept(name: &str) -> bool {
    let is_written = || {
        WRITTEN_FORWARDING
            .iter()
            .any(|known| folded_equal(known, name))
    };
    matches!(kind(name), FieldKind::Identity | FieldKind::Forwarding)
        && !is_written()
        && !is_written_identity_field(name)
}

/// Whether a field overrides the method. Compares in any case, with any character in place of a
/// dash.
pub fn is_method_override(name: &str) -> bool {
    METHOD_OVERRIDES
        .iter()
        .any(|known| folded_equal(known, name))
}

/// What happens to a field of an upstream response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// Forwarded unchanged.
    EndToEnd,
    /// Applies to the upstream connection only.
    HopByHop,
    /// `Content-Length`. Rewritten where a body follows.
    ContentLength,
    /// `Via`. The gateway appends an entry.
    Via,
    /// `X-Request-Id`. The gateway writes it.
    RequestId,
}

/// The kind of a field that an upstream sent. The length of the name excludes most names.
pub(super) fn response_kind(name: &str) -> ResponseKind {
    let candidates: &[(&str, ResponseKind)] = match name.len() {
        2 => &[("te", ResponseKind::HopByHop)],
        3 => &[("via", ResponseKind::Via)],
        7 => &[("upgrade", ResponseKind::HopByHop)],
        10 => &[
            ("connection", ResponseKind::HopByHop),
            ("keep-alive", ResponseKind::HopByHop),
        ],
        12 => &[("x-request-id", ResponseKind::RequestId)],
        14 => &[("content-length", ResponseKind::ContentLength)],
        16 => &[("proxy-connection", ResponseKind::HopByHop)],
        17 => &[("transfer-encoding", ResponseKind::HopByHop)],
        18 => &[("proxy-authenticate", ResponseKind::HopByHop)],
        _ => &[],
    };
    let known = candidates
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known));
    known.map_or(ResponseKind::EndToEnd, |(_, kind)| *kind)
}

/// Whether an authorizer may set a field of this name in upstream requests. Excludes fields that
/// frame, route, authenticate or identify.
pub(super) fn may_be_reserved(name: &str) -> bool {
    const NEVER: [&str; 10] = [
        "trailer",
        "te",
        "via",
        "cookie",
        "set-cookie",
        "authorization",
        "www-authenticate",
        "content-encoding",
        "content-type",
        "content-range",
    ];
    kind(name) == FieldKind::EndToEnd && !NEVER.iter().any(|known| folded_equal(known, name))
}

/// Whether a trailer is forwarded, in either direction. Excludes fields that frame, route,
/// authenticate or identify (RFC 9110 section 6.5.1), that describe the content, or that may occur
/// only once per message. Compared folded, as in a head.
pub(super) fn may_be_trailer(name: &str) -> bool {
    may_be_reserved(name) && !describes_content(name) && !is_singleton(name)
}

/// Whether `Connection` may name this field. Fields that frame, route, authenticate or identify
/// must not be removed.
pub(super) fn may_be_named_by_connection(name: &str) -> bool {
    const FRAMING: [&str; 3] = ["host", "content-length", "transfer-encoding"];
    match kind(name) {
        FieldKind::HopByHop => !FRAMING.iter().any(|known| folded_equal(known, name)),
        FieldKind::EndToEnd => !describes_content(name),
        FieldKind::Te => true,
        FieldKind::Identity
        | FieldKind::Forwarding
        | FieldKind::Override
        | FieldKind::Cookie
        | FieldKind::Via
        | FieldKind::Authorization
        | FieldKind::Reserved => false,
    }
}

/// Whether the field describes the body (`Content-Type`, `Content-Encoding`).
fn describes_content(name: &str) -> bool {
    begins("content-", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_known_name() -> Vec<&'static str> {
        let lists: [&[&str]; 9] = [
            &HOP_BY_HOP,
            WRITTEN_IDENTITY_FIELDS,
            FOREIGN_IDENTITY_FIELDS,
            IDENTITY_FIELD_PREFIXES,
            &WRITTEN_FORWARDING,
            &FORWARDING_FAMILIES,
            &METHOD_OVERRIDES,
            &PATH_OVERRIDES,
            &OVERRIDE_FAMILIES,
        ];
        lists
            .into_iter()
            .flatten()
            .copied()
            .chain(OWN_KINDS.iter().map(|(name, _)| *name))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_table_agrees_with_the_lists(
            known in proptest::sample::select(every_known_name()),
            disguise in any::<u64>(),
            cut in 0_usize..60,
            tail in "([a-zA-Z0-9_.~!-]{0,3}|[a-z-]{60,70}|\\PC{0,3})",
        ) {
            let disguised: String = known.chars().enumerate().map(|(at, c)| match (c, disguise >> (at % 64) & 1) {
                ('-', 1) => ['_', '.', '~', '+'][at % 4],
                (c, 1) => c.to_ascii_uppercase(),
                (c, _) => c,
            }).collect();
            let beginning: String = disguised.chars().take(cut).collect();
            for name in [known, &disguised, &(disguised.clone() + &tail), &(beginning + &tail), &tail] {
                prop_assert_eq!(kind(name), kind_by_lists(name), "{}", name);
            }
        }
    }

    #[test]
    fn responses_lose_their_hop_by_hop_fields() {
        for name in [
            "Connection",
            "keep-alive",
            "Proxy-Connection",
            "proxy-authenticate",
            "TRANSFER-ENCODING",
            "upgrade",
            "te",
        ] {
            assert_eq!(response_kind(name), ResponseKind::HopByHop, "{name}");
        }
        for name in [
            "server",
            "tf",
            "transfer_encoding",
            "trailer",
            "content-type",
            "connections",
        ] {
            assert_eq!(response_kind(name), ResponseKind::EndToEnd, "{name}");
        }
        assert_eq!(response_kind("Content-Length"), ResponseKind::ContentLength);
        assert_eq!(response_kind("VIA"), ResponseKind::Via);
        assert_eq!(response_kind("X-Request-ID"), ResponseKind::RequestId);
    }

    #[test]
    fn look_alikes_have_the_kind_of_what_they_look_like() {
        for (name, expected) in [
            ("X_Forwarded_For", FieldKind::Forwarding),
            ("x-http-method-override", FieldKind::Override),
            ("X_HTTP_METHOD", FieldKind::Override),
            ("X-Original-URL", FieldKind::Override),
            ("X_Client_CN", FieldKind::Identity),
            ("TRANSFER-ENCODING", FieldKind::HopByHop),
            ("accept", FieldKind::EndToEnd),
            ("x-forwarded-form", FieldKind::Forwarding),
            ("X-Original-Remote-Addr", FieldKind::Override),
            ("X_HttpMethod.Override", FieldKind::Override),
            ("x-forward-for", FieldKind::EndToEnd),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
        for name in [
            "True-Client-IP",
            "X-Client-Version",
            "x-forwarded-port",
            "CF-Connecting-IP",
            "X-Real-IP",
        ] {
            assert!(may_be_kept(name), "{name}");
        }
        for name in [
            "X-Client-CN",
            "x_portcullis_x",
            "x-forwarded-for",
            "host",
            "X-Original-URL",
            "accept",
            "x-http-method",
        ] {
            assert!(!may_be_kept(name), "{name}");
        }
        assert!(may_be_trailer("grpc-status") && may_be_trailer("x-checksum"));
        for name in [
            "X_Client_CN",
            "Content-Length",
            "host",
            "Date",
            "User_Agent",
            "dpop",
            "Set_Cookie",
            "content-md5",
        ] {
            assert!(!may_be_trailer(name), "{name}");
        }
    }
}
