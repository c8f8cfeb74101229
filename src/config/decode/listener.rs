//! Decodes `[listener.NAME]` with its hosts and its front proxy.

use super::client_auth::client_auth;
use super::limits::connection_limits;
use crate::config::model::{
    Belief, ForwardedIdentity, FrontProxyTable, Host, Listener, RecordLayer,
};
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn listener(name: Spanned<String>, mut table: TableReader<'_>) -> Listener {
    let address = table.required_string(
        "address",
        "write `address = \"127.0.0.1:8443\"`, or `0.0.0.0:8443` for all addresses of this machine",
    );
    let limits = connection_limits(&mut table);
    let layers = [
        ("rustls", RecordLayer::Rustls),
        ("in-place", RecordLayer::InPlace),
    ];
    let record_layer = table.choice("record_layer", &layers);
    let hosts: Vec<Host> = table
        .listed_tables("host")
        .into_iter()
        .map(|mut entry| {
            let names = entry.strings("names");
            if names.is_empty() {
                entry.missing(
                    "names",
                    "write the server names of this entry: `names = [\"api.example.org\"]`",
                );
            }
            host(&mut entry, names)
        })
        .collect();
    let half_open_exempt = table.strings("half_open_exempt");
    let front_proxy = table
        .table("front_proxy")
        .map(|mut inner| front_proxy(&mut inner));
    let default_host = host(&mut table, Vec::new());
    let has_default_host = default_host.certificate.is_some()
        || default_host.private_key.is_some()
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
    let identities = [
        ("rfc9440", ForwardedIdentity::Rfc9440),
        ("xfcc", ForwardedIdentity::Xfcc),
        ("proxy-v2", ForwardedIdentity::ProxyV2),
    ];
    let beliefs = [
        ("certificate", Belief::Certificate),
        ("common-name", Belief::CommonName),
    ];
    if !table.has("identity") {
        table.missing(
            "identity",
            "write how the proxy says who the client is: \"rfc9440\", \"xfcc\" or \"proxy-v2\"",
        );
    }
    FrontProxyTable {
        place: table.place(),
        identity: table.choice("identity", &identities),
        peers: table.strings("peers"),
        sources: table.strings_if_said("sources"),
        trust_domain: table.required_string(
            "trust_domain",
            "name the domain that verifies the clients of the proxy",
        ),
        believe: table.choice("believe", &beliefs),
    }
}

fn host(table: &mut TableReader<'_>, names: Vec<Spanned<String>>) -> Host {
    Host {
        place: table.place(),
        names,
        certificate: table.string("certificate"),
        private_key: table.string("private_key"),
        client_auth: client_auth(table),
        trust_domain: table.string("trust_domain"),
        trust_domains: table.strings("trust_domains"),
    }
}
