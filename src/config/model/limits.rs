//! Limits and timeouts, and how much requests may use: keys that stand in several tables. Counts nothing.

use crate::config::source::{Place, Spanned};
use std::num::NonZeroU32;
use std::time::Duration;

/// Limits and timeouts. The same keys stand in several tables; the nearest one wins.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Connections open at once on a listener.
    pub connections: Option<u32>,
    /// Half-open connections of one source on a listener; `Some(None)` is off.
    pub half_open_per_source: Option<Option<NonZeroU32>>,
    /// TCP accept until the client is verified.
    pub handshake_timeout: Option<Duration>,
    /// First byte of a request head until its last.
    pub head_timeout: Option<Duration>,
    /// Bytes of a request head.
    pub head_size: Option<u64>,
    /// An open client connection without a request.
    pub keep_alive_timeout: Option<Duration>,
    /// HTTP/2 streams open at once on a connection.
    pub streams: Option<u32>,
    /// Bytes of a request body; `Some(None)` is off.
    pub body_size: Option<Option<u64>>,
    /// Connecting to an upstream endpoint, TLS included.
    pub connect_timeout: Option<Duration>,
    /// Request sent until the response head arrives.
    pub response_timeout: Option<Duration>,
    /// A request or tunnel on which no byte moves; `Some(None)` is off.
    pub idle_timeout: Option<Option<Duration>>,
}

/// What is said about requests. Everywhere `Some(None)` is `off`, which at a user goes before what its roles say.
#[derive(Clone, Debug, Default)]
pub struct RequestLimits {
    /// How fast they may come in the long run.
    pub rate: Option<Spanned<Option<RequestRate>>>,
    /// How many may come at once.
    pub burst: Option<Spanned<NonZeroU32>>,
    /// How many may be under way at once.
    pub concurrency: Option<Spanned<Option<NonZeroU32>>>,
    /// How many there may be on one day (UTC).
    pub daily_quota: Option<Spanned<Option<NonZeroU32>>>,
    /// From the head to the last byte of the answer.
    pub request_time: Option<Spanned<Option<Duration>>>,
    /// Bytes of a body. A route says this among its other [`Limits`].
    pub body_size: Option<Spanned<Option<u64>>>,
}

impl RequestLimits {
    /// Where the first of them stands that is said.
    pub fn first_place(&self) -> Option<Place> {
        let rate = self.rate.as_ref().map(|said| said.place);
        let concurrency = self.concurrency.as_ref().map(|said| said.place);
        let quota = self.daily_quota.as_ref().map(|said| said.place);
        let time = self.request_time.as_ref().map(|said| said.place);
        let size = self.body_size.as_ref().map(|said| said.place);
        rate.or(concurrency).or(quota).or(time).or(size)
    }
}

/// So many requests in a time, such as `100/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// So many.
    pub requests: NonZeroU32,
    /// In this time: a second, a minute or an hour.
    pub window: Duration,
}
