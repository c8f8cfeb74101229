//! What a client's certificate is worth saying about its end: to those who renew it, and to the client itself. Worked
//! out once for each connection and generation; refuses nobody.

use super::request::Standing;
use crate::clock;
use crate::forward::ExpiryField;
use crate::identity::Principal;
use crate::snapshot::{ExpiryPolicy, Snapshot};
use crate::telemetry::{Sighting, Telemetry, Urgency, kept};
use crate::tls::PeerCertificate;
use std::time::Duration;

/// What a connection says of its client's certificate in one generation.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    field: Option<ExpiryField>,
    /// When it will be near, in seconds since 1970; `None` if it is, or never will be.
    becomes_near: Option<i64>,
}

impl Expiry {
    /// What is to be said of a certificate now. `None` is a client without one.
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

    /// Whether the certificate's end has come near since this was worked out.
    pub(super) fn is_outdated(&self) -> bool {
        self.becomes_near
            .is_some_and(|near| near <= clock::signed_seconds())
    }

    /// The field for answers, if the config wants one.
    pub(super) fn field(&self) -> Option<&ExpiryField> {
        self.field.as_ref()
    }
}

/// Tells of a verified certificate for the list and the warnings.
pub(super) fn tell(
    telemetry: &Telemetry,
    snapshot: &Snapshot,
    standing: &Standing,
    peer: &PeerCertificate,
) {
    let user = match standing {
        Standing::Known(principal) => Some(principal.name.clone()),
        Standing::Refused(_) | Standing::Forwarded(_) => return,
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
    telemetry.certificate_seen(Sighting {
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

/// Counts what a certificate has left, once for each handshake.
pub(super) fn observe(telemetry: &Telemetry, snapshot: &Snapshot, peer: &PeerCertificate) {
    // Never below zero, so that the sum stays a counter.
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

/// Loudly once for each user and day, and once for each connection in any case: such a user needs a certificate.
pub(super) fn tell_of_expired(
    telemetry: &Telemetry,
    snapshot: &Snapshot,
    user: &Principal,
    (peer, over): (&PeerCertificate, Duration),
) {
    let domain = domain_name(snapshot, peer);
    telemetry
        .metrics
        .tolerated_expired
        .with_label_values(&[domain])
        .inc();
    let (name, expired, hours) = (&*user.name, peer.not_after_text(), over.as_secs() / 3600);
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
    fn the_field_speaks_when_the_end_is_near() {
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
