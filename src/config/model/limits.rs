//! Limits, timeouts and request limits. Their keys occur in several tables.

use crate::config::source::{Place, Spanned};
use std::num::NonZeroU32;
use std::time::Duration;

/// Limits and timeouts. The same keys occur in several tables; the most specific table wins.
#[derive(Clone, Debug, Default)]
pub struct LimitSettings {
    /// Maximum of open connections of a listener.
    pub connections: Option<u32>,
    /// Maximum of half-open connections of one source on a listener; `Some(None)` means no limit.
    pub half_open_per_source: Option<Option<NonZeroU32>>,
    /// Maximum time from TCP accept to the end of the handshake.
    pub handshake_timeout: Option<Duration>,
    /// Maximum time from the first to the last byte of a request head.
    pub head_timeout: Option<Duration>,
    /// Maximum size of a request head in bytes.
    pub head_size: Option<u64>,
    /// Maximum time without a request on a client connection.
    pub keep_alive_timeout: Option<Duration>,
    /// Maximum of concurrent HTTP/2 streams of a connection.
    pub streams: Option<u32>,
    /// Maximum size of a request body in bytes; `Some(None)` means no limit.
    pub body_size: Option<Option<u64>>,
    /// Maximum time to connect to an upstream endpoint, including TLS.
    pub connect_timeout: Option<Duration>,
    /// Maximum time from the sent request to the response head.
    pub response_timeout: Option<Duration>,
    /// Maximum time without progress of a request or tunnel; `Some(None)` means no limit.
    pub idle_timeout: Option<Option<Duration>>,
}

/// Limits of requests. `Some(None)` means `off`, which for a user overrides its roles.
#[derive(Clone, Debug, Default)]
pub struct RequestLimits {
    /// Sustained rate.
    pub rate: Option<Spanned<Option<RequestRate>>>,
    /// Burst size.
    pub burst: Option<Spanned<NonZeroU32>>,
    /// Maximum of concurrent requests.
    pub concurrency: Option<Spanned<Option<NonZeroU32>>>,
    /// Maximum of requests per day (UTC).
    pub daily_quota: Option<Spanned<Option<NonZeroU32>>>,
    /// Maximum time from the request head to the last byte of the response.
    pub request_time: Option<Spanned<Option<Duration>>>,
    /// Maximum size of a body in bytes. For a route, this key is in its [`LimitSettings`].
    pub body_size: Option<Spanned<Option<u64>>>,
}

impl RequestLimits {
    /// Place of the first limit that is set.
    pub fn first_place(&self) -> Option<Place> {
        let rate = self.rate.as_ref().map(|limit| limit.place);
        let concurrency = self.concurrency.as_ref().map(|limit| limit.place);
        let quota = self.daily_quota.as_ref().map(|limit| limit.place);
        let time = self.request_time.as_ref().map(|limit| limit.place);
        let size = self.body_size.as_ref().map(|limit| limit.place);
        rate.or(concurrency).or(quota).or(time).or(size)
    }
}

/// A number of requests per window, such as `100/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// Number of requests.
    pub requests: NonZeroU32,
    /// A second, a minute or an hour.
    pub window: Duration,
}
