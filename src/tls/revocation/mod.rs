//! Who is out although an anchor vouches: revocation lists and the deny list of a trust domain, and what happens where
//! they are too old or say nothing. Builds no paths.

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
pub use age::StaleCrls;
pub use crl_error::CrlError;
pub use deny_list::{DenyList, DenyListError};
pub use fetched::{
    CrlFetch, CrlFetchError, CrlFetchSettings, CrlFetched, CrlSourceFacts,
    StoreError as CrlStoreError,
};
pub use files::{CrlFile, CrlFileError};
pub use overlay::RevocationUpdate;
pub use settings::{RevocationCheck, RevocationSettings, UnknownRevocation};

use super::authority::{Authority, AuthorityKey};
use super::trust::{Authorities, ChainError, Path, Traces};
use super::verified::seconds;
use age::log_age;
use crl::Crl;
use extensions::Scope;
use overlay::Retained;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is known of one list, for metrics and `/status`.
#[derive(Clone, Debug)]
pub struct CrlFacts {
    /// RFC 4514.
    pub issuer: String,
    /// Counts up from list to list, in hexadecimal without leading zeros.
    pub number: Option<String>,
    /// Seconds since 1970.
    pub this_update: i64,
    /// Revoked certificates.
    pub entries: usize,
    /// Seconds since 1970.
    pub next_update: Option<i64>,
    /// The last second in which it counts, by the settings of the domain.
    pub counts_until: i64,
}

/// Everything about revocation in one trust domain. Any change makes another one.
#[derive(Clone, Debug, Default)]
pub struct Revocation {
    files: Vec<CrlFile>,
    /// The newest of each issuer and scope: nearly always one, several where they do not say which is newer.
    newest: CrlsByIssuer,
    /// Lists that were active before and whose number and date contradict those of the newest: they revoke, and their age
    /// does not matter.
    contradictory: CrlsByIssuer,
    /// All lists that are active although no file has them any more.
    carried: Vec<Arc<Crl>>,
    /// Lists of files that are older than the active ones.
    older: Vec<OlderCrl>,
    /// What is revoked beside that, and only until a load succeeds.
    retained: Retained,
    denied: DenyList,
    settings: RevocationSettings,
    /// Where further lists come from.
    fetch: Option<Arc<CrlFetch>>,
}

/// Lists by the key of their issuer and by scope.
type CrlsByIssuer = HashMap<(AuthorityKey, Scope), Vec<Arc<Crl>>>;

impl Revocation {
    /// Takes the newest list of each issuer and scope. One that is too old by the settings denies the clients of its CA,
    /// and nobody else.
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

    /// The same, where lists also come from URLs: then each issuer needs one from the start.
    #[must_use]
    pub fn with_fetch(self, fetch: Option<Arc<CrlFetch>>) -> Self {
        Self { fetch, ..self }
    }

    /// Where lists come from, if they are fetched.
    pub fn fetch(&self) -> Option<&Arc<CrlFetch>> {
        self.fetch.as_ref()
    }

    /// The files, for the next load.
    pub fn files(&self) -> &[CrlFile] {
        &self.files
    }

    /// What the lists in use say, sorted by issuer.
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

