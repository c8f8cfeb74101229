//! Reload: loads the config again, waits for files that are only half written, then activates the snapshot or reports
//! why not and schedules a retry.

use super::overlay::Revoker;
use super::{Gateway, GatewayError, audit, stamps_of};
use crate::config::WatchedFile;
use crate::error_text::with_causes;
use crate::file_read;
use crate::snapshot::{ContentDigest, Depth, Outcome, Snapshot, SnapshotVersion, load};
use std::sync::Arc;
use std::time::Duration;

/// A load that was activated.
struct ReloadSuccess {
    snapshot: Arc<Snapshot>,
    /// One line each.
    warnings: Vec<String>,
}

/// A load that was rejected.
struct ReloadFailure {
    reason: String,
    /// One line each.
    errors: Vec<String>,
    content: ContentDigest,
}

impl Gateway {
    /// Loads the config and all its files again. On errors, the active snapshot stays, the errors are logged, and a
    /// retry is scheduled.
    pub(super) async fn reload(&mut self, cause: ReloadCause) {
        if cause != ReloadCause::Retry {
            self.retry.reset();
        }
        // First: revocations must not wait for other files or for a large config.
        self.revoker.read().await;
        self.revoker.during(self.watch.restamp()).await;
        match self.try_reload(cause).await {
            Ok(success) => self.reloaded(&success, cause),
            Err(failure) => self.reload_failed(failure, cause),
        }
    }

    async fn try_reload(&mut self, cause: ReloadCause) -> Result<ReloadSuccess, ReloadFailure> {
        let outcome = self.load_settled(cause).await.map_err(|error| {
            let reason = with_causes(&error);
            ReloadFailure {
                errors: vec![reason.clone()],
                reason,
                content: ContentDigest::default(),
            }
        })?;
        let warnings = outcome.warnings();
        let report = outcome.report();
        let mut errors = outcome.errors();
        let Outcome {
            snapshot,
            rejected,
            content,
            watched,
            ..
        } = outcome;
        let result = match snapshot {
            None => Err(GatewayError::Config(report)),
            Some(snapshot) => self.try_activate(snapshot, &watched, cause).await,
        };
        match result {
            Ok(snapshot) => {
                self.revoker.during(self.watch.watch_only(watched)).await;
                Ok(ReloadSuccess { snapshot, warnings })
            }
            Err(error) => {
                self.revoker.during(self.watch.watch_also(&watched)).await;
                self.revoker.withdraw(&rejected).await;
                let reason = with_causes(&error);
                if errors.is_empty() {
                    errors.push(reason.clone());
                }
                let help = error
                    .help()
                    .map(|help| format!("\n  = help: {help}"))
                    .unwrap_or_default();
                Err(ReloadFailure {
                    reason: reason + &help,
                    errors,
                    content,
                })
            }
        }
    }

    fn reloaded(&mut self, success: &ReloadSuccess, cause: ReloadCause) {
        self.retry.reset();
        self.last_errors.clear();
        let metrics = &self.shared.telemetry.metrics;
        metrics.reloads.with_label_values(&["success"]).inc();
        metrics.reload_last_success.set(1);
        self.facts.reloaded(cause.word(), None);
        let ReloadSuccess { snapshot, warnings } = success;
        let generation = snapshot.generation;
        let content = snapshot.content.sha256();
        tracing::info!(generation, cause = cause.word(), content, "reloaded");
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }

    fn reload_failed(&mut self, failure: ReloadFailure, cause: ReloadCause) {
        self.retry.failed();
        let metrics = &self.shared.telemetry.metrics;
        metrics.reload_last_success.set(0);
        let version = self.shared.snapshot.load().version();
        let SnapshotVersion {
            generation,
            overlay,
        } = version;
        let ReloadFailure {
            reason,
            errors,
            content,
        } = failure;
        // A retry with the same errors must not fill the logs.
        if cause == ReloadCause::Retry && errors == self.last_errors {
            metrics.reload_retries.inc();
            return tracing::debug!(generation, overlay, "reload rejected again:\n{reason}");
        }
        metrics.reloads.with_label_values(&["failure"]).inc();
        self.facts.reloaded(cause.word(), Some(&reason));
        audit::log_rejection(
            &self.shared.telemetry,
            version,
            &content,
            &errors,
            cause.word(),
        );
        tracing::error!(
            generation,
            overlay,
            cause = cause.word(),
            "reload rejected, the old snapshot stays active; it is retried:\n{reason}"
        );
        self.last_errors = errors;
    }

