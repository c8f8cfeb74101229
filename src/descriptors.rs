//! The budget of the process's file descriptors: the limit, its shares, and the number in use.
//!
//! Descriptors belong to the process, so the shares are statics. Shares are unlimited until [`Budget::activate`], which
//! only `run` calls.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Upper bound to which the soft limit is raised. The kernel's table grows with the highest descriptor in use, so a higher
/// number costs nothing, but gains nothing either.
const HIGHEST_LIMIT: u64 = 1 << 20;
/// Connections to the admin listener that are open at once.
pub const ADMIN_CONNECTIONS: usize = 32;
/// Connections to the metrics listener that are open at once.
pub const METRICS_CONNECTIONS: usize = 32;
/// Revocation lists and token keys that are fetched at once.
pub const FETCHES: usize = 8;
/// Idle connections that were asked to close and are not closed yet.
pub const GIVING_WAY: usize = 16;
/// Descriptors of one DNS lookup: a socket and a file, beside the connection that it is for.
pub const LOOK_UP: usize = 2;
/// Files of a load, rotated logs, watched folders.
const FILES: usize = 32;
/// Standard streams, logs, signals, the control runtime and the file watch.
const PROCESS: usize = 24;
/// Event queue, wake-up, and a connection that is accepted and not counted yet.
const EACH_WORKER: usize = 5;
/// Each worker has its own socket of each listener, and a duplicate of it.
const EACH_SOCKET: usize = 2;
/// The smallest share with which the gateway starts.
const SMALLEST_SHARE: usize = 16;

/// Client connections of all listeners.
pub static CLIENTS: DescriptorShare = DescriptorShare::unlimited();
/// Connections to upstreams and authorizers, active and pooled.
pub static UPSTREAMS: DescriptorShare = DescriptorShare::unlimited();

static SOFT_AT_START: AtomicU64 = AtomicU64::new(0);
static LIMIT: AtomicU64 = AtomicU64::new(0);
static RESERVE: AtomicUsize = AtomicUsize::new(0);

/// The descriptors for one purpose: limit, use and refusals. Counted per connection, never per request. Aligned to a cache
/// line of its own (128 bytes, since processors fetch lines in pairs).
#[derive(Debug)]
#[repr(align(128))]
pub struct DescriptorShare {
    limit: AtomicUsize,
    used: AtomicUsize,
    refused: AtomicU64,
}

