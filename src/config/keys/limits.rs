//! Keys of `[limits]`. Listeners, upstreams and routes have some of them, too.

use super::key::{Key, TableKeys};
use super::value::*;

pub(in crate::config) static BODY_SIZE: Key<SizeOrOff> = Key::new(
    "body_size",
    SizeOrOff::Unbounded,
    "Maximum size of a request body.",
)
.default_text("1GiB");

pub(in crate::config) static CONNECTIONS: Key<IntegerValue> = Key::new(
    "connections",
    IntegerValue {
        least: 1,
        most: 10_000_000,
    },
    "Maximum of open connections of a listener. Beyond that, the connection that has been \
     idle for longest closes for a new one, or the oldest half-open one. If there is \
     neither, the new one is closed.",
)
.default_number(10_000);

pub(in crate::config) static HALF_OPEN_PER_SOURCE: Key<IntegerOrOff> = Key::new(
    "half_open_per_source",
    IntegerOrOff { most: 10_000_000 },
    "Maximum of connections in the TLS handshake from one IPv4 address or IPv6 /64 on a \
     listener. Front proxies at their `sources` are exempt.",
)
.default_number(256);

pub(in crate::config) static HANDSHAKE_TIMEOUT: Key<DurationValue> = Key::new(
    "handshake_timeout",
    DurationValue,
    "Maximum time from TCP accept to the end of the handshake.",
)
.default_text("10s");

pub(in crate::config) static HEAD_TIMEOUT: Key<DurationValue> = Key::new(
    "head_timeout",
    DurationValue,
    "Maximum time from the first to the last byte of a request head.",
)
.default_text("10s");

pub(in crate::config) static HEAD_SIZE: Key<SizeValue> =
    Key::new("head_size", SizeValue, "Maximum size of a request head.").default_text("32KiB");

pub(in crate::config) static KEEP_ALIVE_TIMEOUT: Key<DurationValue> = Key::new(
    "keep_alive_timeout",
    DurationValue,
    "Maximum time without a request on a client connection.",
)
.default_text("75s");

pub(in crate::config) static STREAMS: Key<IntegerValue> = Key::new(
    "streams",
    IntegerValue {
        least: 1,
        most: 100_000,
    },
    "Maximum of concurrent HTTP/2 streams of a connection.",
)
.default_number(128);

pub(in crate::config) static CONNECT_TIMEOUT: Key<DurationValue> = Key::new(
    "connect_timeout",
    DurationValue,
    "Maximum time to connect to an endpoint of an upstream, including TLS. While another active \
     endpoint is left, an attempt may take a quarter of it.",
)
.default_text("5s");

pub(in crate::config) static RESPONSE_TIMEOUT: Key<DurationValue> = Key::new(
    "response_timeout",
    DurationValue,
    "Maximum time from the sent request to the response head.",
)
.default_text("60s");

pub(in crate::config) static IDLE_TIMEOUT: Key<DurationOrOff> = Key::new(
    "idle_timeout",
    DurationOrOff,
    "Maximum time without a byte in either direction of a request or tunnel. Write `off` \
     for streams that may be silent.",
)
.default_text("5m");

pub(in crate::config) static LIMITS: TableKeys = TableKeys {
    doc: "Limits that apply everywhere. The most specific table wins: route, then upstream or \
     listener, then these.",
    keys: &[
        &BODY_SIZE,
        &CONNECTIONS,
        &HALF_OPEN_PER_SOURCE,
        &HANDSHAKE_TIMEOUT,
        &HEAD_TIMEOUT,
        &HEAD_SIZE,
        &KEEP_ALIVE_TIMEOUT,
        &STREAMS,
        &CONNECT_TIMEOUT,
        &RESPONSE_TIMEOUT,
        &IDLE_TIMEOUT,
    ],
};
