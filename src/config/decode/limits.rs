//! Decodes the limits of connections and upstreams. Their keys occur in several tables.

use super::request_limits;
use crate::config::model::LimitSettings;
use crate::config::table::TableReader;

/// `[limits]`
pub(super) fn limits(table: &mut TableReader<'_>) -> LimitSettings {
    LimitSettings {
        body_size: table.size_or_off("body_size", None),
        ..merge(connection_limits(table), upstream_limits(table))
    }
}

pub(super) fn connection_limits(table: &mut TableReader<'_>) -> LimitSettings {
    LimitSettings {
        connections: table.integer("connections", 1..=10_000_000),
        half_open_per_source: request_limits::number_or_off(
            table,
            "half_open_per_source",
            10_000_000,
        )
        .map(|limit| limit.value),
        handshake_timeout: table.duration("handshake_timeout"),
        head_timeout: table.duration("head_timeout"),
        head_size: table.size("head_size"),
        keep_alive_timeout: table.duration("keep_alive_timeout"),
        streams: table.integer("streams", 1..=100_000),
        ..LimitSettings::default()
    }
}

pub(super) fn upstream_limits(table: &mut TableReader<'_>) -> LimitSettings {
    LimitSettings {
        connect_timeout: table.duration("connect_timeout"),
        response_timeout: table.duration("response_timeout"),
        idle_timeout: table.duration_or_off("idle_timeout"),
        ..LimitSettings::default()
    }
}

/// Combines connection limits with upstream limits.
fn merge(connection: LimitSettings, request: LimitSettings) -> LimitSettings {
    LimitSettings {
        connect_timeout: request.connect_timeout,
        response_timeout: request.response_timeout,
        idle_timeout: request.idle_timeout,
        ..connection
    }
}
