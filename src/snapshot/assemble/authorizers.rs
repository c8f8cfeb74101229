//! Assembly of authorizers: endpoint, forwarded header fields and cache key.

use super::own_certificates::CertificatePaths;
use super::remote_servers::{Inputs, RemoteServer};
use super::{super::defaults, Assembly, Depth};
use crate::authorizer::{Authorizer, AuthorizerApi, AuthorizerSettings, Authorizers, KeyPart};
use crate::config::{AuthorizerProtocol, AuthorizerTable, RouteEntry, Spanned, WhenUnavailable};
use crate::endpoint::EndpointAddress;
use crate::fetch::{self, FetchUrl};
use crate::forward::{BadFieldName, FieldNames};
use http::HeaderName;
use std::net::IpAddr;
use std::sync::Arc;

impl Assembly<'_> {
    pub(super) fn authorizers(&self) -> Authorizers {
        let _ = self.unique("authorizer", &self.config.authorizers, |authorizer| {
            &authorizer.name
        });
        let mut reserved = FieldNames::default();
        let built: Vec<_> = self
            .config
            .authorizers
            .iter()
            .filter_map(|table| self.authorizer(table, &mut reserved))
            .collect();
        self.check_authorizer_names();
        if self.depth == Depth::Warnings && !self.problems.any_error() {
            self.config
                .authorizers
                .iter()
                .for_each(|table| self.warn_about_authorizer(table));
        }
        Authorizers::new(built, reserved)
    }

    fn authorizer(
        &self,
        table: &AuthorizerTable,
        reserved: &mut FieldNames,
    ) -> Option<Arc<Authorizer>> {
        let shown = self.field_names(
            "request_headers",
            &table.request_headers,
            FieldNames::add_shown,
        );
        let taken = self.field_names(
            "response_headers",
            &table.response_headers,
            FieldNames::add_reserved,
        );
        for name in shown.iter().chain(&taken).flat_map(FieldNames::iter) {
            self.decision_fields
                .borrow_mut()
                .add_decision_field(name.as_str());
        }
        for name in taken.iter().flat_map(FieldNames::iter) {
            // These names were validated above.
            let _ = reserved.add_reserved(name.as_str());
        }
        let parts = self.cache_key(table, shown.as_ref()?);
        let (protocol, address) = self.authorizer_endpoint(table)?;
        let peer = peer(table);
        let mut inputs = Inputs::default();
        let tls = self.client_config(&peer, &[&address], &mut inputs).ok()?;
        let endpoint = self.endpoint(&peer, table.endpoint.as_ref()?, address, tls.as_ref())?;
        let concurrency = table
            .concurrency
            .unwrap_or(defaults::AUTHORIZER_CONCURRENCY);
        let settings = AuthorizerSettings {
            name: table.name.value.as_str().into(),
            protocol,
            endpoint,
            timeout: table.timeout.unwrap_or(defaults::AUTHORIZER_TIMEOUT),
            unavailable: table
                .unavailable
                .as_ref()
                .map_or_else(WhenUnavailable::default, |setting| setting.value),
            cache: table.cache.flatten().zip(Some(parts?)),
            shown: shown?,
            taken: taken?,
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
        };
        inputs.add(format!("{settings:?}").as_bytes());
        let signature = inputs.digest();
        // An unchanged authorizer keeps its connections and cached verdicts.
        let before = self
            .previous
            .and_then(|previous| previous.authorizers.get(&settings.name));
        let unchanged = before
            .filter(|authorizer| authorizer.signature == signature)
            .cloned();
        Some(unchanged.unwrap_or_else(|| {
            Arc::new(Authorizer::new(settings, signature, self.telemetry.clone()))
        }))
    }

    fn authorizer_endpoint(
        &self,
        table: &AuthorizerTable,
    ) -> Option<(AuthorizerApi, EndpointAddress)> {
        let protocol = table.protocol.as_ref()?;
        let text = table.endpoint.as_ref()?;
        if protocol.value == AuthorizerProtocol::ExtAuthz {
            let address = self.endpoint_address(text)?;
            return Some((AuthorizerApi::ExtAuthz(address.scheme), address));
        }
        let Some(url) = FetchUrl::parse(&text.value) else {
            let message = format!("\"{}\" is no http or https URL", text.value);
            self.problems.error(
                text.place,
                message,
                "write for example \"http://127.0.0.1:9000/check\"",
            );
            return None;
        };
        let scheme = match url.scheme() {
            fetch::FetchScheme::Http => "http",
            fetch::FetchScheme::Https => "https",
        };
        let address = EndpointAddress::parse(&format!("{scheme}://{}", url.authority()));
        Some((AuthorizerApi::ForwardAuth(url), address.ok()?))
    }

    fn field_names(
        &self,
        key: &str,
        texts: &[Spanned<String>],
        add: fn(&mut FieldNames, &str) -> Result<(), BadFieldName>,
    ) -> Option<FieldNames> {
        let mut names = FieldNames::default();
        let mut complete = true;
        for text in texts {
            if let Err(error) = add(&mut names, &text.value) {
                complete = false;
                let message = format!("`{key}` cannot hold \"{}\": {error}", text.value);
                self.problems.error(
                    text.place,
                    message,
                    "name another field; who the client is, is told in any case",
                );
            }
        }
        complete.then_some(names)
    }

    /// The parts of the cache key. The default is everything that the authorizer receives.
    fn cache_key(&self, table: &AuthorizerTable, shown: &FieldNames) -> Option<Vec<KeyPart>> {
        let named = KeyPart::NAMED.into_iter();
        let Some(words) = &table.cache_key else {
            return Some(
                named
                    .map(|(_, part)| part)
                    .chain(shown.iter().cloned().map(KeyPart::Field))
                    .collect(),
            );
        };
        if let (None | Some(None), Some(first)) = (table.cache, words.first()) {
            let message = "`cache_key` says how verdicts are remembered, and they are not";
            self.problems.error(
                first.place,
                message,
                "write `cache = \"10s\"`, or remove it",
            );
            return None;
        }
        let parts: Vec<_> = words
            .iter()
            .map(|word| self.key_part(word, shown))
            .collect();
        let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
        if !parts.contains(&KeyPart::User) {
            let place = words.first().map_or(table.name.place, |word| word.place);
            let message =
                "`cache_key` without \"user\" would give one client the verdict about another";
            self.problems.error(place, message, "add \"user\"");
            return None;
        }
        Some(parts)
    }

    fn key_part(&self, word: &Spanned<String>, shown: &FieldNames) -> Option<KeyPart> {
        let named = KeyPart::NAMED
            .into_iter()
            .find(|(name, _)| *name == word.value)
            .map(|(_, part)| part);
        let field = || {
            let name = HeaderName::from_bytes(word.value.as_bytes()).ok()?;
            shown
                .iter()
                .find(|shown| **shown == name)
                .cloned()
                .map(KeyPart::Field)
        };
        let part = named.or_else(field);
        if part.is_none() {
            let words = KeyPart::NAMED
                .map(|(name, _)| format!("\"{name}\""))
                .join(", ");
            let message = format!("`cache_key` cannot hold \"{}\"", word.value);
            self.problems.error(
                word.place,
                message,
                format!("use some of {words}, and of `request_headers`"),
            );
        }
        part
    }

    /// Reports routes with unknown authorizers.
    fn check_authorizer_names(&self) {
        let names = || {
            self.config
                .authorizers
                .iter()
                .map(|authorizer| &authorizer.name.value)
        };
        for name in self
            .config
            .routes
            .iter()
            .filter_map(|route| route.authorizer.as_ref())
        {
            if !names().any(|known| *known == name.value) {
                let message = format!("there is no authorizer \"{}\"", name.value);
                self.problems
                    .error(name.place, message, self.known("authorizers", names()));
            }
        }
    }

    fn warn_about_authorizer(&self, table: &AuthorizerTable) {
        let name = &table.name.value;
        if let Some(permit) = table
            .unavailable
            .as_ref()
            .filter(|setting| setting.value == WhenUnavailable::Permit)
        {
            let message = format!("requests go on while authorizer \"{name}\" does not answer");
            let hint = "an attacker who blocks the authorizer bypasses it; write `unavailable = \"refuse\"`";
            self.problems.warning(permit.place, message, hint);
        }
        let uses_it = |route: &&RouteEntry| {
            route
                .authorizer
                .as_ref()
                .is_some_and(|setting| setting.value == *name)
        };
        if !self.config.routes.iter().any(|route| uses_it(&route)) {
            let message = format!("no route asks authorizer \"{name}\"");
            self.problems.warning(
                table.name.place,
                message,
                format!("write `authorizer = \"{name}\"` in a route"),
            );
        }
        let plain = table.endpoint.as_ref().filter(|text| {
            let host =
                FetchUrl::parse(&text.value).filter(|url| url.scheme() == fetch::FetchScheme::Http);
            host.is_some_and(|url| !is_local(&url))
        });
        if let Some(plain) = plain {
            let message = format!("authorizer \"{name}\" is asked over the network without TLS");
            let hint =
                "an attacker on the network can read each check and forge its verdict; use https";
            self.problems.warning(plain.place, message, hint);
        }
    }
}

/// Whether the host is this machine, so that no request crosses a network.
fn is_local(url: &FetchUrl) -> bool {
    let authority = url.authority();
    let host = authority
        .rsplit_once(':')
        .map_or("", |(host, _)| host)
        .trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn peer(table: &AuthorizerTable) -> RemoteServer<'_> {
    let is_grpc = table
        .protocol
        .as_ref()
        .is_some_and(|protocol| protocol.value == AuthorizerProtocol::ExtAuthz);
    RemoteServer {
        table: "authorizer",
        key: "endpoint",
        anchor_kind: "authorizer_anchor",
        client_kind: "authorizer_client",
        protocol: if is_grpc { b"h2" } else { b"http/1.1" },
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
