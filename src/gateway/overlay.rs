//! What takes rights away takes effect without a load: files that revoke, and users that a rejected config has no more.
//! Comes into force in the same way as a snapshot.

use super::audit;
use super::in_force::publish_overlay;
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

/// What may change what is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RevocationEvent {
    /// A file may look otherwise, or what could not be put into force is tried again.
    MayHaveChanged,
    /// A file was read.
    WasRead,
}

/// Takes rights away from the active snapshot, whatever the gateway waits for meanwhile.
pub(super) struct Revoker {
    shared: Arc<Shared>,
    facts: GatewayFacts,
    reader: RevocationReader,
    /// Only of files that revoke: no other change makes them wait.
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

    /// Takes the sources of the snapshot that has come into force, and looks at them once more.
    pub(super) async fn adopt(&mut self, reader: RevocationReader) {
        self.reader = reader;
        self.watch_sources().await;
        self.read().await;
        self.watch.looked();
    }

    /// Does other work, and acts on all events of files that revoke until it is done.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                event = self.event() => self.act(event).await,
            }
        }
    }

    /// Waits for an event, which [`Self::act`] has to be called with. Nothing is lost if this is dropped.
    pub(super) async fn event(&mut self) -> RevocationEvent {
        tokio::select! {
            _ = self.watch.due() => RevocationEvent::MayHaveChanged,
            () = self.retry.due() => RevocationEvent::MayHaveChanged,
            () = self.reader.arrived() => RevocationEvent::WasRead,
        }
    }

    /// Puts into force what has changed.
    pub(super) async fn act(&mut self, event: RevocationEvent) {
        match event {
            RevocationEvent::WasRead => self.revoke_what_was_read(),
            RevocationEvent::MayHaveChanged => {
                self.read().await;
                self.watch.looked();
                // Folders may have other files by now, and links may lead elsewhere.
                self.watch_sources().await;
            }
        }
    }

    /// Reads the files that revoke again, whatever the config says by now, and puts into force what they add.
    pub(super) async fn read(&mut self) {
        let active = self.shared.snapshot.load_full();
        self.reader.read(&active).await;
        self.revoke_what_was_read();
    }

    /// Puts into force what was read of the files that revoke.
    fn revoke_what_was_read(&mut self) {
        let active = self.shared.snapshot.load_full();
        self.publish_faults(&active);
        match active.with_revocations(&self.reader.updates()) {
            Ok(overlay) => {
                self.retry.reset();
                if let Some(overlay) = overlay {
                    self.put_overlay_into_force(&active, overlay, OverlayCause::RevocationFiles);
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

    /// Takes away what a rejected config takes away.
    pub(super) async fn withdraw(&mut self, rejected: &RejectedConfig) {
        let active = self.shared.snapshot.load_full();
        if let Some(overlay) = active.without_users(&rejected.users) {
            self.put_overlay_into_force(&active, overlay, OverlayCause::RejectedConfig);
        }
        if !rejected.sources.is_empty() {
            self.reader.also_read(&rejected.sources);
            self.read().await;
            self.watch_sources().await;
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

    async fn watch_sources(&mut self) {
        let sources = self.reader.sources();
        self.watch
            .watch_found(move || sources.iter().flat_map(RevocationSource::watched).collect())
            .await;
    }

    fn put_overlay_into_force(
        &mut self,
        active: &Snapshot,
        overlay: Snapshot,
        cause: OverlayCause,
    ) {
        let changes = OverlayChanges::between(active, &overlay);
        let OverlayChanges {
            trust_domains,
            removed_users,
            shortened_users,
        } = &changes;
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
        let named = faults.iter().flat_map(|fault| {
            let domain = active
                .domain_name(fault.domain)
                .unwrap_or_default()
                .to_owned();
            fault
                .errors
                .iter()
                .map(move |error| (domain.clone(), error.clone()))
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
