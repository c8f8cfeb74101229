//! Keys of `[upstream.NAME.health]`.

use super::key::{Key, TableKeys};
use super::value::*;

/// A percentage as a whole number.
pub(super) const PERCENT: IntegerValue = IntegerValue {
    least: 0,
    most: 100,
};

pub(in crate::config) static FAILURES: Key<IntegerOrOff> = Key::new(
    "failures",
    IntegerOrOff { most: 1_000_000 },
    "Consecutive failures on one worker that eject an endpoint there: it cannot be reached, TLS \
     fails, it breaks off before a response head, or it does not respond in time. The only \
     endpoint of an upstream is never ejected.",
)
.default_number(3);

pub(in crate::config) static EJECTION_TIME: Key<DurationValue> = Key::new(
    "ejection_time",
    DurationValue,
    "How long the first ejection lasts. After it one request tries the endpoint: a response \
     ends the ejection, a failure doubles its time. Each time is up to a quarter shorter, by \
     chance.",
)
.default_text("5s");

pub(in crate::config) static MAX_EJECTION_TIME: Key<DurationValue> = Key::new(
    "max_ejection_time",
    DurationValue,
    "How long an ejection lasts at most.",
)
.default_text("5m");

pub(in crate::config) static PANIC_PERCENT: Key<IntegerValue> = Key::new(
    "panic_percent",
    PERCENT,
    "If less than this percentage of the endpoints is active, all are used.",
)
.default_number(30);

pub(in crate::config) static HEALTH: TableKeys = TableKeys {
    doc: "When an endpoint is not used because it fails. Each worker learns it from its own requests.",
    keys: &[
        &FAILURES,
        &EJECTION_TIME,
        &MAX_EJECTION_TIME,
        &PANIC_PERCENT,
    ],
};

pub(in crate::config) static HEALTH_TABLE: Key<TableValue> = Key::new(
    "health",
    TableValue(&HEALTH),
    "Ejection of endpoints that fail.",
);
