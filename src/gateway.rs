//! Build, bind, run: holds everything together, puts snapshots into force and ends in order. Knows no request.

use crate::admin::{Admin, AdminState};
use crate::config::WatchedFile;
use crate::drain::{Drain, Drained};
use crate::listener::BoundListener;
use crate::proxy::{ProxyHandler, Shared};
use crate::snapshot::{Depth, FileWatch, Outcome, Snapshot, load};
use crate::telemetry::{LogControl, Telemetry};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A running gateway.
pub struct Gateway {
    config: PathBuf,
    shared: Arc<Shared>,
    drain: Drain,
    log: Option<LogControl>,
    listeners: HashMap<Arc<str>, Running>,
    admin: Option<RunningAdmin>,
    watch: FileWatch,
    watched: Vec<WatchedFile>,
}

struct Running {
    /// As configured: port 0 stays 0 here.
    configured: SocketAddr,
    bound: BoundListener,
    drain: Drain,
}

struct RunningAdmin {
    configured: SocketAddr,
    address: SocketAddr,
    stop: CancellationToken,
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
    /// The access log cannot be opened.
    #[error("cannot open the access log")]
    AccessLog(#[source] std::io::Error),
    /// The user to become is unknown, or we may not.
    #[error("cannot become user \"{user}\"")]
    User {
        /// Who.
        user: String,
        /// Why.
        source: nix::Error,
    },
}

/// What asks the gateway to do something.
pub enum Request {
    /// Read everything again.
    Reload,
    /// Open the access log again, after it was moved away.
    ReopenLogs,
    /// Finish.
    Shutdown,
}

/// How often files are looked at, in case the system's notices do not arrive (network file systems, bind mounts).
const POLL: Duration = Duration::from_secs(5);

impl Gateway {
    /// Binds everything that a first load describes, and begins to accept.
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
        telemetry
            .set_access_log(&snapshot.process.access_log)
            .map_err(GatewayError::AccessLog)?;
        let mut gateway = Self {
            config,
            shared: Arc::new(Shared {
                snapshot: ArcSwap::from_pointee(snapshot),
                telemetry,
            }),
            drain: Drain::default(),
            log,
            listeners: HashMap::new(),
            admin: None,
            watch: FileWatch::new(),
            watched: outcome.watched,
        };
        let snapshot = gateway.shared.snapshot.load_full();
        let bound = gateway.bind(&snapshot).await?;
        become_user(snapshot.process.user.as_deref())?;
        gateway.put_into_force(snapshot, bound);
        gateway.watch.watch(&gateway.watched);
        tokio::spawn(housekeeping(gateway.shared.clone()));
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

