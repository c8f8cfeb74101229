//! Activity of an HTTP/2 connection: its open requests, how long it has been idle, and clients that stop reading a response.
//! Closes no connection.

use crate::clock;
use crate::listener::IdleWatch;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// Time that an idle client has to notice that the connection ends.
pub(super) const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Open requests and watched responses of a connection.
pub(super) struct Activity {
    open_requests: AtomicUsize,
    created: Instant,
    idle: IdleWatch,
    /// Milliseconds from `created` to the end of the last request.
    idle_since: AtomicU64,
    responses: Mutex<WatchedResponses>,
    /// Notified when a response must be checked sooner than planned.
    check_sooner: Notify,
}

/// Responses with an idle timeout.
#[derive(Default)]
struct WatchedResponses {
    timers: Vec<Weak<StallTimer>>,
    /// Time between checks. `None` without responses.
    interval: Option<Duration>,
}

impl Activity {
    /// The activity of a connection without requests.
    pub(super) fn new(idle: IdleWatch) -> Self {
        let created = now();
        idle.becomes_idle(created);
        Self {
            open_requests: AtomicUsize::new(0),
            created,
            idle,
            idle_since: AtomicU64::new(0),
            responses: Mutex::default(),
            check_sooner: Notify::new(),
        }
    }

    pub(super) fn request_begins(&self) {
        self.open_requests.fetch_add(1, Ordering::Relaxed);
        self.idle.becomes_busy();
    }

    pub(super) fn request_ends(&self) {
        let now = now();
        self.idle_since.store(
            milliseconds(now.saturating_duration_since(self.created)),
            Ordering::Relaxed,
        );
        if self.open_requests.fetch_sub(1, Ordering::Release) == 1 {
            self.idle.becomes_idle(now);
        }
    }

    /// Ends when the connection is evicted for a new one.
    pub(super) async fn evicted(&self) {
        poll_fn(|context| self.idle.poll_evicted(context)).await;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open_requests.load(Ordering::Acquire) == 0
    }

    /// Ends when no request has been open for the timeout.
    pub(super) async fn idle_for(&self, timeout: Duration) {
        loop {
            let now = now();
            let since = match self.open_requests.load(Ordering::Acquire) {
                0 => self.created + Duration::from_millis(self.idle_since.load(Ordering::Relaxed)),
                _ => now,
            };
            if since + timeout <= now {
                return;
            }
            sleep_until(since + timeout).await;
        }
    }

    /// Ends when the grace period of an idle client is over. A request that began during it is finished first.
    pub(super) async fn close_grace_over(&self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => {
                sleep_until(deadline).await;
                while !self.is_idle() {
                    sleep(CLOSE_GRACE).await;
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Watches a response for as long as the timer is held. At first the response waits for the client.
    pub(super) fn watch(&self, idle_timeout: Duration) -> Arc<StallTimer> {
        let timer = Arc::new(StallTimer::new(idle_timeout));
        let mut responses = self.lock();
        if responses.timers.len() == responses.timers.capacity() {
            // Remove the timers of ended responses, which accumulate between two checks.
            responses.timers.retain(|timer| timer.strong_count() > 0);
        }
        responses.timers.push(Arc::downgrade(&timer));
        if responses
            .interval
            .is_none_or(|interval| timer.interval() < interval)
        {
            self.check_sooner.notify_one();
        }
        timer
    }

    /// Ends when the client has taken no byte of a response for longer than that response's idle timeout.
    pub(super) async fn client_stalled(&self) {
        loop {
            match self.check_stalls() {
                StallCheck::Stalled => return,
                StallCheck::NoResponses => self.check_sooner.notified().await,
                StallCheck::After(interval) => tokio::select! {
                    () = sleep(interval) => {}
                    () = self.check_sooner.notified() => {}
                },
            }
        }
    }

    fn check_stalls(&self) -> StallCheck {
        let mut responses = self.lock();
        let mut stalled = false;
        let mut interval = None;
        responses.timers.retain(|timer| {
            let Some(timer) = timer.upgrade() else {
                return false;
            };
            stalled |= timer.client_stalled();
            interval = Some(interval.map_or(timer.interval(), |interval: Duration| {
                interval.min(timer.interval())
            }));
            true
        });
        responses.interval = interval;
        match interval {
            _ if stalled => StallCheck::Stalled,
            Some(interval) => StallCheck::After(interval),
            None => StallCheck::NoResponses,
        }
    }

    fn lock(&self) -> MutexGuard<'_, WatchedResponses> {
        self.responses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a check of all watched responses.
enum StallCheck {
    Stalled,
    After(Duration),
    NoResponses,
}

/// Measures how long a response has been waiting for the client. It can also wait for the upstream.
pub(super) struct StallTimer {
    created: Instant,
    /// Milliseconds from `created` until the response began to wait for the client, or [`Self::UPSTREAM`].
    client_since: AtomicU64,
    idle_timeout: Duration,
}

impl StallTimer {
    const UPSTREAM: u64 = u64::MAX;

    fn new(idle_timeout: Duration) -> Self {
        Self {
            created: now(),
            client_since: AtomicU64::new(0),
            idle_timeout,
        }
    }

    pub(super) fn waits_for_client(&self) {
        self.client_since
            .store(milliseconds_since(self.created), Ordering::Relaxed);
    }

    pub(super) fn waits_for_upstream(&self) {
        self.client_since.store(Self::UPSTREAM, Ordering::Relaxed);
    }

    fn client_stalled(&self) -> bool {
        match self.client_since.load(Ordering::Relaxed) {
            Self::UPSTREAM => false,
            since => {
                elapsed(self.created).saturating_sub(Duration::from_millis(since))
                    > self.idle_timeout
            }
        }
    }

    /// Time between checks: a stall is noticed late by at most a quarter of the timeout or 5 s.
    fn interval(&self) -> Duration {
        (self.idle_timeout / 4).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }
}

fn milliseconds_since(created: Instant) -> u64 {
    milliseconds(elapsed(created))
}

fn elapsed(created: Instant) -> Duration {
    now().saturating_duration_since(created)
}

fn now() -> Instant {
    clock::now().into()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
