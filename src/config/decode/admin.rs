//! Decodes `[admin]` and `[metrics]`.

use super::TableReader;
use crate::config::keys::process;
use crate::config::model::{AdminTable, MetricsTable};

pub(super) fn admin(table: &mut TableReader<'_>) -> AdminTable {
    AdminTable {
        place: table.place(),
        address: table.string(&process::ADMIN_ADDRESS),
        path: table.string(&process::ADMIN_PATH),
        recent_decisions: table.duration_or_off(&process::ADMIN_RECENT_DECISIONS),
    }
}

pub(super) fn metrics(table: &mut TableReader<'_>) -> MetricsTable {
    MetricsTable {
        address: table.string(&process::METRICS_ADDRESS),
    }
}