    /// The real address of the admin listener.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// Runs until a request asks for a shutdown, or nobody can ask any more. Reloads on request and when files change.
    pub async fn run(&mut self, requests: &mut mpsc::Receiver<Request>) {
        loop {
            let request = tokio::select! {
                request = requests.recv() => Some(request.unwrap_or(Request::Shutdown)),
                () = changed(&mut self.watch, &self.watched) => None,
            };
            match request {
                Some(Request::Shutdown) => return,
                Some(Request::ReopenLogs) => self.reopen_logs(),
                Some(Request::Reload) => self.reload(Cause::Asked).await,
                None => self.reload(Cause::FilesChanged).await,
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
        self.drain.begin();
        // The sockets close now, with their accept loops: a new client is refused, and not left waiting for nobody.
        self.listeners.clear();
        let drained = self.drain.finished(process.drain_deadline).await;
        if let Some(admin) = &self.admin {
            admin.stop.cancel();
        }
        match drained {
            Drained::Complete => tracing::info!("drained"),
            Drained::DeadlinePassed => tracing::warn!("the drain deadline passed; closing what is left"),
        }
        drained
    }

    fn reopen_logs(&self) {
        let config = self.shared.snapshot.load().process.access_log.clone();
        match self.shared.telemetry.reopen_access_log(&config) {
            Ok(()) => tracing::info!("access log opened again"),
            Err(error) => tracing::error!(%error, "cannot open the access log again; the old one stays"),
        }
    }

    /// Loads everything anew. What is wrong leaves the snapshot in force, and says why.
    async fn reload(&mut self, cause: Cause) {
        let outcome = self.load_settled(cause).await;
        self.watched.clone_from(&outcome.watched);
        let report = outcome.report();
        let result = match outcome.snapshot {
            None => Err(GatewayError::Config(report)),
            Some(snapshot) => self.try_put_into_force(snapshot).await,
        };
        self.watch.watch(&self.watched);
        let metrics = &self.shared.telemetry.metrics;
        match result {
            Ok(generation) => {
                metrics.reloads.with_label_values(&["success"]).inc();
                metrics.reload_last_success.set(1);
                tracing::info!(generation, cause = cause.word(), "reloaded");
            }
            Err(error) => {
                metrics.reloads.with_label_values(&["failure"]).inc();
                metrics.reload_last_success.set(0);
                let generation = self.shared.snapshot.load().generation;
                let why = crate::respond::with_causes(&error);
                tracing::error!(
                    generation,
                    cause = cause.word(),
                    "reload refused, the old snapshot stays in force:\n{why}"
                );
            }
        }
    }

    /// Loads; if that fails, waits a moment for the other half of what may be half-written.
    async fn load_settled(&mut self, cause: Cause) -> Outcome {
        const ATTEMPTS: usize = 5;
        const OTHER_HALF: Duration = Duration::from_secs(1);
        let mut outcome = self.load().await;
        for _ in 1..ATTEMPTS {
            if outcome.snapshot.is_some() || cause == Cause::Asked {
                break;
            }
            self.watch.watch(&outcome.watched);
            self.watch.changed(OTHER_HALF).await;
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
                Outcome {
                    snapshot: None,
                    problems,
                    sources,
                    watched: self.watched.clone(),
                }
            }
        }
    }

    async fn try_put_into_force(&mut self, snapshot: Snapshot) -> Result<u64, GatewayError> {
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

    /// Binds what a snapshot needs and is not bound yet. Touches nothing that runs.
    async fn bind(&self, snapshot: &Snapshot) -> Result<Bound, GatewayError> {
        let mut bound = Bound {
            listeners: Vec::new(),
            admin: None,
        };
        for policy in snapshot.listeners.values() {
            let (name, address) = (policy.name.clone(), policy.address);
            if self
                .listeners
                .get(&name)
                .is_some_and(|running| running.configured == address)
            {
                continue;
            }
            // The address of a listener that is about to go can be taken over; binding it again would fail.
            let heir = self
                .listeners
                .values()
                .find(|running| running.configured == address && address.port() != 0);
            let socket = match heir {
                Some(running) => running.bound.renamed(name.clone()),
                None => BoundListener::bind(name.clone(), address).map_err(|source| GatewayError::Bind {
                    address,
                    what: format!("listener \"{name}\""),
                    source,
                })?,
            };
            bound.listeners.push((address, name, socket));
        }
        let wanted = snapshot.process.admin;
        if let Some(address) = wanted.filter(|_| self.admin.as_ref().map(|admin| admin.configured) != wanted) {
            let failed = |source| GatewayError::Bind {
                address,
                what: "admin".to_owned(),
                source,
            };
            bound.admin = Some((address, Admin::bind(address).await.map_err(failed)?));
        }
        Ok(bound)
    }

    /// The one place where a snapshot comes into force. Cannot fail.
    fn put_into_force(&mut self, snapshot: Arc<Snapshot>, bound: Bound) {
        self.shared.snapshot.store(snapshot.clone());
        self.publish(&snapshot);
        let changed: Vec<Arc<str>> = bound.listeners.iter().map(|(_, name, _)| name.clone()).collect();
        self.listeners.retain(|name, running| {
            let stays = snapshot.listeners.contains_key(name) && !changed.contains(name);
            if !stays {
                running.drain.begin_alone();
            }
            stays
        });
        for (configured, name, socket) in bound.listeners {
            let drain = self.drain.child();
            let handler = Arc::new(ProxyHandler::new(self.shared.clone(), name.clone()));
            let telemetry = self.shared.telemetry.clone();
            tracing::info!(listener = &*name, address = %socket.address(), "listening");
            self.drain
                .spawn(socket.clone().accept_until_drained(handler, telemetry, drain.clone()));
            self.listeners.insert(
                name,
                Running {
                    configured,
                    bound: socket,
                    drain,
                },
            );
        }
        if self.admin.as_ref().map(|admin| admin.configured) != snapshot.process.admin
            && let Some(old) = self.admin.take()
        {
            old.stop.cancel();
        }
        if let Some((configured, admin)) = bound.admin {
            let (address, stop) = (admin.address(), CancellationToken::new());
            tracing::info!(%address, "admin listening");
            let state = AdminState {
                telemetry: self.shared.telemetry.clone(),
                drain: self.drain.clone(),
            };
            tokio::spawn(admin.serve(state, stop.clone()));
            self.admin = Some(RunningAdmin {
                configured,
                address,
                stop,
            });
        }
    }

    fn publish(&self, snapshot: &Snapshot) {
        let metrics = &self.shared.telemetry.metrics;
        let as_gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics
            .generation
            .set(i64::try_from(snapshot.generation).unwrap_or(i64::MAX));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        metrics.loaded_at.set(i64::try_from(now).unwrap_or(i64::MAX));
        metrics.api_users.set(as_gauge(snapshot.users.len()));
        if snapshot.generation == 1 {
            metrics.reload_last_success.set(1);
        }
        metrics.certificate_not_after.reset();
        for (kind, name, not_after) in &snapshot.expiries {
            let gauge = metrics.certificate_not_after.with_label_values(&[*kind, name.as_str()]);
            // Of several anchors the one that expires first is what matters.
            if gauge.get() == 0 || *not_after < gauge.get() {
                gauge.set(*not_after);
            }
        }
    }
}

/// What was bound for a snapshot that is not in force yet.
struct Bound {
    listeners: Vec<(SocketAddr, Arc<str>, BoundListener)>,
    admin: Option<(SocketAddr, Admin)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
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
async fn changed(watch: &mut FileWatch, watched: &[WatchedFile]) {
    loop {
        watch.changed(POLL).await;
        if watched.iter().any(WatchedFile::has_changed) {
            return;
        }
    }
}

/// Gives up privileges once the ports are bound. All threads of the process change (POSIX semantics of `setuid`).
fn become_user(user: Option<&str>) -> Result<(), GatewayError> {
    use nix::unistd::{User, initgroups, setgid, setuid};
    let Some(name) = user else { return Ok(()) };
    let failed = |source| GatewayError::User {
        user: name.to_owned(),
        source,
    };
    let user = User::from_name(name)
        .map_err(failed)?
        .ok_or_else(|| failed(nix::Error::ENOENT))?;
    let c_name = std::ffi::CString::new(name).map_err(|_| failed(nix::Error::EINVAL))?;
    // Groups first: without root they cannot be changed any more.
    initgroups(&c_name, user.gid).map_err(failed)?;
    setgid(user.gid).map_err(failed)?;
    setuid(user.uid).map_err(failed)?;
    tracing::info!(user = name, "privileges given up");
    Ok(())
}

/// Small things that need doing now and then.
async fn housekeeping(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        shared
            .snapshot
            .load()
            .upstreams
            .values()
            .for_each(|upstream| upstream.close_stale());
    }
}
