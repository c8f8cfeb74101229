//! Request counters per worker, added to the shared metrics on each scrape. Counting needs no label
//! lookup, no lock, and no memory that other cores write.

use super::Telemetry;
use super::audit::RecentDecisions;
use super::series::{ListenerSeries, RouteSeries, Timing, UpstreamSeries};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// A request to a worker.
pub(super) enum WorkerRequest {
    /// Add the counts to the shared metrics, and confirm it.
    AddUp(oneshot::Sender<()>),
    /// Return the recent decisions, as JSON lines.
    RecentDecisions(oneshot::Sender<Vec<Vec<u8>>>),
}

/// Interval of cleaning up unused series.
const TICK: Duration = Duration::from_secs(10);

thread_local! {
    static LOCAL: RefCell<Option<Rc<LocalCounters>>> = const { RefCell::new(None) };
}

/// The counters of one thread.
struct LocalCounters {
    telemetry: Arc<Telemetry>,
    routes: RefCell<HashMap<Box<str>, ByName<RouteSeries>, foldhash::fast::FixedState>>,
    listeners: RefCell<ByName<ListenerSeries>>,
    upstreams: RefCell<ByName<UpstreamSeries>>,
    recent: RefCell<RecentDecisions>,
}

/// The names come from the config, so no client can cause collisions.
type ByName<S> = HashMap<Box<str>, Rc<S>, foldhash::fast::FixedState>;

impl Telemetry {
    /// The series of a route on a listener. Resolve it once and keep it on the same thread. On a
    /// thread that is not a worker of this telemetry, each count is added to the shared metrics at
    /// once.
    pub fn route(&self, listener: &str, route: &str) -> Rc<RouteSeries> {
        let series = |timing| Rc::new(RouteSeries::new(&self.metrics, listener, route, timing));
        let Some(counted) = self.local_counters() else {
            return series(Timing::Immediate);
        };
        let mut routes = counted.routes.borrow_mut();
        if let Some(known) = routes.get(listener).and_then(|routes| routes.get(route)) {
            return known.clone();
        }
        let made = series(Timing::OnScrape);
        routes
            .entry(listener.into())
            .or_default()
            .insert(route.into(), made.clone());
        made
    }

    /// The series of a listener; otherwise like [`Self::route`].
    pub fn listener(&self, listener: &str) -> Rc<ListenerSeries> {
        let series = |timing| Rc::new(ListenerSeries::new(&self.metrics, listener, timing));
        match self.local_counters() {
            None => series(Timing::Immediate),
            Some(counted) => get_or_insert(&counted.listeners, listener, series),
        }
    }

    /// The series of an upstream; otherwise like [`Self::route`].
    pub fn upstream(&self, upstream: &str) -> Rc<UpstreamSeries> {
        let series = |timing| Rc::new(UpstreamSeries::new(&self.metrics, upstream, timing));
        match self.local_counters() {
            None => series(Timing::Immediate),
            Some(counted) => get_or_insert(&counted.upstreams, upstream, series),
        }
    }

    fn local_counters(&self) -> Option<Rc<LocalCounters>> {
        let counted = LOCAL.with_borrow(Option::clone)?;
        std::ptr::eq(Arc::as_ptr(&counted.telemetry), self).then_some(counted)
    }

    /// Makes all workers add their counts, and waits for them.
    pub(super) async fn add_up(&self) {
        self.ask_workers(WorkerRequest::AddUp).await;
    }

    /// The recent decisions of all workers, oldest first, as JSON lines.
    pub async fn recent_decisions(&self) -> Vec<Vec<u8>> {
        let mut lines = self
            .ask_workers(WorkerRequest::RecentDecisions)
            .await
            .concat();
        // Each line starts with its kind and then its time.
        lines.sort();
        lines
    }

