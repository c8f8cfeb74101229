//! The format of times in logs. Reads no clock.

use std::time::{Duration, SystemTime};

/// RFC 3339, to the millisecond.
pub(super) fn timestamp(time: SystemTime) -> String {
    use ::time::macros::format_description;
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    ::time::OffsetDateTime::from(time)
        .format(&format)
        .unwrap_or_default()
}

/// To the microsecond.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
