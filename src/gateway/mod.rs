//! Build, bind, run: holds everything together, puts snapshots into force and ends in order. Knows no request.

mod audit;
mod crl_fetch;
mod fetches;
mod help;
mod in_force;
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
use crate::drain::{Drain, Drained};
use crate::file_read::FileThread;
use crate::listener::BoundListener;
use crate::proxy::Shared;
use crate::snapshot::{AdminPlace, FileWatch, Outcome, OverlayError, Snapshot, Stamps};
use crate::telemetry::{LogControl, Reopened, Telemetry};
use crate::worker::{self, WorkerThreads};
use overlay::Revoker;
use reload::Cause;
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
    listeners: HashMap<Arc<str>, Running>,
    admin: Option<RunningSide<AdminPlace>>,
    metrics: Option<RunningSide<SocketAddr>>,
    watch: FileWatch,
    /// What takes rights away without a load.
    revoker: Revoker,
    /// Where loads are done.
    loader: FileThread,
    retry: Retry,
    /// What was wrong with the last load, if it failed.
    last_errors: Vec<String>,
    facts: GatewayFacts,
    /// The limit of file descriptors.
    descriptors: RaisedLimit,
    /// Descriptors that were open before the gateway opened any.
    inherited: usize,
}

struct Running {
    /// As configured: port 0 stays 0 here.
    configured: SocketAddr,
    bound: BoundListener,
    drain: Drain,
}

/// Why the gateway cannot start, or a snapshot cannot come into force.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The config is wrong; the text says where.
    #[error("{0}")]
    Config(String),
    /// An address cannot be bound.
    #[error("cannot listen on {address} ({what})")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// For whom.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The unix socket of the admin listener cannot be bound.
    #[error("cannot listen on the admin socket {}; {remedy}", path.display())]
    AdminSocket {
        /// Which.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The system does not say how many file descriptors there may be.
    #[error("cannot read the limit of file descriptors")]
    DescriptorLimit(#[source] nix::Error),
    /// There may be too few file descriptors.
    #[error(transparent)]
    TooFewDescriptors(#[from] TooFewDescriptors),
    /// What was revoked while a snapshot was loaded cannot be added to it.
    #[error("the snapshot cannot be brought up to date")]
    Overlay(#[from] OverlayError),
    /// There are no threads for the workers.
    #[error("cannot start the worker threads")]
    Workers(#[source] std::io::Error),
    /// The access log cannot be opened.
    #[error("cannot open the access log")]
    AccessLog(#[source] std::io::Error),
    /// The audit log cannot be opened.
    #[error("cannot open the audit log {}", path.display())]
    AuditLog {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The user to become could reload nothing.
    #[error(transparent)]
    Unreadable(#[from] UnreadableForUser),
    /// The user to become is unknown, or we may not.
    #[error("cannot become user \"{user}\"")]
    User {
        /// Who.
        user: String,
        /// Why.
        source: nix::Error,
    },
}

/// Why a gateway stops running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cessation {
    /// It was asked to.
    Asked,
    /// A worker thread has died, which never happens unless something is badly wrong; the log says more.
    WorkerDied,
}

/// What asks the gateway to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read everything again.
    Reload,
    /// Open access log and audit log again, after they were moved away.
    ReopenLogs,
    /// Finish.
    Shutdown,
}

impl Gateway {
    /// Binds everything that a first load describes, starts the workers and begins to accept. The runtime that this is
    /// called on is for the control work alone.
    ///
    /// # Errors
    /// [`GatewayError`]; then nothing is left running.
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
        // As the user that also has to rotate it.
        gateway.set_audit_log(&snapshot)?;
        audit::tell_of_snapshot(&gateway.shared.telemetry, &snapshot, None, "start");
        let reader = RevocationReader::new(&snapshot, &stamps_of(&outcome.watched));
        gateway.put_into_force(snapshot, bound);
        gateway.revoker.adopt(reader).await;
        gateway.watch.watch_only(outcome.watched).await;
        tokio::spawn(gateway.shared.telemetry.clone().follow_certificates());
        let workers = gateway.threads.workers();
        for index in 0..workers.count() {
            let shared = gateway.shared.clone();
            workers.spawn(index, housekeeping);
            workers.spawn(index, move || crate::proxy::make_rounds(shared));
        }
        tokio::spawn(fetches::keep_fresh(gateway.shared.clone()));
        Ok(gateway)
    }

    /// The real addresses of the listeners, by name.
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        let mut addresses: Vec<_> = self
            .listeners
            .iter()
            .map(|(name, running)| (name.clone(), running.bound.address()))
            .collect();
        addresses.sort();
        addresses
    }

    /// The real address of the admin listener. `None` if there is none, or a unix socket.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|running| running.address)
    }

    /// The real address of the metrics listener.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|running| running.address)
    }

    /// Runs until a request asks for a shutdown, or nobody can ask any more, or it cannot go on. Reloads on request, when
    /// files change, and again after a load that failed. A shutdown waits for no load.
    pub async fn run(&mut self, requests: &mut mpsc::UnboundedReceiver<Request>) -> Cessation {
        let mut requests = Requests::new(requests);
        loop {
            let cause = tokio::select! {
                () = self.threads.one_died() => return Cessation::WorkerDied,
                request = requests.next() => match request {
                    Request::Shutdown => return Cessation::Asked,
                    Request::Reload => Cause::Asked,
                    Request::ReopenLogs => {
                        self.reopen_logs();
                        continue;
                    }
                },
                () = self.watch.changed() => Cause::FilesChanged,
                () = self.retry.due() => Cause::Retry,
                event = self.revoker.event() => {
                    self.revoker.act(event).await;
                    continue;
                }
            };
            tokio::select! {
                () = self.reload(cause) => {}
                () = requests.shutdown() => return Cessation::Asked,
            }
        }
    }

    /// Ends in order: readiness fails, then nothing new is taken, then what runs may finish until the deadline.
    pub async fn shut_down(mut self) -> Drained {
        let process = self.shared.snapshot.load().process.clone();
        self.shared.telemetry.metrics.draining.set(1);
        tracing::info!(delay = ?process.drain_delay, deadline = ?process.drain_deadline, "draining");
        self.drain.announce();
        tokio::time::sleep(process.drain_delay).await;
        // In this order: nobody wants the sockets any more, so they close with their accept loops. A new client is then
        // refused, and not left waiting for nobody; who waits already is served.
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
            Drained::Complete => tracing::info!("drained"),
            Drained::DeadlinePassed => {
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
            Ok(Reopened::ThereIsNone) => {}
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

/// Small things that each worker does now and then, also without requests.
async fn housekeeping() {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Closes connections that have been unused for too long, or for whom nobody asks any more.
        crate::here::tidy();
    }
}
