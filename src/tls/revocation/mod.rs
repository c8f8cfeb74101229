//! Revocation in a trust domain: revocation lists (CRLs), the deny list, and the policy for lists that are too old or
//! missing. Builds no paths.

mod active;
mod age;
mod crl;
mod crl_error;
mod deny_list;
mod extensions;
mod fetched;
mod files;
mod other_signature;
mod overlay;
mod serials;
mod settings;

pub use active::{CrlLabel, OlderCrl};
pub use age::StaleCrlPolicy;
pub use crl_error::CrlError;
pub use deny_list::{DenyList, DenyListError};
pub use fetched::{
    CrlFetchError, CrlFetchOutcome, CrlFetchSettings, CrlFetcher, CrlSourceFacts,
    StoreError as CrlStoreError,
};
pub use files::{CrlFile, CrlFileError};
pub use overlay::RevocationUpdate;
pub use settings::{RevocationDepth, RevocationSettings, UnknownRevocationPolicy};

use super::authorities::Authorities;
use super::authority::{AuthorityFacts, AuthorityKey};
use super::certification_path::CertificationPath;
use super::chain_error::ChainError;
use super::validity::seconds;
use super::verification_context::{VerificationContext, VerificationMode};
use age::log_age;
use crl::Crl;
use extensions::CrlScope;
use overlay::RetainedSerials;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Facts of one list, for metrics and `/status`.
#[derive(Clone, Debug)]
pub struct CrlFacts {
    /// RFC 4514.
    pub issuer: String,
    /// The CRL number, which increases from list to list; hexadecimal without leading zeros.
    pub number: Option<String>,
    /// Seconds since 1970.
    pub this_update: i64,
    /// Number of revoked certificates.
    pub entries: usize,
    /// Seconds since 1970.
    pub next_update: Option<i64>,
    /// The last second in which the list is valid under the settings of the domain, since 1970.
    pub counts_until: i64,
}

/// All revocation data of one trust domain. Immutable: each change creates a new value.
#[derive(Clone, Debug, Default)]
pub struct Revocation {
    files: Vec<CrlFile>,
    /// The newest lists of each issuer and scope: nearly always one, several if number and date do not order them.
    newest: CrlsByIssuer,
    /// Previously active lists whose number and date contradict those of the newest. Their entries revoke, regardless of
    /// their age.
    contradictory: CrlsByIssuer,
    /// Active lists that no file contains any more.
    carried: Vec<Arc<Crl>>,
    /// Lists from files that are older than the active ones.
    older: Vec<OlderCrl>,
    /// Serial numbers that stay revoked until a load succeeds.
    retained: RetainedSerials,
    denied: DenyList,
    settings: RevocationSettings,
    /// The source of fetched lists, if configured.
    fetch: Option<Arc<CrlFetcher>>,
}

/// Lists by the key of their issuer and by scope.
type CrlsByIssuer = HashMap<(AuthorityKey, CrlScope), Vec<Arc<Crl>>>;

impl Revocation {
    /// Selects the newest lists of each issuer and scope. A list that is too old under the settings rejects the clients
    /// of its CA and no others.
    pub fn new(files: Vec<CrlFile>, denied: DenyList, settings: RevocationSettings) -> Self {
        let mut newest = CrlsByIssuer::new();
        for crl in files.iter().flat_map(|file| &file.content.crls) {
            let same = newest.entry((crl.issuer, crl.scope)).or_default();
            if !same.iter().any(|other| other.replaces(crl)) {
                same.retain(|other| !crl.replaces(other));
                same.push(crl.clone());
            }
        }
        Self {
            files,
            newest,
            denied,
            settings,
            ..Self::default()
        }
    }

    /// Adds a source of fetched lists. Each issuer then needs a list from the start.
    #[must_use]
    pub fn with_fetch(self, fetch: Option<Arc<CrlFetcher>>) -> Self {
        Self { fetch, ..self }
    }

    /// The source of fetched lists, if configured.
    pub fn fetch(&self) -> Option<&Arc<CrlFetcher>> {
        self.fetch.as_ref()
    }

