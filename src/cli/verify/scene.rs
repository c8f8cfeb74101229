//! The listeners and hosts to verify, from the config. Opens no connection.

use super::super::reachable;
use super::mint::Identity;
use super::probe::ProbeTarget;
use crate::clock;
use crate::config::{self, ClientAuth, Config, ForwardedIdentity, Sources, Spanned};
use crate::head::RequestHead;
use crate::host::HostName;
use crate::proxy::{Client, ClientIdentity, Decision, decide};
use crate::snapshot::{ListenerPolicy, Outcome, Snapshot};
use crate::tls::{HostPolicy, certificates};
use http::StatusCode;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A reserved name that never exists (RFC 6761).
pub(super) const UNUSED_NAME: &str = "portcullis-verify.invalid";

/// A listener to verify, with its address.
pub(super) struct VerifiedListener {
    pub(super) listener: String,
    pub(super) address: SocketAddr,
    pub(super) entries: Vec<VerifiedHost>,
    /// Whether the listener has a default host.
    pub(super) takes_every_name: bool,
    pub(super) begins: ConnectionStart,
}

/// The first bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionStart {
    Tls,
    /// A PROXY header, which only the listener's front proxies may send.
    ProxyHeader,
}

/// One host of a listener: its server certificate and client policy.
pub(super) struct VerifiedHost {
    /// The names as configured, or `*`.
    pub(super) label: String,
    pub(super) target: ProbeTarget,
    /// The server name of the attempts.
    pub(super) name: String,
    /// A name of another host, if there is one.
    pub(super) other_host: Option<String>,
    /// A path that requires a client identity, if there is one.
    pub(super) protected: Option<String>,
    pub(super) policy: Arc<HostPolicy>,
    /// The trust domains, with their config.
    pub(super) domains: Vec<VerifiedDomain>,
}

/// A trust domain of a host.
pub(super) struct VerifiedDomain {
    pub(super) name: String,
    pub(super) anchor: Option<CertificateDer<'static>>,
    pub(super) deny_list: Option<PathBuf>,
}

impl VerifiedHost {
    /// Whether a trust domain of this host accepts the chain.
    pub(super) fn takes(&self, identity: &Identity) -> bool {
        self.policy
            .verify_chain(&identity.chain, UnixTime::now())
            .is_ok()
    }

    /// The trust domain that accepts the chain.
    pub(super) fn domain_of(&self, identity: &Identity) -> Option<&VerifiedDomain> {
        let verified = self
            .policy
            .verify_chain(&identity.chain, UnixTime::now())
            .ok()?;
        let name = &self.policy.trust_domain(verified.domain)?.name;
        self.domains.iter().find(|domain| *domain.name == **name)
    }

    /// Whether the TLS handshake requires a client certificate.
    pub(super) fn demands_certificate(&self) -> bool {
        self.policy.client_auth == ClientAuth::Required
    }
}

/// The listeners to verify, of a config that was loaded without an error.
///
/// # Errors
/// A message if a listener cannot be verified.
pub(super) fn scenes(
    path: &Path,
    outcome: &Outcome,
    wanted: Option<&str>,
) -> Result<Vec<VerifiedListener>, String> {
    let snapshot = outcome
        .snapshot
        .as_ref()
        .ok_or("the config cannot be used")?;
    let loaded = config::load(path, config::Occasion::First);
    let config = ConfigText {
        config: &loaded.config,
        sources: &loaded.sources,
    };
    let mut scenes = Vec::new();
    for listener in &loaded.config.listeners {
        let name = &listener.name.value;
        if wanted.is_none_or(|wanted| wanted == name) {
            let policy = snapshot
                .listeners
                .get(name.as_str())
                .ok_or("the config has changed just now")?;
            scenes.push(config.scene(snapshot, listener, policy)?);
        }
    }
    match (scenes.is_empty(), wanted) {
        (true, Some(wanted)) => Err(format!("there is no listener \"{wanted}\"")),
        _ => Ok(scenes),
    }
}

/// The parsed config, for settings that the snapshot does not keep.
struct ConfigText<'a> {
    config: &'a Config,
    sources: &'a Sources,
}

