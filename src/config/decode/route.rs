//! Decodes `[[route]]`.

use super::limits::exchange_limits;
use super::request_limits;
use crate::config::keys::limits;
use crate::config::keys::route::{self as keys, OddityRule};
use crate::config::model::{LimitSettings, RouteEntry};
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn route(table: &mut TableReader<'_>) -> RouteEntry {
    let limits = LimitSettings {
        body_size: table.size_or_off(&limits::BODY_SIZE),
        ..exchange_limits(table)
    };
    RouteEntry {
        place: table.place(),
        path: table.string(&keys::PATH),
        path_match: table.choice(&keys::MATCH),
        hosts: table.strings(&keys::HOST),
        listeners: table.strings(&keys::LISTENERS),
        upstream: table.string(&keys::UPSTREAM),
        authorizer: table.string(&keys::AUTHORIZER),
        respond: table.choice(&keys::RESPOND),
        requirement: table.requirement(&keys::REQUIREMENT),
        preset: table.choice(&keys::PRESET),
        forbidden: table.choice(&keys::FORBIDDEN),
        when: table.string(&keys::WHEN),
        enabled_until: table.string(&keys::ENABLED_UNTIL),
        shadow: table.shadow(&keys::SHADOW),
        client_auth: table.choice(&keys::CLIENT_AUTH),
        trust_domain: table.string(&keys::TRUST_DOMAIN),
        trust_domains: table.strings(&keys::TRUST_DOMAINS),
        method_override: table.choice(&keys::METHOD_OVERRIDE),
        path_relaxations: path_relaxations(table),
        keep_headers: table.strings(&keys::KEEP_HEADERS),
        limits,
        request_limits: request_limits::request_limits(table),
        credentials: table.choices(&keys::CREDENTIALS),
        credentials_required: table.choice(&keys::CREDENTIALS_REQUIRED),
    }
}

/// The names of the keys that accept a path with two readings.
fn path_relaxations(table: &mut TableReader<'_>) -> Vec<Spanned<&'static str>> {
    let mut relaxed = Vec::new();
    for key in keys::PATH_RELAXATIONS {
        if let Some(rule) = table.choice(key)
            && rule.value == OddityRule::Accept
        {
            relaxed.push(rule.map(|_| key.name()));
        }
    }
    relaxed
}
