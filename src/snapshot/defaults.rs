//! Defaults of all config keys.

use super::ConnectionLimits;
use crate::config::{
    HeadMethod, HealthTable, LengthlessRedirect, LimitSettings, LogFormat, MOST_HELD_BACK, Preset,
    QuickAck, UpstreamQuirks, UpstreamTable,
};
use crate::route::RouteLimits;
use crate::upstream::{HealthSettings, Quirks};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const DRAIN_DEADLINE: Duration = seconds(30);
pub(super) const DRAIN_DELAY: Duration = seconds(0);
/// Address of the metrics listener.
pub(super) const METRICS_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9190);
/// Remaining validity below which certificates cause a warning.
pub(super) const WARN_BEFORE_EXPIRY: Duration = seconds(30 * 24 * 3600);
/// Maximum size of an audit log file, in bytes.
pub(super) const AUDIT_SIZE_LIMIT: u64 = 100 << 20;
/// Number of rotated audit log files that are kept.
pub(super) const AUDIT_KEEP: u32 = 5;
pub(super) const ACCESS_LOG_FORMAT: LogFormat = LogFormat::Json;
pub(super) const LOG_FORMAT: LogFormat = LogFormat::Text;
pub(super) const LOG_FILTER: &str = "info";
const POOL_IDLE_TIMEOUT: Duration = seconds(30);
pub(super) const JWT_ISSUER: &str = "portcullis";
pub(super) const JWT_LIFETIME: Duration = seconds(60);
pub(super) const CONNECT_TIMEOUT: Duration = seconds(5);
const RESPONSE_TIMEOUT: Duration = seconds(60);
const IDLE_TIMEOUT: Duration = seconds(300);
const BODY_SIZE: u64 = 1 << 30;

pub(super) const CRL_REFRESH: Duration = seconds(3600);
pub(super) const CRL_TIMEOUT: Duration = seconds(30);
/// Maximum size of a fetched CRL, in bytes.
pub(super) const CRL_SIZE_LIMIT: u64 = 64 << 20;
/// Time for which a verified password is cached.
pub(super) const PASSWORD_REMEMBER: Duration = seconds(60);
pub(super) const TOKEN_KEYS_REFRESH: Duration = seconds(600);
/// Tolerated clock difference to the issuer of a token.
pub(super) const TOKEN_LEEWAY: Duration = seconds(30);
/// The claim of a token that names the ApiUser.
pub(super) const USER_CLAIM: &str = "sub";
pub(super) const AUTHORIZER_TIMEOUT: Duration = Duration::from_millis(500);
/// Maximum of concurrent checks of an authorizer.
pub(super) const AUTHORIZER_CONCURRENCY: u32 = 256;

/// Enough for many clients behind one address, unless all reconnect at once.
const HALF_OPEN_PER_SOURCE: Option<NonZeroU32> = NonZeroU32::new(256);

/// The first value of a key in these tables, or the default.
fn first_value<T: Copy>(
    tables: &[&LimitSettings],
    key: impl Fn(&LimitSettings) -> Option<T>,
    default: T,
) -> T {
    tables
        .iter()
        .find_map(|limits| key(limits))
        .unwrap_or(default)
}

pub(super) fn connection_limits(tables: &[&LimitSettings]) -> ConnectionLimits {
    ConnectionLimits {
        connections: first_value(tables, |limits| limits.connections, 10_000),
        half_open_per_source: first_value(
            tables,
            |limits| limits.half_open_per_source,
            HALF_OPEN_PER_SOURCE,
        ),
        handshake_timeout: first_value(tables, |limits| limits.handshake_timeout, seconds(10)),
        head_timeout: first_value(tables, |limits| limits.head_timeout, seconds(10)),
        head_size: usize::try_from(first_value(tables, |limits| limits.head_size, 32 << 10))
            .unwrap_or(usize::MAX),
        keep_alive_timeout: first_value(tables, |limits| limits.keep_alive_timeout, seconds(75)),
        streams: first_value(tables, |limits| limits.streams, 128),
        idle_timeout: first_value(tables, |limits| limits.idle_timeout, Some(IDLE_TIMEOUT)),
    }
}

pub(super) fn route_limits(tables: &[&LimitSettings]) -> RouteLimits {
    RouteLimits {
        body_size: first_value(tables, |limits| limits.body_size, Some(BODY_SIZE)),
        response_timeout: first_value(tables, |limits| limits.response_timeout, RESPONSE_TIMEOUT),
        idle_timeout: first_value(tables, |limits| limits.idle_timeout, Some(IDLE_TIMEOUT)),
    }
}

