//! Authorizers: where each is, what it is told, and what becomes of its answers.

use super::peers::{Inputs, Peer};
use super::{Assembly, Depth};
use crate::authorizer::{Authorizer, AuthorizerSettings, Authorizers, KeyPart, Protocol};
use crate::config::{Authorizer as Said, AuthorizerProtocol, Route, Spanned, WhenUnavailable};
use crate::endpoint::{EndpointAddress, Scheme};
use crate::fetch::{self, FetchUrl};
use crate::forward::{BadFieldName, FieldNames};
use http::HeaderName;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_millis(500);
const CONCURRENCY: u32 = 256;

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
            .filter_map(|said| self.authorizer(said, &mut reserved))
            .collect();
        self.check_authorizer_names();
        if self.depth == Depth::Warnings && !self.problems.any_error() {
            self.config
                .authorizers
                .iter()
                .for_each(|said| self.warn_about_authorizer(said));
        }
        Authorizers::new(built, reserved)
    }

    fn authorizer(&self, said: &Said, reserved: &mut FieldNames) -> Option<Arc<Authorizer>> {
        let shown = self.field_names(
            "request_headers",
            &said.request_headers,
            FieldNames::add_shown,
        );
        let taken = self.field_names(
            "response_headers",
            &said.response_headers,
            FieldNames::add_reserved,
        );
        for name in shown.iter().chain(&taken).flat_map(FieldNames::iter) {
            self.judged_fields.borrow_mut().add_judged(name.as_str());
        }
        for name in taken.iter().flat_map(FieldNames::iter) {
            // Each was just taken as one.
            let _ = reserved.add_reserved(name.as_str());
        }
        let parts = self.cache_key(said, shown.as_ref()?);
        let (protocol, address) = self.authorizer_endpoint(said)?;
        let peer = peer(said);
        let mut inputs = Inputs::default();
        let tls = self
            .client_config(&peer, address.scheme == Scheme::Https, &mut inputs)
            .ok()?;
        let endpoint = self.endpoint(
            &peer,
            said.endpoint.as_ref()?,
            address,
            tls.as_ref().map(|(config, _)| config),
        )?;
        let concurrency = said.concurrency.unwrap_or(CONCURRENCY);
        let settings = AuthorizerSettings {
            name: said.name.value.as_str().into(),
            protocol,
            endpoint,
            timeout: said.timeout.unwrap_or(TIMEOUT),
            unavailable: said
                .unavailable
                .as_ref()
                .map_or(WhenUnavailable::Refuse, |said| said.value),
            cache: said.cache.flatten().zip(Some(parts?)),
            shown: shown?,
            taken: taken?,
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
        };
        inputs.add(format!("{settings:?}").as_bytes());
        let signature = inputs.digest();
        // One that did not change keeps its connections, and what it has said.
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

    fn authorizer_endpoint(&self, said: &Said) -> Option<(Protocol, EndpointAddress)> {
        let (protocol, text) = (said.protocol.as_ref()?, said.endpoint.as_ref()?);
        if protocol.value == AuthorizerProtocol::ExtAuthz {
            let address = self.endpoint_address(text)?;
            return Some((Protocol::ExtAuthz(address.scheme), address));
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
            fetch::Scheme::Http => "http",
            fetch::Scheme::Https => "https",
        };
        let address = EndpointAddress::parse(&format!("{scheme}://{}", url.authority()));
        Some((Protocol::ForwardAuth(url), address.ok()?))
    }

    fn field_names(
        &self,
        key: &str,
        said: &[Spanned<String>],
        add: fn(&mut FieldNames, &str) -> Result<(), BadFieldName>,
    ) -> Option<FieldNames> {
        let (mut names, mut complete) = (FieldNames::default(), true);
        for text in said {
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

    /// By what verdicts are told apart: all that the authorizer is told, if the config does not say.
    fn cache_key(&self, said: &Said, shown: &FieldNames) -> Option<Vec<KeyPart>> {
        let named = KeyPart::NAMED.into_iter();
        let Some(words) = &said.cache_key else {
            return Some(
                named
                    .map(|(_, part)| part)
                    .chain(shown.iter().cloned().map(KeyPart::Field))
                    .collect(),
            );
        };
        if let (None | Some(None), Some(first)) = (said.cache, words.first()) {
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
            let place = words.first().map_or(said.name.place, |word| word.place);
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

    /// Routes name authorizers that there are.
    fn check_authorizer_names(&self) {
        let names = || {
            self.config
                .authorizers
                .iter()
                .map(|authorizer| &authorizer.name.value)
        };
        for said in self
            .config
            .routes
            .iter()
            .filter_map(|route| route.authorizer.as_ref())
        {
            if !names().any(|name| *name == said.value) {
                let message = format!("there is no authorizer \"{}\"", said.value);
                self.problems
                    .error(said.place, message, self.known("authorizers", names()));
            }
        }
    }

    fn warn_about_authorizer(&self, said: &Said) {
        let name = &said.name.value;
        if let Some(permit) = said
            .unavailable
            .as_ref()
            .filter(|said| said.value == WhenUnavailable::Permit)
        {
            let message = format!("requests go on while authorizer \"{name}\" does not answer");
            let hint = "whoever can keep it from answering is not held up by it; write `unavailable = \"refuse\"`";
            self.problems.warning(permit.place, message, hint);
        }
        let asks = |route: &&Route| {
            route
                .authorizer
                .as_ref()
                .is_some_and(|said| said.value == *name)
        };
        if !self.config.routes.iter().any(|route| asks(&route)) {
            let message = format!("no route asks authorizer \"{name}\"");
            self.problems.warning(
                said.name.place,
                message,
                format!("write `authorizer = \"{name}\"` in a route"),
            );
        }
        let plain = said.endpoint.as_ref().filter(|text| {
            let host =
                FetchUrl::parse(&text.value).filter(|url| url.scheme() == fetch::Scheme::Http);
            host.is_some_and(|url| !is_here(&url))
        });
        if let Some(plain) = plain {
            let message = format!("authorizer \"{name}\" is asked over the network without TLS");
            let hint =
                "whoever is on the way reads who asks for what, and can permit it; use https";
            self.problems.warning(plain.place, message, hint);
        }
    }
}

/// Whether nothing goes over a network.
fn is_here(url: &FetchUrl) -> bool {
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

fn peer(said: &Said) -> Peer<'_> {
    let is_grpc = said
        .protocol
        .as_ref()
        .is_some_and(|protocol| protocol.value == AuthorizerProtocol::ExtAuthz);
    Peer {
        table: "authorizer",
        key: "endpoint",
        expiries: ("authorizer_anchor", "authorizer_client"),
        protocol: if is_grpc { b"h2" } else { b"http/1.1" },
        name: &said.name,
        anchors: &said.anchors,
        server_name: said.server_name.as_ref(),
        certificate: said.certificate.as_ref(),
        private_key: said.private_key.as_ref(),
    }
}
