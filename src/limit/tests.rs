//! Tests of limiters: with a clock that is told, against the library's own limiter and against a list of what passed.

use super::*;
use crate::config::RequestRate;
use governor::clock::FakeRelativeClock;
use proptest::prelude::*;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

const MIDNIGHT: u64 = 20_000 * 24 * 3600;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn rate(requests: u32, seconds: u64, burst: u32) -> Rate {
    let rate = RequestRate {
        requests: number(requests),
        window: Duration::from_secs(seconds),
    };
    Rate {
        rate,
        burst: number(burst),
    }
}

fn rated(rate: Rate) -> Bounds {
    Bounds {
        rate: Some(rate),
        ..Bounds::default()
    }
}

fn concurrent(most: u32) -> Bounds {
    Bounds {
        concurrency: Some(number(most)),
        ..Bounds::default()
    }
}

fn quota(most: u32) -> Bounds {
    Bounds {
        daily_quota: Some(number(most)),
        ..Bounds::default()
    }
}

/// Takes and keeps at a moment of the rate's clock.
fn passes(limiter: &Limiter, at: Instant) -> Result<Option<ConcurrencyGuard>, LimitExceeded> {
    limiter.take(at, || MIDNIGHT).map(LimiterReservation::keep)
}

#[test]
fn a_burst_passes_at_once_and_then_as_many_as_the_rate_allows() {
    let start = Instant::now();
    let limiter = Limiter::new(rated(rate(10, 1, 3)), None, start);
    for _ in 0..3 {
        assert!(passes(&limiter, start).is_ok());
    }
    let refused = passes(&limiter, start).err();
    assert_eq!(
        refused,
        Some(LimitExceeded::Rate {
            rate: rate(10, 1, 3),
            wait: Duration::from_millis(100)
        })
    );
    assert!(passes(&limiter, start + Duration::from_millis(99)).is_err());
    assert!(
        passes(&limiter, start + Duration::from_millis(100)).is_ok(),
        "as long as was said"
    );
    assert!(passes(&limiter, start + Duration::from_millis(100)).is_err());
    let later = start + Duration::from_secs(3600);
    assert_eq!(
        (0..10).filter(|_| passes(&limiter, later).is_ok()).count(),
        3,
        "silence saves up no more than a burst"
    );
}

#[test]
fn a_request_older_than_the_limiter_is_counted_at_its_start() {
    let start = Instant::now();
    let limiter = Limiter::new(
        rated(rate(1, 3600, 1)),
        None,
        start + Duration::from_secs(1),
    );
    assert!(passes(&limiter, start).is_ok());
    assert!(passes(&limiter, start).is_err());
}

#[test]
fn as_many_are_under_way_as_may_be_and_each_that_ends_makes_room() {
    let start = Instant::now();
    let limiter = Limiter::new(concurrent(2), None, start);
    let first = passes(&limiter, start).unwrap();
    let second = passes(&limiter, start).unwrap();
    assert_eq!(
        passes(&limiter, start).err(),
        Some(LimitExceeded::Concurrency { most: number(2) })
    );
    drop(first);
    let third = passes(&limiter, start).unwrap();
    assert!(passes(&limiter, start).is_err());
    drop((second, third));
    assert!(passes(&limiter, start).is_ok());
}

#[test]
fn a_quota_holds_until_midnight_and_a_clock_that_is_set_back_gives_none_anew() {
    let start = Instant::now();
    let limiter = Limiter::new(quota(2), None, start);
    let at = |seconds: u64| {
        limiter
            .take(start, || seconds)
            .map(|taken| drop(taken.keep()))
    };
    assert!(at(MIDNIGHT - 90).is_ok());
    assert!(at(MIDNIGHT - 60).is_ok());
    let over = |seconds| {
        Err(LimitExceeded::Quota {
            most: number(2),
            wait: Duration::from_secs(seconds),
        })
    };
    assert_eq!(at(MIDNIGHT - 1), over(1));
    assert!(at(MIDNIGHT).is_ok());
    assert!(at(MIDNIGHT - 1).is_ok(), "of the new day");
    assert_eq!(at(0), over(24 * 3600));
    assert_eq!(at(MIDNIGHT), over(24 * 3600));
    assert!(at(u64::MAX).is_ok(), "at any time");
}

