//! Reload: load anew, wait for the other half of what is half-written, put into force or say why not, and try again
//! later. Binds nothing itself.

use super::overlay::Revoker;
use super::{Gateway, GatewayError, audit, stamps_of};
use crate::config::WatchedFile;
use crate::error_text::with_causes;
use crate::file_read;
use crate::snapshot::{Content, Depth, Outcome, Snapshot, SnapshotVersion, load};
use std::sync::Arc;
use std::time::Duration;

/// What came into force.
struct Success {
    snapshot: Arc<Snapshot>,
    /// Each in one line.
    warnings: Vec<String>,
}

/// Why a load is not put into force.
struct ReloadFailure {
    why: String,
    /// Each in one line.
    errors: Vec<String>,
    content: Content,
}

impl Gateway {
    /// Loads everything anew. What is wrong leaves the snapshot in force, says why, and is tried again later.
    pub(super) async fn reload(&mut self, cause: Cause) {
        if cause != Cause::Retry {
            self.retry.reset();
        }
        // First: it waits for no other file, and for no large config.
        self.revoker.read().await;
        self.revoker.during(self.watch.look_again()).await;
        match self.try_reload(cause).await {
            Ok(success) => self.reloaded(&success, cause),
            Err(failure) => self.reload_failed(failure, cause),
        }
    }

    async fn try_reload(&mut self, cause: Cause) -> Result<Success, ReloadFailure> {
        let outcome = self.load_settled(cause).await.map_err(|error| {
            let why = with_causes(&error);
            ReloadFailure {
                errors: vec![why.clone()],
                why,
                content: Content::default(),
            }
        })?;
        let warnings = outcome.warnings();
        let (report, mut errors) = (outcome.report(), outcome.errors());
        let Outcome {
            snapshot,
            rejected,
            content,
            watched,
            ..
        } = outcome;
        let result = match snapshot {
            None => Err(GatewayError::Config(report)),
            Some(snapshot) => self.try_put_into_force(snapshot, &watched, cause).await,
        };
        match result {
            Ok(snapshot) => {
                self.revoker.during(self.watch.watch_only(watched)).await;
                Ok(Success { snapshot, warnings })
            }
            Err(error) => {
                self.revoker.during(self.watch.watch_also(&watched)).await;
                self.revoker.withdraw(&rejected).await;
                let why = with_causes(&error);
                if errors.is_empty() {
                    errors.push(why.clone());
                }
                let help = error
                    .help()
                    .map(|help| format!("\n  = help: {help}"))
                    .unwrap_or_default();
                Err(ReloadFailure {
                    why: why + &help,
                    errors,
                    content,
                })
            }
        }
    }

    fn reloaded(&mut self, success: &Success, cause: Cause) {
        self.retry.reset();
        self.last_errors.clear();
        let metrics = &self.shared.telemetry.metrics;
        metrics.reloads.with_label_values(&["success"]).inc();
        metrics.reload_last_success.set(1);
        self.facts.reloaded(cause.word(), None);
        let Success { snapshot, warnings } = success;
        let (generation, content) = (snapshot.generation, snapshot.content.sha256());
        tracing::info!(generation, cause = cause.word(), content, "reloaded");
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }

    fn reload_failed(&mut self, failure: ReloadFailure, cause: Cause) {
        self.retry.failed();
        let metrics = &self.shared.telemetry.metrics;
        metrics.reload_last_success.set(0);
        let version = self.shared.snapshot.load().version();
        let SnapshotVersion {
            generation,
            overlay,
        } = version;
        let ReloadFailure {
            why,
            errors,
            content,
        } = failure;
        // Trying again must not fill logs with what they say already.
        if cause == Cause::Retry && errors == self.last_errors {
            metrics.reload_retries.inc();
            return tracing::debug!(generation, overlay, "reload refused again:\n{why}");
        }
        metrics.reloads.with_label_values(&["failure"]).inc();
        self.facts.reloaded(cause.word(), Some(&why));
        audit::tell_of_refusal(
            &self.shared.telemetry,
            version,
            (&content, &errors),
            cause.word(),
        );
        tracing::error!(
            generation,
            overlay,
            cause = cause.word(),
            "reload refused, the old snapshot stays in force; it is tried again:\n{why}"
        );
        self.last_errors = errors;
    }

    /// Loads until nothing changes any more while it loads, so that no mix of old and new files comes into force. If
    /// it fails, waits a moment for the other half of what may be half-written.
    async fn load_settled(&mut self, cause: Cause) -> Result<Outcome, file_read::FileWorkError> {
        const ATTEMPTS: usize = 5;
        const OTHER_HALF: Duration = Duration::from_secs(1);
        let mut outcome = self.load().await?;
        for _ in 1..ATTEMPTS {
            if outcome.snapshot.is_none() && cause == Cause::FilesChanged {
                self.revoker
                    .during(self.watch.watch_also(&outcome.watched))
                    .await;
                // What takes rights away does not wait for the other half.
                self.revoker.withdraw(&outcome.rejected).await;
                self.revoker.during(self.watch.stirred(OTHER_HALF)).await;
            }
            let watched = outcome.watched.clone();
            let look = move || watched.iter().any(WatchedFile::has_changed);
            if !self
                .revoker
                .during(self.loader.run(file_read::PATIENCE, look))
                .await?
            {
                break;
            }
            outcome = self.load().await?;
        }
        Ok(outcome)
    }

    /// Large configs take a while, which must hold up neither requests nor revocations; and a file may hang, which must
    /// hold up nothing.
    async fn load(&mut self) -> Result<Outcome, file_read::FileWorkError> {
        let (config, shared) = (self.config.clone(), self.shared.clone());
        let loading = move || {
            let previous = shared.snapshot.load_full();
            load(&config, Some(&previous), &shared.telemetry, Depth::Errors)
        };
        self.revoker
            .during(self.loader.run(file_read::PATIENCE, loading))
            .await
    }

    async fn try_put_into_force(
        &mut self,
        snapshot: Snapshot,
        watched: &[WatchedFile],
        cause: Cause,
    ) -> Result<Arc<Snapshot>, GatewayError> {
        let stamps = stamps_of(watched);
        let brought_up_to_date = Revoker::with_newest_revocations(snapshot, &stamps);
        let (snapshot, reader) = self.revoker.during(brought_up_to_date).await?;
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
        audit::tell_of_snapshot(
            &self.shared.telemetry,
            &snapshot,
            Some(&before),
            cause.word(),
        );
        if snapshot.process.audit_log.is_none() {
            // Only now, so that the old log also says that it is off.
            self.set_audit_log(&snapshot)?;
        }
        self.warn_about_restarts(&snapshot);
        self.put_into_force(snapshot.clone(), bound);
        self.revoker.adopt(reader).await;
        Ok(snapshot)
    }

    /// The few things that only a restart changes.
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
                "this change needs a restart; everything else is in force"
            );
        }
    }
}

/// What led to a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Asked,
    FilesChanged,
    /// The load before has failed.
    Retry,
}

impl Cause {
    fn word(self) -> &'static str {
        match self {
            Self::Asked => "signal",
            Self::FilesChanged => "files changed",
            Self::Retry => "retry",
        }
    }
}
