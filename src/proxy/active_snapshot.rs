//! The active snapshot, cached by each thread. Each request reads it without a lock and without a reference count that
//! other threads share.

use super::Shared;
use super::connection_facts::ConnectionFacts;
use crate::route::{Route, Target};
use crate::snapshot::Snapshot;
use crate::telemetry::{RouteSeries, UpstreamSeries};
use crate::upstream::{Accounts, Upstream};
use arc_swap::{ArcSwap, Cache};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

/// One snapshot on one thread. A request holds it, and so is decided by one snapshot.
pub(super) struct ActiveSnapshot {
    /// The snapshot.
    pub(super) snapshot: Arc<Snapshot>,
    /// By the address of the route, which is unique while the snapshot is held.
    routes: RefCell<HashMap<*const Route, Rc<WorkerRoute>, foldhash::fast::FixedState>>,
}

/// A route and what this thread looked up for it, so that no request looks it up by name.
pub(super) struct WorkerRoute {
    /// The metrics of the route on this thread.
    pub(super) series: Rc<RouteSeries>,
    /// The upstream; `None` if the gateway responds itself. Only this thread counts its references.
    pub(super) upstream: Option<Rc<WorkerUpstream>>,
}

/// An upstream and its metrics on this thread.
pub(super) struct WorkerUpstream {
    upstream: Arc<Upstream>,
    pub(super) series: Rc<UpstreamSeries>,
    /// The ApiUsers with an account at the upstream.
    pub(super) accounts: Option<Arc<Accounts>>,
}

impl Deref for WorkerUpstream {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

impl ActiveSnapshot {
    fn of(snapshot: &Arc<Snapshot>) -> Rc<Self> {
        Rc::new(Self {
            snapshot: snapshot.clone(),
            routes: RefCell::default(),
        })
    }

    /// The worker's data of a route of this snapshot.
    pub(super) fn route(
        &self,
        connection: &ConnectionFacts,
        route: &Arc<Route>,
    ) -> Rc<WorkerRoute> {
        let mut routes = self.routes.borrow_mut();
        let worker_route = routes.entry(Arc::as_ptr(route)).or_insert_with(|| {
            let series = connection
                .telemetry
                .route(&connection.listener, &route.name);
            let upstream = match &route.target {
                Target::Upstream(name) => self.snapshot.upstreams.get(name).map(|upstream| {
                    let accounts = self.snapshot.accounts.get(name).cloned();
                    Rc::new(WorkerUpstream {
                        upstream: upstream.clone(),
                        series: upstream.series(),
                        accounts,
                    })
                }),
                Target::Whoami | Target::Jwks => None,
            };
            Rc::new(WorkerRoute { series, upstream })
        });
        worker_route.clone()
    }
}

/// The cache of this thread for one [`Shared`]. A process has one, tests can have several.
struct SnapshotCache {
    cache: Cache<SharedSnapshot, Arc<Snapshot>>,
    current: Rc<ActiveSnapshot>,
}

/// Gives [`Cache`] access to the snapshot in [`Shared`].
struct SharedSnapshot(Arc<Shared>);

impl Deref for SharedSnapshot {
    type Target = ArcSwap<Snapshot>;