impl ConfigText<'_> {
    fn scene(
        &self,
        snapshot: &Snapshot,
        config: &config::Listener,
        policy: &ListenerPolicy,
    ) -> Result<VerifiedListener, String> {
        let address = reachable(policy.address);
        let mut entries = Vec::new();
        for host in config.hosts.iter().chain(&config.default_host) {
            entries.push(self.entry(snapshot, policy, address, host)?);
        }
        let names: Vec<String> = entries
            .iter()
            .map(|entry| entry.name.clone())
            .chain([UNUSED_NAME.to_owned()])
            .collect();
        for entry in &mut entries {
            let is_other = |name: &&String| match find(policy, name) {
                Some(other) => !Arc::ptr_eq(other, &entry.policy),
                None => true,
            };
            entry.other_host = names.iter().find(is_other).cloned();
        }
        let takes_every_name = config.default_host.is_some();
        let begins = match policy.front_proxy.as_ref().map(|front| front.identity) {
            Some(ForwardedIdentity::ProxyV2) => ConnectionStart::ProxyHeader,
            _ => ConnectionStart::Tls,
        };
        Ok(VerifiedListener {
            listener: config.name.value.clone(),
            address,
            entries,
            takes_every_name,
            begins,
        })
    }

    fn entry(
        &self,
        snapshot: &Snapshot,
        listener: &ListenerPolicy,
        address: SocketAddr,
        host: &config::Host,
    ) -> Result<VerifiedHost, String> {
        let name = match host.names.first() {
            None => UNUSED_NAME.to_owned(),
            Some(name) => match name.value.strip_prefix("*.") {
                Some(rest) => format!("portcullis-verify.{rest}"),
                None => name.value.clone(),
            },
        };
        let policy = find(listener, &name)
            .ok_or_else(|| format!("no entry takes the name {name}"))?
            .clone();
        let chain = host
            .certificate
            .as_ref()
            .map(|path| certificates(&self.path(path)));
        let chain = chain
            .ok_or("an entry without a certificate")?
            .map_err(|error| error.to_string())?;
        let certificate = chain
            .into_iter()
            .next()
            .ok_or("an empty certificate file")?;
        let target = ProbeTarget {
            address,
            server_name: Some(name.clone()),
            certificate,
        };
        let protected = self.protected(snapshot, listener, &policy, &name);
        let domains = policy
            .trust_domains
            .iter()
            .map(|domain| self.domain(&domain.name))
            .collect();
        Ok(VerifiedHost {
            label: policy.label.clone(),
            target,
            name,
            other_host: None,
            protected,
            policy,
            domains,
        })
    }

    fn domain(&self, name: &str) -> VerifiedDomain {
        let config = self
            .config
            .trust_domains
            .iter()
            .find(|domain| domain.name.value == name);
        let anchor = config
            .and_then(|domain| domain.anchors.first())
            .map(|path| certificates(&self.path(path)));
        let anchor = anchor
            .and_then(Result::ok)
            .and_then(|anchors| anchors.into_iter().next());
        let deny_list = config
            .and_then(|domain| domain.deny_list.as_ref())
            .map(|path| self.path(path));
        VerifiedDomain {
            name: name.to_owned(),
            anchor,
            deny_list,
        }
    }

    /// A path, relative to the file that contains it.
    fn path(&self, text: &Spanned<String>) -> PathBuf {
        self.sources.folder(text.place.file).join(&text.value)
    }

    /// The first path that denies an anonymous client with 401, by the decision of the proxy.
    fn protected(
        &self,
        snapshot: &Snapshot,
        listener: &ListenerPolicy,
        host: &Arc<HostPolicy>,
        name: &str,
    ) -> Option<String> {
        let routes = self
            .config
            .routes
            .iter()
            .filter_map(|route| route.path.as_ref())
            .map(|path| {
                let filled = path
                    .value
                    .split('/')
                    .map(|part| if part.starts_with('{') { "x" } else { part });
                filled.collect::<Vec<_>>().join("/")
            });
        let mut paths = ["/portcullis-verify".to_owned(), "/".to_owned()]
            .into_iter()
            .chain(routes);
        let no_fields: &[(&str, &[u8])] = &[];
        paths.find(|path| {
            let head = RequestHead {
                method: "GET",
                target: path,
                authority: Some(name),
                fields: no_fields,
            };
            let client = Client {
                listener,
                host,
                identity: &ClientIdentity::Anonymous,
                verified_by: None,
                certificate: None,
                source: Ipv4Addr::LOCALHOST.into(),
                now: clock::signed_seconds(),
            };
            let decided = decide(snapshot, client, &head);
            matches!(
                decided.decision,
                Decision::Deny(rejection) if rejection.status() == StatusCode::UNAUTHORIZED
            )
        })
    }
}

fn find<'l>(listener: &'l ListenerPolicy, name: &str) -> Option<&'l Arc<HostPolicy>> {
    listener.host(Some(&HostName::parse(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_addresses_are_reached_by_loopback() {
        for (listened, reached) in [
            ("0.0.0.0:8443", "127.0.0.1:8443"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:2", "192.0.2.1:2"),
        ] {
            assert_eq!(
                reachable(listened.parse().unwrap()),
                reached.parse().unwrap()
            );
        }
    }
}
