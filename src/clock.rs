//! The wall clock in seconds, for certificates, tokens and logs, and the monotonic clock. Within [`one_moment`] each is read
//! once at most.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

thread_local! {
    static MOMENT: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// The values of both clocks, each read on first use within a moment.
#[derive(Clone, Copy, Default)]
struct Moment {
    now: Option<Instant>,
    seconds: Option<u64>,
}

/// Seconds since 1970. A clock before 1970 yields 0. Callers treat a time of 0 as "everything has expired".
pub fn seconds() -> u64 {
    read(
        |moment| &mut moment.seconds,
        || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
        },
    )
}

/// As [`seconds`], for comparison with times before 1970.
pub fn signed_seconds() -> i64 {
    i64::try_from(seconds()).unwrap_or(i64::MAX)
}

/// A time as RFC 3339 in UTC. A time outside the calendar's range is printed as its number.
pub fn rfc3339(seconds: i64) -> String {
    let text = time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| {
            time.format(&time::format_description::well_known::Rfc3339)
                .ok()
        });
    text.unwrap_or_else(|| seconds.to_string())
}

/// The monotonic time. Within [`one_moment`], the time of its first use.
pub fn now() -> Instant {
    read(|moment| &mut moment.now, Instant::now)
}

/// Runs a short action, such as one poll of a task, during which each clock keeps the value of its first reading. One poll
/// needs the time in many places, and reading a clock costs more than most of the work there.
pub fn one_moment<T>(act: impl FnOnce() -> T) -> T {
    /// Ends the moment, also on a panic.
    struct MomentEnd;
    impl Drop for MomentEnd {
        fn drop(&mut self) {
            MOMENT.set(None);
        }
    }
    if MOMENT.get().is_some() {
        return act();
    }
    MOMENT.set(Some(Moment::default()));
    let _end = MomentEnd;
    act()
}

fn read<T: Copy>(
    field: impl FnOnce(&mut Moment) -> &mut Option<T>,
    clock: impl FnOnce() -> T,
) -> T {
    let Some(mut moment) = MOMENT.get() else {
        return clock();
    };
    let read = *field(&mut moment).get_or_insert_with(clock);
    MOMENT.set(Some(moment));
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Until the clock has moved.
    fn wait() {
        let before = Instant::now();
        while Instant::now() == before {}
    }

    #[test]
    fn the_clock_is_constant_within_a_task_and_advances_after_it() {
        let outside = now();
        wait();
        let inside = one_moment(|| {
            let first = now();
            wait();
            let nested = one_moment(now);
            wait();
            assert_eq!((first, first), (nested, now()));
            assert_eq!(seconds(), seconds());
            first
        });
        assert!(outside < inside && inside < now());
        wait();
        assert!(one_moment(now) > inside, "another moment");
    }

    #[test]
    fn a_panic_ends_its_moment() {
        let inside =
            std::panic::catch_unwind(|| one_moment(|| std::panic::panic_any(now()))).unwrap_err();
        let inside = inside.downcast_ref::<Instant>().copied().unwrap();
        wait();
        assert!(now() > inside);
    }
}