/// A descriptor taken from a share until this is dropped. Drop it after the socket that it stands for.
#[derive(Debug)]
#[must_use = "the descriptor is given back at once"]
pub struct Descriptor(&'static DescriptorShare);

impl DescriptorShare {
    const fn unlimited() -> Self {
        Self {
            limit: AtomicUsize::new(usize::MAX),
            used: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes a descriptor. `None` if none is left, which counts as a rejection.
    pub fn take(&'static self) -> Option<Descriptor> {
        let descriptor = self.take_for_another(0);
        if descriptor.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        descriptor
    }

    /// As [`Self::take`], up to `beyond` above the limit, and without counting a rejection: in place of a connection that was asked
    /// to close and may still be open.
    pub fn take_for_another(&'static self, beyond: usize) -> Option<Descriptor> {
        let before = self.used.fetch_add(1, Ordering::Relaxed);
        let descriptor = Descriptor(self);
        (before < self.limit().saturating_add(beyond)).then_some(descriptor)
    }

    /// Maximum number at once; `usize::MAX` without a limit.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Number of descriptors in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Number of refusals.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether at least seven eighths are in use. Idle connections are not pooled then.
    pub fn is_nearly_used_up(&self) -> bool {
        let limit = self.limit();
        self.used() >= limit - limit / 8
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The soft limit before and after [`raise_limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaisedLimit {
    /// The soft limit that the process was started with.
    pub at_start: u64,
    /// The soft limit now.
    pub now: u64,
}

/// Raises the soft limit to the hard limit, but not above about a million.
///
/// # Errors
/// If the limits cannot be read. A limit that cannot be raised stays as it is.
pub fn raise_limit() -> nix::Result<RaisedLimit> {
    let (at_start, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let target = hard.min(HIGHEST_LIMIT).max(at_start);
    let raised = target == at_start || setrlimit(Resource::RLIMIT_NOFILE, target, hard).is_ok();
    let limit = RaisedLimit {
        at_start,
        now: if raised { target } else { at_start },
    };
    SOFT_AT_START.store(limit.at_start, Ordering::Relaxed);
    LIMIT.store(limit.now, Ordering::Relaxed);
    Ok(limit)
}

/// The holders of descriptors among which a limit is divided.
#[derive(Clone, Copy, Debug)]
pub struct Holders {
    /// Descriptors open at the start of the process: standard streams and inherited ones.
    pub inherited: usize,
    /// Worker threads.
    pub workers: usize,
    /// Listeners for clients.
    pub listeners: usize,
}

/// A limit divided into shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For client connections.
    pub clients: usize,
    /// For connections to upstreams and authorizers.
    pub upstreams: usize,
    /// For everything else.
    pub reserve: usize,
}

/// The limit leaves too little for connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{limit} file descriptors are too few, at least {needed} are needed: raise the hard limit (`ulimit -Hn`, or \
     `LimitNOFILE=` of systemd), or run fewer workers or listeners"
)]
pub struct TooFewDescriptors {
    /// The limit.
    pub limit: u64,
    /// The lowest sufficient limit.
    pub needed: usize,
}

impl Budget {
    /// Divides a limit: the reserve goes first, and clients and upstreams get half of the rest each.
    ///
    /// # Errors
    /// [`TooFewDescriptors`]
    pub fn divide(limit: u64, holders: Holders) -> Result<Self, TooFewDescriptors> {
        let Holders {
            inherited,
            workers,
            listeners,
        } = holders;
        let sockets = workers
            .saturating_mul(listeners)
            .saturating_mul(EACH_SOCKET);
        // A reload may bind all listeners anew while the old ones are still open.
        let running = sockets
            .saturating_mul(2)
            .saturating_add(workers.saturating_mul(EACH_WORKER));
        let fixed = ADMIN_CONNECTIONS
            + METRICS_CONNECTIONS
            + FETCHES * (1 + LOOK_UP)
            + GIVING_WAY
            + FILES
            + PROCESS;
        let reserve = inherited.saturating_add(running).saturating_add(fixed);
        let left = usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .saturating_sub(reserve);
        if left < 2 * SMALLEST_SHARE {
            return Err(TooFewDescriptors {
                limit,
                needed: reserve.saturating_add(2 * SMALLEST_SHARE),
            });
        }
        Ok(Self {
            clients: left - left / 2,
            upstreams: left / 2,
            reserve,
        })
    }

    /// Activates the limits. Descriptors in use beyond a limit stay in use.
    pub fn activate(self) {
        CLIENTS.limit.store(self.clients, Ordering::Relaxed);
        UPSTREAMS.limit.store(self.upstreams, Ordering::Relaxed);
        RESERVE.store(self.reserve, Ordering::Relaxed);
    }
}

/// Polls `take` until it returns a value. `None` after the deadline. For descriptors that are freed by closing a connection,
/// of which there is no notification.
pub async fn taken_before<T>(deadline: Instant, take: impl Fn() -> Option<T>) -> Option<T> {
    const POLL_INTERVAL: Duration = Duration::from_millis(2);
    loop {
        let taken = take();
        if taken.is_some() || Instant::now() >= deadline {
            return taken;
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Number of open descriptors of this process. `None` if the system does not tell.
pub fn open() -> Option<usize> {
    // One of them is the descriptor of the folder itself.
    std::fs::read_dir("/proc/self/fd")
        .ok()
        .map(|entries| entries.count().saturating_sub(1))
}

/// The active limits, for metrics and `/status`.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorFacts {
    /// The soft limit that the process was started with.
    pub soft_at_start: u64,
    /// The soft limit now. 0 if the limit was never raised.
    pub limit: u64,
    /// Descriptors for everything that is neither client nor upstream.
    pub reserve: usize,
}

/// The active limits.
pub fn facts() -> DescriptorFacts {
    DescriptorFacts {
        soft_at_start: SOFT_AT_START.load(Ordering::Relaxed),
        limit: LIMIT.load(Ordering::Relaxed),
        reserve: RESERVE.load(Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(limit: usize) -> &'static DescriptorShare {
        let share = Box::leak(Box::new(DescriptorShare::unlimited()));
        share.limit.store(limit, Ordering::Relaxed);
        share
    }

    #[test]
    fn a_share_gives_what_it_has_and_takes_it_back() {
        let share = share(2);
        let taken = [share.take(), share.take()];
        assert!(taken.iter().all(Option::is_some) && share.take().is_none());
        assert_eq!((share.used(), share.refused()), (2, 1));
        drop(taken);
        assert_eq!(share.used(), 0);
        assert!(share.take().is_some());
    }

    #[test]
    fn a_replacement_may_exceed_the_limit_by_the_given_number() {
        let share = share(1);
        let _held = share.take().unwrap();
        let beyond: Vec<_> = (0..2).map(|_| share.take_for_another(2)).collect();
        assert!(beyond.iter().all(Option::is_some));
        assert!(share.take_for_another(2).is_none() && share.take().is_none());
        assert_eq!(share.refused(), 1);
    }

    #[test]
    fn nothing_is_kept_when_an_eighth_or_less_is_left() {
        let share = share(16);
        let held: Vec<_> = (0..13).map(|_| share.take().unwrap()).collect();
        assert!(!share.is_nearly_used_up());
        let more = share.take().unwrap();
        assert!(share.is_nearly_used_up());
        drop((held, more));
        assert!(!super::tests::share(usize::MAX).is_nearly_used_up());
    }

    #[test]
    fn a_limit_of_1024_serves_hundreds_and_64_is_too_few() {
        let holders = Holders {
            inherited: 3,
            workers: 2,
            listeners: 1,
        };
        let budget = Budget::divide(1024, holders).unwrap();
        assert!(
            budget.clients > 350 && budget.upstreams > 350 && budget.reserve < 256,
            "{budget:?}"
        );
        let error = Budget::divide(64, holders).unwrap_err();
        assert!(Budget::divide(u64::try_from(error.needed).unwrap(), holders).is_ok());
        assert!(Budget::divide(u64::try_from(error.needed).unwrap() - 1, holders).is_err());
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(
            limit in 0u64..2_000_000,
            inherited in 0usize..100,
            workers in 1usize..200,
            listeners in 0usize..50,
        ) {
            let holders = Holders { inherited, workers, listeners };
            match Budget::divide(limit, holders) {
                Ok(Budget { clients, upstreams, reserve }) => {
                    prop_assert_eq!((clients + upstreams + reserve) as u64, limit);
                    prop_assert!(clients >= SMALLEST_SHARE && upstreams >= SMALLEST_SHARE);
                    prop_assert!(reserve > workers * listeners * EACH_SOCKET);
                }
                Err(error) => prop_assert!(limit < error.needed as u64),
            }
        }
    }
}
