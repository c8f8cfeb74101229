//! The series of one route, listener or upstream on one thread, and how they are added to the shared metrics. A series
//! never looks up by label what it has counted before.

use super::Metrics;
use prometheus::core::{AtomicU64, GenericLocalCounter};
use prometheus::local::LocalHistogram;
use prometheus::{IntCounter, IntCounterVec};
use std::cell::{Cell, RefCell};

type LocalCounter = GenericLocalCounter<AtomicU64>;

/// When counts reach the shared metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// When the metrics are scraped.
    WhenAsked,
    /// Each at once: there is nobody to ask.
    AtOnce,
}

/// What is known of a decision or the end of an answer: words of our own.
type Word = &'static str;

/// Children of one metric, each resolved when it is first needed. They are few, so they are found by comparing.
struct Children<K> {
    metric: IntCounterVec,
    known: RefCell<Vec<(K, LocalCounter)>>,
    counted: Cell<bool>,
    timing: Timing,
}

impl<K: Copy + PartialEq> Children<K> {
    fn new(metric: &IntCounterVec, timing: Timing) -> Self {
        Self {
            metric: metric.clone(),
            known: RefCell::default(),
            counted: Cell::new(false),
            timing,
        }
    }

    fn add(&self, key: K, amount: u64, resolve: impl FnOnce(&IntCounterVec) -> IntCounter) {
        let mut known = self.known.borrow_mut();
        let found = known.iter().find(|(of, _)| *of == key);
        match found {
            Some((_, counter)) => self.count(counter, amount),
            None => {
                let counter = resolve(&self.metric).local();
                self.count(&counter, amount);
                known.push((key, counter));
            }
        }
    }

    fn count(&self, counter: &LocalCounter, amount: u64) {
        counter.inc_by(amount);
        match self.timing {
            Timing::WhenAsked => self.counted.set(true),
            Timing::AtOnce => counter.flush(),
        }
    }
}

impl<K> Children<K> {
    /// Whether there was anything.
    fn add_up(&self) -> bool {
        let counted = self.counted.replace(false);
        if counted {
            self.known
                .borrow()
                .iter()
                .for_each(|(_, counter)| counter.flush());
        }
        counted
    }
}

impl<K> Drop for Children<K> {
    fn drop(&mut self) {
        self.add_up();
    }
}

/// Requests of one route on one listener.
pub struct RouteSeries {
    listener: Box<str>,
    route: Box<str>,
    answers: Children<u16>,
    decisions: Children<(Word, Word)>,
    durations: LocalHistogram,
    timing: Timing,
}

impl RouteSeries {
    pub(super) fn new(metrics: &Metrics, listener: &str, route: &str, timing: Timing) -> Self {
        Self {
            listener: listener.into(),
            route: route.into(),
            answers: Children::new(&metrics.requests, timing),
            decisions: Children::new(&metrics.decisions, timing),
            durations: metrics.request_duration.with_label_values(&[route]).local(),
            timing,
        }
    }

    /// A request was answered with this status, after so many seconds.
    pub fn answered(&self, status: u16, seconds: f64) {
        self.answers.add(status, 1, |requests| {
            requests.with_label_values(&[
                &*self.listener,
                &*self.route,
                status.to_string().as_str(),
            ])
        });
        self.durations.observe(seconds);
        if self.timing == Timing::AtOnce {
            self.durations.flush();
        }
    }

    /// A request was judged.
    pub fn decided(&self, decision: &'static str, reason: &'static str) {
        count_decision(&self.decisions, &self.listener, decision, reason);
    }

    /// Whether there was anything.
    pub(super) fn add_up(&self) -> bool {
        self.durations.flush();
        // Both, whatever the first says.
        self.answers.add_up() | self.decisions.add_up()
    }
}

impl Drop for RouteSeries {
    fn drop(&mut self) {
        self.durations.flush();
    }
}

fn count_decision(
    decisions: &Children<(Word, Word)>,
    listener: &str,
    decision: Word,
    reason: Word,
) {
    decisions.add((decision, reason), 1, |metric| {
        metric.with_label_values(&[listener, decision, reason])
    });
}

/// What happens on one listener, whatever the route.
pub struct ListenerSeries {
    listener: Box<str>,
    received: Children<()>,
    sent: Children<()>,
    copied: Children<()>,
    cut: Children<Word>,
    withdrawn: Children<(Word, Word)>,
    limited: Children<Word>,
    decisions: Children<(Word, Word)>,
    fast_path: Children<(Word, Word)>,
}

