//! Waiting for a condition with a deadline; no test sleeps and hopes.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Far above what anything here needs, so that only what is broken runs into it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Tries again and again until something is there.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Tries again and again until a value is what it should be. What counts or logs may do so after a client has its response.
pub fn eventually_is<T: PartialEq + Debug>(what: &str, expected: &T, mut read: impl FnMut() -> T) {
    let mut last = None;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let value = read();
        if value == *expected {
            return;
        }
        last = Some(value);
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited {PATIENCE:?} in vain: {what} is {last:?}, not {expected:?}");
}
