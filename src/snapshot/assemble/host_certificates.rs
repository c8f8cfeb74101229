//! Assembly of `[client_certificate."PATTERN"]`: client certificates by the host of an endpoint.

use super::Assembly;
use super::own_certificates::{CertificatePaths, OwnCertificate};
use super::remote_servers::{CertificateOwner, Inputs};
use crate::config::{ClientCertificateTable, Spanned};
use crate::endpoint::{EndpointAddress, EndpointHostPattern, EndpointHostPatternError};
use rustls::RootCertStore;
use std::cell::Cell;
use std::sync::Arc;

/// A client certificate for the hosts of a pattern.
pub(super) struct HostCertificate<'c> {
    pub(super) pattern: EndpointHostPattern,
    /// `None` for an error, which was reported.
    pub(super) certificate: Option<OwnCertificate<'c>>,
    /// CAs for servers without `anchors`.
    pub(super) roots: Option<Arc<RootCertStore>>,
    /// Digest of certificate, key and CAs.
    pub(super) digest: Vec<u8>,
    name: &'c Spanned<String>,
    is_used: Cell<bool>,
}

impl<'a> Assembly<'a> {
    /// The client certificate of the most specific pattern that matches the host.
    pub(super) fn host_certificate(&self, host: &str) -> Option<&HostCertificate<'a>> {
        let matching = self.host_certificates().iter();
        let found = matching
            .filter(|entry| entry.pattern.matches(host))
            .max_by(|one, other| one.pattern.specificity(&other.pattern))?;
        found.is_used.set(true);
        Some(found)
    }

    /// Reports an `http` endpoint at a host that has a client certificate. A warning would not do: requests would cross the network
    /// in plain text, without the identity that the config demands for this host.
    pub(super) fn check_plain_host(
        &self,
        text: &Spanned<String>,
        address: &EndpointAddress,
    ) -> Option<()> {
        let Some(entry) = self.host_certificate(&address.host) else {
            return Some(());
        };
        let message = format!(
            "\"{}\" is without TLS, but its host has the client certificate for \"{}\"",
            text.value,
            entry.pattern.as_str()
        );
        let hint = "write https://, or a pattern that does not match this host";
        self.problems.error(text.place, message, hint);
        None
    }

    /// The client certificate by the host of an endpoint, unless its table has one of its own.
    pub(super) fn certificate_by_host(
        &self,
        own: &CertificatePaths<'_>,
        address: &EndpointAddress,
    ) -> Option<&HostCertificate<'a>> {
        if own.first().is_some() {
            return None;
        }
        self.host_certificate(&address.host)
    }

    /// Warns about patterns without an endpoint, once upstreams and authorizers are assembled. An endpoint with an error may have
    /// been skipped.
    pub(super) fn warn_about_host_certificates(&self) {
        if self.problems.any_error() {
            return;
        }
        let unused = self
            .host_certificates()
            .iter()
            .filter(|entry| !entry.is_used.get());
        for entry in unused {
            let message = format!(
                "no endpoint uses the client certificate for \"{}\"",
                entry.pattern.as_str()
            );
            let hint = "its pattern is compared with the hosts of `endpoints`: each `*` stands for one label, and a more \
                        specific pattern or a `certificate` of the upstream comes first";
            self.problems.warning(entry.name.place, message, hint);
        }
    }

    fn host_certificates(&self) -> &[HostCertificate<'a>] {
        self.host_certificates.get_or_init(|| {
            let _ = self.unique(
                "client_certificate",
                &self.config.client_certificates,
                |table| &table.pattern,
            );
            let mut all: Vec<HostCertificate<'a>> = Vec::new();
            for table in &self.config.client_certificates {
                all.extend(self.read_host_certificate(table, &all));
            }
            all
        })
    }

    fn read_host_certificate(
        &self,
        table: &'a ClientCertificateTable,
        others: &[HostCertificate<'a>],
    ) -> Option<HostCertificate<'a>> {
        let name = &table.pattern;
        let mut inputs = Inputs::default();
        let owner = |kind| CertificateOwner {
            kind,
            name: &name.value,
            user: None,
        };
        let paths = CertificatePaths {
            certificate: table.certificate.as_ref(),
            private_key: table.private_key.as_ref(),
            passphrase_file: table.passphrase_file.as_ref(),
        };
        // The decoder reports a table without a certificate.
        let certificate = table.certificate.as_ref().and_then(|_| {
            let owner = owner("client_certificate");
            self.client_certificate(paths, owner, &mut inputs).ok()?
        });
        let anchors = owner("client_certificate_anchor");
        let roots = (!table.anchors.is_empty())
            .then(|| self.roots(&table.anchors, &anchors, &mut inputs).ok());
        let pattern = self.host_pattern(name)?;
        if let Some(other) = others.iter().find(|other| other.pattern == pattern) {
            // Names in the same spelling are reported as defined twice.
            if other.name.value != name.value {
                let message = format!(
                    "\"{}\" and \"{}\" are the same hosts",
                    other.name.value, name.value
                );
                self.problems.error(name.place, message, "keep one of them");
            }
            return None;
        }
        Some(HostCertificate {
            pattern,
            certificate,
            roots: roots.flatten(),
            digest: inputs.digest(),
            name,
            is_used: Cell::new(false),
        })
    }

    fn host_pattern(&self, name: &Spanned<String>) -> Option<EndpointHostPattern> {
        EndpointHostPattern::parse(&name.value)
            .map_err(|error| {
                let message = format!("the pattern \"{}\" matches no host: {error}", name.value);
                let hint = match error {
                    EndpointHostPatternError::NotAHost | EndpointHostPatternError::Length => {
                        "write a host without scheme and port, such as \"api.acme.com\", \"*.acme.com\" or \"10.0.0.5\"; other \
                         letters than ASCII in their form `xn--`"
                    }
                    EndpointHostPatternError::PartOfLabel => {
                        "write a `*` between dots, such as \"*.acme.com\", or the whole label"
                    }
                    EndpointHostPatternError::Address => {
                        "write each address in a table of its own, or give the upstream a `certificate`"
                    }
                };
                self.problems.error(name.place, message, hint);
            })
            .ok()
    }
}