    /// Loads until no file changes during the load, so that no mix of old and new files is activated. If a load fails
    /// after a change of files, waits up to one second for files that may be half written.
    async fn load_settled(
        &mut self,
        cause: ReloadCause,
    ) -> Result<Outcome, file_read::FileWorkError> {
        const ATTEMPTS: usize = 5;
        const PARTIAL_WRITE_WAIT: Duration = Duration::from_secs(1);
        let mut outcome = self.load().await?;
        for _ in 1..ATTEMPTS {
            if outcome.snapshot.is_none() && cause == ReloadCause::FilesChanged {
                self.revoker
                    .during(self.watch.watch_also(&outcome.watched))
                    .await;
                // The removal of rights does not wait.
                self.revoker.withdraw(&outcome.rejected).await;
                self.revoker
                    .during(self.watch.notified(PARTIAL_WRITE_WAIT))
                    .await;
            }
            let watched = outcome.watched.clone();
            let any_changed = move || watched.iter().any(WatchedFile::has_changed);
            if !self
                .revoker
                .during(self.loader.run(file_read::PATIENCE, any_changed))
                .await?
            {
                break;
            }
            outcome = self.load().await?;
        }
        Ok(outcome)
    }

    /// Loads on the loader thread: a large config must delay neither requests nor revocations, and a file that hangs
    /// must delay nothing.
    async fn load(&mut self) -> Result<Outcome, file_read::FileWorkError> {
        let config = self.config.clone();
        let shared = self.shared.clone();
        let loading = move || {
            let previous = shared.snapshot.load_full();
            load(&config, Some(&previous), &shared.telemetry, Depth::Errors)
        };
        self.revoker
            .during(self.loader.run(file_read::PATIENCE, loading))
            .await
    }

    async fn try_activate(
        &mut self,
        snapshot: Snapshot,
        watched: &[WatchedFile],
        cause: ReloadCause,
    ) -> Result<Arc<Snapshot>, GatewayError> {
        let stamps = stamps_of(watched);
        let update = Revoker::with_newest_revocations(snapshot, &stamps);
        let (snapshot, reader) = self.revoker.during(update).await?;
        let snapshot = Arc::new(snapshot);
        let bound = self.bind(&snapshot).await?;
        let telemetry = &self.shared.telemetry;
        telemetry
            .set_access_log(&snapshot.process.access_log)
            .map_err(GatewayError::AccessLog)?;
        if let Some(Err(error)) = self
            .log
            .as_ref()
            .map(|log| log.set_filter(&snapshot.process.log_filter))
        {
            return Err(GatewayError::Config(error.to_string()));
        }
        if snapshot.process.audit_log.is_some() {
            self.set_audit_log(&snapshot)?;
        }
        let before = self.shared.snapshot.load_full();
        audit::log_snapshot(
            &self.shared.telemetry,
            &snapshot,
            Some(&before),
            cause.word(),
        );
        if snapshot.process.audit_log.is_none() {
            // Only now, so that the old log records that it is switched off.
            self.set_audit_log(&snapshot)?;
        }
        self.warn_about_restarts(&snapshot);
        self.activate(snapshot.clone(), bound);
        self.revoker.adopt(reader).await;
        Ok(snapshot)
    }

    /// Warns about changed settings that need a restart.
    fn warn_about_restarts(&self, new: &Snapshot) {
        let old = &self.shared.snapshot.load().process;
        let changed = [
            ("gateway.workers", old.workers != new.process.workers),
            ("gateway.user", old.user != new.process.user),
            ("log.format", old.log_format != new.process.log_format),
        ];
        for (key, _) in changed.iter().filter(|(_, changed)| *changed) {
            tracing::warn!(
                key,
                "this change needs a restart; everything else is active"
            );
        }
    }
}

/// Cause of a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReloadCause {
    /// A signal.
    Requested,
    FilesChanged,
    /// The previous load failed.
    Retry,
}

impl ReloadCause {
    fn word(self) -> &'static str {
        match self {
            Self::Requested => "signal",
            Self::FilesChanged => "files changed",
            Self::Retry => "retry",
        }
    }
}
