//! Reload: load anew, wait for the other half of what is half-written, put into force or say why not. Binds nothing
//! itself.

use super::{Gateway, GatewayError, audit};
use crate::config::WatchedFile;
use crate::snapshot::{Content, Depth, FileWatch, Outcome, Snapshot, load};
use std::sync::Arc;
use std::time::Duration;

/// How often files are looked at, in case the system's notices do not arrive (network file systems, bind mounts).
const POLL: Duration = Duration::from_secs(5);

impl Gateway {
    /// Loads everything anew. What is wrong leaves the snapshot in force, and says why.
    pub(super) async fn reload(&mut self, cause: Cause) {
        let outcome = self.load_settled(cause).await;
        self.watched.clone_from(&outcome.watched);
        let warnings = outcome.warnings();
        let (report, mut errors, content) = (outcome.report(), outcome.errors(), outcome.content);
        let result = match outcome.snapshot {
            None => Err(GatewayError::Config(report)),
            Some(snapshot) => self.try_put_into_force(snapshot, cause).await,
        };
        self.watch.watch(&self.watched);
        let metrics = &self.shared.telemetry.metrics;
        match result {
            Ok(generation) => {
                metrics.reloads.with_label_values(&["success"]).inc();
                metrics.reload_last_success.set(1);
                self.facts.reloaded(cause.word(), None);
                tracing::info!(generation, cause = cause.word(), content = content.sha256(), "reloaded");
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
            }
            Err(error) => {
                metrics.reloads.with_label_values(&["failure"]).inc();
                metrics.reload_last_success.set(0);
                let generation = self.shared.snapshot.load().generation;
                let why = crate::respond::with_causes(&error);
                self.facts.reloaded(cause.word(), Some(&why));
                if errors.is_empty() {
                    errors.push(why.clone());
                }
                audit::tell_of_refusal(&self.shared.telemetry, generation, (&content, &errors), cause.word());
                tracing::error!(
                    generation,
                    cause = cause.word(),
                    "reload refused, the old snapshot stays in force:\n{why}"
                );
            }
        }
    }

    /// Loads until nothing changes any more while it loads, so that no mix of old and new files comes into force. If
    /// it fails, waits a moment for the other half of what may be half-written.
    async fn load_settled(&mut self, cause: Cause) -> Outcome {
        const ATTEMPTS: usize = 5;
        const OTHER_HALF: Duration = Duration::from_secs(1);
        let mut outcome = self.load().await;
        for _ in 1..ATTEMPTS {
            if outcome.snapshot.is_none() && cause == Cause::FilesChanged {
                self.watch.watch(&outcome.watched);
                self.watch.changed(OTHER_HALF).await;
            }
            if !outcome.watched.iter().any(WatchedFile::has_changed) {
                break;
            }
            outcome = self.load().await;
        }
        outcome
    }

    /// Large configs take a while, which must not hold up requests.
    async fn load(&self) -> Outcome {
        let (config, shared) = (self.config.clone(), self.shared.clone());
        let loading = tokio::task::spawn_blocking(move || {
            let previous = shared.snapshot.load_full();
            load(&config, Some(&previous), &shared.telemetry, Depth::Errors)
        });
        match loading.await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "loading the config panicked");
                let (problems, sources) = (Vec::new(), crate::config::Sources::default());
                let (content, expectations) = (Content::default(), Vec::new());
                Outcome { snapshot: None, problems, sources, watched: self.watched.clone(), content, expectations }
            }
        }
    }

    async fn try_put_into_force(&mut self, snapshot: Snapshot, cause: Cause) -> Result<u64, GatewayError> {
        let snapshot = Arc::new(snapshot);
        let bound = self.bind(&snapshot).await?;
        let telemetry = &self.shared.telemetry;
        telemetry.set_access_log(&snapshot.process.access_log).map_err(GatewayError::AccessLog)?;
        if let Some(Err(error)) = self.log.as_ref().map(|log| log.set_filter(&snapshot.process.log_filter)) {
            return Err(GatewayError::Config(error.to_string()));
        }
        if snapshot.process.audit_log.is_some() {
            self.set_audit_log(&snapshot)?;
        }
        let before = self.shared.snapshot.load_full();
        audit::tell_of_snapshot(&self.shared.telemetry, &snapshot, Some(&before), cause.word());
        if snapshot.process.audit_log.is_none() {
            // Only now, so that the old log also says that it is off.
            self.set_audit_log(&snapshot)?;
        }
        self.warn_about_restarts(&snapshot);
        let generation = snapshot.generation;
        self.put_into_force(snapshot, bound);
        Ok(generation)
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
            tracing::warn!(key, "this change needs a restart; everything else is in force");
        }
    }
}

/// What led to a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Asked,
    FilesChanged,
}

impl Cause {
    fn word(self) -> &'static str {
        match self {
            Self::Asked => "signal",
            Self::FilesChanged => "files changed",
        }
    }
}

/// Ends when a file looks different than when it was read.
pub(super) async fn changed(watch: &mut FileWatch, watched: &[WatchedFile]) {
    loop {
        watch.changed(POLL).await;
        if watched.iter().any(WatchedFile::has_changed) {
            return;
        }
    }
}
