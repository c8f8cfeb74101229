//! How long a revocation list counts, and what the log says of one past its time. Judges no certificate.

use super::crl::Crl;
use crate::clock::rfc3339;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What happens with a list past its next update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StaleCrls {
    /// It says nothing any more, so nobody whom it covers gets in.
    #[default]
    Refuse,
    /// It still counts for so long.
    AllowFor(Duration),
    /// It counts for ever.
    Ignore,
}

impl StaleCrls {
    /// The last second in which a list counts.
    pub(super) fn until(self, crl: &Crl) -> i64 {
        match (self, crl.next_update) {
            (Self::Ignore, _) => i64::MAX,
            (_, None) => i64::MIN,
            (Self::Refuse, Some(due)) => due,
            (Self::AllowFor(grace), Some(due)) => {
                due.saturating_add(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX))
            }
        }
    }
}

/// Says that a list is past its time, and that it does not count any more: each once, since it comes with every client.
pub(super) fn log_age(crl: &Crl, now: i64, until: i64) {
    let level = u8::from(crl.next_update.is_none_or(|due| now > due)) + u8::from(now > until);
    if crl.said.fetch_max(level, Ordering::Relaxed) >= level {
        return;
    }
    let (issuer, due) = (&crl.issuer_name, crl.next_update.map(rfc3339));
    match level {
        1 => tracing::warn!(
            issuer,
            due,
            "a revocation list is past its next update, and still counts"
        ),
        _ => tracing::error!(
            issuer,
            due,
            "a revocation list is too old, so its issuer's clients are refused"
        ),
    }
}
