//! The lines of the audit log, one type per kind. Field names are stable: other programs, `plan`
//! and `learn` read them.

use crate::config::{AuditedDecisions, SampleRate};
use serde::Serialize;
use std::net::SocketAddr;

/// One decision.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename = "decision")]
pub struct AuditDecision<'a> {
    /// Time when the head was complete (RFC 3339).
    pub time: String,
    /// The snapshot of the decision.
    pub generation: u64,
    /// The overlay on the snapshot; 0, and left out, if there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub overlay: u64,
    /// Request id, also the decision id.
    pub id: &'a str,
    /// Listener.
    pub listener: &'a str,
    /// Client address and port.
    pub client: SocketAddr,
    /// TLS server name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<&'a str>,
    /// The requested host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: &'a str,
    /// The method that the client sent.
    pub method_sent: &'a str,
    /// The authorized method.
    pub method: &'a str,
    /// Canonical path, or the sent path if it has none.
    pub path: &'a str,
    /// The sent path without its query, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_sent: Option<&'a str>,
    /// `withheld` if there was a query: it may hold secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<&'a str>,
    /// ApiUser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// The kind of credential: `certificate`, `password` or `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'a str>,
    /// The certificate field that identified the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identified_by: Option<&'a str>,
    /// The front proxy that forwarded the client's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_by: Option<&'a str>,
    /// The trust domain that verified the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<&'a str>,
    /// Route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    /// `icinga2` if the route has Icinga 2's requirements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<&'a str>,
    /// The requirement of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requirement: Option<&'a str>,
    /// The permission that granted or denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<&'a str>,
    /// The role that contains the permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    /// The external authorizer that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer: Option<&'a str>,
    /// The authorizer's verdict: `permit`, `deny` or `nothing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_says: Option<&'a str>,
    /// `permit`, `shadow` or `refuse`.
    pub decision: &'a str,
    /// The reason word.
    pub reason: &'a str,
    /// Details of a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// Status sent to the client; 499 if it disconnected before.
    pub status: u16,
    /// The share of permitted requests that are logged, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleRate>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AuditDecision<'_> {
    pub(super) fn may_be_left_out(&self) -> bool {
        self.decision == "permit"
    }

    /// Whether the decision is logged. The id selects samples, so workers need no shared state.
    pub(super) fn is_wanted(&self, decisions: AuditedDecisions) -> bool {
        match decisions {
            AuditedDecisions::All => true,
            _ if !self.may_be_left_out() => true,
            AuditedDecisions::Refused => false,
            AuditedDecisions::Sample(share) => share.takes(spread(self.id.as_bytes())),
        }
    }
}

/// Hashes an id to an even distribution, although ids count up: FNV-1a, then the SplitMix64
/// finaliser.
fn spread(id: &[u8]) -> u64 {
    let folded = id.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mixed = (folded ^ (folded >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A permitted exchange or connection was closed because its permission was withdrawn.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename = "cut")]
pub struct AuditCut<'a> {
    /// RFC 3339.
    pub time: String,
    /// The active snapshot. [`Telemetry::audit_cut`](crate::telemetry::Telemetry::audit_cut) sets
    /// it.
    pub generation: u64,
    /// The overlay on the snapshot; 0, and left out, if there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub overlay: u64,
    /// The request; none for a whole connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    /// Listener.
    pub listener: &'a str,
    /// Client address and port.
    pub client: SocketAddr,
    /// ApiUser, as identified before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// Route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    /// `tunnel`, `stream` or `connection`.
    pub what: &'a str,
    /// The reason word.
    pub reason: &'a str,
}

/// A snapshot becomes active.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "snapshot")]
pub struct AuditSnapshot<'a, C> {
    /// RFC 3339.
    pub time: String,
    /// Its number.
    pub generation: u64,
    /// SHA-256 over the config and all files that it names.
    pub content: &'a str,
    /// The cause: `start`, `files changed` or `signal`.
    pub cause: &'a str,
    /// Version of the program.
    pub version: &'a str,
    /// Files with changed content.
    pub files: &'a [String],
    /// Changes of the config; none if the previous config is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<C>,
}

/// Permissions are withdrawn from the active snapshot, while the config was not reloaded or was
/// rejected.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "overlay")]
pub struct AuditOverlay<'a> {
    /// RFC 3339.
    pub time: String,
    /// The snapshot.
    pub generation: u64,
    /// The number of the overlay, counted per snapshot.
    pub overlay: u64,
    /// The cause: `revocation files` or `rejected config`.
    pub cause: &'a str,
    /// Trust domains with more revoked certificates.
    pub trust_domains: &'a [String],
    /// Removed ApiUsers.
    pub removed_users: &'a [String],
    /// ApiUsers with a shorter validity.
    pub shortened_users: &'a [String],
}

/// A snapshot was rejected; the previous one stays active.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "refused_snapshot")]
pub struct AuditRejectedSnapshot<'a> {
    /// RFC 3339.
    pub time: String,
    /// The number of the active snapshot.
    pub generation: u64,
    /// The overlay on the snapshot; 0, and left out, if there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub overlay: u64,
    /// SHA-256 over the rejected content, as far as it could be read.
    pub content: &'a str,
    /// The cause: `files changed` or `signal`.
    pub cause: &'a str,
    /// The errors.
    pub errors: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_about_the_share_that_was_asked_for() {
        let share = SampleRate::percent("10%").unwrap();
        let taken = (0..100_000)
            .filter(|count| share.takes(spread(format!("93b1c02f-0-{count:x}").as_bytes())))
            .count();
        assert!((9_500..10_500).contains(&taken), "{taken}");
    }
}
