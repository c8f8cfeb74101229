//! Timestamps and durations: their literals, their limits, and the parts of a date. Reads no clock and supports only fixed
//! time zones.

use super::error::EvaluationError;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Nanoseconds per second.
pub(super) const SECOND: i128 = 1_000_000_000;
/// The start of year 1. RFC 3339 writes dates only in years 1 to 9999.
const FIRST: i128 = -62_135_596_800 * SECOND;
/// The end of year 9999.
const LAST: i128 = 253_402_300_800 * SECOND - 1;
/// Longest duration: ten thousand years.
const LONGEST: i128 = 315_576_000_000 * SECOND;

/// Converts seconds since 1970 to a timestamp.
///
/// # Errors
/// [`EvaluationError::OutOfRange`]
pub(super) fn time_of_seconds(seconds: i64) -> Result<i128, EvaluationError> {
    within_calendar(i128::from(seconds) * SECOND)
}

/// Returns the timestamp if it is within years 1 to 9999.
///
/// # Errors
/// [`EvaluationError::OutOfRange`]
pub(super) fn within_calendar(time: i128) -> Result<i128, EvaluationError> {
    if (FIRST..=LAST).contains(&time) {
        Ok(time)
    } else {
        Err(EvaluationError::OutOfRange)
    }
}

/// Returns the duration if it is at most ten thousand years.
///
/// # Errors
/// [`EvaluationError::OutOfRange`]
pub(super) fn within_longest(span: i128) -> Result<i128, EvaluationError> {
    if (-LONGEST..=LONGEST).contains(&span) {
        Ok(span)
    } else {
        Err(EvaluationError::OutOfRange)
    }
}

/// Parses a timestamp in RFC 3339 form.
pub(super) fn read_time(text: &str) -> Option<i128> {
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .ok()?
        .unix_timestamp_nanos();
    within_calendar(time).ok()
}

/// Formats a timestamp as RFC 3339 in whole seconds, or as the number if it is out of range.
pub(super) fn format_time(time: i128) -> String {
    i64::try_from(time.div_euclid(SECOND)).map_or_else(|_| time.to_string(), crate::clock::rfc3339)
}

/// Parses a duration in CEL's form: `90s`, `1h30m`, `1.5h`, `-250ms`.
pub(super) fn read_span(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut span = 0_i128;
    loop {
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, tail) = rest.split_at_checked(unit_at)?;
        let number_at = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, after) = tail.split_at_checked(number_at)?;
        span = within_longest(span.checked_add(scaled(number, unit_length(unit)?)?)?).ok()?;
        if after.is_empty() {
            return Some(sign * span);
        }
        rest = after;
    }
}

fn unit_length(unit: &str) -> Option<i128> {
    Some(match unit {
        "h" => 3600 * SECOND,
        "m" => 60 * SECOND,
        "s" => SECOND,
        "ms" => 1_000_000,
        "us" => 1_000,
        "ns" => 1,
        _ => return None,
    })
}

/// Parses a decimal number of units. Fractions of a nanosecond are truncated.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut nanoseconds = whole.parse::<i128>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let places = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        nanoseconds += fraction.parse::<i128>().ok()?.checked_mul(unit)? / places;
    }
    Some(nanoseconds)
}

/// A part of a date, with CEL's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatePart {
    FullYear,
    /// From 0.
    Month,
    /// From 1.
    Date,
    /// From 0.
    DayOfMonth,
    /// 0 is Sunday.
    DayOfWeek,
    /// From 0.
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl DatePart {
    /// The CEL functions by name.
    pub(super) const FUNCTIONS: [(&'static str, Self); 10] = [
        ("getFullYear", Self::FullYear),
        ("getMonth", Self::Month),
        ("getDate", Self::Date),
        ("getDayOfMonth", Self::DayOfMonth),
        ("getDayOfWeek", Self::DayOfWeek),
        ("getDayOfYear", Self::DayOfYear),
        ("getHours", Self::Hours),
        ("getMinutes", Self::Minutes),
        ("getSeconds", Self::Seconds),
        ("getMilliseconds", Self::Milliseconds),
    ];

    /// The part of a timestamp in a zone with this offset from UTC, in seconds.
    pub(super) fn of(self, time: i128, offset: i32) -> Result<i64, EvaluationError> {
        let local = within_calendar(time + i128::from(offset) * SECOND)?;
        let date = OffsetDateTime::from_unix_timestamp_nanos(local)
            .map_err(|_| EvaluationError::OutOfRange)?;
        Ok(match self {
            Self::FullYear => i64::from(date.year()),
            Self::Month => i64::from(u8::from(date.month())) - 1,
            Self::Date => i64::from(date.day()),
            Self::DayOfMonth => i64::from(date.day()) - 1,
            Self::DayOfWeek => i64::from(date.weekday().number_days_from_sunday()),
            Self::DayOfYear => i64::from(date.ordinal()) - 1,
            Self::Hours => i64::from(date.hour()),
            Self::Minutes => i64::from(date.minute()),
            Self::Seconds => i64::from(date.second()),
            Self::Milliseconds => i64::from(date.millisecond()),
        })
    }
}

/// Parses a fixed time zone to its offset from UTC in seconds: `UTC`, `+02:00`, `-08:00`.
pub(super) fn read_zone(text: &str) -> Option<i32> {
    if text == "UTC" {
        return Some(0);
    }
    let (sign, clock) = match text.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = clock.split_once(':')?;
    let two_digits = |text: &str| -> Option<i32> {
        let is_valid = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_valid)
    };
    let hours = two_digits(hours)?;
    let minutes = two_digits(minutes)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_cel_writes_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("1h30m", 5400),
            ("1.5h", 5400),
            ("-2m", -120),
            ("0s", 0),
        ] {
            assert_eq!(read_span(text), Some(seconds * SECOND), "{text}");
        }
        assert_eq!(read_span("250ms"), Some(SECOND / 4));
        assert_eq!(read_span("1us1ns"), Some(1001));
        for bad in [
            "",
            "1",
            "h",
            "1d",
            "1h30",
            "1.h",
            ".5h",
            "1 h",
            "+1h",
            "1h-30m",
            "--1s",
            "9999999999h",
            "1e3s",
            "\u{663}s",
        ] {
            assert_eq!(read_span(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_zone_is_utc_or_a_fixed_distance() {
        for (text, offset) in [
            ("UTC", 0),
            ("+02:00", 7200),
            ("02:00", 7200),
            ("-08:30", -30_600),
        ] {
            assert_eq!(read_zone(text), Some(offset), "{text}");
        }
        for bad in [
            "",
            "Z",
            "utc",
            "Europe/Berlin",
            "+2:00",
            "+24:00",
            "+02:60",
            "+-2:00",
            "+02:00:00",
        ] {
            assert_eq!(read_zone(bad), None, "{bad}");
        }
    }

    #[test]
    fn parts_of_a_date_are_counted_as_cel_counts_them() {
        // A Thursday.
        let time = read_time("2026-12-31T23:30:15.250Z").unwrap();
        let parts = |offset| DatePart::FUNCTIONS.map(|(_, part)| part.of(time, offset).unwrap());
        assert_eq!(parts(0), [2026, 11, 31, 30, 4, 364, 23, 30, 15, 250]);
        assert_eq!(parts(3600), [2027, 0, 1, 0, 5, 0, 0, 30, 15, 250]);
        assert_eq!(
            DatePart::Hours.of(LAST, 3600),
            Err(EvaluationError::OutOfRange)
        );
        assert_eq!(DatePart::FullYear.of(FIRST, 0), Ok(1));
    }
}
