//! Decodes `[admin]` and `[metrics]`.

use super::TableReader;
use crate::config::model::{AdminTable, MetricsTable};

pub(super) fn admin(table: &mut TableReader<'_>) -> AdminTable {
    AdminTable {
        place: table.place(),
        address: table.string("address"),
        path: table.string("path"),
        recent_decisions: table.duration_or_off("recent_decisions"),
    }
}

pub(super) fn metrics(table: &mut TableReader<'_>) -> MetricsTable {
    MetricsTable {
        address: table.string("address"),
    }
}
