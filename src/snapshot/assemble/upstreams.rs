//! Upstreams: endpoints, who may vouch for them, and our credentials there.

use super::{super::defaults, Assembly};
use crate::config::{HostHeader, Spanned, Upstream as Said};
use crate::telemetry::build::{FIPS, Fips};
use crate::tls::provider;
use crate::upstream::{Endpoint, EndpointAddress, EndpointTls, Scheme, Upstream, UpstreamSettings};
use base64::Engine;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::collections::HashMap;
use std::sync::Arc;

/// A client certificate, its key, and where the key's file is named.
type Shown<'s> = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, &'s Spanned<String>);

/// A file with more certificates holds those of public CAs.
const MOST_OWN_ANCHORS: usize = 16;

/// Upstreams, and what is needed to be somebody there.
#[derive(Default)]
pub(super) struct Upstreams {
    pub(super) by_name: HashMap<Arc<str>, Arc<Upstream>>,
    /// Who may vouch for https endpoints.
    pub(super) roots: HashMap<Arc<str>, Arc<RootCertStore>>,
}

impl Assembly<'_> {
    pub(super) fn upstreams(&self) -> Upstreams {
        let _ = self.unique("upstream", &self.config.upstreams, |upstream| &upstream.name);
        let mut upstreams = Upstreams::default();
        for said in &self.config.upstreams {
            if said.endpoints.is_empty() {
                let message = format!("upstream \"{}\" has no endpoints", said.name.value);
                self.problems.error(said.name.place, message, "write `endpoints = [\"http://127.0.0.1:8080\"]`");
            }
            if let Some((upstream, roots)) = self.upstream(said) {
                let name = upstream.name.clone();
                upstreams.roots.extend(roots.map(|roots| (name.clone(), roots)));
                upstreams.by_name.insert(name, upstream);
            }
        }
        upstreams
    }

    fn upstream(&self, said: &Said) -> Option<(Arc<Upstream>, Option<Arc<RootCertStore>>)> {
        let addresses: Vec<_> = said.endpoints.iter().map(|text| (text, self.endpoint_address(text))).collect();
        let speaks_tls =
            addresses.iter().any(|(_, address)| address.as_ref().is_some_and(|found| found.scheme == Scheme::Https));
        let mut inputs = Inputs::default();
        let tls = self.tls(said, speaks_tls, &mut inputs);
        let identity = self.identity_selection(said);
        let authorization = said.basic_credentials.as_ref().map(|text| self.basic_credentials(text));
        let mut endpoints = Vec::new();
        for (text, address) in addresses {
            let config = tls.as_ref().ok()?.as_ref().map(|(config, _)| config);
            endpoints.push(self.endpoint(said, text, address?, config)?);
        }
        let authorization = match authorization {
            Some(credentials) => Some(credentials?),
            None => None,
        };
        let pool_size = said.pool_size.unwrap_or(defaults::POOL_SIZE);
        let settings = UpstreamSettings {
            name: said.name.value.as_str().into(),
            endpoints: (!endpoints.is_empty()).then_some(endpoints)?,
            host_header: said.host_header.as_ref().map_or(HostHeader::Client, |said| said.value),
            authorization,
            identity: Arc::new(identity?),
            proxy_protocol: said.proxy_protocol.as_ref().map_or_else(Default::default, |said| said.value),
            connect_timeout: defaults::connect_timeout(&[&said.limits, &self.config.limits]),
            pool_idle_timeout: defaults::pool_idle_timeout(said),
            manners: defaults::manners(&said.manners),
            pool_size: usize::try_from(pool_size).unwrap_or(usize::MAX),
        };
        inputs.add(format!("{settings:?}").as_bytes());
        let signature = inputs.digest();
        // An upstream that did not change keeps its connections.
        let before = self.previous.and_then(|previous| previous.upstreams.get(&settings.name));
        let unchanged = before.filter(|upstream| upstream.signature == signature).cloned();
        let make = || Arc::new(Upstream::new(settings, signature, self.telemetry.clone()));
        Some((unchanged.unwrap_or_else(make), tls.ok()?.map(|(_, roots)| roots)))
    }

    fn endpoint_address(&self, text: &Spanned<String>) -> Option<EndpointAddress> {
        EndpointAddress::parse(&text.value)
            .map_err(|error| {
                let message = format!("\"{}\" is no endpoint: {error}", text.value);
                self.problems.error(text.place, message, "write for example \"http://127.0.0.1:8080\"");
            })
            .ok()
    }

    fn endpoint(
        &self,
        said: &Said,
        text: &Spanned<String>,
        address: EndpointAddress,
        config: Option<&Arc<ClientConfig>>,
    ) -> Option<Endpoint> {
        if address.scheme == Scheme::Http {
            return Some(address.into_endpoint(None));
        }
        let name = said.server_name.as_ref().map_or(address.host.as_str(), |name| &name.value);
        let place = said.server_name.as_ref().map_or(text.place, |name| name.place);
        let Ok(name) = ServerName::try_from(name.to_owned()) else {
            let message = format!("\"{name}\" cannot be the name in a certificate");
            self.problems.error(place, message, "write a host name or an IP address");
            return None;
        };
        Some(address.into_endpoint(Some(EndpointTls { config: config?.clone(), name })))
    }

    /// How `https` endpoints are verified, and by whom; `Ok(None)` where none is, `Err` if that is wrong and was reported.
    #[expect(clippy::type_complexity, reason = "what exists only between these two functions")]
    fn tls(
        &self,
        said: &Said,
        speaks_tls: bool,
        inputs: &mut Inputs,
    ) -> Result<Option<(Arc<ClientConfig>, Arc<RootCertStore>)>, ()> {
        if !speaks_tls {
            return self.refuse_useless_tls(said);
        }
        if said.anchors.is_empty() {
            self.problems.error(
                said.name.place,
                format!("upstream \"{}\" speaks https, but nobody may vouch for it", said.name.value),
                "name CA files: `anchors = [\"pki/upstream-ca.crt\"]` (for public CAs \
                 \"/etc/ssl/certs/ca-certificates.crt\"); there is no default",
            );
            return Err(());
        }
        let roots = self.roots(said, inputs);
        let shown =
            self.client_certificate((said.certificate.as_ref(), said.private_key.as_ref()), &said.name.value, inputs)?;
        let roots = roots?;
        let config = self.client_config(&roots, shown, &said.name)?;
        Ok(Some((Arc::new(config), roots)))
    }

    /// Who may vouch for an upstream's endpoints.
    fn roots(&self, said: &Said, inputs: &mut Inputs) -> Result<Arc<RootCertStore>, ()> {
        let mut roots = RootCertStore::empty();
        let mut complete = true;
        for path in &said.anchors {
            let anchors = self.certificates(path);
            complete &= anchors.is_some();
            // A bundle of public CAs always holds some that are about to expire, and none of them is ours to renew.
            if let Some(anchors) = anchors.as_ref().filter(|anchors| anchors.len() <= MOST_OWN_ANCHORS) {
                self.note_expiry("upstream_anchor", &said.name.value, anchors);
            }
            for anchor in anchors.into_iter().flatten() {
                inputs.add(&anchor);
                if let Err(error) = roots.add(anchor) {
                    complete = false;
                    self.problems.error(path.place, format!("a certificate cannot be an anchor: {error}"), "remove it");
                }
            }
        }
        if complete { Ok(Arc::new(roots)) } else { Err(()) }
    }

    /// TLS to an upstream with what we show there.
    pub(super) fn client_config(
        &self,
        roots: &Arc<RootCertStore>,
        shown: Option<Shown<'_>>,
        upstream: &Spanned<String>,
    ) -> Result<ClientConfig, ()> {
        let versions = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = versions.map_err(drop)?.with_root_certificates(roots.clone());
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some((chain, key, path)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
                let message = format!("the client certificate cannot be used: {error}");
                self.problems.error(path.place, message, "give the key that the certificate was made for");
            })?,
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if FIPS == Fips::Only && !config.fips() {
            let message = format!("TLS to upstream \"{}\" would not be FIPS", upstream.value);
            self.problems.error(upstream.place, message, "use a build without the feature `fips`");
            return Err(());
        }
        Ok(config)
    }

    fn refuse_useless_tls<T>(&self, said: &Said) -> Result<Option<T>, ()> {
        let keys =
            [said.anchors.first(), said.server_name.as_ref(), said.certificate.as_ref(), said.private_key.as_ref()];
        let Some(useless) = keys.into_iter().flatten().next() else {
            return Ok(None);
        };
        let message = format!("upstream \"{}\" has TLS settings, but no https endpoint", said.name.value);
        self.problems.error(useless.place, message, "write https:// in `endpoints`, or remove the TLS settings");
        Err(())
    }

    /// A client certificate from two files, of which there are both or none.
    pub(super) fn client_certificate<'s>(
        &self,
        files: (Option<&'s Spanned<String>>, Option<&'s Spanned<String>>),
        name: &str,
        inputs: &mut Inputs,
    ) -> Result<Option<Shown<'s>>, ()> {
        match files {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let chain = self.certificates(certificate);
                let key_read = self.private_key(key);
                let (chain, key_read) = (chain.ok_or(())?, key_read.ok_or(())?);
                self.note_expiry("upstream_client", name, &chain);
                chain.iter().for_each(|der| inputs.add(der));
                inputs.add(key_read.secret_der());
                Ok(Some((chain, key_read, key)))
            }
            (Some(one), None) | (None, Some(one)) => {
                let message = "`certificate` and `private_key` belong together, and one is missing";
                self.problems.error(one.place, message, "give both, or none");
                Err(())
            }
        }
    }

    /// `Authorization` from a file or `env:NAME` that holds `user:password`.
    pub(super) fn basic_credentials(&self, text: &Spanned<String>) -> Option<Vec<u8>> {
        let read = match text.value.strip_prefix("env:") {
            Some(name) => std::env::var(name).map_err(|error| format!("environment variable {name}: {error}")),
            None => {
                let path = self.path(text);
                std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
        };
        let secret = match read {
            Ok(secret) => zeroize::Zeroizing::new(secret),
            Err(message) => {
                self.problems.error(text.place, message, "give a file, or `env:NAME`, that holds user:password");
                return None;
            }
        };
        let pair = secret.trim_end_matches(['\r', '\n']);
        let usable = pair.split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty());
        if !usable || pair.chars().any(char::is_control) {
            let hint = "the file holds one line, user:password, and neither is empty";
            self.problems.error(text.place, "the credentials are not user:password", hint);
            return None;
        }
        Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)).into_bytes())
    }
}

/// All that an upstream was made from, as one digest.
#[derive(Default)]
pub(super) struct Inputs(Vec<u8>);

impl Inputs {
    pub(super) fn add(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(&octets.len().to_le_bytes());
        self.0.extend_from_slice(octets);
    }

    pub(super) fn digest(self) -> Vec<u8> {
        let octets = zeroize::Zeroizing::new(self.0);
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &octets).as_ref().to_vec()
    }
}
