//! What a load counts, and the window of time in which it counts. CPU times are taken at both ends of the window, by
//! the load generator itself.

use super::Exchange;
use crate::histogram::Histogram;
use crate::usage::{Cpu, busy, cpu};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::time::{Duration, Instant};

/// How much longer a window may be until it holds at least one answer; on busy machines a short one may hold none.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// How long a fixed number of requests may take. Proxies are slow when their instructions are counted.
const COUNTED_DEADLINE: Duration = Duration::from_secs(300);

/// One measurement.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub struct Report {
    /// How long was counted.
    pub seconds: f64,
    /// Answers in that time.
    pub requests: u64,
    /// Requests without a good answer, warm-up included.
    pub failures: u64,
    /// Bytes of bodies, both directions.
    pub bytes: u64,
    /// Latency in microseconds.
    pub p50: f64,
    /// Latency in microseconds.
    pub p99: f64,
    /// CPU seconds of the proxy.
    pub proxy_cpu: f64,
    /// Of these, in the kernel (coarse).
    pub proxy_system: f64,
    /// CPU seconds of the upstream.
    pub upstream_cpu: f64,
    /// CPU seconds of the load generator.
    pub load_cpu: f64,
    /// Share of the proxy's core that was taken by others.
    pub foreign: f64,
    /// Bytes that the proxy holds for each idle connection.
    pub memory_each: f64,
}

/// Counts while a load runs.
pub struct Tally {
    /// Requests that may still begin; `None` if a time ends the load.
    left: Cell<Option<u64>>,
    requests: Cell<u64>,
    failures: Cell<u64>,
    bytes: Cell<u64>,
    latencies: RefCell<Histogram>,
}

impl Tally {
    /// Nothing yet. `limit` is how many requests may begin.
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            left: Cell::new(limit),
            requests: Cell::new(0),
            failures: Cell::new(0),
            bytes: Cell::new(0),
            latencies: RefCell::new(Histogram::new()),
        }
    }

    /// Whether another request may begin, which then counts.
    pub fn may_begin(&self) -> bool {
        match self.left.get() {
            None => true,
            Some(0) => false,
            Some(left) => {
                self.left.set(Some(left - 1));
                true
            }
        }
    }

    /// One answer has come.
    pub fn answered(&self, since: Instant) {
        self.requests.set(self.requests.get() + 1);
        self.latencies.borrow_mut().record(since.elapsed());
    }

    /// Part of a body has passed.
    pub fn passed(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// A request has failed; the first says why.
    pub fn failed(&self, error: &dyn Display) {
        if self.failures.get() == 0 {
            eprintln!("portcullis-bench load: {error}");
        }
        self.failures.set(self.failures.get() + 1);
    }

    /// Waits until all requests have their answers, or have failed.
    async fn all(&self, limit: u64) -> Report {
        let begun = Instant::now();
        while self.requests.get() + self.failures.get() < limit
            && begun.elapsed() < COUNTED_DEADLINE
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Report {
            seconds: begun.elapsed().as_secs_f64(),
            requests: self.requests.get(),
            failures: limit - self.requests.get(),
            bytes: self.bytes.get(),
            ..Report::default()
        }
    }

    /// Waits for the warm-up and then for the window, and tells what happened in it. Without a window, waits for all
    /// requests.
    pub async fn window(&self, exchange: &Exchange) -> Report {
        if let Some(limit) = exchange.requests {
            return self.all(limit).await;
        }
        tokio::time::sleep(Duration::from_secs_f64(exchange.warm_up)).await;
        let before = Sample::take(exchange);
        let (requests, bytes) = (self.requests.get(), self.bytes.get());
        *self.latencies.borrow_mut() = Histogram::new();
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_secs_f64(exchange.seconds)).await;
        while (requests, bytes) == (self.requests.get(), self.bytes.get())
            && begun.elapsed() < ANSWER_DEADLINE
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut report = Sample::take(exchange).since(&before);
        report.requests = self.requests.get() - requests;
        report.bytes = self.bytes.get() - bytes;
        report.failures = self.failures.get();
        report.p50 = self.latencies.borrow().quantile(0.5);
        report.p99 = self.latencies.borrow().quantile(0.99);
        report
    }
}

struct Sample {
    taken: Instant,
    proxy: Cpu,
    upstream: Cpu,
    load: Cpu,
    core: Duration,
}

impl Sample {
    fn take(exchange: &Exchange) -> Self {
        Self {
            taken: Instant::now(),
            proxy: exchange.proxy.map(cpu).unwrap_or_default(),
            upstream: exchange.upstream.map(cpu).unwrap_or_default(),
            load: cpu(std::process::id()),
            core: exchange.core.map(busy).unwrap_or_default(),
        }
    }

    fn since(&self, before: &Self) -> Report {
        let seconds = (self.taken - before.taken).as_secs_f64();
        let used = |now: Cpu, then: Cpu| now.total.saturating_sub(then.total);
        let proxy = used(self.proxy, before.proxy);
        let others = (self.core - before.core).saturating_sub(proxy);
        Report {
            seconds,
            proxy_cpu: proxy.as_secs_f64(),
            proxy_system: self
                .proxy
                .system
                .saturating_sub(before.proxy.system)
                .as_secs_f64(),
            upstream_cpu: used(self.upstream, before.upstream).as_secs_f64(),
            load_cpu: used(self.load, before.load).as_secs_f64(),
            foreign: others.as_secs_f64() / seconds,
            ..Report::default()
        }
    }
}