#[test]
fn what_is_not_kept_goes_back() {
    let start = Instant::now();
    let bounds = Bounds {
        concurrency: Some(number(1)),
        daily_quota: Some(number(1)),
        ..rated(rate(1, 3600, 1))
    };
    let limiter = Limiter::new(bounds, None, start);
    for _ in 0..5 {
        drop(limiter.take(start, || MIDNIGHT).unwrap());
    }
    assert!(passes(&limiter, start).is_ok());
    assert!(passes(&limiter, start).is_err());
}

#[test]
fn a_request_denied_by_one_limit_uses_none_of_the_others() {
    let start = Instant::now();
    let bounds = Bounds {
        concurrency: Some(number(1)),
        daily_quota: Some(number(2)),
        ..rated(rate(1, 1, 1))
    };
    let limiter = Limiter::new(bounds, None, start);
    let second = |second: u64| start + Duration::from_secs(second);
    let held = passes(&limiter, start).unwrap();
    assert!(matches!(
        passes(&limiter, second(5)),
        Err(LimitExceeded::Concurrency { .. })
    ));
    drop(held);
    assert!(
        passes(&limiter, second(5)).is_ok(),
        "the rate was not touched"
    );
    for _ in 0..5 {
        assert!(matches!(
            passes(&limiter, second(5)),
            Err(LimitExceeded::Rate { .. })
        ));
    }
    for _ in 0..5 {
        assert!(
            matches!(
                passes(&limiter, second(9)),
                Err(LimitExceeded::Quota { .. })
            ),
            "neither place nor rate was lost"
        );
    }
}

#[test]
fn a_take_followed_by_another_is_not_given_back() {
    let start = Instant::now();
    let limiter = Limiter::new(rated(rate(1, 1, 2)), None, start);
    let given_back = limiter.take(start, || MIDNIGHT).unwrap();
    assert!(passes(&limiter, start).is_ok());
    drop(given_back);
    assert!(
        passes(&limiter, start).is_err(),
        "better one too few than one too many"
    );
}

#[test]
fn a_limiter_with_unchanged_bounds_is_the_same_one() {
    let start = Instant::now();
    let limiter = Limiter::new(rated(rate(1, 1, 1)), None, start);
    assert!(Arc::ptr_eq(
        &limiter,
        &Limiter::new(rated(rate(1, 1, 1)), Some(&limiter), start)
    ));
}

#[test]
fn other_numbers_go_on_with_what_is_in_use_and_another_rate_begins_anew() {
    let start = Instant::now();
    let both = |most, rate| Bounds {
        daily_quota: Some(number(3)),
        ..Bounds {
            rate: Some(rate),
            ..concurrent(most)
        }
    };
    let first = Limiter::new(both(2, rate(1, 3600, 1)), None, start);
    let held = passes(&first, start).unwrap();
    let second = Limiter::new(both(1, rate(1, 3600, 1)), Some(&first), start);
    assert!(
        matches!(
            passes(&second, start),
            Err(LimitExceeded::Concurrency { .. })
        ),
        "one is under way since before"
    );
    drop(held);
    assert!(
        matches!(passes(&second, start), Err(LimitExceeded::Rate { .. })),
        "the same rate goes on"
    );
    let third = Limiter::new(both(1, rate(1, 3600, 2)), Some(&second), start);
    assert!(passes(&third, start).is_ok());
    assert!(passes(&third, start).is_ok());
    let fourth = Limiter::new(both(1, rate(1, 3600, 9)), Some(&third), start);
    assert!(
        matches!(passes(&fourth, start), Err(LimitExceeded::Quota { .. })),
        "three were today"
    );
}

