//! Assembly of listeners and their hosts: addresses, server certificates and client authentication.

use super::own_certificates::{CertificatePaths, OwnCertificate};
use super::remote_servers::CertificateOwner;
use super::trust::TrustDomains;
use super::{super::defaults, Assembly};
use crate::config::{ClientAuth, Host, Listener, Place, Spanned};
use crate::host::{HostPattern, HostTable};
use crate::route::RouteTable;
use crate::snapshot::ListenerPolicy;
use crate::tls::{HostError, HostPolicy, ServerIdentity, TrustDomain, default_record_layer};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

impl Assembly<'_> {
    pub(super) fn listeners(&self, trust: &TrustDomains) -> Vec<ListenerPolicy> {
        let _ = self.unique("listener", &self.config.listeners, |listener| {
            &listener.name
        });
        if self.config.listeners.is_empty() {
            self.problems.error_without_place(
                "there is no listener",
                "add `[listener.main]` with an `address`",
            );
        }
        let mut addresses: HashMap<SocketAddr, &str> = HashMap::new();
        let mut listeners = Vec::new();
        for table in &self.config.listeners {
            // Built also for an invalid address, to report errors of certificates in the same run.
            let hosts = self.hosts(table, trust);
            let Some(address) = table.address.as_ref().and_then(|text| self.address(text)) else {
                continue;
            };
            if address.port() != 0
                && let Some(other) = addresses.insert(address, &table.name.value)
            {
                let place = table
                    .address
                    .as_ref()
                    .map_or(table.name.place, |text| text.place);
                let message = format!("listener \"{other}\" already has the address {address}");
                self.problems.error(
                    place,
                    message,
                    "use another port, or put the hosts under one listener",
                );
            }
            listeners.push(ListenerPolicy {
                name: table.name.value.as_str().into(),
                address,
                hosts,
                routes: RouteTable::default(),
                limits: defaults::connection_limits(&[&table.limits, &self.config.limits]),
                front_proxy: None,
                half_open_exempt: table
                    .half_open_exempt
                    .iter()
                    .filter_map(|text| self.network(text))
                    .collect(),
            });
        }
        listeners
    }

    pub(super) fn address(&self, text: &Spanned<String>) -> Option<SocketAddr> {
        let address = text.value.parse().ok();
        if address.is_none() {
            let message = format!("\"{}\" is not an IP address with a port", text.value);
            self.problems
                .error(text.place, message, address_hint(&text.value));
        }
        address
    }

    fn hosts(&self, listener: &Listener, trust: &TrustDomains) -> HostTable<Arc<HostPolicy>> {
        let mut hosts = HostTable::default();
        if let Some(host) = &listener.default_host
            && let Some(policy) = self.host(listener, host, trust)
        {
            // The only insertion without a name, so it cannot fail.
            let _ = hosts.insert(None, policy);
        }
        for host in &listener.hosts {
            let policy = self.host(listener, host, trust);
            for name in &host.names {
                let Some(pattern) = HostPattern::parse(&name.value) else {
                    self.report_bad_host(name);
                    continue;
                };
                if let Some(policy) = &policy
                    && hosts.insert(Some(&pattern), policy.clone()).is_err()
                {
                    let message = format!(
                        "the server name \"{}\" stands twice on this listener",
                        name.value
                    );
                    self.problems
                        .error(name.place, message, "keep it in one `host` entry");
                }
            }
        }
        hosts
    }

    pub(super) fn report_bad_host(&self, name: &Spanned<String>) {
        let message = format!("\"{}\" is not a host name", name.value);
        self.problems.error(
            name.place,
            message,
            "write a name such as \"api.example.org\" or \"*.example.org\"",
        );
    }

    fn host(
        &self,
        listener: &Listener,
        host: &Host,
        trust: &TrustDomains,
    ) -> Option<Arc<HostPolicy>> {
        let place = if host.names.is_empty() {
            listener.name.place
        } else {
            host.place
        };
        let label = label(host);
        let clients = self.clients(host, place, trust);
        let OwnCertificate {
            chain,
            key,
            chain_path,
            key_path,
        } = self.server_certificate(host, place)?;
        let name = format!("{}/{label}", listener.name.value);
        self.note_expiry(
            &CertificateOwner {
                kind: "server",
                name: &name,
                user: None,
            },
            chain_path,
            &chain,
        );
        // Built also after an error in client authentication, to report a wrong key in the same run.
        let client_settings = clients.clone().unwrap_or((ClientAuth::Off, Vec::new()));
        let record_layer = listener
            .record_layer
            .as_ref()
            .map_or_else(default_record_layer, |setting| setting.value);
        let previous = self
            .previous
            .and_then(|snapshot| snapshot.listeners.get(listener.name.value.as_str()));
        let previous = previous.map(|policy| &policy.hosts);
        let served_chain = chain.clone();
        let built = HostPolicy::new(
            label,
            ServerIdentity { chain, key },
            client_settings,
            record_layer,
            previous,
        )
        .map_err(|error| {
            let hint = self.hint_of_host(&error, chain_path, key_path);
            self.problems.error(key_path.place, error.to_string(), hint);
        })
        .ok()?;
        self.lint_server_chain(chain_path, &served_chain);
        clients.ok().map(|_| Arc::new(built))
    }

    /// The certificate of a host with its key. `None` for an error, which was reported.
    fn server_certificate<'h>(&self, host: &'h Host, place: Place) -> Option<OwnCertificate<'h>> {
        let paths = CertificatePaths {
            certificate: host.certificate.as_ref(),
            private_key: host.private_key.as_ref(),
            passphrase_file: host.passphrase_file.as_ref(),
        };
        let certificate =
            self.required_path(paths.certificate, place, "certificate", "pki/server.crt");
        let key = self.required_path(
            self.key_path(&paths),
            place,
            "private_key",
            "pki/server.key",
        );
        certificate.and(key)?;
        self.own_certificate(paths).ok()?
    }

    fn hint_of_host(
        &self,
        error: &HostError,
        chain: &Spanned<String>,
        key: &Spanned<String>,
    ) -> String {
        match error {
            HostError::KeyMismatch => self.hint_of_mismatch(chain, key),
            HostError::NotFips => {
                "leave out `record_layer = \"in-place\"`: a build with `fips` cannot have it"
                    .to_owned()
            }
            HostError::Unusable(_) => {
                "give an RSA (2048 bits or more), ECDSA or Ed25519 key".to_owned()
            }
        }
    }

    /// Client authentication and its trust domains. `Err` for an error, which was reported.
    fn clients(
        &self,
        host: &Host,
        place: Place,
        trust: &TrustDomains,
    ) -> Result<(ClientAuth, Vec<Arc<TrustDomain>>), ()> {
        let auth = host
            .client_auth
            .as_ref()
            .map_or_else(ClientAuth::default, |setting| setting.value);
        let mut named = host.trust_domain.iter().chain(&host.trust_domains);
        if auth == ClientAuth::Off {
            return match named.next() {
                None => Ok((auth, Vec::new())),
                Some(domain) => {
                    let message =
                        "`client_auth` is \"off\", so this trust domain never verifies a client";
                    self.problems.error(
                        domain.place,
                        message,
                        "remove `trust_domain`, or ask for certificates",
                    );
                    Err(())
                }
            };
        }
        let Some(first) = named.next() else {
            let domain = self.resolve_domain(trust, None, place, "this listener");
            return domain.map(|domain| (auth, vec![domain])).ok_or(());
        };
        if let (Some(_), Some(also)) = (&host.trust_domain, host.trust_domains.first()) {
            let message = "`trust_domain` and `trust_domains` stand in one entry";
            self.problems
                .error(also.place, message, "keep one of them, with all names");
            return Err(());
        }
        let mut domains: Vec<Arc<TrustDomain>> = Vec::new();
        for name in std::iter::once(first).chain(named) {
            let domain = self
                .resolve_domain(trust, Some(name), place, "this listener")
                .ok_or(())?;
            self.check_distinct_authorities(&domains, &domain, name)?;
            domains.push(domain);
        }
        Ok((auth, domains))
    }

    /// Reports trust domains of one host with a common CA. A chain that two domains verify is rejected.
    fn check_distinct_authorities(
        &self,
        others: &[Arc<TrustDomain>],
        domain: &Arc<TrustDomain>,
        name: &Spanned<String>,
    ) -> Result<(), ()> {
        let Some(other) = others
            .iter()
            .find(|other| other.shares_an_authority_with(domain))
        else {
            return Ok(());
        };
        let (message, hint) = match other.name == domain.name {
            true => (
                format!(
                    "trust domain \"{}\" stands twice in this entry",
                    domain.name
                ),
                "name it once",
            ),
            false => (
                format!(
                    "trust domains \"{}\" and \"{}\" of this entry have a CA in common",
                    other.name, domain.name
                ),
                "a certificate belongs to one domain: take the CA out of one of them, or make them one domain",
            ),
        };
        self.problems.error(name.place, message, hint);
        Err(())
    }

    fn required_path<'h>(
        &self,
        path: Option<&'h Spanned<String>>,
        place: Place,
        key: &str,
        example: &str,
    ) -> Option<&'h Spanned<String>> {
        if path.is_none() {
            self.problems.error(
                place,
                format!("`{key}` is missing"),
                format!("write `{key} = \"{example}\"`"),
            );
        }
        path
    }
}

/// Label of a host in messages and metrics: its names.
fn label(host: &Host) -> String {
    match host.names.as_slice() {
        [] => "*".to_owned(),
        names => names
            .iter()
            .map(|name| name.value.as_str())
            .collect::<Vec<_>>()
            .join(","),
    }
}

/// Hint for an invalid address. The first example is a loopback address.
fn address_hint(address: &str) -> String {
    let port = address
        .strip_prefix("localhost:")
        .filter(|port| port.parse::<u16>().is_ok());
    match port {
        Some(port) => format!("write \"127.0.0.1:{port}\" or \"[::1]:{port}\""),
        None => {
            "write for example \"127.0.0.1:8443\", or \"0.0.0.0:8443\" for all addresses of this machine".to_owned()
        }
    }
}
