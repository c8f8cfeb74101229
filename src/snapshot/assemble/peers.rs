//! Servers that we connect to: how `https` is verified there, and what we show of ourselves. The same for upstreams and
//! authorizers.

use super::Assembly;
use crate::config::Spanned;
use crate::endpoint::{Endpoint, EndpointAddress, EndpointTls, Scheme};
use crate::error_text::tls_error_text;
use crate::telemetry::build::{FIPS, Fips};
use crate::tls::provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A file with more certificates holds those of public CAs.
const MOST_OWN_ANCHORS: usize = 16;

/// A client certificate, its key, and where the key's file is named.
pub(super) type Shown<'s> = (
    Vec<CertificateDer<'static>>,
    PrivateKeyDer<'static>,
    &'s Spanned<String>,
);

/// What a certificate of the config is there for.
pub(super) struct CertificateOwner<'n> {
    /// The kind in metrics.
    pub(super) kind: &'static str,
    /// The name of the listener, trust domain, upstream or authorizer.
    pub(super) name: &'n str,
    /// The ApiUser that it speaks for.
    pub(super) user: Option<&'n str>,
}

/// TLS to a server, and who may vouch for it; `None` where it speaks none.
pub(super) type Verified = Option<(Arc<ClientConfig>, Arc<RootCertStore>)>;

/// What a table says about the server that it names.
pub(super) struct Peer<'c> {
    /// The kind of table.
    pub(super) table: &'static str,
    /// The key that says where the server is.
    pub(super) key: &'static str,
    /// The kinds of its anchors and of our certificate in metrics.
    pub(super) expiries: (&'static str, &'static str),
    /// What is spoken over TLS.
    pub(super) protocol: &'static [u8],
    pub(super) name: &'c Spanned<String>,
    pub(super) anchors: &'c [Spanned<String>],
    pub(super) server_name: Option<&'c Spanned<String>>,
    pub(super) certificate: Option<&'c Spanned<String>>,
    pub(super) private_key: Option<&'c Spanned<String>>,
}

impl Assembly<'_> {
    pub(super) fn endpoint(
        &self,
        peer: &Peer<'_>,
        text: &Spanned<String>,
        address: EndpointAddress,
        config: Option<&Arc<ClientConfig>>,
    ) -> Option<Endpoint> {
        if address.scheme == Scheme::Http {
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
        Some(address.into_endpoint(Some(EndpointTls {
            config: config?.clone(),
            name,
        })))
    }

    /// How `https` endpoints are verified, and by whom; `Ok(None)` where none is, `Err` if that is wrong and was reported.
    pub(super) fn client_config(
        &self,
        peer: &Peer<'_>,
        speaks_tls: bool,
        inputs: &mut Inputs,
    ) -> Result<Verified, ()> {
        if !speaks_tls {
            return self.refuse_useless_tls(peer);
        }
        if peer.anchors.is_empty() {
            self.problems.error(
                peer.name.place,
                format!(
                    "{} \"{}\" speaks https, but nobody may vouch for it",
                    peer.table, peer.name.value
                ),
                format!(
                    "name CA files: `anchors = [\"pki/{}-ca.crt\"]` (for public CAs \
                     \"/etc/ssl/certs/ca-certificates.crt\"); there is no default",
                    peer.table
                ),
            );
            return Err(());
        }
        let roots = self.roots(peer, inputs);
        let files = (peer.certificate, peer.private_key);
        let shown = self.client_certificate(
            files,
            CertificateOwner {
                kind: peer.expiries.1,
                name: &peer.name.value,
                user: None,
            },
            inputs,
        )?;
        let roots = roots?;
        let config = self.config_showing(peer, &roots, shown)?;
        Ok(Some((Arc::new(config), roots)))
    }

    /// Who may vouch for the server.
    fn roots(&self, peer: &Peer<'_>, inputs: &mut Inputs) -> Result<Arc<RootCertStore>, ()> {
        let mut roots = RootCertStore::empty();
        let mut complete = true;
        for path in peer.anchors {
            let anchors = self.certificates(path);
            complete &= anchors.is_some();
            // A bundle of public CAs always holds some that are about to expire, and none of them is ours to renew.
            if let Some(anchors) = anchors
                .as_ref()
                .filter(|anchors| anchors.len() <= MOST_OWN_ANCHORS)
            {
                let owner = CertificateOwner {
                    kind: peer.expiries.0,
                    name: &peer.name.value,
                    user: None,
                };
                self.note_expiry(&owner, path, anchors);
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

    /// A certificate of this file cannot verify servers.
    pub(super) fn report_unusable_anchor(&self, file: &Spanned<String>, error: &rustls::Error) {
        let message = format!(
            "a certificate cannot be an anchor: {}",
            tls_error_text(error)
        );
        self.problems.error(file.place, message, "remove it");
    }

    /// TLS to the server with what we show there.
    pub(super) fn config_showing(
        &self,
        peer: &Peer<'_>,
        roots: &Arc<RootCertStore>,
        shown: Option<Shown<'_>>,
    ) -> Result<ClientConfig, ()> {
        let versions =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = versions
            .map_err(drop)?
            .with_root_certificates(roots.clone());
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some((chain, key, path)) => {
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    let message = format!(
                        "the client certificate cannot be used: {}",
                        tls_error_text(&error)
                    );
                    self.problems.error(
                        path.place,
                        message,
                        "give the key that the certificate was made for",
                    );
                })?
            }
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

    fn refuse_useless_tls(&self, peer: &Peer<'_>) -> Result<Verified, ()> {
        let keys = [
            peer.anchors.first(),
            peer.server_name,
            peer.certificate,
            peer.private_key,
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

    /// A client certificate from two files, of which there are both or none; and what it is called in metrics.
    pub(super) fn client_certificate<'s>(
        &self,
        files: (Option<&'s Spanned<String>>, Option<&'s Spanned<String>>),
        owner: CertificateOwner<'_>,
        inputs: &mut Inputs,
    ) -> Result<Option<Shown<'s>>, ()> {
        match files {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let chain = self.certificates(certificate);
                let key_read = self.private_key(key);
                let (chain, key_read) = (chain.ok_or(())?, key_read.ok_or(())?);
                self.note_expiry(&owner, certificate, &chain);
                chain.iter().for_each(|der| inputs.add(der));
                inputs.add(key_read.secret_der());
                Ok(Some((chain, key_read, key)))
            }
            (Some(one), None) | (None, Some(one)) => {
                let message = "`certificate` and `private_key` belong together, and one is missing";
                self.problems
                    .error(one.place, message, "give both, or none");
                Err(())
            }
        }
    }
}

/// All that something was made from, as one digest.
#[derive(Default)]
pub(super) struct Inputs(Vec<u8>);

impl Inputs {
    pub(super) fn add(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(&octets.len().to_le_bytes());
        self.0.extend_from_slice(octets);
    }

    pub(super) fn digest(self) -> Vec<u8> {
        let octets = zeroize::Zeroizing::new(self.0);
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &octets)
            .as_ref()
            .to_vec()
    }
}
