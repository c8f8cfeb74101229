//! Counters of requests, kept by each worker for itself and added up when they are scraped: to count costs no look-up
//! by label, no lock and no memory that other cores write. What is counted is up to the callers.

use super::Telemetry;
use super::audit::Recent;
use super::series::{ListenerSeries, RouteSeries, Timing, UpstreamSeries};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// What a worker is asked.
pub(super) enum WorkerRequest {
    /// To add up, and to say when that is done.
    AddUp(oneshot::Sender<()>),
    /// What it has decided lately, as lines of JSON.
    RecentDecisions(oneshot::Sender<Vec<Vec<u8>>>),
}

/// How often what was counted is added up without being asked.
const TICK: Duration = Duration::from_secs(10);

thread_local! {
    static COUNTED: RefCell<Option<Rc<Counted>>> = const { RefCell::new(None) };
}

/// What one thread counts.
struct Counted {
    telemetry: Arc<Telemetry>,
    routes: RefCell<HashMap<Box<str>, ByName<RouteSeries>, foldhash::fast::FixedState>>,
    listeners: RefCell<ByName<ListenerSeries>>,
    upstreams: RefCell<ByName<UpstreamSeries>>,
    recent: RefCell<Recent>,
}

/// The names are those of the config, so nobody can choose them to collide.
type ByName<S> = HashMap<Box<str>, Rc<S>, foldhash::fast::FixedState>;

impl Telemetry {
    /// Where requests of a route on a listener are counted. Resolve it once and keep it, on the thread where it was
    /// resolved. On a thread that is no worker of this telemetry each count is added up at once.
    pub fn route(&self, listener: &str, route: &str) -> Rc<RouteSeries> {
        let series = |timing| Rc::new(RouteSeries::new(&self.metrics, listener, route, timing));
        let Some(counted) = self.counted_here() else {
            return series(Timing::AtOnce);
        };
        let mut routes = counted.routes.borrow_mut();
        if let Some(known) = routes.get(listener).and_then(|routes| routes.get(route)) {
            return known.clone();
        }
        let made = series(Timing::WhenAsked);
        routes
            .entry(listener.into())
            .or_default()
            .insert(route.into(), made.clone());
        made
    }

    /// Where what happens on a listener is counted; otherwise like [`Self::route`].
    pub fn listener(&self, listener: &str) -> Rc<ListenerSeries> {
        let series = |timing| Rc::new(ListenerSeries::new(&self.metrics, listener, timing));
        match self.counted_here() {
            None => series(Timing::AtOnce),
            Some(counted) => known_or_made(&counted.listeners, listener, series),
        }
    }

    /// Where what happens with an upstream is counted; otherwise like [`Self::route`].
    pub fn upstream(&self, upstream: &str) -> Rc<UpstreamSeries> {
        let series = |timing| Rc::new(UpstreamSeries::new(&self.metrics, upstream, timing));
        match self.counted_here() {
            None => series(Timing::AtOnce),
            Some(counted) => known_or_made(&counted.upstreams, upstream, series),
        }
    }

    fn counted_here(&self) -> Option<Rc<Counted>> {
        let counted = COUNTED.with_borrow(Option::clone)?;
        std::ptr::eq(Arc::as_ptr(&counted.telemetry), self).then_some(counted)
    }

    /// Asks all workers to add up, and waits for them.
    pub(super) async fn add_up(&self) {
        self.ask_workers(WorkerRequest::AddUp).await;
    }

    /// What the workers have decided lately, the oldest first, as lines of JSON.
    pub async fn recent_decisions(&self) -> Vec<Vec<u8>> {
        let mut lines = self
            .ask_workers(WorkerRequest::RecentDecisions)
            .await
            .concat();
        // All lines begin with their kind and then their time.
        lines.sort();
        lines
    }

    /// Asks all workers, and waits for them, but less long than Prometheus does (10 s): a worker that hangs must not hide the
    /// others. One that is only busy must be waited for, or its counts are missing.
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
                // An error means that the worker has ended, and added up before.
                answers.extend(one.await);
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("a worker is too busy to say what it has counted");
        }
        answers
    }

    /// Remembers a decision of this thread; of no other than a worker's.
    pub(super) fn remember(&self, line: &[u8]) {
        if let Some(counted) = self.counted_here() {
            counted.recent.borrow_mut().add(line, Instant::now());
        }
    }
}

fn known_or_made<S>(
    all: &RefCell<ByName<S>>,
    name: &str,
    make: impl FnOnce(Timing) -> Rc<S>,
) -> Rc<S> {
    let mut all = all.borrow_mut();
    if let Some(known) = all.get(name) {
        return known.clone();
    }
    let made = make(Timing::WhenAsked);
    all.insert(name.into(), made.clone());
    made
}

/// From now on this thread counts for itself, until the value is dropped; then it adds up what is left.
#[must_use]
pub struct CountsHere {
    asked: Option<mpsc::UnboundedReceiver<WorkerRequest>>,
}

impl CountsHere {
    /// Begins.
    pub fn begin(telemetry: &Arc<Telemetry>) -> Self {
        let (sender, asked) = mpsc::unbounded_channel();
        telemetry.workers().push(sender);
        let counted = Counted {
            telemetry: telemetry.clone(),
            routes: RefCell::default(),
            listeners: RefCell::default(),
            upstreams: RefCell::default(),
            recent: RefCell::default(),
        };
        COUNTED.set(Some(Rc::new(counted)));
        Self { asked: Some(asked) }
    }

    /// What this thread has to run to answer scrapes. Gives the same only once.
    pub fn answer_scrapes(&mut self) -> impl Future<Output = ()> + 'static {
        let asked = self.asked.take();
        async move {
            let Some(mut asked) = asked else { return };
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let request = tokio::select! {
                    request = asked.recv() => request,
                    _ = ticks.tick() => {
                        with_counted(Counted::forget_unused);
                        with_counted(Counted::forget_old_decisions);
                        continue;
                    }
                };
                match request {
                    None => return,
                    Some(WorkerRequest::AddUp(done)) => {
                        with_counted(Counted::add_up);
                        let _ = done.send(());
                    }
                    Some(WorkerRequest::RecentDecisions(answer)) => with_counted(|counted| {
                        counted.forget_old_decisions();
                        let _ = answer.send(counted.recent.borrow().lines());
                    }),
                }
            }
        }
    }
}

impl Drop for CountsHere {
    fn drop(&mut self) {
        if let Some(counted) = COUNTED.take() {
            counted.add_up();
        }
    }
}

fn with_counted(act: impl FnOnce(&Counted)) {
    if let Some(counted) = COUNTED.with_borrow(Option::clone) {
        act(&counted);
    }
}

impl Counted {
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

    /// Adds up, and forgets what nobody holds and nobody has counted in since the last time: a route that is gone.
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
