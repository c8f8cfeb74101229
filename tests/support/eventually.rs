//! Waiting for a condition with a deadline; no test sleeps and hopes.

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
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
