//! The clock on the wall, in the one form that certificates, tokens and logs are compared with. Waits for nothing.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 before, which whoever judges by it takes for "everything has expired".
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The same, to be compared with times that may lie before 1970.
pub fn signed_seconds() -> i64 {
    i64::try_from(seconds()).unwrap_or(i64::MAX)
}

/// A time as RFC 3339 in UTC; the number itself where no calendar has it.
pub fn rfc3339(seconds: i64) -> String {
    let text = time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| seconds.to_string())
}
