//! Lifecycle of the gateway: start, activation of snapshots, reload and shutdown.

mod audit;
mod crl_fetch;
mod fetches;
mod help;
mod activation;
mod overlay;
mod reload;
mod requests;
mod retry;
mod revocation;
mod side_listeners;
mod token_keys;
mod user;

pub use user::{LoadedFrom, UnreadableForUser, check_access_as_root};

use crate::admin::GatewayFacts;
use crate::config::WatchedFile;
use crate::descriptors::{self, RaisedLimit, TooFewDescriptors};
use crate::drain::{Drain, DrainOutcome};
use crate::file_read::FileThread;
use crate::listener::BoundListener;
use crate::proxy::Shared;
use crate::snapshot::{AdminPlace, FileWatch, Outcome, OverlayError, Snapshot, Stamps};
use crate::telemetry::{LogControl, Reopened, Telemetry};
use crate::worker::{self, WorkerThreads};
use overlay::Revoker;
use reload::ReloadCause;
use requests::Requests;
use retry::Retry;
use revocation::RevocationReader;
use side_listeners::RunningSide;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use user::{become_user, check_access};

/// A running gateway.
pub struct Gateway {
    config: PathBuf,
    shared: Arc<Shared>,
    drain: Drain,
    threads: WorkerThreads,
    log: Option<LogControl>,
    listeners: HashMap<Arc<str>, RunningListener>,
    admin: Option<RunningSide<AdminPlace>>,
    metrics: Option<RunningSide<SocketAddr>>,
    watch: FileWatch,
    /// Removes rights without a load.
    revoker: Revoker,
    /// Thread that runs loads.
    loader: FileThread,
    retry: Retry,
    /// Errors of the last load; empty if it succeeded.
    last_errors: Vec<String>,
    facts: GatewayFacts,
    /// The limit of file descriptors.
    descriptors: RaisedLimit,
    /// Number of descriptors that were open at start.
    inherited: usize,
}

struct RunningListener {
    /// The address in the config, where port 0 stays 0.
    configured: SocketAddr,
    bound: BoundListener,
    drain: Drain,
}

