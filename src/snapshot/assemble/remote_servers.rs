//! Assembly of TLS to upstreams and authorizers: CAs, server names and client certificates.

use super::Assembly;
use super::own_certificates::{CertificatePaths, OwnCertificate};
use crate::config::Spanned;
use crate::endpoint::{
    Endpoint, EndpointAddress, EndpointHostPattern, EndpointScheme, EndpointTls,
};
use crate::error_text::tls_error_text;
use crate::telemetry::build::{FIPS, Fips};
use crate::tls::provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of certificates in a file of own CAs. A larger file is a bundle of public CAs.
const MAX_OWN_ANCHORS: usize = 16;

/// The use of a certificate in the config.
pub(super) struct CertificateOwner<'n> {
    /// Kind of certificate in metrics.
    pub(super) kind: &'static str,
    /// The name of the listener, trust domain, upstream or authorizer.
    pub(super) name: &'n str,
    /// The ApiUser that it identifies.
    pub(super) user: Option<&'n str>,
}

/// TLS to the `https` endpoints of a table.
pub(super) struct ServerTls {
    /// By the pattern of the client certificate; `None` for the table's own certificate, or none.
    configs: HashMap<Option<EndpointHostPattern>, Arc<ClientConfig>>,
    /// CAs of the table, which verify the server.
    pub(super) roots: Option<Arc<RootCertStore>>,
}

/// The keys of a table that describe a server.
pub(super) struct RemoteServer<'c> {
    /// Name of the table.
    pub(super) table: &'static str,
    /// Key of the endpoint.
    pub(super) key: &'static str,
    /// Kind of its anchors in metrics.
    pub(super) anchor_kind: &'static str,
    /// Kind of our certificate in metrics.
    pub(super) client_kind: &'static str,
    /// ALPN protocol.
    pub(super) protocol: &'static [u8],
    pub(super) name: &'c Spanned<String>,
    pub(super) anchors: &'c [Spanned<String>],
    pub(super) server_name: Option<&'c Spanned<String>>,
    pub(super) certificate: CertificatePaths<'c>,
}

