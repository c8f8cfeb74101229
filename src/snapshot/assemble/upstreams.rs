//! Assembly of upstreams: endpoints, their CAs, and our credentials.

use super::own_certificates::CertificatePaths;
use super::remote_servers::{Inputs, RemoteServer};
use super::{super::defaults, Assembly};
use crate::config::{HostHeader, Spanned, UpstreamHttp, UpstreamTable, unexpanded};
use crate::endpoint::{EndpointAddress, EndpointHttp, EndpointScheme};
use crate::file_read::{self, FileKind};
use crate::pool::Capacity;
use crate::upstream::{HealthSettings, Upstream, UpstreamSettings};
use base64::Engine;
use rustls::RootCertStore;
use std::collections::HashMap;
use std::sync::Arc;

/// Upstreams, and the CAs that are needed for accounts there.
#[derive(Default)]
pub(super) struct Upstreams {
    pub(super) by_name: HashMap<Arc<str>, Arc<Upstream>>,
    /// `anchors` of upstreams with `https` endpoints, by name.
    pub(super) roots: HashMap<Arc<str>, Arc<RootCertStore>>,
}

impl Assembly<'_> {
    pub(super) fn upstreams(&self) -> Upstreams {
        let _ = self.unique("upstream", &self.config.upstreams, |upstream| {
            &upstream.name
        });
        let mut upstreams = Upstreams::default();
        for table in &self.config.upstreams {
            if table.endpoints.is_empty() {
                let message = format!("upstream \"{}\" has no endpoints", table.name.value);
                self.problems.error(
                    table.name.place,
                    message,
                    "write `endpoints = [\"http://127.0.0.1:8080\"]`",
                );
            }
            if let Some((upstream, roots)) = self.upstream(table) {
                let name = upstream.name.clone();
                upstreams
                    .roots
                    .extend(roots.map(|roots| (name.clone(), roots)));
                upstreams.by_name.insert(name, upstream);
            }
        }
        upstreams
    }

    fn upstream(
        &self,
        table: &UpstreamTable,
    ) -> Option<(Arc<Upstream>, Option<Arc<RootCertStore>>)> {
        let addresses: Vec<_> = table
            .endpoints
            .iter()
            .map(|text| (text, self.endpoint_address(text)))
            .collect();
        let known: Vec<_> = addresses
            .iter()
            .filter_map(|(_, address)| address.as_ref())
            .collect();
        let mut inputs = Inputs::default();
        let peer = peer(table);
        let tls = self.client_config(&peer, &known, &mut inputs);
        let identity = self.identity_selection(table);
        let authorization = table
            .basic_credentials
            .as_ref()
            .map(|text| self.basic_credentials(text));
        let mut endpoints = Vec::new();
        for (text, address) in addresses {
            let tls = tls.as_ref().ok()?.as_ref();
            let address = address?;
            let http = self.endpoint_http(table, text, &address)?;
            endpoints.push(self.endpoint(&peer, text, address, tls)?.with_http(http));
        }
        let authorization = match authorization {
            Some(credentials) => Some(credentials?),
            None => None,
        };
        let settings = UpstreamSettings {
            name: table.name.value.as_str().into(),
            endpoints: (!endpoints.is_empty()).then_some(endpoints)?,
            host_header: table
                .host_header
                .as_ref()
                .map_or_else(HostHeader::default, |setting| setting.value),
            authorization,
            identity: Arc::new(identity?),
            proxy_protocol: table
                .proxy_protocol
                .as_ref()
                .map_or_else(Default::default, |setting| setting.value),
            connect_timeout: defaults::connect_timeout(&[&table.limits, &self.config.limits]),
            pool_idle_timeout: defaults::pool_idle_timeout(table),
            health: self.health(table)?,
            retry_percent: table.retry_percent.unwrap_or(defaults::RETRY_PERCENT),
            quirks: defaults::quirks(&table.quirks),
            pool_capacity: pool_capacity(table),
        };
        inputs.add(format!("{settings:?}").as_bytes());
        let signature = inputs.digest();
        let unchanged = self.unchanged_upstream(&settings.name, &signature);
        let make = || Arc::new(Upstream::new(settings, signature, self.telemetry.clone()));
        Some((
            unchanged.unwrap_or_else(make),
            tls.ok()?.and_then(|tls| tls.roots),
        ))
    }

    /// The upstream of the previous snapshot if its settings are the same, so that it keeps its connections.
    fn unchanged_upstream(&self, name: &str, signature: &[u8]) -> Option<Arc<Upstream>> {
        let before = self.previous?.upstreams.get(name)?;
        (before.signature == signature).then(|| before.clone())
    }

    /// When endpoints are ejected.
    fn health(&self, table: &UpstreamTable) -> Option<HealthSettings> {
        let settings = defaults::health(&table.health);
        if settings.ejection_time <= settings.max_ejection_time {
            return Some(settings);
        }
        let longest = settings.max_ejection_time;
        let message = format!(
            "`ejection_time` of upstream \"{}\" is longer than `max_ejection_time` ({longest:?})",
            table.name.value
        );
        self.problems.error(
            table.health.place.unwrap_or(table.name.place),
            message,
            "shorten `ejection_time`, or write a longer `max_ejection_time`",
        );
        None
    }

    /// The HTTP versions that are offered to an endpoint.
    fn endpoint_http(
        &self,
        table: &UpstreamTable,
        text: &Spanned<String>,
        address: &EndpointAddress,
    ) -> Option<EndpointHttp> {
        let configured = table.http_version.as_ref();
        let version = configured.map(|version| version.value);
        if address.required_http.is_some() && version == Some(UpstreamHttp::Http1) {
            let message = format!(
                "\"{}\" is an HTTP/2 endpoint, but `http_version` of upstream \"{}\" is \"1.1\"",
                text.value, table.name.value
            );
            self.problems.error(
                text.place,
                message,
                "write http:// or https://, or remove `http_version`",
            );
            return None;
        }
        Some(match (address.required_http, version.unwrap_or_default()) {
            (Some(required), _) => required,
            (None, UpstreamHttp::Http1) => EndpointHttp::Http1,
            (None, UpstreamHttp::Http2) => EndpointHttp::Http2,
            (None, UpstreamHttp::Auto) if address.scheme == EndpointScheme::Https => {
                EndpointHttp::Negotiated
            }
            (None, UpstreamHttp::Auto) => EndpointHttp::Http1,
        })
    }

    pub(super) fn endpoint_address(&self, text: &Spanned<String>) -> Option<EndpointAddress> {
        EndpointAddress::parse(&text.value)
            .map_err(|error| {
                let message = format!("\"{}\" is no endpoint: {error}", text.value);
                self.problems.error(
                    text.place,
                    message,
                    "write for example \"http://127.0.0.1:8080\"",
                );
            })
            .ok()
    }

    /// The `Authorization` value from a file or `env:NAME` that contains `user:password`.
    pub(super) fn basic_credentials(&self, text: &Spanned<String>) -> Option<Vec<u8>> {
        let read = match text.value.strip_prefix("env:") {
            Some(name) => {
                std::env::var(name).map_err(|error| format!("environment variable {name}: {error}"))
            }
            None => {
                let path = self.path(text);
                file_read::read_text(&path, FileKind::Secret)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
        };
        let secret = match read {
            Ok(secret) => zeroize::Zeroizing::new(secret),
            Err(message) => {
                let usual = || "give a file, or `env:NAME`, that holds user:password".to_owned();
                self.problems.error(
                    text.place,
                    message,
                    unexpanded(&text.value).unwrap_or_else(usual),
                );
                return None;
            }
        };
        let pair = secret.trim_end_matches(['\r', '\n']);
        let usable = pair
            .split_once(':')
            .is_some_and(|(user, password)| !user.is_empty() && !password.is_empty());
        if !usable || pair.chars().any(char::is_control) {
            let hint = "the file holds one line, user:password, and neither is empty";
            self.problems
                .error(text.place, "the credentials are not user:password", hint);
            return None;
        }
        Some(
            format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(pair)
            )
            .into_bytes(),
        )
    }
}

fn pool_capacity(table: &UpstreamTable) -> Capacity {
    table.pool_size.map_or(Capacity::AsNeeded, |size| {
        Capacity::AtMost(usize::try_from(size).unwrap_or(usize::MAX))
    })
}

pub(super) fn peer(table: &UpstreamTable) -> RemoteServer<'_> {
    RemoteServer {
        table: "upstream",
        key: "endpoints",
        anchor_kind: "upstream_anchor",
        client_kind: "upstream_client",
        protocol: b"http/1.1",
        name: &table.name,
        anchors: &table.anchors,
        server_name: table.server_name.as_ref(),
        certificate: CertificatePaths {
            certificate: table.certificate.as_ref(),
            private_key: table.private_key.as_ref(),
            passphrase_file: table.passphrase_file.as_ref(),
        },
    }
}