    /// The loaded files, for reuse by the next load.
    pub fn files(&self) -> &[CrlFile] {
        &self.files
    }

    /// Facts of the newest lists, sorted by issuer.
    pub fn facts(&self) -> Vec<CrlFacts> {
        let fact = |crl: &Arc<Crl>| CrlFacts {
            issuer: crl.issuer_name.clone(),
            number: crl.number_text(),
            this_update: crl.this_update,
            entries: crl.serials.len(),
            next_update: crl.next_update,
            counts_until: self.settings.stale.until(crl),
        };
        let mut facts: Vec<_> = self.newest.values().flatten().map(fact).collect();
        facts.sort_unstable_by(|one, other| one.issuer.cmp(&other.issuer));
        facts
    }

    /// The names of CAs that need a revocation list and have none, although other CAs have one. Empty if lists are
    /// fetched, since they may still arrive.
    pub fn unlisted<'a>(&self, authorities: &'a Authorities) -> Vec<&'a str> {
        if self.newest.is_empty() || self.fetch.is_some() {
            return Vec::new();
        }
        let has_list =
            |authority: &AuthorityFacts| self.newest.keys().any(|(key, _)| *key == authority.key);
        // If only leaves are checked, a CA that issues intermediates probably issues no leaves.
        let is_checked = |authority: &AuthorityFacts| match self.settings.check {
            RevocationDepth::Chain => true,
            RevocationDepth::Leaf => !authorities.issued_an_intermediate(authority),
        };
        let unlisted = authorities
            .all()
            .filter(|authority| !has_list(authority) && is_checked(authority));
        unlisted.map(|authority| authority.name.as_str()).collect()
    }

    /// Logs lists that are past their next update or too old, each state once.
    pub fn log_ages(&self) {
        let now = seconds(UnixTime::now());
        for crl in self.newest.values().flatten() {
            log_age(crl, now, self.settings.stale.until(crl));
        }
    }

    /// The number of deny list entries.
    pub fn denied_entries(&self) -> usize {
        self.denied.len()
    }

    /// The deny list; empty and without a path if none is configured.
    pub fn deny_list(&self) -> &DenyList {
        &self.denied
    }

    /// Whether the deny list contains a common name.
    pub fn denies_common_name(&self, name: &str) -> bool {
        self.denied.has_common_name(name.as_bytes())
    }

    /// Whether the deny list contains the SHA-256 of a certificate, given in hexadecimal.
    pub fn denies_fingerprint(&self, text: &str) -> bool {
        self.denied.has_fingerprint(text)
    }

    /// The ApiUsers on the deny list, sorted.
    pub fn denied_users(&self) -> impl Iterator<Item = &str> {
        self.denied.users()
    }

    /// Whether the deny list contains an ApiUser.
    pub fn denies_user(&self, name: &str) -> bool {
        self.denied.has_user(name)
    }

    /// Whether lists are in use, so that each issuer needs one.
    fn has_lists(&self) -> bool {
        !self.newest.is_empty() || self.fetch.is_some()
    }

    /// Everything that a verdict depends on, except the time. For a digest.
    pub(super) fn digest_input(&self) -> String {
        let fetch = self.fetch.as_ref().map(|fetch| fetch.signature());
        let mut text = format!("{:?} {} {fetch:?} ", self.settings, self.files.len());
        for file in &self.files {
            // Writing to a String cannot fail.
            let _ = write!(text, "{:?} ", file.content.digest);
        }
        for crl in self.carried() {
            let number = crl.number_text();
            let serials = crl.serials.sha256();
            let _ = write!(
                text,
                "{:?} {number:?} {} {serials} ",
                crl.issuer, crl.this_update
            );
        }
        let mut retained: Vec<_> = self
            .retained
            .iter()
            .map(|(key, serials)| (key, serials.sha256()))
            .collect();
        retained.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        for (key, digest) in retained {
            let _ = write!(text, "{key:?} {digest} ");
        }
        text + &self.denied.digest_input()
    }

    /// Checks all certificates of a path. Returns the last second in which the result is valid, since 1970.
    pub(super) fn check(
        &self,
        path: &CertificationPath<'_>,
        context: VerificationContext,
    ) -> Result<i64, ChainError> {
        // Before the first list is fetched, every path is rejected. So URLs of lists must be noted before that.
        if let Some(fetch) = &self.fetch
            && context.mode == VerificationMode::Live
        {
            fetch.note_distribution_points(path);
        }
        let mut all = std::iter::once(&path.leaf).chain(&path.intermediates);
        if all.any(|certificate| self.denied.has_certificate(certificate))
            || self.denied.has_common_name_of(&path.leaf)
        {
            return Err(ChainError::Denied);
        }
        if !self.has_lists() && self.retained.is_empty() {
            return Ok(i64::MAX);
        }
        let issuers = path
            .intermediates
            .iter()
            .map(|der| AuthorityFacts::read(der).map(|authority| authority.key));
        let issuers: Option<Vec<_>> = issuers.chain([Some(path.anchor.key)]).collect();
        let issuers = issuers.ok_or(ChainError::RevocationUnknown)?;
        let checked_count = match self.settings.check {
            RevocationDepth::Chain => usize::MAX,
            RevocationDepth::Leaf => 1,
        };
        let scopes =
            std::iter::once(CrlScope::Leaves).chain(std::iter::repeat(CrlScope::Authorities));
        let certificates = std::iter::once(&path.leaf)
            .chain(&path.intermediates)
            .zip(issuers)
            .zip(scopes)
            .take(checked_count);
        let mut until = i64::MAX;
        // A revoked certificate has precedence over a list that is too old or missing, so all certificates are checked.
        let mut other_error = None;
        for ((certificate, issuer), scope) in certificates {
            match self.check_certificate(certificate, issuer, scope, context) {
                Ok(limit) => until = until.min(limit),
                Err(ChainError::Revoked) => return Err(ChainError::Revoked),
                Err(error) => other_error = Some(error),
            }
        }
        other_error.map_or(Ok(until), Err)
    }

    fn check_certificate(
        &self,
        certificate: &CertificateDer<'_>,
        issuer: AuthorityKey,
        scope: CrlScope,
        context: VerificationContext,
    ) -> Result<i64, ChainError> {
        let lists = || {
            [CrlScope::All, scope]
                .into_iter()
                .filter_map(|scope| self.newest.get(&(issuer, scope)))
        };
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| ChainError::RevocationUnknown)?;
        let serial = parsed.raw_serial();
        let retained = [CrlScope::All, scope]
            .into_iter()
            .filter_map(|scope| self.retained.get(&(issuer, scope)));
        let contradictory = [CrlScope::All, scope]
            .into_iter()
            .filter_map(|scope| self.contradictory.get(&(issuer, scope)));
        if lists()
            .chain(contradictory)
            .flatten()
            .map(|crl| &crl.serials)
            .chain(retained)
            .any(|serials| serials.contains(serial))
        {
            return Err(ChainError::Revoked);
        }
        if !self.has_lists() {
            return Ok(i64::MAX);
        }
        // Each scope covers this certificate completely, so the scope that is valid longest suffices. Within a scope, the
        // list that is valid shortest is the limit.
        let until = |crl: &&Arc<Crl>| self.settings.stale.until(crl);
        let Some(crl) = lists()
            .filter_map(|crls| crls.iter().min_by_key(until))
            .max_by_key(until)
        else {
            return match self.settings.unknown {
                UnknownRevocationPolicy::Refuse => Err(ChainError::RevocationUnknown),
                UnknownRevocationPolicy::Allow => Ok(i64::MAX),
            };
        };
        let until = self.settings.stale.until(crl);
        let now = seconds(context.now);
        if context.mode == VerificationMode::Live {
            log_age(crl, now, until);
        }
        if now > until {
            Err(ChainError::CrlStale)
        } else {
            Ok(until)
        }
    }
}

#[cfg(test)]
mod tests;
