//! Assembly of fetches from URLs: TLS settings for `https`, and sources of revocation lists.

use super::{super::defaults, Assembly};
use crate::config::{self, Place, Spanned};
use crate::fetch::{FetchScheme, FetchUrl};
use crate::file_read;
use crate::telemetry::build::{FIPS, Fips};
use crate::tls::{Authorities, CrlFetchSettings, CrlFetcher, TrustDomain, provider};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;

impl Assembly<'_> {
    /// TLS settings for `https` servers. `None` without anchors, or for an error, which was reported. Appends its inputs to
    /// `signature`.
    pub(super) fn fetch_tls(
        &self,
        anchors: &[Spanned<String>],
        signature: &mut Vec<u8>,
    ) -> Option<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        let mut complete = !anchors.is_empty();
        for path in anchors {
            let anchors = self.certificates(path);
            complete &= anchors.is_some();
            for anchor in anchors.into_iter().flatten() {
                signature.extend_from_slice(&anchor);
                if let Err(error) = roots.add(anchor) {
                    complete = false;
                    self.report_unusable_anchor(path, &error);
                }
            }
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .ok()?;
        let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        if let (Fips::Only, false, Some(first)) = (FIPS, tls.fips(), anchors.first()) {
            self.problems.error(
                first.place,
                "TLS would not be FIPS",
                "use a build without the feature `fips`",
            );
            return None;
        }
        complete.then(|| Arc::new(tls))
    }

    /// The fetcher of revocation lists of a domain. `Err` for an error, which was reported.
    pub(super) fn crl_fetch(
        &self,
        domain: &config::TrustDomainTable,
        authorities: &Authorities,
        previous: Option<&TrustDomain>,
    ) -> Result<Option<Arc<CrlFetcher>>, ()> {
        let Some(table) = &domain.crl_fetch else {
            return Ok(None);
        };
        let cache = self.cache_folder(table);
        let urls = self.crl_urls(table);
        let followed = self.followed_hosts(table);
        let mut signature = Vec::new();
        let tls = self.fetch_tls(&table.anchors, &mut signature);
        if tls.is_none() && !table.anchors.is_empty() {
            return Err(());
        }
        let settings = CrlFetchSettings {
            urls: urls?,
            followed: followed?,
            cache: cache?,
            refresh: table.refresh.unwrap_or(defaults::CRL_REFRESH),
            timeout: table.timeout.unwrap_or(defaults::CRL_TIMEOUT),
            size_limit: usize::try_from(table.size_limit.unwrap_or(defaults::CRL_SIZE_LIMIT))
                .unwrap_or(usize::MAX),
            tls,
        };
        let before = previous.and_then(|domain| domain.revocation().fetch());
        Ok(Some(CrlFetcher::new(
            settings,
            authorities,
            &signature,
            before,
        )))
    }

    fn cache_folder(&self, table: &config::CrlFetchTable) -> Result<PathBuf, ()> {
        let Some(text) = &table.cache else {
            return Err(());
        };
        let folder = self.path(text);
        if !file_read::is_folder(&folder) {
            let message = format!("there is no folder {}", folder.display());
            self.problems.error(
                text.place,
                message,
                "make it, and let the gateway's user write there",
            );
            return Err(());
        }
        let real = |text: &Spanned<String>| {
            self.sources
                .folder(text.place.file)
                .join(&text.value)
                .canonicalize()
                .ok()
        };
        let others = self
            .config
            .trust_domains
            .iter()
            .filter_map(|domain| domain.crl_fetch.as_ref()?.cache.as_ref());
        let mut earlier = others.take_while(|other| other.place != text.place);
        if earlier.any(|other| real(other) == real(text)) {
            let message = "another trust domain has this `cache`, too";
            self.problems.error(
                text.place,
                message,
                "give each trust domain a folder of its own",
            );
            return Err(());
        }
        Ok(folder)
    }

    fn crl_urls(&self, table: &config::CrlFetchTable) -> Result<Vec<FetchUrl>, ()> {
        let mut urls = Vec::new();
        let mut complete = Ok(());
        for text in &table.urls {
            match FetchUrl::parse(&text.value) {
                Some(url) if url.scheme() == FetchScheme::Https && table.anchors.is_empty() => {
                    let hint =
                        "name CA files: `anchors = [\"pki/web-ca.crt\"]`; there is no default";
                    self.problems.error(
                        text.place,
                        "there are no `anchors` to verify this URL",
                        hint,
                    );
                    complete = Err(());
                }
                Some(url) => urls.push(url),
                None => {
                    // The URL may contain a password, so the message does not include it.
                    let hint = "write for example \"http://crl.example.org/ca.crl\", without user and password";
                    self.problems
                        .error(text.place, "this is no http or https URL", hint);
                    complete = Err(());
                }
            }
        }
        complete.map(|()| urls)
    }

    /// Allowed hosts of distribution points; empty if these are ignored.
    fn followed_hosts(&self, table: &config::CrlFetchTable) -> Result<Vec<String>, ()> {
        let follow = table
            .distribution_points
            .as_ref()
            .filter(|setting| setting.value == config::DistributionPoints::Follow);
        let error = |place: Place, message: &str, hint: &str| {
            self.problems.error(place, message, hint);
            Err(())
        };
        match (follow, table.allowed_hosts.as_slice()) {
            (Some(follow), []) => {
                let hint = "name them: `allowed_hosts = [\"crl.example.org\"]`, with a port if it is an unusual one";
                error(
                    follow.place,
                    "no host may be asked, and a certificate must not make us ask any",
                    hint,
                )
            }
            (None, [first, ..]) => {
                let hint = "write `distribution_points = \"follow\"`, or remove it";
                error(
                    first.place,
                    "`allowed_hosts` is for distribution points that are followed",
                    hint,
                )
            }
            (None, []) if table.urls.is_empty() => {
                let hint = "write `urls = [\"http://...\"]`, or `distribution_points = \"follow\"`";
                error(table.place, "nothing is fetched by this", hint)
            }
            (_, hosts) => {
                let bad = hosts.iter().find(|host| !is_host(&host.value));
                if let Some(bad) = bad {
                    return error(
                        bad.place,
                        "this is no host",
                        "write \"crl.example.org\" or \"192.0.2.1:8080\"",
                    );
                }
                Ok(hosts
                    .iter()
                    .map(|host| host.value.to_ascii_lowercase())
                    .collect())
            }
        }
    }
}

/// Whether a text is a host, with or without a port.
fn is_host(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let url = FetchUrl::parse(&format!("http://{lower}/"));
    url.is_some_and(|url| url.usual_host().as_ref() == Some(&lower) || url.authority() == lower)
}
