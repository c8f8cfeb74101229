//! Decodes the limits of connections and upstreams. Their keys occur in several tables.

use super::request_limits::number_or_off;
use crate::config::keys::limits as keys;
use crate::config::model::LimitSettings;
use crate::config::table::TableReader;

/// `[limits]`
pub(super) fn limits(table: &mut TableReader<'_>) -> LimitSettings {
    LimitSettings {
        body_size: table.size_or_off(&keys::BODY_SIZE),
        ..merge(connection_limits(table), upstream_limits(table))
    }
}

pub(super) fn connection_limits(table: &mut TableReader<'_>) -> LimitSettings {
    LimitSettings {
        connections: table.integer(&keys::CONNECTIONS),
        half_open_per_source: number_or_off(table, &keys::HALF_OPEN_PER_SOURCE)
            .map(|limit| limit.value),
        handshake_timeout: table.duration(&keys::HANDSHAKE_TIMEOUT),
        head_timeout: table.duration(&keys::HEAD_TIMEOUT),
        head_size: table.size(&keys::HEAD_SIZE),
        keep_alive_timeout: table.duration(&keys::KEEP_ALIVE_TIMEOUT),
        streams: table.integer(&keys::STREAMS),
        ..LimitSettings::default()
    }
}

pub(super) fn upstream_limits(table: &mut TableReader<'_>) -> LimitSettings {
    LimitSettings {
        connect_timeout: table.duration(&keys::CONNECT_TIMEOUT),
        ..exchange_limits(table)
    }
}

/// Limits of one request and its response.
pub(super) fn exchange_limits(table: &mut TableReader<'_>) -> LimitSettings {
    LimitSettings {
        response_timeout: table.duration(&keys::RESPONSE_TIMEOUT),
        idle_timeout: table.duration_or_off(&keys::IDLE_TIMEOUT),
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
