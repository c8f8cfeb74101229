//! Assembly of the revocation lists and deny list of a trust domain.

use super::super::revocation_source::{CrlPaths, crl_paths, fetched_paths};
use super::super::{ConfigOrigin, RevocationSource, RevocationSourceKind};
use super::Assembly;
use super::trust::TrustDomains;
use super::unusable_file::{UnusableFile, unreadable_hint};
use super::users::Users;
use crate::clock::{self, rfc3339};
use crate::config::{self, Place, Spanned, WatchedFile, unexpanded};
use crate::file_read::{self, FileKind};
use crate::tls::{
    Authorities, CrlError, CrlFile, CrlFileError, CrlLabel, DenyList, DenyListError, OlderCrl,
    Revocation, RevocationDepth, RevocationSettings, StaleCrlPolicy, TrustDomain, TrustDomainId,
    UnknownRevocationPolicy,
};
use std::path::{Path, PathBuf};

impl Assembly<'_> {
    pub(super) fn revocation(
        &self,
        table: &config::TrustDomainTable,
        id: TrustDomainId,
        authorities: &Authorities,
        previous: Option<&TrustDomain>,
    ) -> Option<Revocation> {
        self.note_revocation_sources(table, id);
        let before = previous.map_or(&[][..], |domain| domain.revocation().files());
        let mut files = Vec::new();
        let mut complete = true;
        for pattern in &table.crls {
            let paths = self.crl_paths(pattern);
            complete &= !paths.is_empty();
            for path in paths {
                self.watched.borrow_mut().push(WatchedFile::new(&path));
                let file = CrlFile::load(&path, authorities, before);
                complete &= file.is_ok();
                files.extend(file.map_err(|error| self.report_crl(pattern.place, &error)));
            }
        }
        let fetch = self.crl_fetch(table, authorities, previous).ok()?;
        if let (Some(fetch), Some(table)) = (&fetch, &table.crl_fetch) {
            files.extend(self.fetched_crls(table.place, fetch.cache(), authorities, before)?);
        }
        let denied = table
            .deny_list
            .as_ref()
            .map_or_else(|| Some(DenyList::default()), |path| self.deny_list(path))?;
        if !complete {
            return None;
        }
        let mut revocation = Revocation::new(files, denied, revocation_settings(table));
        if let Some(domain) = previous {
            revocation = revocation.after(domain.revocation());
            self.warn_about_older_crls(table, &revocation);
        }
        Some(revocation.with_fetch(fetch))
    }

    fn note_revocation_sources(&self, table: &config::TrustDomainTable, domain: TrustDomainId) {
        let cache = table
            .crl_fetch
            .as_ref()
            .and_then(|fetch| fetch.cache.as_ref());
        let deny_list = table
            .deny_list
            .iter()
            .map(|path| (RevocationSourceKind::DenyList, path));
        let crls = table
            .crls
            .iter()
            .map(|path| (RevocationSourceKind::Crls, path));
        let fetched = cache
            .into_iter()
            .map(|path| (RevocationSourceKind::FetchedCrls, path));
        let sources = deny_list.chain(crls).chain(fetched).map(|(kind, path)| {
            let path = self.sources.folder(path.place.file).join(&path.value);
            RevocationSource {
                domain,
                kind,
                path,
                origin: ConfigOrigin::Active,
            }
        });
        self.revocation_sources.borrow_mut().extend(sources);
    }

    /// Reads the cached lists. An unusable list, such as that of a removed CA, is skipped with a warning, so that the
    /// gateway can start and fetch another.
    fn fetched_crls(
        &self,
        place: Place,
        folder: &Path,
        authorities: &Authorities,
        before: &[CrlFile],
    ) -> Option<Vec<CrlFile>> {
        let CrlPaths {
            folder: watched,
            files,
        } = fetched_paths(folder);
        self.watched.borrow_mut().extend(watched);
        let error = |message: String| {
            self.problems.error(
                place,
                message,
                "let the gateway's user read and write there",
            )
        };
        let paths = files
            .map_err(|source| error(format!("cannot read {}: {source}", folder.display())))
            .ok()?;
        let mut files = Vec::new();
        for path in paths {
            self.watched.borrow_mut().push(WatchedFile::new(&path));
            match CrlFile::load(&path, authorities, before) {
                Ok(file) => files.push(file),
                Err(CrlFileError::Unreadable { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(unreadable @ CrlFileError::Unreadable { .. }) => {
                    error(unreadable.to_string());
                    return None;
                }
                Err(unusable) => {
                    self.problems.warning(
                        place,
                        unusable.to_string(),
                        "remove it; what counts will be fetched again",
                    );
                }
            }
        }
        Some(files)
    }

    fn deny_list(&self, path: &Spanned<String>) -> Option<DenyList> {
        let read = DenyList::load(&self.path(path));
        read.map_err(|error| {
            let hint = match &error {
                DenyListError::Unreadable { .. } => unreadable_hint(
                    path,
                    "create the file, which may be empty, or remove `deny_list`",
                ),
                DenyListError::BadLine { .. } => {
                    "write `serial HEX`, `fingerprint HEX`, `cn NAME` or `user NAME`, one in \
                                                  each line; `#` begins a comment"
                        .to_owned()
                }
            };
            self.report_file(UnusableFile {
                place: path.place,
                path: &self.sources.folder(path.place.file).join(&path.value),
                expected: FileKind::DenyList,
                error: format!("the deny list cannot be used: {error}"),
                hint,
            });
        })
        .ok()
    }

    fn report_crl(&self, place: Place, error: &CrlFileError) {
        let hint = match error {
            CrlFileError::Unreadable { .. } => {
                "check the path, which is relative to this file, and its mode"
            }
            CrlFileError::NoCrl(_) => {
                "give PEM or DER files with revocation lists, and nothing else"
            }
            CrlFileError::Unusable { reason, .. } => match reason {
                CrlError::AnotherIssuer(_) => {
                    "put it under the domain of that CA, or add the CA to `intermediates`"
                }
                CrlError::WrongSignature(_) | CrlError::MayNotSign(_) => {
                    "give the list as the CA has signed it"
                }
                CrlError::Future(_) => "check the clocks of this machine and of the CA",
                CrlError::NotACrl | CrlError::NotAlone | CrlError::SerialTooLong => {
                    "give PEM or DER files with revocation lists"
                }
                CrlError::Delta
                | CrlError::Indirect
                | CrlError::Partial(_)
                | CrlError::UnknownCriticalExtension(_) => {
                    "give a whole list for all certificates of its issuer"
                }
            },
        };
        let is_no_list = matches!(
            error,
            CrlFileError::NoCrl(_)
                | CrlFileError::Unusable {
                    reason: CrlError::NotACrl | CrlError::NotAlone,
                    ..
                }
        );
        match is_no_list {
            true => self.report_file(UnusableFile {
                place,
                path: error.path(),
                expected: FileKind::RevocationList,
                error: error.to_string(),
                hint: hint.to_owned(),
            }),
            false => self.problems.error(place, error.to_string(), hint),
        }
    }

    /// Warns about lists that are older than the active ones. Runs at each reload, since `check` knows no active list.
    fn warn_about_older_crls(&self, table: &config::TrustDomainTable, revocation: &Revocation) {
        for OlderCrl {
            issuer,
            from_file,
            active,
        } in revocation.older_crls()
        {
            let message = format!(
                "the revocation list of \"{issuer}\" in the file ({}) is older than the active one ({}), which stays \
                 active",
                label_text(from_file),
                label_text(active)
            );
            self.problems.warning(
                table.name.place,
                message,
                "put the newest list there; a restart knows files alone",
            );
        }
    }

    /// Warns about stale lists, and about unknown users on deny lists.
    pub(super) fn warn_about_revocation(&self, trust: &TrustDomains, users: &Users) {
        let now = clock::signed_seconds();
        for table in &self.config.trust_domains {
            let Some(domain) = trust
                .in_order
                .iter()
                .find(|domain| *domain.name == *table.name.value)
            else {
                continue;
            };
            for list in domain.revocation().facts() {
                let issuer = &list.issuer;
                let denied = "so the clients of this CA are denied";
                let (message, hint) = match list.next_update {
                    Some(due) if due >= now => continue,
                    Some(due) if list.counts_until >= now => (
                        format!(
                            "the revocation list of \"{issuer}\" counts, but its next update was due at {}",
                            rfc3339(due)
                        ),
                        "fetch a new list",
                    ),
                    Some(due) => (
                        format!(
                            "the revocation list of \"{issuer}\" is too old: its next update was due at {}, {denied}",
                            rfc3339(due)
                        ),
                        "fetch a new list, or say how long old ones count: `stale_crls = { allow-for = \"6h\" }`",
                    ),
                    None if list.counts_until >= now => continue,
                    None => (
                        format!(
                            "the revocation list of \"{issuer}\" does not say when its next update is due, {denied}"
                        ),
                        "have the CA set it, or take lists of any age: `stale_crls = \"ignore\"`",
                    ),
                };
                self.problems.warning(table.name.place, message, hint);
            }
            let place = table
                .deny_list
                .as_ref()
                .map_or(table.name.place, |path| path.place);
            for name in domain
                .revocation()
                .denied_users()
                .filter(|name| users.users.named(name).is_none())
            {
                let message =
                    format!("the deny list names an api_user \"{name}\" that there is not");
                self.problems
                    .warning(place, message, "check the spelling, or remove the line");
            }
        }
    }

    /// The files of an entry of `crls`. Reports an entry without files: it would revoke nothing, or reject all clients.
    fn crl_paths(&self, pattern: &Spanned<String>) -> Vec<PathBuf> {
        let full = self.sources.folder(pattern.place.file).join(&pattern.value);
        let has_folder = full
            .parent()
            .is_none_or(|folder| file_read::metadata(folder).is_ok());
        if let Some(hint) = unexpanded(&pattern.value).filter(|_| !has_folder) {
            self.problems.error(
                pattern.place,
                format!("there is no revocation list at {}", full.display()),
                hint,
            );
            return Vec::new();
        }
        let CrlPaths { folder, files } = crl_paths(&full);
        let listed_path = folder
            .as_ref()
            .map_or_else(|| full.clone(), |folder| folder.path.clone());
        self.watched.borrow_mut().extend(folder);
        match files {
            Ok(paths) if paths.is_empty() => self.no_crls(
                pattern,
                &format!("there is no revocation list at {}", full.display()),
            ),
            Ok(paths) => paths,
            Err(error) => self.no_crls(
                pattern,
                &format!("cannot read {}: {error}", listed_path.display()),
            ),
        }
    }

    fn no_crls(&self, pattern: &Spanned<String>, message: &str) -> Vec<PathBuf> {
        self.problems.error(
            pattern.place,
            message,
            "give files, patterns of file names such as \"crls/*.crl\", or folders",
        );
        Vec::new()
    }
}

/// A list as number and date.
fn label_text(list: &CrlLabel) -> String {
    let number = list
        .number
        .as_ref()
        .map(|number| format!("number {number}, "))
        .unwrap_or_default();
    format!("{number}of {}", rfc3339(list.this_update))
}

fn revocation_settings(table: &config::TrustDomainTable) -> RevocationSettings {
    let mut settings = RevocationSettings::default();
    if let Some(stale) = &table.stale_crls {
        settings.stale = match stale.value {
            config::StaleCrlsSetting::Refuse => StaleCrlPolicy::Refuse,
            config::StaleCrlsSetting::AllowFor(grace) => StaleCrlPolicy::AllowFor(grace),
            config::StaleCrlsSetting::Ignore => StaleCrlPolicy::Ignore,
        };
    }
    if let Some(unknown) = &table.unknown_revocation {
        settings.unknown = match unknown.value {
            config::UnknownRevocationSetting::Refuse => UnknownRevocationPolicy::Refuse,
            config::UnknownRevocationSetting::Allow => UnknownRevocationPolicy::Allow,
        };
    }
    if let Some(check) = &table.revocation_check {
        settings.check = match check.value {
            config::RevocationCheckSetting::Chain => RevocationDepth::Chain,
            config::RevocationCheckSetting::Leaf => RevocationDepth::Leaf,
        };
    }
    settings
}
