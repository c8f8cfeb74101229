//! Decodes `[upstream.NAME.health]`.

use super::request_limits::number_or_off;
use crate::config::keys::health as keys;
use crate::config::model::HealthTable;
use crate::config::table::TableReader;

pub(super) fn health(table: &mut TableReader<'_>) -> HealthTable {
    let Some(mut table) = table.table(&keys::HEALTH_TABLE) else {
        return HealthTable::default();
    };
    HealthTable {
        place: Some(table.place()),
        failures: number_or_off(&mut table, &keys::FAILURES),
        ejection_time: table.duration(&keys::EJECTION_TIME),
        max_ejection_time: table.duration(&keys::MAX_EJECTION_TIME),
        panic_percent: table.integer(&keys::PANIC_PERCENT),
    }
}