    fn deref(&self) -> &ArcSwap<Snapshot> {
        &self.0.snapshot
    }
}

thread_local! {
    static CACHES: RefCell<Vec<(*const Shared, SnapshotCache)>> = const { RefCell::new(Vec::new()) };
}

/// The active snapshot.
pub(super) fn active_snapshot(shared: &Arc<Shared>) -> Rc<ActiveSnapshot> {
    let (current, _replaced) = CACHES.with_borrow_mut(|all| {
        // The address is unique, since the cache beside it holds the `Shared`.
        let address = Arc::as_ptr(shared);
        if let Some((_, cache)) = all.iter_mut().find(|(key, _)| *key == address) {
            return cache.refreshed();
        }
        let mut cache = Cache::new(SharedSnapshot(shared.clone()));
        let current = ActiveSnapshot::of(cache.load());
        all.push((
            address,
            SnapshotCache {
                cache,
                current: current.clone(),
            },
        ));
        (current, None)
    });
    current
}

impl SnapshotCache {
    /// The active snapshot, and the replaced one. The caller drops the latter, which can take long, without a borrow.
    fn refreshed(&mut self) -> (Rc<ActiveSnapshot>, Option<Rc<ActiveSnapshot>>) {
        let snapshot = self.cache.load();
        if Arc::ptr_eq(snapshot, &self.current.snapshot) {
            return (self.current.clone(), None);
        }
        let new = ActiveSnapshot::of(snapshot);
        let old = std::mem::replace(&mut self.current, new.clone());
        (new, Some(old))
    }
}

/// Drops replaced snapshots on this thread. Called periodically, since a thread without requests would keep the last one
/// that it used.
pub(super) fn drop_old_snapshots() {
    let refreshed: Vec<_> =
        CACHES.with_borrow_mut(|all| all.iter_mut().map(|(_, cache)| cache.refreshed()).collect());
    drop(refreshed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use crate::forward::FieldNames;
    use crate::snapshot::ProcessSettings;
    use crate::telemetry::AccessLogConfig;
    use std::collections::HashMap;
    use std::time::Duration;

    fn snapshot(generation: u64) -> Arc<Snapshot> {
        let process = ProcessSettings {
            workers: None,
            drain_deadline: Duration::ZERO,
            drain_delay: Duration::ZERO,
            user: None,
            admin: None,
            metrics: None,
            access_log: AccessLogConfig {
                format: LogFormat::Off,
                path: None,
            },
            audit_log: None,
            recent_decisions: Duration::ZERO,
            log_filter: String::new(),
            log_format: LogFormat::Text,
        };
        Arc::new(Snapshot {
            generation,
            overlay: 0,
            revocation_sources: Vec::new(),
            sizes: Default::default(),
            listeners: HashMap::new(),
            trust_domains: Vec::new(),
            users: Default::default(),
            policy: Default::default(),
            upstreams: HashMap::new(),
            authorizers: Default::default(),
            accounts: HashMap::new(),
            assertions: None,
            expiry: Default::default(),
            process,
            expiries: Vec::new(),
            enabled_until: Vec::new(),
            decision_fields: FieldNames::default(),
            has_conditions: false,
            changes_with_time: false,
            places: Default::default(),
            credentials: Default::default(),
            content: Default::default(),
            includes: Vec::new(),
            written: None,
            user_limiters: Default::default(),
            route_limiters: Default::default(),
        })
    }

    fn shared(generation: u64) -> Arc<Shared> {
        Arc::new(Shared::new(snapshot(generation), Arc::default()))
    }

    #[test]
    fn each_request_gets_the_active_snapshot() {
        let (one, other) = (shared(1), shared(101));
        let (first, again) = (active_snapshot(&one), active_snapshot(&one));
        assert!(
            Rc::ptr_eq(&first, &again),
            "nothing is made anew while nothing changes"
        );
        assert_eq!(active_snapshot(&other).snapshot.generation, 101);
        one.snapshot.store(snapshot(2));
        assert_eq!(active_snapshot(&one).snapshot.generation, 2);
        assert_eq!(
            first.snapshot.generation, 1,
            "what a request began with stays its own"
        );
        assert_eq!(active_snapshot(&other).snapshot.generation, 101);
    }

    #[test]
    fn a_thread_without_requests_lets_go_of_an_old_snapshot() {
        let shared = shared(1);
        let old = Arc::downgrade(&active_snapshot(&shared).snapshot);
        shared.snapshot.store(snapshot(2));
        assert!(old.upgrade().is_some(), "held by this thread");
        drop_old_snapshots();
        assert!(old.upgrade().is_none());
        assert_eq!(active_snapshot(&shared).snapshot.generation, 2);
    }
}