#[test]
fn two_threads_together_get_no_more_than_one() {
    let start = Instant::now();
    let bounds = Bounds {
        concurrency: Some(number(700)),
        daily_quota: Some(number(900)),
        ..rated(rate(1, 3600, 800))
    };
    let limiter = Limiter::new(bounds, None, start);
    let held: Vec<_> = std::thread::scope(|scope| {
        let taking = || {
            (0..1000)
                .filter_map(|_| passes(&limiter, start).ok())
                .collect::<Vec<_>>()
        };
        let threads = [scope.spawn(taking), scope.spawn(taking)];
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(held.len(), 700);
    drop(held);
    assert_eq!(
        (0..1000)
            .filter(|_| passes(&limiter, start).is_ok())
            .count(),
        100,
        "of the rate"
    );
}

proptest! {
    /// In any period at most the burst plus the rate passes, also if tokens are given back in between.
    #[test]
    fn never_more_pass_than_burst_and_rate(
        requests in 1u32..50, seconds in 1u64..10, burst in 1u32..20,
        steps in proptest::collection::vec((0u64..400, any::<bool>()), 1..300),
    ) {
        let start = Instant::now();
        let rate = rate(requests, seconds, burst);
        let limiter = Limiter::new(rated(rate), None, start);
        let (mut at, mut passed) = (Duration::ZERO, Vec::new());
        for (wait, is_kept) in steps {
            at += Duration::from_millis(wait);
            let Ok(taken) = limiter.take(start + at, || MIDNIGHT) else { continue };
            if is_kept {
                drop(taken.keep());
                passed.push(at);
            }
        }
        for (first, begin) in passed.iter().enumerate() {
            for (last, end) in passed.iter().enumerate().skip(first) {
                let most = u128::from(burst)
                    + (*end - *begin).as_nanos() * u128::from(requests) / (u128::from(seconds) * 1_000_000_000);
                prop_assert!((last - first + 1) as u128 <= most, "{} in {:?}", last - first + 1, *end - *begin);
            }
        }
    }

    /// A bucket decides as the library's own limiter does, which has its own state and its own clock.
    #[test]
    fn a_bucket_is_the_librarys_limiter(
        requests in 1u32..1_000_000, seconds in prop::sample::select(vec![1u64, 60, 3600]), burst in 1u32..1_000_000,
        steps in proptest::collection::vec((0u64..10_000_000_000, 1usize..5), 1..100),
    ) {
        let rate = rate(requests, seconds, burst);
        let (clock, start) = (FakeRelativeClock::default(), Instant::now());
        let quota = governor::Quota::with_period(rate.period()).unwrap().allow_burst(number(burst));
        let theirs = governor::RateLimiter::direct_with_clock(quota, clock.clone());
        let ours = Limiter::new(rated(rate), None, start);
        let mut at = Duration::ZERO;
        // Their state says "nothing was taken" by 0, which is also its beginning; ours begins behind it.
        for (wait, times) in std::iter::once((1, 1)).chain(steps) {
            clock.advance(Duration::from_nanos(wait));
            at += Duration::from_nanos(wait);
            for _ in 0..times {
                prop_assert_eq!(passes(&ours, start + at).is_ok(), theirs.check().is_ok());
            }
        }
    }

    /// What is refused says when to come again, and then it passes.
    #[test]
    fn a_client_that_waits_for_retry_after_passes(requests in 1u32..1_000_000, burst in 1u32..50, at in 0u64..1_000_000_000) {
        let start = Instant::now();
        let limiter = Limiter::new(rated(rate(requests, 3600, burst)), None, start);
        let at = start + Duration::from_nanos(at);
        let wait = loop {
            match passes(&limiter, at) {
                Ok(_) => {}
                Err(LimitExceeded::Rate { wait, .. }) => break wait,
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        };
        prop_assert!(wait > Duration::ZERO);
        prop_assert!(passes(&limiter, at + wait - Duration::from_nanos(1)).is_err());
        prop_assert!(passes(&limiter, at + wait).is_ok());
    }
}
