//! Decodes request limits. Their keys occur in several tables.

use super::TableReader;
use crate::config::keys::{
    IntegerOrOff, IntegerValue, Key, TextForm, TextValue, request_limits as keys,
};
use crate::config::model::{RequestLimits, RequestRate};
use crate::config::source::Spanned;
use crate::config::unit::{duration_near, expected, rate_near};
use std::num::NonZeroU32;
use std::time::Duration;

/// Lower bound of `request_time`, which is enforced by checks twice a second.
const MIN_REQUEST_TIME: Duration = Duration::from_secs(1);
const REQUEST_TIME: &str =
    "a duration from a second on such as \"1s\", \"30s\" or \"5m\", or \"off\"";

/// Decodes the keys of ApiUsers, roles and routes, except `body_size`.
pub(super) fn request_limits(table: &mut TableReader<'_>) -> RequestLimits {
    let limits = RequestLimits {
        rate: request_rate(table),
        burst: number(table, &keys::REQUEST_BURST),
        concurrency: number_or_off(table, &keys::CONCURRENCY),
        daily_quota: number_or_off(table, &keys::DAILY_QUOTA),
        request_time: request_time(table),
        body_size: None,
    };
    if let Some(burst) = &limits.burst
        && !matches!(&limits.rate, Some(rate) if rate.value.is_some())
        // An invalid rate is reported separately.
        && (limits.rate.is_some() || !table.has(&keys::REQUEST_RATE))
    {
        let message = "`request_burst` says how many requests of a rate may come at once, and there is no rate";
        table.problems().error(
            burst.place,
            message,
            "add `request_rate = \"100/s\"` beside it, or remove it",
        );
    }
    limits
}

/// Decodes the keys of ApiUsers and roles, including `body_size`.
pub(super) fn request_limits_of_user(table: &mut TableReader<'_>) -> RequestLimits {
    let size = table.size_or_off(&keys::BODY_SIZE);
    let body_size = size
        .zip(table.place_of_key(&keys::BODY_SIZE))
        .map(|(value, place)| Spanned { value, place });
    RequestLimits {
        body_size,
        ..request_limits(table)
    }
}

fn request_rate(table: &mut TableReader<'_>) -> Option<Spanned<Option<RequestRate>>> {
    let text = table.string_with_unit(&keys::REQUEST_RATE, rate_near)?;
    if text.value == "off" {
        return Some(text.map(|_| None));
    }
    match parse_rate(&text.value) {
        Some(rate) => Some(text.map(|_| Some(rate))),
        None => {
            let what =
                "a rate from 1 to 1000000 such as \"100/s\", \"600/m\" or \"5000/h\", or \"off\"";
            let near = rate_near(&text.value).filter(|near| parse_rate(near).is_some());
            table.bad_text(&keys::REQUEST_RATE, &text, &expected(what, near))
        }
    }
}

fn parse_rate(text: &str) -> Option<RequestRate> {
    let (number, unit) = text.split_once('/')?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    // `parse` would accept a sign.
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let requests = number
        .parse()
        .ok()
        .filter(|number: &NonZeroU32| is_number && number.get() <= keys::MOST)?;
    Some(RequestRate {
        requests,
        window: Duration::from_secs(seconds),
    })
}

fn request_time(table: &mut TableReader<'_>) -> Option<Spanned<Option<Duration>>> {
    let text = table.string_with_unit(&keys::REQUEST_TIME, duration_near)?;
    if text.value == "off" {
        return Some(text.map(|_| None));
    }
    match humantime::parse_duration(&text.value) {
        Ok(time) if time >= MIN_REQUEST_TIME => Some(text.map(|_| Some(time))),
        Ok(_) => table.bad_text(&keys::REQUEST_TIME, &text, REQUEST_TIME),
        Err(_) => table.bad_text(
            &keys::REQUEST_TIME,
            &text,
            &expected(REQUEST_TIME, duration_near(&text.value)),
        ),
    }
}

fn number(table: &mut TableReader<'_>, key: &Key<IntegerValue>) -> Option<Spanned<NonZeroU32>> {
    let number = table.integer(key).and_then(NonZeroU32::new);
    number
        .zip(table.place_of_key(key))
        .map(|(value, place)| Spanned { value, place })
}

pub(super) fn number_or_off(
    table: &mut TableReader<'_>,
    key: &Key<IntegerOrOff>,
) -> Option<Spanned<Option<NonZeroU32>>> {
    let most = key.kind().most;
    if !table.holds_string(key) {
        let key = key.with_kind(IntegerValue { least: 1, most });
        return number(table, &key).map(|number| number.map(Some));
    }
    let text = table.string(&key.with_kind(TextValue(TextForm::Any)))?;
    match text.value.as_str() {
        "off" => Some(text.map(|_| None)),
        _ => table.bad_text(
            key,
            &text,
            &format!("a whole number from 1 to {most} without quotes, or \"off\""),
        ),
    }
}
