//! Decodes `[[route]]`.

use super::client_auth::client_auth;
use super::limits::upstream_limits;
use super::request_limits;
use crate::config::model::{
    CredentialKind, CredentialsRequired, Forbidden, LimitSettings, MethodOverride, PathMatch,
    Preset, Respond, RouteEntry,
};
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn route(table: &mut TableReader<'_>) -> RouteEntry {
    let limits = LimitSettings {
        body_size: table.size_or_off("body_size", None),
        ..upstream_limits(table)
    };
    let methods = [
        ("refuse", MethodOverride::Refuse),
        ("judge", MethodOverride::Judge),
    ];
    RouteEntry {
        place: table.place(),
        path: table.required_string("path", "write `path = \"/\"` for everything"),
        path_match: table.choice(
            "match",
            &[("prefix", PathMatch::Prefix), ("exact", PathMatch::Exact)],
        ),
        hosts: table.strings("host"),
        listeners: table.strings("listeners"),
        upstream: table.string("upstream"),
        authorizer: table.string("authorizer"),
        respond: table.choice(
            "respond",
            &[("whoami", Respond::Whoami), ("jwks", Respond::Jwks)],
        ),
        requirement: table.requirement("requirement"),
        preset: table.choice("preset", &[("icinga2", Preset::Icinga2)]),
        forbidden: table.choice(
            "forbidden",
            &[("403", Forbidden::Told), ("404", Forbidden::Absent)],
        ),
        when: table.string("when"),
        enabled_until: table.string("enabled_until"),
        shadow: table.shadow(),
        client_auth: client_auth(table),
        trust_domain: table.string("trust_domain"),
        trust_domains: table.strings("trust_domains"),
        method_override: table.choice("method_override", &methods),
        path_relaxations: path_relaxations(table),
        keep_headers: table.strings("keep_headers"),
        limits,
        request_limits: request_limits::request_limits(table),
        credentials: table.choices("credentials", &CREDENTIALS),
        credentials_required: table.choice(
            "credentials_required",
            &[
                ("any", CredentialsRequired::Any),
                ("all", CredentialsRequired::All),
            ],
        ),
    }
}

const CREDENTIALS: [(&str, CredentialKind); 3] = [
    ("certificate", CredentialKind::Certificate),
    ("password", CredentialKind::Password),
    ("token", CredentialKind::Token),
];

/// Keys of path oddities, with the word that accepts them.
const PATH_RELAXATIONS: [(&str, &str); 10] = [
    ("encoded_slash", "keep"),
    ("encoded_backslash", "keep"),
    ("encoded_control", "keep"),
    ("double_encoding", "keep"),
    ("invalid_utf8", "keep"),
    ("empty_segments", "keep"),
    ("dot_segments", "resolve"),
    ("raw_backslash", "encode"),
    ("path_parameters", "keep"),
    ("look_alike_path", "keep"),
];

fn path_relaxations(table: &mut TableReader<'_>) -> Vec<Spanned<&'static str>> {
    let mut relaxed = Vec::new();
    for (key, word) in PATH_RELAXATIONS {
        if let Some(Spanned {
            value: Some(key),
            place,
        }) = table.choice(key, &[("refuse", None), (word, Some(key))])
        {
            relaxed.push(Spanned { value: key, place });
        }
    }
    relaxed
}
