//! Trust domains: anchors are read, and a domain without any is an error.

use super::Assembly;
use super::peers::CertificateOwner;
use crate::config::{self, Place, Spanned};
use crate::error_text::with_causes;
use crate::tls::{
    Authorities, ExtendedKeyUsage, TrustDomain, TrustDomainError, TrustDomainId, TrustSettings,
};
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The trust domains, in order and by name. A name may be known although its domain could not be built, so that one
/// mistake is not reported twice.
pub(super) struct TrustDomains {
    pub(super) in_order: Vec<Arc<TrustDomain>>,
    by_name: HashMap<String, Option<Arc<TrustDomain>>>,
}

impl Assembly<'_> {
    pub(super) fn trust_domains(&self) -> TrustDomains {
        let _ = self.unique("trust domain", &self.config.trust_domains, |domain| {
            &domain.name
        });
        let mut domains = TrustDomains {
            in_order: Vec::new(),
            by_name: HashMap::new(),
        };
        for said in &self.config.trust_domains {
            if said.anchors.is_empty() {
                self.problems.error(
                    said.name.place,
                    format!("trust domain \"{}\" has no anchors", said.name.value),
                    "name the CA files: `anchors = [\"pki/ca.crt\"]`",
                );
            }
            let read = self.authorities_of("trust_anchor", &said.name.value, &said.anchors);
            let complete = !read.is_empty() && read.iter().all(Option::is_some);
            let anchors: Vec<_> = read.into_iter().flatten().flatten().collect();
            let id = TrustDomainId(u16::try_from(domains.in_order.len()).unwrap_or(u16::MAX));
            let built = if complete {
                self.trust_domain(said, id, &anchors).map(Arc::new)
            } else {
                None
            };
            domains.in_order.extend(built.clone());
            domains.by_name.insert(said.name.value.clone(), built);
        }
        domains
    }

    fn trust_domain(
        &self,
        said: &config::TrustDomain,
        id: TrustDomainId,
        anchors: &[CertificateDer<'static>],
    ) -> Option<TrustDomain> {
        let report = |error| self.report_domain(said.name.place, &error);
        let read = self.authorities_of("intermediate", &said.name.value, &said.intermediates);
        let intermediates: Vec<_> = read
            .into_iter()
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        let authorities = Arc::new(
            Authorities::new(anchors, &intermediates)
                .map_err(report)
                .ok()?,
        );
        let settings = self.trust_settings(said)?;
        let previous = self.previous_domain(&said.name.value);
        let revocation = self.revocation(said, id, &authorities, previous)?;
        self.lint_unlisted(said, &authorities, &revocation);
        TrustDomain::new(
            id,
            &said.name.value,
            &authorities,
            revocation,
            settings,
            previous,
        )
        .map_err(report)
        .ok()
    }

    /// The certificates of files with CAs; `None` for a file that cannot be used, which was reported.
    fn authorities_of(
        &self,
        kind: &'static str,
        name: &str,
        files: &[Spanned<String>],
    ) -> Vec<Option<Vec<CertificateDer<'static>>>> {
        let owner = CertificateOwner {
            kind,
            name,
            user: None,
        };
        let read = |file| {
            let certificates = self.certificates(file)?;
            for certificate in &certificates {
                self.note_expiry(&owner, file, std::slice::from_ref(certificate));
            }
            Some(certificates)
        };
        files.iter().map(read).collect()
    }

    fn trust_settings(&self, said: &config::TrustDomain) -> Option<TrustSettings> {
        let usage = match said
            .extended_key_usage
            .as_ref()
            .map(|said| (&said.value, said.place))
        {
            None => ExtendedKeyUsage::default(),
            Some((config::ExtendedKeyUsage::Require, _)) => ExtendedKeyUsage::Require,
            Some((config::ExtendedKeyUsage::AllowMissing, _)) => ExtendedKeyUsage::AllowMissing,
            Some((config::ExtendedKeyUsage::AllowServerAuthUntil(day), place)) => {
                let end = ExtendedKeyUsage::end_of_day(day);
                if end.is_none() {
                    let message = format!("\"{day}\" is not a day");
                    self.problems.error(
                        place,
                        message,
                        "write year, month and day such as \"2027-03-31\"",
                    );
                }
                ExtendedKeyUsage::AllowServerAuthUntil(end?)
            }
        };
        let depth = said.chain_depth.and_then(|depth| u8::try_from(depth).ok());
        let default = TrustSettings::default();
        let chain_depth = depth.unwrap_or(default.chain_depth);
        Some(TrustSettings {
            usage,
            chain_depth,
            tolerance: self.largest_tolerance(&said.name.value),
        })
    }

    /// What the most patient of a domain's users tolerates.
    fn largest_tolerance(&self, domain: &str) -> Duration {
        let is_only = self.config.trust_domains.len() == 1;
        let users = self
            .config
            .api_users
            .iter()
            .filter(|user| match &user.trust_domain {
                Some(named) => named.value == domain,
                None => is_only,
            });
        users
            .filter_map(|user| user.tolerate_expiry)
            .max()
            .unwrap_or_default()
    }

    fn previous_domain(&self, name: &str) -> Option<&TrustDomain> {
        let mut domains = self.previous?.trust_domains.iter();
        domains
            .find(|domain| *domain.name == *name)
            .map(|domain| &**domain)
    }

    fn report_domain(&self, place: Place, error: &TrustDomainError) {
        let hint = match error {
            TrustDomainError::IntermediateNotACa(_) | TrustDomainError::NotVouchedFor(_) => {
                "in `intermediates`, give CA certificates that the anchors have signed, and no others"
            }
            TrustDomainError::Expired => {
                "put the CA's new certificate into a file of `anchors`, beside the old one or in its place"
            }
            _ => "give PEM files with CA certificates",
        };
        self.problems.error(place, with_causes(error), hint);
    }

    /// The domain that is meant: the one named, or the only one there is.
    pub(super) fn meant_domain(
        &self,
        domains: &TrustDomains,
        named: Option<&Spanned<String>>,
        at: Place,
        whose: &str,
    ) -> Option<Arc<TrustDomain>> {
        if let Some(named) = named {
            if let Some(domain) = domains.by_name.get(&named.value) {
                return domain.clone();
            }
            self.problems.error(
                named.place,
                format!("there is no trust domain \"{}\"", named.value),
                self.known("trust domains", domains.by_name.keys()),
            );
            return None;
        }
        let mut all = domains.by_name.values();
        match (all.next(), all.next()) {
            (Some(only), None) => only.clone(),
            (None, _) => {
                let hint = "add `[trust_domain.NAME]` with `anchors`";
                self.problems.error(
                    at,
                    format!("{whose} needs a trust domain, and there is none"),
                    hint,
                );
                None
            }
            (Some(_), Some(_)) => {
                let message = format!(
                    "{whose} does not say which trust domain it means, and there are several"
                );
                self.problems
                    .error(at, message, "add `trust_domain = \"NAME\"`");
                None
            }
        }
    }

    /// A hint that lists what there is.
    pub(super) fn known<'n, N: AsRef<str> + 'n>(
        &self,
        what: &str,
        names: impl Iterator<Item = &'n N>,
    ) -> String {
        let mut names: Vec<&str> = names.map(AsRef::as_ref).collect();
        names.sort_unstable();
        names.truncate(10);
        if names.is_empty() {
            format!("there are no {what}")
        } else {
            format!("{what}: {}", names.join(", "))
        }
    }
}