pub(super) fn connect_timeout(tables: &[&LimitSettings]) -> Duration {
    first_value(tables, |limits| limits.connect_timeout, CONNECT_TIMEOUT)
}

/// Icinga 2 closes unused connections after 10 to 15 seconds.
const ICINGA_POOL_IDLE_TIMEOUT: Duration = seconds(8);
/// Icinga 2 refuses connections for about 4 ms when it reloads, and for longer on a busy machine.
const ICINGA_CONNECT_RETRY: Duration = Duration::from_millis(300);

const ENDPOINT_FAILURES: Option<NonZeroU32> = NonZeroU32::new(3);
const EJECTION_TIME: Duration = seconds(5);
pub(super) const MAX_EJECTION_TIME: Duration = seconds(300);
const PANIC_PERCENT: u32 = 30;
pub(super) const RETRY_PERCENT: u32 = 20;

pub(super) fn health(table: &HealthTable) -> HealthSettings {
    HealthSettings {
        failures: table
            .failures
            .as_ref()
            .map_or(ENDPOINT_FAILURES, |setting| setting.value),
        ejection_time: table.ejection_time.unwrap_or(EJECTION_TIME),
        max_ejection_time: table.max_ejection_time.unwrap_or(MAX_EJECTION_TIME),
        panic_percent: table.panic_percent.unwrap_or(PANIC_PERCENT),
    }
}

fn preset(quirks: &UpstreamQuirks) -> Option<Preset> {
    quirks.preset.as_ref().map(|preset| preset.value)
}

pub(super) fn pool_idle_timeout(upstream: &UpstreamTable) -> Duration {
    upstream
        .pool_idle_timeout
        .unwrap_or(match preset(&upstream.quirks) {
            None => POOL_IDLE_TIMEOUT,
            Some(Preset::Icinga2) => ICINGA_POOL_IDLE_TIMEOUT,
        })
}

pub(super) fn quirks(table: &UpstreamQuirks) -> Quirks {
    let base = match preset(table) {
        None => Quirks::default(),
        // Icinga 2 sends a body in responses to HEAD, and redirects without a length on connections that stay open. A
        // reload drops connections and truncates responses. It writes many small TLS records.
        Some(Preset::Icinga2) => Quirks {
            head: HeadMethod::Get,
            lengthless_redirect: LengthlessRedirect::Empty,
            connect_retry: Some(ICINGA_CONNECT_RETRY),
            hold_back: Some(MOST_HELD_BACK),
            quick_ack: QuickAck::Adaptive,
        },
    };
    Quirks {
        head: table
            .head
            .as_ref()
            .map_or(base.head, |setting| setting.value),
        lengthless_redirect: table
            .lengthless_redirect
            .as_ref()
            .map_or(base.lengthless_redirect, |setting| setting.value),
        connect_retry: table.connect_retry.unwrap_or(base.connect_retry),
        hold_back: table.hold_back.unwrap_or(base.hold_back),
        quick_ack: table
            .quick_ack
            .as_ref()
            .map_or(base.quick_ack, |setting| setting.value),
    }
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Place, Sources, Spanned};

    fn spanned<T>(value: T) -> Option<Spanned<T>> {
        let file = Sources::default()
            .add("test".into(), String::new())
            .unwrap();
        Some(Spanned {
            value,
            place: Place::new(file, &(0..0)),
        })
    }

    #[test]
    fn a_preset_sets_keys_that_are_not_written() {
        assert_eq!(quirks(&UpstreamQuirks::default()), Quirks::default());
        let icinga = UpstreamQuirks {
            preset: spanned(Preset::Icinga2),
            ..UpstreamQuirks::default()
        };
        let expected = Quirks {
            head: HeadMethod::Get,
            lengthless_redirect: LengthlessRedirect::Empty,
            connect_retry: Some(ICINGA_CONNECT_RETRY),
            hold_back: Some(MOST_HELD_BACK),
            quick_ack: QuickAck::Adaptive,
        };
        assert_eq!(quirks(&icinga), expected);
        let own = UpstreamQuirks {
            head: spanned(HeadMethod::Head),
            lengthless_redirect: spanned(LengthlessRedirect::UntilClose),
            connect_retry: Some(None),
            hold_back: Some(None),
            quick_ack: spanned(QuickAck::Off),
            ..icinga
        };
        assert_eq!(quirks(&own), Quirks::default());
    }
}
