//! `/status`: the active state and its age, as JSON with stable names. Shows no secret.

use super::AdminState;
use crate::clock::{self, rfc3339};
use crate::descriptors::{self, DescriptorShare};
use crate::snapshot::Snapshot;
use crate::telemetry::build::{CRYPTO_PROVIDER, CRYPTO_PROVIDER_VERSION, VERSION};
use crate::tls::{CrlFacts, CrlSourceFacts, TrustDomain};
use crate::upstream::{EndpointFacts, Upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Facts for `/status` that only the gateway knows. A shared handle.
#[derive(Clone, Debug, Default)]
pub struct GatewayFacts(Arc<Mutex<StatusFacts>>);

#[derive(Debug, Default)]
struct StatusFacts {
    /// Seconds since 1970.
    loaded_at: i64,
    /// Name and bound address.
    listeners: Vec<(Arc<str>, SocketAddr)>,
    last_reload: Option<LastReload>,
    /// Trust domain and error.
    revocation_faults: Vec<(String, String)>,
}

#[derive(Debug)]
struct LastReload {
    /// Seconds since 1970.
    at: i64,
    cause: &'static str,
    /// The first line of the error text; `None` after a successful reload.
    error: Option<String>,
}

impl GatewayFacts {
    /// Records that a snapshot became active, and the bound listeners: name and bound address.
    pub fn loaded(&self, listeners: Vec<(Arc<str>, SocketAddr)>) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        facts.loaded_at = clock::signed_seconds();
        facts.listeners = listeners;
    }

    /// Records unreadable revocation files: trust domain and error.
    pub fn revocation_faults(&self, faults: Vec<(String, String)>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .revocation_faults = faults;
    }

    /// Records the result of a reload; `error` is its error text.
    pub fn reloaded(&self, cause: &'static str, error: Option<&str>) {
        let first_line = |text: &str| {
            text.lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or_default()
                .to_owned()
        };
        let last = LastReload {
            at: clock::signed_seconds(),
            cause,
            error: error.map(first_line),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last_reload = Some(last);
    }
}

/// The response body.
pub(super) fn status(state: &AdminState) -> String {
    let now = clock::signed_seconds();
    // One snapshot for the whole response, so that digest and generation belong together.
    let snapshot = state.shared.snapshot.load_full();
    let facts = state.facts.0.lock().unwrap_or_else(PoisonError::into_inner);
    let listeners = facts
        .listeners
        .iter()
        .map(|(name, address)| json!({ "name": &**name, "address": address }));
    let faults = facts
        .revocation_faults
        .iter()
        .map(|(domain, error)| json!({ "trust_domain": domain, "error": error }));
    let last_reload = facts.last_reload.as_ref().map(|last| {
        let result = if last.error.is_none() { "success" } else { "failure" };
        json!({ "at": rfc3339(last.at), "cause": last.cause, "result": result, "error": last.error })
    });
    let status = json!({
        "version": VERSION,
        "provider": format!("{CRYPTO_PROVIDER} {CRYPTO_PROVIDER_VERSION}"),
        "time": rfc3339(now),
        "draining": state.drain.is_announced(),
        "generation": snapshot.generation,
        "overlay": snapshot.overlay,
        "removed_users": snapshot.users.removed(),
        "content": snapshot.content.sha256(),
        "loaded_at": rfc3339(facts.loaded_at),
        "last_reload": last_reload,
        "revocation_faults": faults.collect::<Vec<_>>(),
        "listeners": listeners.collect::<Vec<_>>(),
        "api_users": snapshot.users.len(),
        "descriptors": descriptors(),
        "upstreams": upstreams(&snapshot),
        "trust_domains": snapshot.trust_domains.iter().map(|it| trust_domain(it, now)).collect::<Vec<_>>(),
    });
    format!("{status:#}\n")
}

/// The endpoints of all upstreams. Each worker learns for itself which endpoints fail.
fn upstreams(snapshot: &Snapshot) -> Vec<Value> {
    let mut upstreams: Vec<_> = snapshot.upstreams.values().collect();
    upstreams.sort_by(|one, other| one.name.cmp(&other.name));
    let endpoint = |facts: EndpointFacts<'_>| {
        let state = if facts.ejected_on == 0 {
            "active"
        } else {
            "ejected"
        };
        json!({ "endpoint": facts.endpoint, "state": state, "ejected_on_workers": facts.ejected_on })
    };
    let upstream = |upstream: &Arc<Upstream>| json!({ "name": &*upstream.name, "endpoints": upstream.endpoint_facts().map(endpoint).collect::<Vec<_>>() });
    upstreams.into_iter().map(upstream).collect()
}

/// The budget of file descriptors.
fn descriptors() -> Value {
    let facts = descriptors::facts();
    let share = |share: &DescriptorShare| json!({ "limit": share.limit(), "used": share.used(), "refused": share.refused() });
    json!({
        "limit": facts.limit,
        "soft_limit_at_start": facts.soft_at_start,
        "open": descriptors::open(),
        "reserve": facts.reserve,
        "clients": share(&descriptors::CLIENTS),
        "upstreams": share(&descriptors::UPSTREAMS),
    })
}

fn trust_domain(domain: &TrustDomain, now: i64) -> Value {
    let revocation = domain.revocation();
    let anchors = domain
        .anchors()
        .map(|(subject, not_after)| json!({ "subject": subject, "not_after": rfc3339(not_after) }));
    let denied = revocation.deny_list();
    let deny_list = denied
        .path()
        .map(|path| json!({ "path": path.display().to_string(), "entries": denied.len(), "retained": denied.retained(), "sha256": denied.sha256() }));
    json!({
        "name": &*domain.name,
        "anchors": anchors.collect::<Vec<_>>(),
        "crls": revocation.facts().iter().map(|list| crl(list, now)).collect::<Vec<_>>(),
        "crl_fetch": revocation.fetch().map(|fetch| fetch.facts().iter().map(crl_source).collect::<Vec<_>>()),
        "deny_list": deny_list,
        "retained_serials": revocation.retained_serials(),
        "older_crls": revocation.older_crls().len(),
    })
}

fn crl_source(source: &CrlSourceFacts) -> Value {
    json!({
        "url": source.url,
        "last_success": source.last_success.map(rfc3339),
        "last_result": source.last_result,
    })
}

fn crl(list: &CrlFacts, now: i64) -> Value {
    json!({
        "issuer": list.issuer,
        "number": list.number,
        "this_update": rfc3339(list.this_update),
        "next_update": list.next_update.map(rfc3339),
        "entries": list.entries,
        "stale": list.next_update.is_none_or(|due| now > due),
        "counts": now <= list.counts_until,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_error_only_the_first_line_is_kept() {
        let facts = GatewayFacts::default();
        facts.reloaded("signal", Some("\nerror: a\n  --> b\n"));
        let error = facts
            .0
            .lock()
            .unwrap()
            .last_reload
            .as_ref()
            .and_then(|last| last.error.clone());
        assert_eq!(error.as_deref(), Some("error: a"));
    }
}