impl ListenerSeries {
    pub(super) fn new(metrics: &Metrics, listener: &str, timing: Timing) -> Self {
        Self {
            listener: listener.into(),
            received: Children::new(&metrics.request_bytes, timing),
            sent: Children::new(&metrics.response_bytes, timing),
            copied: Children::new(&metrics.copied_bytes, timing),
            cut: Children::new(&metrics.responses_cut, timing),
            decisions: Children::new(&metrics.decisions, timing),
            withdrawn: Children::new(&metrics.cut, timing),
            limited: Children::new(&metrics.limited, timing),
            fast_path: Children::new(&metrics.fast_path, timing),
        }
    }

    /// So many bytes of bodies came from a client and went to it.
    pub fn moved(&self, request_bytes: u64, response_bytes: u64) {
        let resolve = |metric: &IntCounterVec| metric.with_label_values(&[&*self.listener]);
        self.received.add((), request_bytes, resolve);
        self.sent.add((), response_bytes, resolve);
    }

    /// So many bytes of bodies were moved in memory by our own code.
    pub fn copied(&self, bytes: u64) {
        self.copied.add((), bytes, |metric| {
            metric.with_label_values(&[&*self.listener])
        });
    }

    /// An answer ended early.
    pub fn cut(&self, reason: &'static str) {
        self.cut.add(reason, 1, |metric| {
            metric.with_label_values(&[&*self.listener, reason])
        });
    }

    /// Something was cut whose right was withdrawn; `kind` is `tunnel`, `stream` or `connection`.
    pub fn withdrawn(&self, kind: &'static str, reason: &'static str) {
        let labels = [&*self.listener, kind, reason];
        self.withdrawn.add((kind, reason), 1, |metric| {
            metric.with_label_values(&labels)
        });
    }

    /// A permitted request was over a limit.
    pub fn limited(&self, reason: &'static str) {
        self.limited.add(reason, 1, |metric| {
            metric.with_label_values(&[&*self.listener, reason])
        });
    }

    /// A request was judged that has no route.
    pub fn decided(&self, decision: &'static str, reason: &'static str) {
        count_decision(&self.decisions, &self.listener, decision, reason);
    }

    /// A request took the fast path, or why it did not.
    pub fn fast_path(&self, result: &'static str, reason: &'static str) {
        self.fast_path.add((result, reason), 1, |metric| {
            metric.with_label_values(&[result, reason])
        });
    }

    /// Whether there was anything.
    pub(super) fn add_up(&self) -> bool {
        self.received.add_up()
            | self.sent.add_up()
            | self.copied.add_up()
            | self.cut.add_up()
            | self.withdrawn.add_up()
            | self.limited.add_up()
            | self.decisions.add_up()
            | self.fast_path.add_up()
    }
}

/// What happens with one upstream.
pub struct UpstreamSeries {
    upstream: Box<str>,
    connections: Children<Word>,
    failures: Children<Word>,
    retries: Children<()>,
    connect_retries: Children<()>,
}

impl UpstreamSeries {
    pub(super) fn new(metrics: &Metrics, upstream: &str, timing: Timing) -> Self {
        Self {
            upstream: upstream.into(),
            connections: Children::new(&metrics.upstream_connections, timing),
            failures: Children::new(&metrics.upstream_failures, timing),
            retries: Children::new(&metrics.upstream_retries, timing),
            connect_retries: Children::new(&metrics.upstream_connect_retries, timing),
        }
    }

    /// A connection was used for a request; `origin` is `new` or `pooled`.
    pub fn connection_used(&self, origin: &'static str) {
        self.connections.add(origin, 1, |metric| {
            metric.with_label_values(&[&*self.upstream, origin])
        });
    }

    /// A request got no answer.
    pub fn failed(&self, reason: &'static str) {
        self.failures.add(reason, 1, |metric| {
            metric.with_label_values(&[&*self.upstream, reason])
        });
    }

    /// A request was sent once more.
    pub fn retried(&self) {
        self.retries
            .add((), 1, |metric| metric.with_label_values(&[&*self.upstream]));
    }

    /// An endpoint was asked for a connection once more.
    pub fn connect_retried(&self) {
        self.connect_retries
            .add((), 1, |metric| metric.with_label_values(&[&*self.upstream]));
    }

    /// Whether there was anything.
    pub(super) fn add_up(&self) -> bool {
        self.connections.add_up()
            | self.failures.add_up()
            | self.retries.add_up()
            | self.connect_retries.add_up()
    }
}
