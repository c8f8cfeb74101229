//! Decodes `[trust_domain.NAME.crl_fetch]`.

use super::TableReader;
use crate::config::model::{CrlFetchTable, DistributionPoints};

pub(super) fn crl_fetch(table: &mut TableReader<'_>) -> Option<CrlFetchTable> {
    let mut table = table.table("crl_fetch")?;
    Some(CrlFetchTable {
        place: table.place(),
        urls: table.strings("urls"),
        distribution_points: table.choice(
            "distribution_points",
            &[
                ("ignore", DistributionPoints::Ignore),
                ("follow", DistributionPoints::Follow),
            ],
        ),
        allowed_hosts: table.strings("allowed_hosts"),
        cache: table.required_string(
            "cache",
            "name a folder for the lists: `cache = \"crl-cache\"`",
        ),
        refresh: table.duration("refresh"),
        timeout: table.duration("timeout"),
        size_limit: table.size("size_limit"),
        anchors: table.strings("anchors"),
    })
}