    /// The names of CAs that need a revocation list here and have none, although others have one. None of those whose
    /// lists may still be fetched.
    pub fn unlisted<'a>(&self, authorities: &'a Authorities) -> Vec<&'a str> {
        if self.newest.is_empty() || self.fetch.is_some() {
            return Vec::new();
        }
        let has_list =
            |authority: &Authority| self.newest.keys().any(|(key, _)| *key == authority.key);
        // Where leaves alone are checked, a CA that issues intermediates may well issue nothing else.
        let is_checked = |authority: &Authority| match self.settings.check {
            RevocationCheck::Chain => true,
            RevocationCheck::Leaf => !authorities.issued_an_intermediate(authority),
        };
        let unlisted = authorities
            .all()
            .filter(|authority| !has_list(authority) && is_checked(authority));
        unlisted.map(|authority| authority.name.as_str()).collect()
    }

    /// Says in the log which lists are past their time, or do not count any more; each once.
    pub fn log_ages(&self) {
        let now = seconds(UnixTime::now());
        for crl in self.newest.values().flatten() {
            log_age(crl, now, self.settings.stale.until(crl));
        }
    }

    /// How many entries the deny list has.
    pub fn denied_entries(&self) -> usize {
        self.denied.len()
    }

    /// The deny list; an empty one without a file if none is configured.
    pub fn deny_list(&self) -> &DenyList {
        &self.denied
    }

    /// Whether the deny list names the common name of a certificate.
    pub fn denies_common_name(&self, name: &str) -> bool {
        self.denied.has_common_name(name.as_bytes())
    }

    /// Whether the deny list names the SHA-256 of a certificate, in hexadecimal.
    pub fn denies_fingerprint(&self, text: &str) -> bool {
        self.denied.has_fingerprint(text)
    }

    /// The ApiUsers on the deny list, sorted.
    pub fn denied_users(&self) -> impl Iterator<Item = &str> {
        self.denied.users()
    }

    /// Whether the deny list names an ApiUser.
    pub fn denies_user(&self, name: &str) -> bool {
        self.denied.has_user(name)
    }

    /// Whether each issuer needs a list.
    fn has_lists(&self) -> bool {
        !self.newest.is_empty() || self.fetch.is_some()
    }

    /// All that a verdict depends on, but the time.
    pub(super) fn made_of(&self) -> String {
        let fetch = self.fetch.as_ref().map(|fetch| fetch.signature());
        let mut text = format!("{:?} {} {fetch:?} ", self.settings, self.files.len());
        for file in &self.files {
            // Writing to a String cannot fail.
            let _ = write!(text, "{:?} ", file.content.digest);
        }
        for crl in self.carried() {
            let (number, serials) = (crl.number_text(), crl.serials.sha256());
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
        text + &self.denied.made_of()
    }

    /// Judges a path, and says until when that holds, in seconds since 1970.
    pub(super) fn judge(&self, path: &Path<'_>, at: (UnixTime, Traces)) -> Result<i64, ChainError> {
        // First: without a list nobody may be let in, and without a look at somebody's certificate there may be no list.
        if let (Some(fetch), (_, Traces::Left)) = (&self.fetch, at) {
            fetch.saw(path);
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
            .map(|der| Authority::read(der).map(|authority| authority.key));
        let issuers: Option<Vec<_>> = issuers.chain([Some(path.anchor.key)]).collect();
        let issuers = issuers.ok_or(ChainError::RevocationUnknown)?;
        let how_many = match self.settings.check {
            RevocationCheck::Chain => usize::MAX,
            RevocationCheck::Leaf => 1,
        };
        let scopes = std::iter::once(Scope::Leaves).chain(std::iter::repeat(Scope::Authorities));
        let below = std::iter::once(&path.leaf)
            .chain(&path.intermediates)
            .zip(issuers)
            .zip(scopes)
            .take(how_many);
        let mut until = i64::MAX;
        // All are asked for the clear word before any is found too old, so that who is revoked hears that.
        let mut worst = Ok(());
        for ((certificate, issuer), scope) in below {
            match self.judge_one(certificate, issuer, scope, at) {
                Ok(one) => until = until.min(one),
                Err(ChainError::Revoked) => return Err(ChainError::Revoked),
                Err(error) => worst = Err(error),
            }
        }
        worst.map(|()| until)
    }

    fn judge_one(
        &self,
        certificate: &CertificateDer<'_>,
        issuer: AuthorityKey,
        scope: Scope,
        (now, traces): (UnixTime, Traces),
    ) -> Result<i64, ChainError> {
        let lists = || {
            [Scope::All, scope]
                .into_iter()
                .filter_map(|scope| self.newest.get(&(issuer, scope)))
        };
        let (_, read) =
            X509Certificate::from_der(certificate).map_err(|_| ChainError::RevocationUnknown)?;
        let serial = read.raw_serial();
        let retained = [Scope::All, scope]
            .into_iter()
            .filter_map(|scope| self.retained.get(&(issuer, scope)));
        let contradictory = [Scope::All, scope]
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
        // Each scope says all about this certificate, so the one that lasts longest counts; but all lists of that must last.
        let until = |crl: &&Arc<Crl>| self.settings.stale.until(crl);
        let Some(longest) = lists()
            .filter_map(|same| same.iter().min_by_key(until))
            .max_by_key(until)
        else {
            return match self.settings.unknown {
                UnknownRevocation::Refuse => Err(ChainError::RevocationUnknown),
                UnknownRevocation::Allow => Ok(i64::MAX),
            };
        };
        let (until, now) = (self.settings.stale.until(longest), seconds(now));
        if traces == Traces::Left {
            log_age(longest, now, until);
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
