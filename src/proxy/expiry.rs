//! Reports the expiry of a client's certificate: in metrics, logs and a response field. Once for each connection and
//! generation. Rejects nothing.

use super::request::ClientIdentity;
use crate::clock;
use crate::forward::ExpiryField;
use crate::identity::Principal;
use crate::snapshot::{ExpiryPolicy, Snapshot};
use crate::telemetry::{CertificateSighting, Telemetry, Urgency, kept};
use crate::tls::PeerCertificate;
use std::time::Duration;

/// The expiry of the client's certificate, as its responses state it in one generation.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    field: Option<ExpiryField>,
    /// When the expiry becomes near, in seconds since 1970; `None` if it is near already or never will be.
    becomes_near: Option<i64>,
}

impl Expiry {
    /// The expiry of a certificate, evaluated now. `peer` is `None` for a client without one.
    pub(super) fn of(policy: &ExpiryPolicy, peer: Option<&PeerCertificate>) -> Self {
        Self::at(
            policy,
            peer.map(|peer| peer.not_after),
            clock::signed_seconds(),
        )
    }

    fn at(policy: &ExpiryPolicy, not_after: Option<i64>, now: i64) -> Self {
        let near = not_after
            .zip(policy.warn_before)
            .map(|(not_after, before)| {
                not_after.saturating_sub(i64::try_from(before.as_secs()).unwrap_or(i64::MAX))
            });
        let is_near = near.is_some_and(|near| near <= now);
        let field =
            policy
                .response_header
                .as_ref()
                .map(|name| match not_after.filter(|_| is_near) {
                    Some(not_after) => ExpiryField::saying(name, not_after),
                    None => ExpiryField::silent(name),
                });
        Self {
            field,
            becomes_near: near.filter(|_| !is_near),
        }
    }

    /// Whether the expiry has become near since this value was made.
    pub(super) fn is_outdated(&self) -> bool {
        self.becomes_near
            .is_some_and(|near| near <= clock::signed_seconds())
    }

    /// The response field, if one is configured.
    pub(super) fn field(&self) -> Option<&ExpiryField> {
        self.field.as_ref()
    }
}

/// Reports a verified certificate to the list of expiring certificates.
pub(super) fn report(
    telemetry: &Telemetry,
    snapshot: &Snapshot,
    identity: &ClientIdentity,
    peer: &PeerCertificate,
) {
    let user = match identity {
        ClientIdentity::Known(principal) => Some(principal.name.clone()),
        ClientIdentity::Refused(_) | ClientIdentity::Forwarded(_) => return,
        _ => None,
    };
    let now = clock::signed_seconds();
    let near = Expiry::at(&snapshot.expiry, Some(peer.not_after), now)
        .becomes_near
        .is_none();
    let urgency = if near && snapshot.expiry.warn_before.is_some() {
        Urgency::Soon
    } else {
        Urgency::Later
    };
    telemetry.certificate_seen(CertificateSighting {
        user,
        common_name: peer
            .common_name
            .as_ref()
            .ok()
            .map(|name| kept(name.as_str())),
        subject: kept(&peer.subject),
        serial: kept(&peer.serial),
        fingerprint: peer.fingerprint.as_str().into(),
        trust_domain: domain_name(snapshot, peer).into(),
        not_after: peer.not_after,
        seen: now,
        urgency,
    });
}

/// Records the remaining validity of a certificate, once for each handshake.
pub(super) fn observe(telemetry: &Telemetry, snapshot: &Snapshot, peer: &PeerCertificate) {
    // At least 0, so that the sum stays a counter.
    let remaining = u32::try_from(
        peer.not_after
            .saturating_sub(clock::signed_seconds())
            .max(0),
    )
    .unwrap_or(u32::MAX);
    let remaining_of = &telemetry.metrics.client_certificate_remaining;
    remaining_of
        .with_label_values(&[domain_name(snapshot, peer)])
        .observe(f64::from(remaining));
}

/// Reports a tolerated expired certificate: as a warning once for each user and day, else as information.
pub(super) fn report_tolerated(
    telemetry: &Telemetry,
    snapshot: &Snapshot,
    user: &Principal,
    peer: &PeerCertificate,
    expired_for: Duration,
) {
    let domain = domain_name(snapshot, peer);
    telemetry
        .metrics
        .tolerated_expired
        .with_label_values(&[domain])
        .inc();
    let name = &*user.name;
    let expired = peer.not_after_text();
    let hours = expired_for.as_secs() / 3600;
    let serial = peer.serial.as_str();
    if telemetry.tolerated_today.is_first(name) {
        tracing::warn!(
            user = name,
            trust_domain = domain,
            serial,
            expired,
            hours,
            "a user came with an expired certificate, which is tolerated; renew it"
        );
    } else {
        tracing::info!(
            user = name,
            trust_domain = domain,
            serial,
            expired,
            hours,
            "an expired certificate is tolerated"
        );
    }
}

fn domain_name<'s>(snapshot: &'s Snapshot, peer: &PeerCertificate) -> &'s str {
    snapshot
        .trust_domain(peer.trust_domain)
        .map_or("-", |domain| &domain.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::ExpiryFieldName;

    const NOW: i64 = 1_800_000_000;

    fn policy(warn_before: Option<Duration>) -> ExpiryPolicy {
        ExpiryPolicy {
            warn_before,
            response_header: ExpiryFieldName::parse("x-expires").ok(),
        }
    }

    #[test]
    fn the_expiry_field_is_sent_shortly_before_expiry() {
        let policy = policy(Some(Duration::from_secs(100)));
        for (left, speaks) in [(101, false), (100, true), (0, true), (-5, true)] {
            let expiry = Expiry::at(&policy, Some(NOW + left), NOW);
            let said = format!(
                "{:?}",
                expiry.field().expect("a field that no upstream may send")
            );
            assert_eq!(said.contains("GMT"), speaks, "{left}: {said}");
            assert_eq!(
                expiry.becomes_near,
                (!speaks).then_some(NOW + left - 100),
                "{left}"
            );
        }
    }

    #[test]
    fn nothing_is_near_without_a_certificate_or_a_time() {
        let day = Some(Duration::from_secs(86400));
        for (before, not_after) in [(day, None), (None, Some(NOW + 1)), (None, None)] {
            let expiry = Expiry::at(&policy(before), not_after, NOW);
            assert!(expiry.field().is_some() && expiry.becomes_near.is_none());
            assert!(!format!("{expiry:?}").contains("GMT"));
        }
        assert!(
            Expiry::at(&ExpiryPolicy::default(), Some(NOW), NOW)
                .field()
                .is_none()
        );
    }

    #[test]
    fn a_long_time_is_no_trouble() {
        let policy = policy(Some(Duration::MAX));
        assert!(
            Expiry::at(&policy, Some(i64::MIN), NOW)
                .becomes_near
                .is_none()
        );
        assert!(Expiry::at(&policy, Some(NOW), NOW).becomes_near.is_none());
    }
}
