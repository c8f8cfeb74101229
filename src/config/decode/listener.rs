//! Decodes `[listener.NAME]` with its hosts and its front proxy.

use super::limits::connection_limits;
use crate::config::keys::listener as keys;
use crate::config::model::{FrontProxyTable, Host, Listener};
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn listener(name: Spanned<String>, mut table: TableReader<'_>) -> Listener {
    let address = table.string(&keys::ADDRESS);
    let limits = connection_limits(&mut table);
    let record_layer = table.choice(&keys::RECORD_LAYER);
    let hosts: Vec<Host> = table
        .listed_tables(&keys::HOST_TABLES)
        .into_iter()
        .map(|mut entry| {
            let names = entry.strings(&keys::HOST_NAMES);
            if names.is_empty()
                && let Some(hint) = keys::HOST_NAMES.hint_if_missing()
            {
                entry.missing(&keys::HOST_NAMES, hint);
            }
            host(&mut entry, names)
        })
        .collect();
    let half_open_exempt = table.strings(&keys::HALF_OPEN_EXEMPT);
    let front_proxy = table
        .table(&keys::FRONT_PROXY_TABLE)
        .map(|mut inner| front_proxy(&mut inner));
    let default_host = host(&mut table, Vec::new());
    let has_default_host = default_host.certificate.is_some()
        || default_host.private_key.is_some()
        || default_host.passphrase_file.is_some()
        || default_host.client_auth.is_some()
        || default_host.trust_domain.is_some()
        || !default_host.trust_domains.is_empty();
    let default_host = (has_default_host || hosts.is_empty()).then_some(default_host);
    Listener {
        name,
        address,
        default_host,
        hosts,
        record_layer,
        front_proxy,
        half_open_exempt,
        limits,
    }
}

fn front_proxy(table: &mut TableReader<'_>) -> FrontProxyTable {
    FrontProxyTable {
        place: table.place(),
        identity: table.choice(&keys::FRONT_PROXY_IDENTITY),
        peers: table.strings(&keys::FRONT_PROXY_PEERS),
        sources: table.optional_strings(&keys::FRONT_PROXY_SOURCES),
        trust_domain: table.string(&keys::FRONT_PROXY_TRUST_DOMAIN),
        believe: table.choice(&keys::FRONT_PROXY_BELIEVE),
    }
}

fn host(table: &mut TableReader<'_>, names: Vec<Spanned<String>>) -> Host {
    Host {
        place: table.place(),
        names,
        certificate: table.string(&keys::CERTIFICATE),
        private_key: table.string(&keys::PRIVATE_KEY),
        passphrase_file: table.string(&keys::PASSPHRASE_FILE),
        client_auth: table.choice(&keys::CLIENT_AUTH),
        trust_domain: table.string(&keys::TRUST_DOMAIN),
        trust_domains: table.strings(&keys::TRUST_DOMAINS),
    }
}
