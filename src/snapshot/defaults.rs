//! What holds where the config says nothing: the safe and fast values.

use super::ConnectionLimits;
use crate::config::Limits;
use crate::route::RouteLimits;
use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const DRAIN_DEADLINE: Duration = seconds(30);
pub(super) const DRAIN_DELAY: Duration = seconds(0);
/// Where the admin listener is.
pub const ADMIN_ADDRESS: &str = "127.0.0.1:9190";
/// Certificates that expire sooner are worth a warning.
pub(super) const WARN_BEFORE_EXPIRY: Duration = seconds(30 * 24 * 3600);
/// Longest file of the audit log.
pub(super) const AUDIT_SIZE_LIMIT: u64 = 100 << 20;
/// How many older ones are kept.
pub(super) const AUDIT_KEEP: u32 = 5;
pub(super) const LOG_FILTER: &str = "info";
pub(super) const POOL_IDLE_TIMEOUT: Duration = seconds(30);
pub(super) const POOL_SIZE: u32 = 64;
pub(super) const JWT_ISSUER: &str = "portcullis";
pub(super) const JWT_LIFETIME: Duration = seconds(60);
pub(super) const CONNECT_TIMEOUT: Duration = seconds(5);
const RESPONSE_TIMEOUT: Duration = seconds(60);
const IDLE_TIMEOUT: Duration = seconds(300);
const BODY_SIZE: u64 = 1 << 30;

/// The value said nearest, or the default. The nearest stands first.
fn nearest<T: Copy>(said: &[&Limits], key: impl Fn(&Limits) -> Option<T>, default: T) -> T {
    said.iter().find_map(|limits| key(limits)).unwrap_or(default)
}

pub(super) fn connection_limits(said: &[&Limits]) -> ConnectionLimits {
    ConnectionLimits {
        connections: nearest(said, |limits| limits.connections, 10_000),
        handshake_timeout: nearest(said, |limits| limits.handshake_timeout, seconds(10)),
        head_timeout: nearest(said, |limits| limits.head_timeout, seconds(10)),
        head_size: usize::try_from(nearest(said, |limits| limits.head_size, 32 << 10)).unwrap_or(usize::MAX),
        keep_alive_timeout: nearest(said, |limits| limits.keep_alive_timeout, seconds(75)),
        streams: nearest(said, |limits| limits.streams, 128),
        idle_timeout: nearest(said, |limits| limits.idle_timeout, Some(IDLE_TIMEOUT)),
    }
}

pub(super) fn route_limits(said: &[&Limits]) -> RouteLimits {
    RouteLimits {
        body_size: nearest(said, |limits| limits.body_size, Some(BODY_SIZE)),
        response_timeout: nearest(said, |limits| limits.response_timeout, RESPONSE_TIMEOUT),
        idle_timeout: nearest(said, |limits| limits.idle_timeout, Some(IDLE_TIMEOUT)),
    }
}

pub(super) fn connect_timeout(said: &[&Limits]) -> Duration {
    nearest(said, |limits| limits.connect_timeout, CONNECT_TIMEOUT)
}
