//! Whether requests are under way on a connection and since when not, and whether its client still takes the answers.
//! Closes nothing itself.

use crate::clock;
use crate::listener::IdleWatch;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// How long a client that is idle has for taking note that the connection ends.
pub(super) const GOODBYE: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Activity {
    under_way: AtomicUsize,
    begun: Instant,
    idle: IdleWatch,
    /// Milliseconds from `begun` to the end of the last request.
    idle_since: AtomicU64,
    answers: Mutex<Watched>,
    /// There is an answer that wants to be looked at sooner than was planned.
    sooner: Notify,
}

/// The answers whose client may not stall.
#[derive(Default)]
struct Watched {
    turns: Vec<Weak<Turn>>,
    /// How long until they are looked at again; `None` while there are none.
    pause: Option<Duration>,
}

impl Activity {
    /// Of a connection without a request.
    pub(super) fn new(idle: IdleWatch) -> Self {
        let begun = now();
        idle.becomes_idle(begun);
        Self {
            under_way: AtomicUsize::new(0),
            begun,
            idle,
            idle_since: AtomicU64::new(0),
            answers: Mutex::default(),
            sooner: Notify::new(),
        }
    }

    pub(super) fn request_begins(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.idle.becomes_busy();
    }

    pub(super) fn request_ends(&self) {
        let now = now();
        self.idle_since.store(
            milliseconds(now.saturating_duration_since(self.begun)),
            Ordering::Relaxed,
        );
        if self.under_way.fetch_sub(1, Ordering::Release) == 1 {
            self.idle.becomes_idle(now);
        }
    }

    /// Ends when the connection has to give way to a new one. Looked at with each turn of its task, which may have found the
    /// beginning of a request.
    pub(super) async fn told_to_give_way(&self, has_begun_request: impl Fn() -> bool) {
        poll_fn(|context| {
            if has_begun_request() {
                self.idle.becomes_busy();
            }
            self.idle.poll_evicted(context)
        })
        .await;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }

    /// Ends when no request has been under way for the timeout.
    pub(super) async fn idle_for(&self, timeout: Duration) {
        loop {
            let now = now();
            let since = match self.under_way.load(Ordering::Acquire) {
                0 => self.begun + Duration::from_millis(self.idle_since.load(Ordering::Relaxed)),
                _ => now,
            };
            if since + timeout <= now {
                return;
            }
            sleep_until(since + timeout).await;
        }
    }

    /// Ends when an idle client has had its time. A request that came at the last moment goes on.
    pub(super) async fn goodbye_over(&self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => {
                sleep_until(deadline).await;
                while !self.is_idle() {
                    sleep(GOODBYE).await;
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Watches an answer for as long as the turn is held. It begins as the client's.
    pub(super) fn watch(&self, idle_timeout: Duration) -> Arc<Turn> {
        let turn = Arc::new(Turn::new(idle_timeout));
        let mut answers = self.lock();
        if answers.turns.len() == answers.turns.capacity() {
            // Many short answers between two looks must not pile up.
            answers.turns.retain(|turn| turn.strong_count() > 0);
        }
        answers.turns.push(Arc::downgrade(&turn));
        if answers.pause.is_none_or(|pause| turn.pause() < pause) {
            self.sooner.notify_one();
        }
        turn
    }

    /// Ends when the client has taken nothing of some answer for longer than that answer's idle timeout.
    pub(super) async fn client_stalled(&self) {
        loop {
            match self.look() {
                Look::Stalled => return,
                Look::Nothing => self.sooner.notified().await,
                Look::Again(pause) => tokio::select! {
                    () = sleep(pause) => {}
                    () = self.sooner.notified() => {}
                },
            }
        }
    }

    fn look(&self) -> Look {
        let mut answers = self.lock();
        let (mut stalled, mut pause) = (false, None);
        answers.turns.retain(|turn| {
            let Some(turn) = turn.upgrade() else {
                return false;
            };
            stalled |= turn.client_stalled();
            pause = Some(pause.map_or(turn.pause(), |pause: Duration| pause.min(turn.pause())));
            true
        });
        answers.pause = pause;
        match pause {
            _ if stalled => Look::Stalled,
            Some(pause) => Look::Again(pause),
            None => Look::Nothing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Look {
    Stalled,
    Again(Duration),
    Nothing,
}

/// Whose turn it is to move an answer on: the upstream's to give, or the client's to take.
pub(super) struct Turn {
    begun: Instant,
    /// Milliseconds from `begun` to when the client's turn began.
    client_since: AtomicU64,
    idle_timeout: Duration,
}

impl Turn {
    const UPSTREAM: u64 = u64::MAX;

    fn new(idle_timeout: Duration) -> Self {
        Self {
            begun: now(),
            client_since: AtomicU64::new(0),
            idle_timeout,
        }
    }

    pub(super) fn is_the_clients(&self) {
        self.client_since
            .store(milliseconds_since(self.begun), Ordering::Relaxed);
    }

    pub(super) fn is_the_upstreams(&self) {
        self.client_since.store(Self::UPSTREAM, Ordering::Relaxed);
    }

    fn client_stalled(&self) -> bool {
        match self.client_since.load(Ordering::Relaxed) {
            Self::UPSTREAM => false,
            since => {
                elapsed(self.begun).saturating_sub(Duration::from_millis(since)) > self.idle_timeout
            }
        }
    }

    /// Often enough to be nearly punctual, seldom enough to cost nothing.
    fn pause(&self) -> Duration {
        (self.idle_timeout / 4).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }
}

fn milliseconds_since(begun: Instant) -> u64 {
    milliseconds(elapsed(begun))
}

fn elapsed(begun: Instant) -> Duration {
    now().saturating_duration_since(begun)
}

fn now() -> Instant {
    clock::now().into()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
