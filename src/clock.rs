//! The clock on the wall, in the one form that certificates, tokens and logs are compared with, and the clock of this
//! machine, read once for all that happens in one moment. Waits for nothing.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

thread_local! {
    static MOMENT: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// What has been read of both clocks since the moment began.
#[derive(Clone, Copy, Default)]
struct Moment {
    now: Option<Instant>,
    seconds: Option<u64>,
}

/// Seconds since 1970; 0 before, which whoever judges by it takes for "everything has expired".
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

/// The same, to be compared with times that may lie before 1970.
pub fn signed_seconds() -> i64 {
    i64::try_from(seconds()).unwrap_or(i64::MAX)
}

/// A time as RFC 3339 in UTC; the number itself where no calendar has it.
pub fn rfc3339(seconds: i64) -> String {
    let text = time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| {
            time.format(&time::format_description::well_known::Rfc3339)
                .ok()
        });
    text.unwrap_or_else(|| seconds.to_string())
}

/// The time now. Within [`one_moment`], the time at which it was first asked for.
pub fn now() -> Instant {
    read(|moment| &mut moment.now, Instant::now)
}

/// Runs what is over soon, as one poll of a task is, with each clock standing still from when it is first read: one poll
/// asks for the time in many places, and reading the clock costs more than most of what is done there.
pub fn one_moment<T>(act: impl FnOnce() -> T) -> T {
    /// Also a panic ends the moment.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            MOMENT.set(None);
        }
    }
    if MOMENT.get().is_some() {
        return act();
    }
    MOMENT.set(Some(Moment::default()));
    let _end = End;
    act()
}

fn read<T: Copy>(part: impl FnOnce(&mut Moment) -> &mut Option<T>, clock: impl FnOnce() -> T) -> T {
    let Some(mut moment) = MOMENT.get() else {
        return clock();
    };
    let read = *part(&mut moment).get_or_insert_with(clock);
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
    fn time_stands_still_within_a_moment_and_goes_on_behind_it() {
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