impl Assembly<'_> {
    pub(super) fn endpoint(
        &self,
        peer: &RemoteServer<'_>,
        text: &Spanned<String>,
        address: EndpointAddress,
        tls: Option<&ServerTls>,
    ) -> Option<Endpoint> {
        if address.scheme == EndpointScheme::Http {
            self.check_plain_host(text, &address)?;
            return Some(address.into_endpoint(None));
        }
        let name = peer
            .server_name
            .map_or(address.host.as_str(), |name| &name.value);
        let place = peer.server_name.map_or(text.place, |name| name.place);
        let Ok(name) = ServerName::try_from(name.to_owned()) else {
            let message = format!("\"{name}\" cannot be the name in a certificate");
            self.problems
                .error(place, message, "write a host name or an IP address");
            return None;
        };
        let pattern = self
            .certificate_by_host(&peer.certificate, &address)
            .map(|entry| entry.pattern.clone());
        Some(address.into_endpoint(Some(EndpointTls {
            config: tls?.configs.get(&pattern)?.clone(),
            name,
        })))
    }

    /// TLS for the `https` endpoints. `Ok(None)` without any, `Err` for an error, which was reported.
    pub(super) fn client_config(
        &self,
        peer: &RemoteServer<'_>,
        addresses: &[&EndpointAddress],
        inputs: &mut Inputs,
    ) -> Result<Option<ServerTls>, ()> {
        let is_secured = |address: &&&EndpointAddress| address.scheme == EndpointScheme::Https;
        let secured: Vec<_> = addresses.iter().filter(is_secured).collect();
        if secured.is_empty() {
            return self.check_unused_tls(peer);
        }
        let anchor_owner = CertificateOwner {
            kind: peer.anchor_kind,
            name: &peer.name.value,
            user: None,
        };
        let roots =
            (!peer.anchors.is_empty()).then(|| self.roots(peer.anchors, &anchor_owner, inputs));
        let owner = CertificateOwner {
            kind: peer.client_kind,
            ..anchor_owner
        };
        let own = self.client_certificate(peer.certificate, owner, inputs)?;
        let roots = roots.transpose()?;
        let mut configs = HashMap::new();
        for address in secured {
            let by_host = self.certificate_by_host(&peer.certificate, address);
            let pattern = by_host.map(|entry| entry.pattern.clone());
            if configs.contains_key(&pattern) {
                continue;
            }
            let usual = || by_host.and_then(|entry| entry.roots.clone());
            let Some(roots) = roots.clone().or_else(usual) else {
                return self.report_missing_anchors(peer);
            };
            let certificate = match by_host {
                Some(entry) => {
                    inputs.add(&entry.digest);
                    Some(entry.certificate.as_ref().ok_or(())?.duplicate())
                }
                None => own.as_ref().map(OwnCertificate::duplicate),
            };
            let config = self.config_with_certificate(peer, &roots, certificate)?;
            configs.insert(pattern, Arc::new(config));
        }
        Ok(Some(ServerTls { configs, roots }))
    }

    fn report_missing_anchors<T>(&self, peer: &RemoteServer<'_>) -> Result<T, ()> {
        self.problems.error(
            peer.name.place,
            format!(
                "{} \"{}\" speaks https, but has no `anchors` to verify it",
                peer.table, peer.name.value
            ),
            format!(
                "name CA files: `anchors = [\"pki/{}-ca.crt\"]` (for public CAs \
                 \"/etc/ssl/certs/ca-certificates.crt\"); there is no default",
                peer.table
            ),
        );
        Err(())
    }

    /// CAs that verify servers.
    pub(super) fn roots(
        &self,
        paths: &[Spanned<String>],
        owner: &CertificateOwner<'_>,
        inputs: &mut Inputs,
    ) -> Result<Arc<RootCertStore>, ()> {
        let mut roots = RootCertStore::empty();
        let mut complete = true;
        for path in paths {
            let anchors = self.certificates(path);
            complete &= anchors.is_some();
            // Bundles of public CAs always contain some that are about to expire, which the operator cannot renew.
            if let Some(anchors) = anchors
                .as_ref()
                .filter(|anchors| anchors.len() <= MAX_OWN_ANCHORS)
            {
                self.note_expiry(owner, path, anchors);
            }
            for anchor in anchors.into_iter().flatten() {
                inputs.add(&anchor);
                if let Err(error) = roots.add(anchor) {
                    complete = false;
                    self.report_unusable_anchor(path, &error);
                }
            }
        }
        if complete {
            Ok(Arc::new(roots))
        } else {
            Err(())
        }
    }

    /// Reports a certificate that cannot be used as an anchor.
    pub(super) fn report_unusable_anchor(&self, file: &Spanned<String>, error: &rustls::Error) {
        let message = format!(
            "a certificate cannot be an anchor: {}",
            tls_error_text(error)
        );
        self.problems.error(file.place, message, "remove it");
    }

    /// TLS settings for a server, with our client certificate.
    pub(super) fn config_with_certificate(
        &self,
        peer: &RemoteServer<'_>,
        roots: &Arc<RootCertStore>,
        client_certificate: Option<OwnCertificate<'_>>,
    ) -> Result<ClientConfig, ()> {
        let versions =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = versions
            .map_err(drop)?
            .with_root_certificates(roots.clone());
        let mut config = match client_certificate {
            None => builder.with_no_client_auth(),
            Some(OwnCertificate {
                chain,
                key,
                key_path,
                ..
            }) => builder.with_client_auth_cert(chain, key).map_err(|error| {
                let message = format!(
                    "the client certificate cannot be used: {}",
                    tls_error_text(&error)
                );
                self.problems.error(
                    key_path.place,
                    message,
                    "give the key that the certificate was made for",
                );
            })?,
        };
        config.alpn_protocols = vec![peer.protocol.to_vec()];
        if FIPS == Fips::Only && !config.fips() {
            let message = format!(
                "TLS to {} \"{}\" would not be FIPS",
                peer.table, peer.name.value
            );
            self.problems.error(
                peer.name.place,
                message,
                "use a build without the feature `fips`",
            );
            return Err(());
        }
        Ok(config)
    }

    fn check_unused_tls<T>(&self, peer: &RemoteServer<'_>) -> Result<Option<T>, ()> {
        let keys = [
            peer.anchors.first(),
            peer.server_name,
            peer.certificate.first(),
        ];
        let Some(useless) = keys.into_iter().flatten().next() else {
            return Ok(None);
        };
        let message = format!(
            "{} \"{}\" has TLS settings, but no https endpoint",
            peer.table, peer.name.value
        );
        let hint = format!(
            "write https:// in `{}`, or remove the TLS settings",
            peer.key
        );
        self.problems.error(useless.place, message, hint);
        Err(())
    }

    /// Reads a client certificate and its key, if paths are set. `owner` is for metrics.
    pub(super) fn client_certificate<'s>(
        &self,
        paths: CertificatePaths<'s>,
        owner: CertificateOwner<'_>,
        inputs: &mut Inputs,
    ) -> Result<Option<OwnCertificate<'s>>, ()> {
        let found = self.own_certificate(paths)?;
        if let Some(found) = &found {
            self.note_expiry(&owner, found.chain_path, &found.chain);
            found.chain.iter().for_each(|der| inputs.add(der));
            inputs.add(found.key.secret_der());
        }
        Ok(found)
    }
}

/// Collects the inputs of an item and computes their digest.
#[derive(Default)]
pub(super) struct Inputs(Vec<u8>);

impl Inputs {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes.len().to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn digest(self) -> Vec<u8> {
        let bytes = zeroize::Zeroizing::new(self.0);
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes)
            .as_ref()
            .to_vec()
    }
}
