//! Assembly of a snapshot from config text. All errors are reported in one run, and only a config without errors
//! becomes a snapshot.

mod accounts;
mod authorizers;
mod credentials;
mod fetching;
mod front_proxies;
mod host_certificates;
mod identities;
mod identity_headers;
mod interner;
mod lint;
mod listeners;
mod outcome;
mod own_certificates;
mod path_warnings;
mod remote_servers;
mod policy;
mod preset;
mod process;
mod request_limits;
mod revocation;
mod roles;
mod routes;
mod tokens;
mod trust;
mod unusable_file;
mod upstreams;
mod users;
mod route_domains;
mod warnings;

pub use outcome::{Depth, Outcome};
pub(super) use policy::parse_end;

use super::{ConfigSizes, ContentDigest, OwnExpiry, RejectedConfig, RevocationSource, Snapshot};
use crate::config::{
    self, Config, ConfigValues, Loaded, Occasion, Problems, Readable, Sources, Spanned, WatchedFile,
};
use crate::file_read::FileKind;
use crate::forward::FieldNames;
use crate::limit::Limiter;
use crate::telemetry::Telemetry;
use crate::tls::{CertificateFacts, PemError};
use host_certificates::HostCertificate;
use remote_servers::CertificateOwner;
use routes::RouteUpstreams;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unusable_file::{CHECK_THE_PATH, UnusableFile, unreadable_hint};

/// Loads the config file and all files that it names.
pub fn load(
    path: &Path,
    previous: Option<&Snapshot>,
    telemetry: &Arc<Telemetry>,
    depth: Depth,
) -> Outcome {
    let occasion = previous.map_or(Occasion::First, |previous| {
        Occasion::Again(&previous.includes)
    });
    let loaded = config::load(path, occasion);
    let rejected = previous.map_or_else(RejectedConfig::default, |active| {
        RejectedConfig::compare(path, &loaded, active)
    });
    let Loaded {
        mut config,
        sources,
        problems,
        mut watched,
        readable,
        includes,
        ..
    } = loaded;
    let before = previous.map(|snapshot| &*snapshot.content);
    if readable == Readable::No {
        let content = ContentDigest::of(path, &watched, before);
        let expectations = Vec::new();
        let problems = problems.into_sorted();
        return Outcome {
            snapshot: None,
            rejected,
            problems,
            sources,
            watched,
            content,
            expectations,
        };
    }
    let assembly = Assembly::new(&config, &sources, &problems, previous, telemetry, depth);
    let snapshot = assembly.run();
    watched.append(&mut assembly.watched.take());
    let content = ContentDigest::of(path, &watched, before);
    let mut snapshot = if problems.any_error() { None } else { snapshot };
    if let Some(snapshot) = &mut snapshot {
        snapshot.content = Arc::new(content.clone());
        snapshot.includes = includes;
        snapshot.written = snapshot
            .process
            .audit_log
            .is_some()
            .then(|| Arc::new(ConfigValues::of(&sources)));
    }
    let expectations = std::mem::take(&mut config.expectations);
    Outcome {
        snapshot,
        rejected,
        problems: problems.into_sorted(),
        sources,
        watched,
        content,
        expectations,
    }
}

/// Inputs and collected results that all parts of the assembly share.
struct Assembly<'a> {
    config: &'a Config,
    sources: &'a Sources,
    problems: &'a Problems,
    watched: RefCell<Vec<WatchedFile>>,
    expiries: RefCell<Vec<OwnExpiry>>,
    revocation_sources: RefCell<Vec<RevocationSource>>,
    route_limiters: RefCell<HashMap<Box<str>, Arc<Limiter>>>,
    enabled_until: RefCell<Vec<(String, i64)>>,
    /// Names of header fields that conditions and authorizers read.
    decision_fields: RefCell<FieldNames>,
    /// Which kinds of conditions the config has.
    conditions: Cell<ConditionUse>,
    linted: RefCell<lint::LintLog>,
    host_certificates: OnceCell<Vec<HostCertificate<'a>>>,
    previous: Option<&'a Snapshot>,
    telemetry: &'a Arc<Telemetry>,
    depth: Depth,
}

/// Which kinds of conditions a config has.
#[derive(Clone, Copy, Default)]
struct ConditionUse {
    /// Whether there is any condition.
    any: bool,
    /// Whether a condition reads the time.
    time: bool,
}

impl<'a> Assembly<'a> {
    fn new(
        config: &'a Config,
        sources: &'a Sources,
        problems: &'a Problems,
        previous: Option<&'a Snapshot>,
        telemetry: &'a Arc<Telemetry>,
        depth: Depth,
    ) -> Self {
        Self {
            config,
            sources,
            problems,
            watched: RefCell::new(Vec::new()),
            expiries: RefCell::new(Vec::new()),
            revocation_sources: RefCell::default(),
            route_limiters: RefCell::default(),
            enabled_until: RefCell::new(Vec::new()),
            decision_fields: RefCell::default(),
            conditions: Cell::default(),
            linted: RefCell::default(),
            host_certificates: OnceCell::new(),
            previous,
            telemetry,
            depth,
        }
    }

