//! The lines of the audit log, one type for each kind. Their names stay: other programs read them, and so do `plan` and
//! `learn`. Writes nothing.

use crate::config::{AuditedDecisions, Share};
use serde::Serialize;
use std::net::SocketAddr;

/// One decision.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename = "decision")]
pub struct AuditDecision<'a> {
    /// RFC 3339, when the head was complete.
    pub time: String,
    /// The snapshot that judged.
    pub generation: u64,
    /// The overlay on it; 0, and left out, if there is none.
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
    /// The host asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: &'a str,
    /// The method that the client sent.
    pub method_sent: &'a str,
    /// The method that was judged.
    pub method: &'a str,
    /// Canonical path, or what was sent if it has none.
    pub path: &'a str,
    /// The path as it was sent, without its query, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_sent: Option<&'a str>,
    /// `withheld` where there was a query: it may hold secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<&'a str>,
    /// ApiUser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// What proved that: `certificate`, `password` or `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'a str>,
    /// By what its certificate was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identified_by: Option<&'a str>,
    /// The front proxy that says who the client is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_by: Option<&'a str>,
    /// The trust domain that vouched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<&'a str>,
    /// Route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    /// `icinga2` where the route asks for what Icinga 2 does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<&'a str>,
    /// What the route asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requirement: Option<&'a str>,
    /// The permission that granted or denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<&'a str>,
    /// The role that it came through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    /// The external authorizer that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer: Option<&'a str>,
    /// What it says: `permit`, `deny` or `nothing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_says: Option<&'a str>,
    /// `permit`, `shadow` or `refuse`.
    pub decision: &'a str,
    /// Why, in one word.
    pub reason: &'a str,
    /// More words about a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// Status that the client saw; 499 if it left before there was one.
    pub status: u16,
    /// The share of permitted requests that are written, where that is not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Share>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AuditDecision<'_> {
    pub(super) fn may_be_left_out(&self) -> bool {
        self.decision == "permit"
    }

    /// Whether it is written. The id decides about samples, so no worker asks another.
    pub(super) fn is_wanted(&self, decisions: AuditedDecisions) -> bool {
        match decisions {
            AuditedDecisions::All => true,
            _ if !self.may_be_left_out() => true,
            AuditedDecisions::Refused => false,
            AuditedDecisions::Sample(share) => share.takes(spread(self.id.as_bytes())),
        }
    }
}

/// A number that is spread evenly although ids count up: FNV-1a, then the finish of SplitMix64.
fn spread(id: &[u8]) -> u64 {
    let folded = id.iter().fold(0xcbf2_9ce4_8422_2325_u64, |so_far, octet| {
        (so_far ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3)
    });
    let mixed = (folded ^ (folded >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Something was cut that was permitted when it began.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename = "cut")]
pub struct AuditCut<'a> {
    /// RFC 3339.
    pub time: String,
    /// The snapshot that is in force now. Whoever tells need not know.
    pub generation: u64,
    /// The overlay on it; 0, and left out, if there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub overlay: u64,
    /// The request; none where it is a whole connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    /// Listener.
    pub listener: &'a str,
    /// Client address and port.
    pub client: SocketAddr,
    /// ApiUser, as it was known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// Route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    /// `tunnel`, `stream` or `connection`.
    pub what: &'a str,
    /// Why, in one word.
    pub reason: &'a str,
}

/// A snapshot comes into force.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "snapshot")]
pub struct AuditSnapshot<'a, C> {
    /// RFC 3339.
    pub time: String,
    /// Its number.
    pub generation: u64,
    /// SHA-256 over the config and all files that it names.
    pub content: &'a str,
    /// What led to it: `start`, `files changed` or `signal`.
    pub cause: &'a str,
    /// Version of the program.
    pub version: &'a str,
    /// Files whose content differs from before.
    pub files: &'a [String],
    /// What the config says otherwise than before; none where nobody knows what it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<C>,
}

/// Rights are taken away from the active snapshot, while the config was not loaded anew or was refused.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "overlay")]
pub struct AuditOverlay<'a> {
    /// RFC 3339.
    pub time: String,
    /// The snapshot.
    pub generation: u64,
    /// The number of the overlay, which counts up on each snapshot.
    pub overlay: u64,
    /// What led to it: `revocation files` or `rejected config`.
    pub cause: &'a str,
    /// Trust domains in which more is revoked.
    pub trust_domains: &'a [String],
    /// ApiUsers that are gone.
    pub removed_users: &'a [String],
    /// ApiUsers that count for a shorter time.
    pub shortened_users: &'a [String],
}

/// A snapshot was refused; the one before stays in force.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "refused_snapshot")]
pub struct AuditRefusedSnapshot<'a> {
    /// RFC 3339.
    pub time: String,
    /// The number of the one that stays.
    pub generation: u64,
    /// The overlay on it; 0, and left out, if there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub overlay: u64,
    /// SHA-256 over what was refused, as far as it could be read.
    pub content: &'a str,
    /// What led to it: `files changed` or `signal`.
    pub cause: &'a str,
    /// What is wrong.
    pub errors: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_about_the_share_that_was_asked_for() {
        let share = Share::percent("10%").unwrap();
        let taken = (0..100_000)
            .filter(|count| share.takes(spread(format!("93b1c02f-0-{count:x}").as_bytes())))
            .count();
        assert!((9_500..10_500).contains(&taken), "{taken}");
    }
}
