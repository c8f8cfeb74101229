//! The metric series of one route, listener or upstream on one thread. A series resolves each label
//! set only once.

use super::Metrics;
use crate::reason::{DecisionReason, EndReason, Reason};
use prometheus::core::{AtomicU64, GenericLocalCounter};
use prometheus::local::LocalHistogram;
use prometheus::{IntCounter, IntCounterVec};
use std::cell::{Cell, RefCell};

type LocalCounter = GenericLocalCounter<AtomicU64>;

/// When counts are added to the shared metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// When the metrics are scraped.
    OnScrape,
    /// Immediately: the thread has no task that responds to scrapes.
    Immediate,
}

/// A label value from the gateway's own vocabulary.
type Word = &'static str;

/// Children of one metric, resolved on first use. They are few, so a linear search finds them.
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
        let existing = known.iter().find(|(of, _)| *of == key);
        match existing {
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
            Timing::OnScrape => self.counted.set(true),
            Timing::Immediate => counter.flush(),
        }
    }
}

impl<K> Children<K> {
    /// Adds the counts to the shared metrics. Returns whether there were any.
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
    decisions: Children<(Word, DecisionReason)>,
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

    /// Counts a response with its status and duration in seconds.
    pub fn answered(&self, status: u16, seconds: f64) {
        self.answers.add(status, 1, |requests| {
            requests.with_label_values(&[
                &*self.listener,
                &*self.route,
                status.to_string().as_str(),
            ])
        });
        self.durations.observe(seconds);
        if self.timing == Timing::Immediate {
            self.durations.flush();
        }
    }

    /// Counts a decision on a request of the route.
    pub fn decided(&self, decision: &'static str, reason: DecisionReason) {
        count_decision(&self.decisions, &self.listener, decision, reason);
    }

    /// Adds the counts to the shared metrics. Returns whether there were any.
    pub(super) fn add_up(&self) -> bool {
        self.durations.flush();
        // Not `||`: both must be added.
        self.answers.add_up() | self.decisions.add_up()
    }
}

impl Drop for RouteSeries {
    fn drop(&mut self) {
        self.durations.flush();
    }
}

fn count_decision(
    decisions: &Children<(Word, DecisionReason)>,
    listener: &str,
    decision: Word,
    reason: DecisionReason,
) {
    decisions.add((decision, reason), 1, |metric| {
        metric.with_label_values(&[listener, decision, reason.word()])
    });
}

/// The series of one listener, for all routes.
pub struct ListenerSeries {
    listener: Box<str>,
    received: Children<()>,
    sent: Children<()>,
    copied: Children<()>,
    cut: Children<EndReason>,
    withdrawn: Children<(Word, Reason)>,
    limited: Children<Reason>,
    decisions: Children<(Word, DecisionReason)>,
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
        }
    }

    /// Counts body bytes received from and sent to a client.
    pub fn moved(&self, request_bytes: u64, response_bytes: u64) {
        let resolve = |metric: &IntCounterVec| metric.with_label_values(&[&*self.listener]);
        self.received.add((), request_bytes, resolve);
        self.sent.add((), response_bytes, resolve);
    }

    /// Counts body bytes that the gateway copied in memory.
    pub fn copied(&self, bytes: u64) {
        self.copied.add((), bytes, |metric| {
            metric.with_label_values(&[&*self.listener])
        });
    }

    /// Counts a response that ended early.
    pub fn cut(&self, reason: EndReason) {
        self.cut.add(reason, 1, |metric| {
            metric.with_label_values(&[&*self.listener, reason.word()])
        });
    }

    /// Counts an exchange or connection that was closed because its permission was withdrawn.
    /// `kind` is `tunnel`, `stream` or `connection`.
    pub fn withdrawn(&self, kind: &'static str, reason: Reason) {
        let labels = [&*self.listener, kind, reason.word()];
        self.withdrawn.add((kind, reason), 1, |metric| {
            metric.with_label_values(&labels)
        });
    }

    /// Counts a permitted request that exceeded a limit.
    pub fn limited(&self, reason: Reason) {
        self.limited.add(reason, 1, |metric| {
            metric.with_label_values(&[&*self.listener, reason.word()])
        });
    }

    /// Counts the decision on a request without a route.
    pub fn decided(&self, decision: &'static str, reason: DecisionReason) {
        count_decision(&self.decisions, &self.listener, decision, reason);
    }

    /// Adds the counts to the shared metrics. Returns whether there were any.
    pub(super) fn add_up(&self) -> bool {
        self.received.add_up()
            | self.sent.add_up()
            | self.copied.add_up()
            | self.cut.add_up()
            | self.withdrawn.add_up()
            | self.limited.add_up()
            | self.decisions.add_up()
    }
}

/// The series of one upstream.
pub struct UpstreamSeries {
    upstream: Box<str>,
    connections: Children<Word>,
    failures: Children<Reason>,
    retries: Children<()>,
    connect_retries: Children<()>,
    denied_retries: Children<()>,
}

impl UpstreamSeries {
    pub(super) fn new(metrics: &Metrics, upstream: &str, timing: Timing) -> Self {
        Self {
            upstream: upstream.into(),
            connections: Children::new(&metrics.upstream_connections, timing),
            failures: Children::new(&metrics.upstream_failures, timing),
            retries: Children::new(&metrics.upstream_retries, timing),
            connect_retries: Children::new(&metrics.upstream_connect_retries, timing),
            denied_retries: Children::new(&metrics.upstream_retries_denied, timing),
        }
    }

    /// Counts a request on a connection; `origin` is `new` or `pooled`.
    pub fn connection_used(&self, origin: &'static str) {
        self.connections.add(origin, 1, |metric| {
            metric.with_label_values(&[&*self.upstream, origin])
        });
    }

    /// Counts a request without a response.
    pub fn failed(&self, reason: Reason) {
        self.failures.add(reason, 1, |metric| {
            metric.with_label_values(&[&*self.upstream, reason.word()])
        });
    }

    /// Counts a retried request.
    pub fn retried(&self) {
        self.retries
            .add((), 1, |metric| metric.with_label_values(&[&*self.upstream]));
    }

    /// Counts a retry on another endpoint that the retry budget did not permit.
    pub fn retry_denied(&self) {
        self.denied_retries
            .add((), 1, |metric| metric.with_label_values(&[&*self.upstream]));
    }

    /// Counts a retried connect.
    pub fn connect_retried(&self) {
        self.connect_retries
            .add((), 1, |metric| metric.with_label_values(&[&*self.upstream]));
    }

    /// Adds the counts to the shared metrics. Returns whether there were any.
    pub(super) fn add_up(&self) -> bool {
        self.connections.add_up()
            | self.failures.add_up()
            | self.retries.add_up()
            | self.connect_retries.add_up()
            | self.denied_retries.add_up()
    }
}
