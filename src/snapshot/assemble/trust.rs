//! Assembly of trust domains. A domain without anchors is an error.

use super::Assembly;
use super::remote_servers::CertificateOwner;
use crate::config::{self, Place, Spanned};
use crate::error_text::with_causes;
use crate::tls::{
    Authorities, ExtendedKeyUsagePolicy, TrustDomain, TrustDomainError, TrustDomainId,
    TrustSettings,
};
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Trust domains in order and by name. A domain with errors is `None`, so that its name is not reported as unknown.
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
        for table in &self.config.trust_domains {
            if table.anchors.is_empty() {
                self.problems.error(
                    table.name.place,
                    format!("trust domain \"{}\" has no anchors", table.name.value),
                    "name the CA files: `anchors = [\"pki/ca.crt\"]`",
                );
            }
            let read = self.authorities_of("trust_anchor", &table.name.value, &table.anchors);
            let complete = !read.is_empty() && read.iter().all(Option::is_some);
            let anchors: Vec<_> = read.into_iter().flatten().flatten().collect();
            let id = TrustDomainId(u16::try_from(domains.in_order.len()).unwrap_or(u16::MAX));
            let built = if complete {
                self.trust_domain(table, id, &anchors).map(Arc::new)
            } else {
                None
            };
            domains.in_order.extend(built.clone());
            domains.by_name.insert(table.name.value.clone(), built);
        }
        domains
    }

    fn trust_domain(
        &self,
        table: &config::TrustDomainTable,
        id: TrustDomainId,
        anchors: &[CertificateDer<'static>],
    ) -> Option<TrustDomain> {
        let report = |error| self.report_domain(table.name.place, &error);
        let read = self.authorities_of("intermediate", &table.name.value, &table.intermediates);
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
        let settings = self.trust_settings(table)?;
        let previous = self.previous_domain(&table.name.value);
        let revocation = self.revocation(table, id, &authorities, previous)?;
        self.lint_unlisted(table, &authorities, &revocation);
        TrustDomain::new(
            id,
            &table.name.value,
            &authorities,
            revocation,
            settings,
            previous,
        )
        .map_err(report)
        .ok()
    }

    /// The certificates of CA files. `None` for an unusable file, which was reported.
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

    fn trust_settings(&self, table: &config::TrustDomainTable) -> Option<TrustSettings> {
        let usage = match table
            .extended_key_usage
            .as_ref()
            .map(|setting| (&setting.value, setting.place))
        {
            None => ExtendedKeyUsagePolicy::default(),
            Some((config::ExtendedKeyUsageSetting::Require, _)) => ExtendedKeyUsagePolicy::Require,
            Some((config::ExtendedKeyUsageSetting::AllowMissing, _)) => {
                ExtendedKeyUsagePolicy::AllowMissing
            }
            Some((config::ExtendedKeyUsageSetting::AllowServerAuthUntil(day), place)) => {
                let end = ExtendedKeyUsagePolicy::end_of_day(day);
                if end.is_none() {
                    let message = format!("\"{day}\" is not a day");
                    self.problems.error(
                        place,
                        message,
                        "write year, month and day such as \"2027-03-31\"",
                    );
                }
                ExtendedKeyUsagePolicy::AllowServerAuthUntil(end?)
            }
        };
        let depth = table.chain_depth.and_then(|depth| u8::try_from(depth).ok());
        let default = TrustSettings::default();
        let chain_depth = depth.unwrap_or(default.chain_depth);
        Some(TrustSettings {
            usage,
            chain_depth,
            tolerance: self.largest_tolerance(&table.name.value),
        })
    }

    /// The largest `tolerate_expiry` of a domain's users.
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
            TrustDomainError::IntermediateNotACa(_)
            | TrustDomainError::UnverifiedIntermediate(_) => {
                "in `intermediates`, give CA certificates that the anchors have signed, and no others"
            }
            TrustDomainError::Expired => {
                "put the CA's new certificate into a file of `anchors`, beside the old one or in its place"
            }
            _ => "give PEM files with CA certificates",
        };
        self.problems.error(place, with_causes(error), hint);
    }

    /// The named domain, or the only one. Reports an unknown name and an ambiguity; `owner` is for messages.
    pub(super) fn resolve_domain(
        &self,
        domains: &TrustDomains,
        named: Option<&Spanned<String>>,
        at: Place,
        owner: &str,
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
                    format!("{owner} needs a trust domain, and there is none"),
                    hint,
                );
                None
            }
            (Some(_), Some(_)) => {
                let message = format!(
                    "{owner} does not say which trust domain it means, and there are several"
                );
                self.problems
                    .error(at, message, "add `trust_domain = \"NAME\"`");
                None
            }
        }
    }

    /// A hint that lists up to ten known names.
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