/// Errors of a start, or of the activation of a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The config is invalid. The text is the report.
    #[error("{0}")]
    Config(String),
    /// An address cannot be bound.
    #[error("cannot listen on {address} ({what})")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The listener that needs it.
        what: String,
        /// Cause.
        source: std::io::Error,
    },
    /// The unix socket of the admin listener cannot be bound.
    #[error("cannot listen on the admin socket {}; {remedy}", path.display())]
    AdminSocket {
        /// Path of the socket.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
        /// Cause.
        source: std::io::Error,
    },
    /// The limit of file descriptors cannot be read.
    #[error("cannot read the limit of file descriptors")]
    DescriptorLimit(#[source] nix::Error),
    /// The limit of file descriptors is too low.
    #[error(transparent)]
    TooFewDescriptors(#[from] TooFewDescriptors),
    /// Revocations that were written during the load cannot be added to the snapshot.
    #[error("the snapshot cannot be brought up to date")]
    Overlay(#[from] OverlayError),
    /// The worker threads cannot be started.
    #[error("cannot start the worker threads")]
    Workers(#[source] std::io::Error),
    /// The access log cannot be opened.
    #[error("cannot open the access log")]
    AccessLog(#[source] std::io::Error),
    /// The audit log cannot be opened.
    #[error("cannot open the audit log {}", path.display())]
    AuditLog {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The configured user cannot read the files of a load.
    #[error(transparent)]
    Unreadable(#[from] UnreadableForUser),
    /// The configured user is unknown, or the process may not become it.
    #[error("cannot become user \"{user}\"")]
    User {
        /// Name of the user.
        user: String,
        /// Cause.
        source: nix::Error,
    },
}

/// Why [`Gateway::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// A shutdown was requested.
    Requested,
    /// A worker thread has panicked. The log has the details.
    WorkerDied,
}

/// A request to the running gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayRequest {
    /// Load the config and all its files again.
    Reload,
    /// Reopen access log and audit log after a rotation.
    ReopenLogs,
    /// Drain and stop.
    Shutdown,
}

impl Gateway {
    /// Binds all listeners of the first load, starts the workers and begins to accept. The current runtime runs the
    /// control tasks alone.
    ///
    /// # Errors
    /// [`GatewayError`]. Nothing is left running.
    pub async fn start(
        config: PathBuf,
        outcome: Outcome,
        telemetry: Arc<Telemetry>,
        log: Option<LogControl>,
    ) -> Result<Self, GatewayError> {
        let report = outcome.report();
        let Some(snapshot) = outcome.snapshot else {
            return Err(GatewayError::Config(report));
        };
        let inherited = descriptors::open().unwrap_or_default();
        let descriptors = descriptors::raise_limit().map_err(GatewayError::DescriptorLimit)?;
        telemetry
            .set_access_log(&snapshot.process.access_log)
            .map_err(GatewayError::AccessLog)?;
        let count = snapshot
            .process
            .workers
            .and_then(|count| usize::try_from(count).ok());
        let count = count.unwrap_or_else(worker::one_for_each_core);
        let threads = WorkerThreads::start(count, &telemetry).map_err(GatewayError::Workers)?;
        let shared = Arc::new(Shared::new(Arc::new(snapshot), telemetry));
        let facts = GatewayFacts::default();
        let mut gateway = Self {
            config,
            revoker: Revoker::new(shared.clone(), facts.clone()),
            shared,
            drain: Drain::default(),
            threads,
            log,
            listeners: HashMap::new(),
            admin: None,
            metrics: None,
            watch: FileWatch::new(),
            loader: FileThread::default(),
            retry: Retry::default(),
            last_errors: Vec::new(),
            facts,
            descriptors,
            inherited,
        };
        let snapshot = gateway.shared.snapshot.load_full();
        let bound = gateway.bind(&snapshot).await?;
        become_user(snapshot.process.user.as_deref(), bound.admin_listener())?;
        check_access(LoadedFrom {
            config: &gateway.config,
            watched: &outcome.watched,
            snapshot: &snapshot,
        })?;
        // Opened as the configured user, who also rotates it.
        gateway.set_audit_log(&snapshot)?;
        audit::log_snapshot(&gateway.shared.telemetry, &snapshot, None, "start");
        let reader = RevocationReader::new(&snapshot, &stamps_of(&outcome.watched));
        gateway.activate(snapshot, bound);
        gateway.revoker.adopt(reader).await;
        gateway.watch.watch_only(outcome.watched).await;
        tokio::spawn(gateway.shared.telemetry.clone().follow_certificates());
        let workers = gateway.threads.workers();
        for index in 0..workers.count() {
            let shared = gateway.shared.clone();
            workers.spawn(index, housekeeping);
            workers.spawn(index, move || crate::proxy::run_recheck_rounds(shared));
        }
        tokio::spawn(fetches::keep_fresh(gateway.shared.clone()));
        Ok(gateway)
    }

    /// Bound addresses of the listeners, sorted by name.
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        let mut addresses: Vec<_> = self
            .listeners
            .iter()
            .map(|(name, running)| (name.clone(), running.bound.address()))
            .collect();
        addresses.sort();
        addresses
    }

    /// Bound address of the admin listener. `None` without one, or for a unix socket.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|running| running.address)
    }

    /// Bound address of the metrics listener.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|running| running.address)
    }

    /// Runs until a shutdown is requested, the channel of requests closes, or a worker dies. Reloads on request, when
    /// files change, and again after a failed load. A shutdown does not wait for a load.
    pub async fn run(
        &mut self,
        requests: &mut mpsc::UnboundedReceiver<GatewayRequest>,
    ) -> ExitReason {
        let mut requests = Requests::new(requests);
        loop {
            let cause = tokio::select! {
                () = self.threads.one_died() => return ExitReason::WorkerDied,
                request = requests.next() => match request {
                    GatewayRequest::Shutdown => return ExitReason::Requested,
                    GatewayRequest::Reload => ReloadCause::Requested,
                    GatewayRequest::ReopenLogs => {
                        self.reopen_logs();
                        continue;
                    }
                },
                () = self.watch.changed() => ReloadCause::FilesChanged,
                () = self.retry.due() => ReloadCause::Retry,
                event = self.revoker.event() => {
                    self.revoker.act(event).await;
                    continue;
                }
            };
            tokio::select! {
                () = self.reload(cause) => {}
                () = requests.shutdown() => return ExitReason::Requested,
            }
        }
    }

    /// Shuts down: readiness fails, the listeners close, then running requests may finish until the drain deadline.
    pub async fn shut_down(mut self) -> DrainOutcome {
        let process = self.shared.snapshot.load().process.clone();
        self.shared.telemetry.metrics.draining.set(1);
        tracing::info!(delay = ?process.drain_delay, deadline = ?process.drain_deadline, "draining");
        self.drain.announce();
        tokio::time::sleep(process.drain_delay).await;
        // In this order: the accept loops hold the last references, so the sockets close when the loops end. Clients in
        // the backlog are served, and new clients are refused by the kernel.
        self.listeners.clear();
        self.drain.begin();
        let drained = self.drain.finished(process.drain_deadline).await;
        if let Some(admin) = self.admin.take() {
            admin.end().await;
        }
        if let Some(metrics) = self.metrics.take() {
            metrics.end().await;
        }
        match drained {
            DrainOutcome::Complete => tracing::info!("drained"),
            DrainOutcome::DeadlinePassed => {
                tracing::warn!("the drain deadline passed; closing what is left")
            }
        }
        self.threads.stop().await;
        drained
    }

    fn reopen_logs(&self) {
        let config = self.shared.snapshot.load().process.access_log.clone();
        match self.shared.telemetry.reopen_access_log(&config) {
            Ok(()) => tracing::info!("access log opened again"),
            Err(error) => {
                tracing::error!(%error, "cannot open the access log again; the old one stays")
            }
        }
        match self.shared.telemetry.reopen_audit_log() {
            Ok(Reopened::Yes) => tracing::info!("audit log opened again"),
            Ok(Reopened::NoLog) => {}
            Err(error) => {
                tracing::error!(%error, "cannot open the audit log again; the old one stays")
            }
        }
    }

    fn set_audit_log(&self, snapshot: &Snapshot) -> Result<(), GatewayError> {
        let config = snapshot.process.audit_log.as_ref();
        self.shared
            .telemetry
            .set_audit_log(config)
            .map_err(|source| {
                let path = config.map(|config| config.path.clone()).unwrap_or_default();
                GatewayError::AuditLog { path, source }
            })
    }
}

fn stamps_of(watched: &[WatchedFile]) -> Stamps {
    watched
        .iter()
        .map(|file| (file.path.clone(), file.stamp()))
        .collect()
}

/// Periodic tasks of each worker, which also run without requests.
async fn housekeeping() {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Closes pooled connections that are idle for too long, or that no pool uses any more.
        crate::thread_state::tidy();
    }
}

#[cfg(test)]
mod tests;