    /// Sends a request to all workers and waits for the responses, less long than Prometheus does
    /// (10 s): a blocked worker must not hide the others. A busy one must be waited for, or its
    /// counts are missing.
    async fn ask_workers<T>(&self, request: fn(oneshot::Sender<T>) -> WorkerRequest) -> Vec<T> {
        const PATIENCE: Duration = Duration::from_secs(3);
        let mut waiting = Vec::new();
        self.workers().retain(|worker| {
            let (done, is_done) = oneshot::channel();
            waiting.push(is_done);
            worker.send(request(done)).is_ok()
        });
        let mut answers = Vec::with_capacity(waiting.len());
        let all = async {
            for one in waiting {
                // An error means that the worker has ended, and added its counts before.
                answers.extend(one.await);
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("a worker did not report its counts in time");
        }
        answers
    }

    /// Keeps a decision of this thread, if it is a worker.
    pub(super) fn remember(&self, line: &[u8]) {
        if let Some(counted) = self.local_counters() {
            counted.recent.borrow_mut().add(line, Instant::now());
        }
    }
}

fn get_or_insert<S>(
    all: &RefCell<ByName<S>>,
    name: &str,
    make: impl FnOnce(Timing) -> Rc<S>,
) -> Rc<S> {
    let mut all = all.borrow_mut();
    if let Some(known) = all.get(name) {
        return known.clone();
    }
    let made = make(Timing::OnScrape);
    all.insert(name.into(), made.clone());
    made
}

/// Gives this thread its own counters until the value is dropped; then the remaining counts are
/// added to the shared metrics.
#[must_use]
pub struct WorkerCounters {
    requests: Option<mpsc::UnboundedReceiver<WorkerRequest>>,
}

impl WorkerCounters {
    /// Creates the counters of this thread.
    pub fn begin(telemetry: &Arc<Telemetry>) -> Self {
        let (sender, requests) = mpsc::unbounded_channel();
        telemetry.workers().push(sender);
        let counted = LocalCounters {
            telemetry: telemetry.clone(),
            routes: RefCell::default(),
            listeners: RefCell::default(),
            upstreams: RefCell::default(),
            recent: RefCell::default(),
        };
        LOCAL.set(Some(Rc::new(counted)));
        Self {
            requests: Some(requests),
        }
    }

    /// The task that responds to scrapes; run it on this thread. Further calls return a task that
    /// ends at once.
    pub fn serve_scrapes(&mut self) -> impl Future<Output = ()> + 'static {
        let requests = self.requests.take();
        async move {
            let Some(mut requests) = requests else { return };
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let request = tokio::select! {
                    request = requests.recv() => request,
                    _ = ticks.tick() => {
                        with_local(LocalCounters::forget_unused);
                        with_local(LocalCounters::forget_old_decisions);
                        continue;
                    }
                };
                match request {
                    None => return,
                    Some(WorkerRequest::AddUp(done)) => {
                        with_local(LocalCounters::add_up);
                        let _ = done.send(());
                    }
                    Some(WorkerRequest::RecentDecisions(answer)) => with_local(|counted| {
                        counted.forget_old_decisions();
                        let _ = answer.send(counted.recent.borrow().lines());
                    }),
                }
            }
        }
    }
}

impl Drop for WorkerCounters {
    fn drop(&mut self) {
        if let Some(counted) = LOCAL.take() {
            counted.add_up();
        }
    }
}

fn with_local(act: impl FnOnce(&LocalCounters)) {
    if let Some(counted) = LOCAL.with_borrow(Option::clone) {
        act(&counted);
    }
}

impl LocalCounters {
    fn add_up(&self) {
        for series in self.routes.borrow().values().flat_map(HashMap::values) {
            series.add_up();
        }
        for series in self.listeners.borrow().values() {
            series.add_up();
        }
        for series in self.upstreams.borrow().values() {
            series.add_up();
        }
    }

    fn forget_old_decisions(&self) {
        let age = Duration::from_secs(self.telemetry.audit.recent_for());
        self.recent
            .borrow_mut()
            .forget_older_than(age, Instant::now());
    }

    /// Adds the counts, and removes series that are unused since the last time, such as those of a
    /// removed route.
    fn forget_unused(&self) {
        fn is_used<S>(series: &Rc<S>, counted: bool) -> bool {
            counted || Rc::strong_count(series) > 1
        }
        let mut routes = self.routes.borrow_mut();
        for of_listener in routes.values_mut() {
            of_listener.retain(|_, series| is_used(series, series.add_up()));
        }
        routes.retain(|_, of_listener| !of_listener.is_empty());
        self.listeners
            .borrow_mut()
            .retain(|_, series| is_used(series, series.add_up()));
        self.upstreams
            .borrow_mut()
            .retain(|_, series| is_used(series, series.add_up()));
    }
}

#[cfg(test)]
mod tests;
