//! How long a revocation list is valid, and log lines for one past its next update. Checks no certificate.

use super::crl::Crl;
use crate::clock::rfc3339;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The policy for a list past its next update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StaleCrlPolicy {
    /// The list is invalid, so all certificates that it covers are rejected.
    #[default]
    Refuse,
    /// The list stays valid for this time.
    AllowFor(Duration),
    /// The list stays valid without limit.
    Ignore,
}

impl StaleCrlPolicy {
    /// The last second in which a list is valid, since 1970.
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

/// Logs that a list is past its next update, and that it is too old. Each once per list, since each client triggers this.
pub(super) fn log_age(crl: &Crl, now: i64, until: i64) {
    let level = u8::from(crl.next_update.is_none_or(|due| now > due)) + u8::from(now > until);
    if crl.logged_age.fetch_max(level, Ordering::Relaxed) >= level {
        return;
    }
    let issuer = &crl.issuer_name;
    let due = crl.next_update.map(rfc3339);
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
