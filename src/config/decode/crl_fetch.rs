//! `[trust_domain.NAME.crl_fetch]`: from TOML to the model.

use super::TableReader;
use crate::config::model::{CrlFetch, DistributionPoints};

pub(super) fn crl_fetch(table: &mut TableReader<'_>) -> Option<CrlFetch> {
    let mut table = table.table("crl_fetch")?;
    Some(CrlFetch {
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
