//! What takes rights away takes effect without a load: files that revoke, and users that a rejected config has no more.
//! Comes into force in the same way as a snapshot.

use super::revocation::RevocationReader;
use super::{Gateway, audit};
use crate::respond::with_causes;
use crate::snapshot::{OverlayError, RejectedConfig, Snapshot, Stamps};
use crate::telemetry::AuditOverlay;
use crate::tls::rfc3339;
use std::sync::Arc;

/// What led to an overlay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OverlayCause {
    RevocationFiles,
    RejectedConfig,
}

impl OverlayCause {
    fn word(self) -> &'static str {
        match self {
            Self::RevocationFiles => "revocation files",
            Self::RejectedConfig => "rejected config",
        }
    }
}

impl Gateway {
    /// Reads the files that revoke again, whatever the config says by now, and puts into force what they add.
    pub(super) async fn read_revocations(&mut self) {
        let active = self.shared.snapshot.load_full();
        self.revocations.read(&active).await;
        self.revoke_what_was_read();
    }

    /// Puts into force what was read of the files that revoke.
    pub(super) fn revoke_what_was_read(&mut self) {
        let active = self.shared.snapshot.load_full();
        self.publish_faults(&active);
        match active.with_revocations(&self.revocations.updates()) {
            Ok(Some(overlay)) => self.put_overlay_into_force(&active, overlay, OverlayCause::RevocationFiles),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(error = with_causes(&error), "revocations cannot be put into force; it is tried again");
                self.retry.failed();
            }
        }
    }

    /// Takes away what a rejected config takes away.
    pub(super) async fn withdraw(&mut self, rejected: &RejectedConfig) {
        let active = self.shared.snapshot.load_full();
        if let Some(overlay) = active.without_users(&rejected.users) {
            self.put_overlay_into_force(&active, overlay, OverlayCause::RejectedConfig);
        }
        if !rejected.sources.is_empty() {
            self.revocations.also_read(&rejected.sources);
            self.read_revocations().await;
        }
    }

    /// A snapshot that was loaded, with what the files that revoke say since: a load takes a while.
    pub(super) async fn with_newest_revocations(
        snapshot: Snapshot,
        stamps: &Stamps,
    ) -> Result<(Snapshot, RevocationReader), OverlayError> {
        let mut reader = RevocationReader::new(&snapshot, stamps);
        reader.read(&snapshot).await;
        let newer = snapshot.with_revocations(&reader.updates())?;
        Ok((newer.unwrap_or(snapshot), reader))
    }

    fn put_overlay_into_force(&mut self, active: &Snapshot, overlay: Snapshot, cause: OverlayCause) {
        let changes = OverlayChanges::between(active, &overlay);
        let OverlayChanges { trust_domains, removed_users, shortened_users } = &changes;
        let (generation, number) = (overlay.generation, overlay.overlay);
        audit::tell_of_overlay(
            &self.shared.telemetry,
            &AuditOverlay {
                time: rfc3339(crate::clock::signed_seconds()),
                generation,
                overlay: number,
                cause: cause.word(),
                trust_domains,
                removed_users,
                shortened_users,
            },
        );
        self.shared.telemetry.audit_version(generation, number);
        let overlay = Arc::new(overlay);
        self.shared.put_into_force(overlay.clone());
        self.publish_overlay(&overlay);
        tracing::warn!(
            generation,
            overlay = number,
            cause = cause.word(),
            trust_domains = trust_domains.join(", "),
            removed_users = removed_users.join(", "),
            shortened_users = shortened_users.join(", "),
            "rights were taken away from the active snapshot"
        );
    }

    pub(super) fn publish_faults(&self, active: &Snapshot) {
        let faults = self.revocations.faults();
        let gauge = &self.shared.telemetry.metrics.revocation_faults;
        for domain in &active.trust_domains {
            let of_domain = faults.iter().filter(|fault| fault.domain == domain.id);
            let count = of_domain.map(|fault| fault.errors.len()).sum::<usize>();
            gauge.with_label_values(&[&*domain.name]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let named = faults.iter().flat_map(|fault| {
            let domain = active.domain_name(fault.domain).unwrap_or_default().to_owned();
            fault.errors.iter().map(move |error| (domain.clone(), error.clone()))
        });
        self.facts.revocation_faults(named.collect());
    }
}

/// What an overlay takes away, by name.
struct OverlayChanges {
    trust_domains: Vec<String>,
    removed_users: Vec<String>,
    shortened_users: Vec<String>,
}

impl OverlayChanges {
    fn between(active: &Snapshot, overlay: &Snapshot) -> Self {
        let pairs = active.trust_domains.iter().zip(&overlay.trust_domains);
        let changed = pairs.filter(|(before, after)| !Arc::ptr_eq(before, after));
        let is_shorter = |id| overlay.policy.enabled_until(id) != active.policy.enabled_until(id);
        let (mut removed_users, mut shortened_users) = (Vec::new(), Vec::new());
        for (id, user) in active.users.with_ids() {
            if overlay.users.get_left(id).is_none() {
                removed_users.push(user.name.to_string());
            } else if is_shorter(id) {
                shortened_users.push(user.name.to_string());
            }
        }
        Self {
            trust_domains: changed.map(|(domain, _)| domain.name.to_string()).collect(),
            removed_users,
            shortened_users,
        }
    }
}
