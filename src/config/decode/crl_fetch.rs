//! Decodes `[trust_domain.NAME.crl_fetch]`.

use super::TableReader;
use crate::config::keys::trust_domain as keys;
use crate::config::model::CrlFetchTable;

pub(super) fn crl_fetch(table: &mut TableReader<'_>) -> Option<CrlFetchTable> {
    let mut table = table.table(&keys::CRL_FETCH_TABLE)?;
    Some(CrlFetchTable {
        place: table.place(),
        urls: table.strings(&keys::CRL_FETCH_URLS),
        distribution_points: table.choice(&keys::CRL_FETCH_DISTRIBUTION_POINTS),
        allowed_hosts: table.strings(&keys::CRL_FETCH_ALLOWED_HOSTS),
        cache: table.string(&keys::CRL_FETCH_CACHE),
        refresh: table.duration(&keys::CRL_FETCH_REFRESH),
        timeout: table.duration(&keys::CRL_FETCH_TIMEOUT),
        size_limit: table.size(&keys::CRL_FETCH_SIZE_LIMIT),
        anchors: table.strings(&keys::CRL_FETCH_ANCHORS),
    })
}