    fn run(&self) -> Option<Snapshot> {
        let trust = self.trust_domains();
        let users = self.users(&trust);
        let credentials = self.credentials();
        let upstreams = self.upstreams();
        let authorizers = self.authorizers();
        let accounts = self.accounts(&users.users, &upstreams);
        let mut listeners = self.listeners(&trust);
        self.front_proxies(&mut listeners, &users, &trust);
        let routes = self.routes(
            &mut listeners,
            RouteUpstreams {
                by_name: &upstreams.by_name,
                accounts: &accounts,
            },
            &trust,
        );
        let process = self.process_settings();
        let assertions = self.assertions();
        let expiry = self.expiry_policy();
        if self.depth == Depth::Warnings {
            self.warn_about_users(&users, &routes);
            self.warn_about_revocation(&trust, &users);
            self.warn_about_host_certificates();
        }
        self.warn_about_expiries(expiry.warn_before);
        self.lint_whole();
        let listeners = listeners
            .into_iter()
            .map(|listener| (listener.name.clone(), Arc::new(listener)));
        Some(Snapshot {
            generation: self.previous.map_or(1, |previous| previous.generation + 1),
            overlay: 0,
            sizes: self.sizes(),
            listeners: listeners.collect(),
            trust_domains: trust.in_order,
            users: users.users,
            policy: users.policy,
            upstreams: upstreams.by_name,
            accounts,
            authorizers: Arc::new(authorizers),
            assertions,
            expiry,
            process: process?,
            expiries: self.expiries.take(),
            decision_fields: self.decision_fields.take(),
            has_conditions: self.conditions.get().any,
            changes_with_time: self.conditions.get().time
                || !self.enabled_until.borrow().is_empty(),
            enabled_until: self.enabled_until.take(),
            credentials: Arc::new(credentials),
            revocation_sources: self.revocation_sources.take(),
            content: Arc::default(),
            includes: Vec::new(),
            written: None,
            places: Arc::new(config::Places::of(self.sources)),
            user_limiters: Arc::new(users.limiters),
            route_limiters: Arc::new(self.route_limiters.take()),
        })
    }

    fn sizes(&self) -> ConfigSizes {
        ConfigSizes {
            users: self.config.api_users.len(),
            routes: self.config.routes.len(),
            upstreams: self.config.upstreams.len(),
        }
    }

    /// Resolves a path relative to the file that names it, and watches it for changes.
    fn path(&self, text: &Spanned<String>) -> PathBuf {
        let path = self.sources.folder(text.place.file).join(&text.value);
        self.watched.borrow_mut().push(WatchedFile::new(&path));
        path
    }

    fn certificates(&self, path: &Spanned<String>) -> Option<Vec<CertificateDer<'static>>> {
        let certificates = self.pem_or_report(
            path,
            FileKind::Certificates,
            crate::tls::certificates(&self.path(path)),
        )?;
        self.lint_not_yet_valid(path, &certificates);
        Some(certificates)
    }

    fn private_key(&self, path: &Spanned<String>) -> Option<PrivateKeyDer<'static>> {
        let full = self.path(path);
        let key = self.pem_or_report(path, FileKind::PrivateKey, crate::tls::private_key(&full))?;
        self.lint_key_mode(path, &full);
        Some(key)
    }

    fn pem_or_report<T>(
        &self,
        path: &Spanned<String>,
        expected: FileKind,
        result: Result<T, PemError>,
    ) -> Option<T> {
        result
            .map_err(|error| {
                let hint = match &error {
                    PemError::Unreadable { .. } => unreadable_hint(path, CHECK_THE_PATH),
                    PemError::EncryptedKey(_) => {
                        "decrypt it once: `openssl pkey -in FILE -out FILE`".to_owned()
                    }
                    PemError::Malformed { .. } | PemError::NoCertificate(_) => {
                        "give a PEM file with a certificate".to_owned()
                    }
                    PemError::NoKey(_) => {
                        "give a PEM file with a PKCS#8, PKCS#1 or SEC1 private key".to_owned()
                    }
                };
                let full = self.sources.folder(path.place.file).join(&path.value);
                if matches!(error, PemError::EncryptedKey(_)) {
                    return self.problems.error(path.place, error.to_string(), hint);
                }
                self.report_file(UnusableFile {
                    place: path.place,
                    path: &full,
                    expected,
                    error: error.to_string(),
                    hint,
                });
            })
            .ok()
    }

    /// Records the first expiry among the certificates of a file, for metrics and warnings.
    fn note_expiry(
        &self,
        owner: &CertificateOwner<'_>,
        file: &Spanned<String>,
        certificates: &[CertificateDer<'_>],
    ) {
        let facts = certificates
            .iter()
            .filter_map(|der| CertificateFacts::read(der));
        let first_expiry = facts
            .min_by_key(|facts| facts.not_after)
            .map(|facts| OwnExpiry {
                kind: owner.kind,
                name: owner.name.to_owned(),
                user: owner.user.map(str::to_owned),
                not_after: facts.not_after,
                subject: facts.subject,
                file: file.clone(),
            });
        self.expiries.borrow_mut().extend(first_expiry);
    }

    /// Items by name. Reports duplicate and invalid names.
    fn unique<'c, T>(
        &self,
        what: &str,
        items: &'c [T],
        name: fn(&T) -> &Spanned<String>,
    ) -> HashMap<&'c str, &'c T> {
        let mut by_name: HashMap<&str, &T> = HashMap::with_capacity(items.len());
        for item in items {
            let key = name(item);
            let text = key.value.as_str();
            if let Some(existing) = by_name.insert(text, item) {
                let other = self.sources.describe(name(existing).place);
                let message = format!("{what} \"{text}\" is defined twice");
                self.problems.error(
                    key.place,
                    message,
                    format!("the other stands at {other}; keep one"),
                );
            }
            if text.is_empty() || text.chars().any(char::is_control) {
                let message = format!("{what} has an empty name, or one with control characters");
                self.problems.error(key.place, message, "choose a name");
            }
        }
        by_name
    }
}

#[cfg(test)]
mod tests;
