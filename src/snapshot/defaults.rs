//! What holds where the config says nothing: the safe and fast values.

use super::ConnectionLimits;
use crate::config::{
    HeadMethod, LengthlessRedirect, Limits, MOST_HELD_BACK, Manners as Said, Preset, QuickAck,
    Upstream,
};
use crate::route::RouteLimits;
use crate::upstream::Manners;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const DRAIN_DEADLINE: Duration = seconds(30);
pub(super) const DRAIN_DELAY: Duration = seconds(0);
/// Where `[metrics]` listens if it does not say.
pub(super) const METRICS_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9190);
/// Certificates that expire sooner are worth a warning.
pub(super) const WARN_BEFORE_EXPIRY: Duration = seconds(30 * 24 * 3600);
/// Longest file of the audit log.
pub(super) const AUDIT_SIZE_LIMIT: u64 = 100 << 20;
/// How many older ones are kept.
pub(super) const AUDIT_KEEP: u32 = 5;
pub(super) const LOG_FILTER: &str = "info";
const POOL_IDLE_TIMEOUT: Duration = seconds(30);
pub(super) const JWT_ISSUER: &str = "portcullis";
pub(super) const JWT_LIFETIME: Duration = seconds(60);
pub(super) const CONNECT_TIMEOUT: Duration = seconds(5);
const RESPONSE_TIMEOUT: Duration = seconds(60);
const IDLE_TIMEOUT: Duration = seconds(300);
const BODY_SIZE: u64 = 1 << 30;

/// Many clients behind one address do not have so many handshakes under way, unless all come back at once.
const HALF_OPEN_PER_SOURCE: Option<NonZeroU32> = NonZeroU32::new(256);

/// The value said nearest, or the default. The nearest stands first.
fn nearest<T: Copy>(said: &[&Limits], key: impl Fn(&Limits) -> Option<T>, default: T) -> T {
    said.iter()
        .find_map(|limits| key(limits))
        .unwrap_or(default)
}

pub(super) fn connection_limits(said: &[&Limits]) -> ConnectionLimits {
    ConnectionLimits {
        connections: nearest(said, |limits| limits.connections, 10_000),
        half_open_per_source: nearest(
            said,
            |limits| limits.half_open_per_source,
            HALF_OPEN_PER_SOURCE,
        ),
        handshake_timeout: nearest(said, |limits| limits.handshake_timeout, seconds(10)),
        head_timeout: nearest(said, |limits| limits.head_timeout, seconds(10)),
        head_size: usize::try_from(nearest(said, |limits| limits.head_size, 32 << 10))
            .unwrap_or(usize::MAX),
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

/// Icinga 2 closes unused connections after 10 to 15 seconds.
const ICINGA_POOL_IDLE_TIMEOUT: Duration = seconds(8);
/// It refuses connections for some 4 ms when it reloads, and for longer on a busy machine.
const ICINGA_CONNECT_RETRY: Duration = Duration::from_millis(300);

fn preset(said: &Said) -> Option<Preset> {
    said.preset.as_ref().map(|said| said.value)
}

pub(super) fn pool_idle_timeout(said: &Upstream) -> Duration {
    said.pool_idle_timeout
        .unwrap_or(match preset(&said.manners) {
            None => POOL_IDLE_TIMEOUT,
            Some(Preset::Icinga2) => ICINGA_POOL_IDLE_TIMEOUT,
        })
}

pub(super) fn manners(said: &Said) -> Manners {
    let kind = match preset(said) {
        None => Manners::default(),
        // It answers HEAD with a body, its redirect has neither length nor end, it drops and cuts off what it has when it reloads, and
        // it writes small records one after the other.
        Some(Preset::Icinga2) => Manners {
            head: HeadMethod::Get,
            lengthless_redirect: LengthlessRedirect::Empty,
            connect_retry: Some(ICINGA_CONNECT_RETRY),
            hold_back: Some(MOST_HELD_BACK),
            quick_ack: QuickAck::Adaptive,
        },
    };
    Manners {
        head: said.head.as_ref().map_or(kind.head, |said| said.value),
        lengthless_redirect: said
            .lengthless_redirect
            .as_ref()
            .map_or(kind.lengthless_redirect, |said| said.value),
        connect_retry: said.connect_retry.unwrap_or(kind.connect_retry),
        hold_back: said.hold_back.unwrap_or(kind.hold_back),
        quick_ack: said
            .quick_ack
            .as_ref()
            .map_or(kind.quick_ack, |said| said.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Place, Sources, Spanned};

    fn said<T>(value: T) -> Option<Spanned<T>> {
        let file = Sources::default()
            .add("test".into(), String::new())
            .unwrap();
        Some(Spanned {
            value,
            place: Place::new(file, &(0..0)),
        })
    }

    #[test]
    fn a_preset_says_what_no_key_does() {
        assert_eq!(manners(&Said::default()), Manners::default());
        let icinga = Said {
            preset: said(Preset::Icinga2),
            ..Said::default()
        };
        let expected = Manners {
            head: HeadMethod::Get,
            lengthless_redirect: LengthlessRedirect::Empty,
            connect_retry: Some(ICINGA_CONNECT_RETRY),
            hold_back: Some(MOST_HELD_BACK),
            quick_ack: QuickAck::Adaptive,
        };
        assert_eq!(manners(&icinga), expected);
        let own = Said {
            head: said(HeadMethod::Head),
            lengthless_redirect: said(LengthlessRedirect::UntilClose),
            connect_retry: Some(None),
            hold_back: Some(None),
            quick_ack: said(QuickAck::Off),
            ..icinga
        };
        assert_eq!(manners(&own), Manners::default());
    }
}
