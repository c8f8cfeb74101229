//! What kinds of header fields there are, from the view of a gateway. Removes and adds nothing itself.

use super::names::NameTable;
use super::singletons::is_singleton;
use crate::identity::{
    FOREIGN_IDENTITY_FIELDS, IDENTITY_FIELD_PREFIXES, WRITTEN_IDENTITY_FIELDS, begins,
    folded_equal, is_identity_field, is_written_identity_field,
};
use std::sync::LazyLock;

/// What becomes of a client's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// Goes up as it is.
    EndToEnd,
    /// Says something about this connection only (RFC 9110 section 7.6.1), or is written anew by whoever sends.
    HopByHop,
    /// Could be taken for proof of identity; never taken from a client.
    Identity,
    /// Written by us from what we know (`Forwarded` and its kin, the request id).
    Forwarding,
    /// Would let an upstream see another path or method than the one judged.
    Override,
    /// `Cookie`, which HTTP/2 may split.
    Cookie,
    /// `Via`, which grows.
    Via,
    /// `TE`, of which only `trailers` goes on.
    Te,
    /// `Authorization`, which our own credentials replace.
    Authorization,
    /// Set by an authorizer alone.
    Reserved,
}

/// Names that let an upstream see another method than the request line says. Folded as identity headers are.
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

/// Names that let some frameworks see another path or host, or another method than was judged.
const PATH_OVERRIDES: [&str; 4] = [
    "x-forwarded-uri",
    "x-forwarded-path",
    "x-forwarded-method",
    "x-http-host-override",
];

/// How such names begin.
const OVERRIDE_FAMILIES: [&str; 2] = ["x-original-", "x-rewrite-"];

/// What the gateway itself says about the way of a request. No route keeps a client's.
const WRITTEN_FORWARDING: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
];

/// How names begin by which proxies say where a request came from.
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

/// The kind by going through all names, which is what the table is made from, and what it must agree with.
fn kind_by_lists(name: &str) -> FieldKind {
    let among = |names: &[&str]| names.iter().any(|known| folded_equal(known, name));
    match name {
        // Folded as well: an upstream that reads `Transfer_Encoding` as what it looks like must not get to see one.
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

/// Whether a route may keep a client's field of this name that is removed otherwise: not what the gateway says itself, nor
/// what frames a request or overrides what was judged.
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

/// Whether a field overrides the method: any case, any character in place of a dash.
pub fn is_method_override(name: &str) -> bool {
    METHOD_OVERRIDES
        .iter()
        .any(|known| folded_equal(known, name))
}

/// What becomes of a field of an upstream's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// Comes down as it is.
    EndToEnd,
    /// Says something about the upstream's connection only.
    HopByHop,
    /// `Content-Length`, written anew where a body follows.
    ContentLength,
    /// `Via`, which grows.
    Via,
    /// `X-Request-Id`, which is ours.
    RequestId,
}

/// The kind of a field that an upstream sent. Its length settles most names.
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

/// Whether an authorizer may say a field of this name to upstreams: nothing that frames, routes, authenticates or identifies.
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

/// Whether a trailer may go on, up or down: nothing that frames, routes, authenticates or identifies (RFC 9110 section 6.5.1),
/// says how the body is read, or may stand once in a message and would come a second time. Folded, as for a head.
pub(super) fn may_be_trailer(name: &str) -> bool {
    may_be_reserved(name) && !describes_content(name) && !is_singleton(name)
}

/// Whether `Connection` may name this field. A field that frames, routes, authenticates or identifies may not be made to
/// vanish.
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

/// Whether it says how the body is to be read (`Content-Type`, `Content-Encoding`).
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
    fn answers_lose_their_hop_by_hop_fields() {
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
