//! The value of the `Date` field (RFC 9110 section 6.6.1), formatted once a second on each thread.

use crate::clock;
use http::HeaderValue;
use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

/// The field's value for one second since 1970.
struct DateValue {
    second: u64,
    value: HeaderValue,
}

thread_local! {
    static DATE: RefCell<Option<DateValue>> = const { RefCell::new(None) };
}

/// The value of the field.
pub(super) fn date() -> HeaderValue {
    with_date(HeaderValue::clone)
}

/// Appends the whole field line.
pub(super) fn write_date(head: &mut Vec<u8>) {
    with_date(|value| {
        head.extend_from_slice(b"date: ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    });
}

fn with_date<T>(act: impl FnOnce(&HeaderValue) -> T) -> T {
    let second = clock::seconds();
    DATE.with_borrow_mut(|date| {
        let written = date
            .take()
            .filter(|written| written.second == second)
            .unwrap_or_else(|| write(second));
        act(&date.insert(written).value)
    })
}

fn write(second: u64) -> DateValue {
    // The formatting cannot count beyond the year 9999.
    const LAST: u64 = 253_402_300_799;
    let text =
        httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(second.min(LAST))).to_string();
    let value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    DateValue { second, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_the_standard_wants_it() {
        assert_eq!(write(784_111_777).value, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(write(u64::MAX).value, "Fri, 31 Dec 9999 23:59:59 GMT");
        let mut head = Vec::new();
        write_date(&mut head);
        let line = String::from_utf8(head).unwrap();
        assert!(
            line.starts_with("date: ") && line.ends_with(" GMT\r\n"),
            "{line}"
        );
    }
}
