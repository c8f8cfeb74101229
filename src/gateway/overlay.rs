//! Removes rights without a load: revocation files, and users that a rejected config no longer has. The overlay is
//! activated in the same way as a snapshot.

use super::activation::publish_overlay;
use super::audit;
use super::retry::Retry;
use super::revocation::RevocationReader;
use crate::admin::GatewayFacts;
use crate::clock::rfc3339;
use crate::error_text::with_causes;
use crate::proxy::Shared;
use crate::snapshot::{
    FileWatch, OverlayError, RejectedConfig, RevocationSource, Snapshot, Stamps,
};
use crate::telemetry::AuditOverlay;
use std::pin::pin;
use std::sync::Arc;

/// Cause of an overlay.
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

/// Event after which revocations may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RevocationEvent {
    /// A file may have changed, or an overlay that failed is due for another attempt.
    PossibleChange,
    /// The read of a file has finished.
    ReadFinished,
}

/// Removes rights from the active snapshot, also while the gateway waits for a load.
pub(super) struct Revoker {
    shared: Arc<Shared>,
    facts: GatewayFacts,
    reader: RevocationReader,
    /// Watches revocation files alone, so no other change delays them.
    watch: FileWatch,
    retry: Retry,
}

impl Revoker {
    pub(super) fn new(shared: Arc<Shared>, facts: GatewayFacts) -> Self {
        let watch = FileWatch::of_revocations();
        Self {
            shared,
            facts,
            reader: RevocationReader::default(),
            watch,
            retry: Retry::default(),
        }
    }

    /// Adopts the sources of the new active snapshot, and reads them once more.
    pub(super) async fn adopt(&mut self, reader: RevocationReader) {
        self.reader = reader;
        self.watch_sources().await;
        self.read().await;
        self.watch.restart_poll();
    }

    /// Runs other work, and handles all revocation events until it ends.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                output = &mut work => return output,
                event = self.event() => self.act(event).await,
            }
        }
    }

    /// Waits for an event. Pass it to [`Self::act`]. Cancel-safe.
    pub(super) async fn event(&mut self) -> RevocationEvent {
        tokio::select! {
            _ = self.watch.due() => RevocationEvent::PossibleChange,
            () = self.retry.due() => RevocationEvent::PossibleChange,
            () = self.reader.arrived() => RevocationEvent::ReadFinished,
        }
    }

    /// Activates the changes after an event.
    pub(super) async fn act(&mut self, event: RevocationEvent) {
        match event {
            RevocationEvent::ReadFinished => self.apply_readings(),
            RevocationEvent::PossibleChange => {
                self.read().await;
                self.watch.restart_poll();
                // The folder may contain other files now, and a link may have a new target.
                self.watch_sources().await;
            }
        }
    }

    /// Reads the revocation files of the active config again, and activates what they add.
    pub(super) async fn read(&mut self) {
        let active = self.shared.snapshot.load_full();
        self.reader.read(&active).await;
        self.apply_readings();
    }

    /// Activates what the revocation files contained when they were read last.
    fn apply_readings(&mut self) {
        let active = self.shared.snapshot.load_full();
        self.publish_faults(&active);
        match active.with_revocations(&self.reader.updates()) {
            Ok(overlay) => {
                self.retry.reset();
                if let Some(overlay) = overlay {
                    self.activate_overlay(&active, overlay, OverlayCause::RevocationFiles);
                }
            }
            Err(error) => {
                tracing::error!(
                    error = with_causes(&error),
                    "revocations cannot be put into force; it is tried again"
                );
                self.retry.failed();
            }
        }
    }

    /// Removes the rights that a rejected config no longer grants.
    pub(super) async fn withdraw(&mut self, rejected: &RejectedConfig) {
        let active = self.shared.snapshot.load_full();
        if let Some(overlay) = active.without_users(&rejected.users) {
            self.activate_overlay(&active, overlay, OverlayCause::RejectedConfig);
        }
        if !rejected.sources.is_empty() {
            self.reader.also_read(&rejected.sources);
            self.read().await;
            self.watch_sources().await;
        }
    }

    /// The loaded snapshot with the revocations that were written while it was loaded.
    pub(super) async fn with_newest_revocations(
        snapshot: Snapshot,
        stamps: &Stamps,
    ) -> Result<(Snapshot, RevocationReader), OverlayError> {
        let mut reader = RevocationReader::new(&snapshot, stamps);
        reader.read(&snapshot).await;
        let newer = snapshot.with_revocations(&reader.updates())?;
        Ok((newer.unwrap_or(snapshot), reader))
    }

    async fn watch_sources(&mut self) {
        let sources = self.reader.sources();
        self.watch
            .watch_found(move || sources.iter().flat_map(RevocationSource::watched).collect())
            .await;
    }

    fn activate_overlay(&mut self, active: &Snapshot, overlay: Snapshot, cause: OverlayCause) {
        let changes = OverlayChanges::between(active, &overlay);
        let OverlayChanges {
            trust_domains,
            removed_users,
            shortened_users,
        } = &changes;
        let generation = overlay.generation;
        let number = overlay.overlay;
        audit::log_overlay(
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
        self.shared.activate(overlay.clone());
        publish_overlay(&self.shared.telemetry.metrics, &overlay);
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

    /// The sources that could not be read completely.
    #[cfg(test)]
    pub(super) fn faults(&self) -> Vec<super::revocation::SourceFault> {
        self.reader.faults()
    }

    fn publish_faults(&self, active: &Snapshot) {
        let faults = self.reader.faults();
        let gauge = &self.shared.telemetry.metrics.revocation_faults;
        for domain in &active.trust_domains {
            let of_domain = faults.iter().filter(|fault| fault.domain == domain.id);
            let count = of_domain.map(|fault| fault.errors.len()).sum::<usize>();
            gauge
                .with_label_values(&[&*domain.name])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let named_faults = faults.iter().flat_map(|fault| {
            let domain = active
                .domain_name(fault.domain)
                .unwrap_or_default()
                .to_owned();
            fault
                .errors
                .iter()
                .map(move |error| (domain.clone(), error.clone()))
        });
        self.facts.revocation_faults(named_faults.collect());
    }
}

/// Names of what an overlay changes or removes.
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
        let mut removed_users = Vec::new();
        let mut shortened_users = Vec::new();
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
