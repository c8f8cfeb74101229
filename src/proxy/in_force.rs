//! The snapshot that is in force, as one thread holds it: asked for with each request, and then without a lock or a
//! count that other threads touch. Puts nothing into force.

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

/// One generation on one thread. Whoever judges a request holds it, and so judges by one snapshot.
pub(super) struct InForce {
    /// The snapshot.
    pub(super) snapshot: Arc<Snapshot>,
    /// By the route's address, which stays its own for as long as the snapshot is held.
    routes: RefCell<HashMap<*const Route, Rc<RouteHere>, foldhash::fast::FixedState>>,
}

/// A route, with what this thread has found for it once: no request looks it up by name.
pub(super) struct RouteHere {
    /// Where its requests are counted.
    pub(super) series: Rc<RouteSeries>,
    /// Who answers; `None` if that is the gateway itself. Counted by this thread alone, however often requests hold it.
    pub(super) upstream: Option<Rc<UpstreamHere>>,
}

/// An upstream, with where this thread counts what happens with it.
pub(super) struct UpstreamHere {
    upstream: Arc<Upstream>,
    pub(super) series: Rc<UpstreamSeries>,
    /// The ApiUsers that are somebody there.
    pub(super) accounts: Option<Arc<Accounts>>,
}

impl Deref for UpstreamHere {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

impl InForce {
    fn of(snapshot: &Arc<Snapshot>) -> Rc<Self> {
        Rc::new(Self {
            snapshot: snapshot.clone(),
            routes: RefCell::default(),
        })
    }

    /// What belongs to a route of this snapshot.
    pub(super) fn route(&self, connection: &ConnectionFacts, route: &Arc<Route>) -> Rc<RouteHere> {
        let mut routes = self.routes.borrow_mut();
        let here = routes.entry(Arc::as_ptr(route)).or_insert_with(|| {
            let series = connection
                .telemetry
                .route(&connection.listener, &route.name);
            let upstream = match &route.target {
                Target::Upstream(name) => self.snapshot.upstreams.get(name).map(|upstream| {
                    let accounts = self.snapshot.accounts.get(name).cloned();
                    Rc::new(UpstreamHere {
                        upstream: upstream.clone(),
                        series: upstream.series(),
                        accounts,
                    })
                }),
                Target::Whoami | Target::Jwks => None,
            };
            Rc::new(RouteHere { series, upstream })
        });
        here.clone()
    }
}

/// What this thread knows of one [`Shared`]; a process has one, tests may have several.
struct Held {
    cache: Cache<ByShared, Arc<Snapshot>>,
    current: Rc<InForce>,
}

/// Lets the cache look into what is shared.
struct ByShared(Arc<Shared>);

impl Deref for ByShared {
    type Target = ArcSwap<Snapshot>;

    fn deref(&self) -> &ArcSwap<Snapshot> {
        &self.0.snapshot
    }
}

thread_local! {
    static HELD: RefCell<Vec<(*const Shared, Held)>> = const { RefCell::new(Vec::new()) };
}

/// What is in force now.
pub(super) fn in_force(shared: &Arc<Shared>) -> Rc<InForce> {
    let (current, _replaced) = HELD.with_borrow_mut(|all| {
        // The address stays one Shared's for as long as it stands here, since it is held beside it.
        let address = Arc::as_ptr(shared);
        if let Some((_, held)) = all.iter_mut().find(|(of, _)| *of == address) {
            return held.refreshed();
        }
        let mut cache = Cache::new(ByShared(shared.clone()));
        let current = InForce::of(cache.load());
        all.push((
            address,
            Held {
                cache,
                current: current.clone(),
            },
        ));
        (current, None)
    });
    current
}

impl Held {
    /// What is in force, and what was until now: it is the caller's to drop, which may take a while.
    fn refreshed(&mut self) -> (Rc<InForce>, Option<Rc<InForce>>) {
        let snapshot = self.cache.load();
        if Arc::ptr_eq(snapshot, &self.current.snapshot) {
            return (self.current.clone(), None);
        }
        let new = InForce::of(snapshot);
        let old = std::mem::replace(&mut self.current, new.clone());
        (new, Some(old))
    }
}

/// Lets this thread go of snapshots that are no longer in force. Call it now and then, since a thread without requests
/// would keep the last one it used.
pub(super) fn let_go_of_old_snapshots() {
    let refreshed: Vec<_> =
        HELD.with_borrow_mut(|all| all.iter_mut().map(|(_, held)| held.refreshed()).collect());
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
            judged_fields: FieldNames::default(),
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
    fn each_request_sees_what_is_in_force_when_it_asks() {
        let (one, other) = (shared(1), shared(101));
        let (first, again) = (in_force(&one), in_force(&one));
        assert!(
            Rc::ptr_eq(&first, &again),
            "nothing is made anew while nothing changes"
        );
        assert_eq!(in_force(&other).snapshot.generation, 101);
        one.snapshot.store(snapshot(2));
        assert_eq!(in_force(&one).snapshot.generation, 2);
        assert_eq!(
            first.snapshot.generation, 1,
            "what a request began with stays its own"
        );
        assert_eq!(in_force(&other).snapshot.generation, 101);
    }

    #[test]
    fn a_thread_without_requests_lets_go_of_an_old_snapshot() {
        let shared = shared(1);
        let old = Arc::downgrade(&in_force(&shared).snapshot);
        shared.snapshot.store(snapshot(2));
        assert!(old.upgrade().is_some(), "held by this thread");
        let_go_of_old_snapshots();
        assert!(old.upgrade().is_none());
        assert_eq!(in_force(&shared).snapshot.generation, 2);
    }
}
