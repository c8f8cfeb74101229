//! Files that revoke: found, read and stamped, each source on its own, for a load and for what takes effect without one.
//! Judges nobody.

use crate::config::WatchedFile;
use crate::file_read;
use crate::tls::{Authorities, CrlFile, CrlFileError, DenyList, RevocationUpdate, TrustDomainId};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where revocations of one trust domain come from: one entry of the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationSource {
    /// Whose certificates or users are revoked.
    pub domain: TrustDomainId,
    /// What it is.
    pub kind: RevocationSourceKind,
    /// A file, a folder, or a pattern of file names.
    pub path: PathBuf,
    /// Which config names it.
    pub named_by: NamedBy,
}

/// What a source of revocations is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationSourceKind {
    /// `deny_list`
    DenyList,
    /// An entry of `crls`.
    Crls,
    /// The folder of lists that were fetched.
    FetchedCrls,
}

/// Which config names a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The one that is in force.
    Active,
    /// Only one that was rejected.
    Rejected,
}

/// The files behind an entry of `crls`, and the folder if it is one or a pattern: new files appear there.
pub(super) struct CrlPaths {
    pub(super) folder: Option<WatchedFile>,
    /// In the order of their names.
    pub(super) files: io::Result<Vec<PathBuf>>,
}

/// How the files of a source looked when they were read.
pub type Stamps = HashMap<PathBuf, u64>;

/// What a source says.
#[derive(Debug)]
pub struct SourceReading {
    /// How its files looked before they were read.
    pub stamps: Stamps,
    /// A deny list, if it is one and could be read.
    pub deny_list: Option<DenyList>,
    /// Files with revocation lists, as far as they could be read.
    pub crls: Vec<CrlFile>,
    /// What could not be read, and why.
    pub errors: Vec<String>,
}

impl RevocationSource {
    /// Reads the source, if its files look otherwise than these stamps say. A file that cannot be used holds up no other.
    pub fn read(
        &self,
        stamps: &Stamps,
        authorities: &Arc<Authorities>,
        before: &[CrlFile],
    ) -> Option<SourceReading> {
        let (files, error) = match self.kind {
            RevocationSourceKind::DenyList => (vec![self.path.clone()], None),
            RevocationSourceKind::Crls => files_or_error(crl_paths(&self.path)),
            RevocationSourceKind::FetchedCrls => files_or_error(fetched_paths(&self.path)),
        };
        // Before they are read, so that no change is missed.
        let looks: Stamps = files
            .iter()
            .map(|path| (path.clone(), WatchedFile::new(path).stamp()))
            .collect();
        if error.is_none()
            && looks
                .iter()
                .all(|(path, stamp)| stamps.get(path) == Some(stamp))
        {
            return None;
        }
        let mut reading = SourceReading {
            stamps: looks,
            deny_list: None,
            crls: Vec::new(),
            errors: error
                .map(|error| format!("cannot read {}: {error}", self.path.display()))
                .into_iter()
                .collect(),
        };
        match self.kind {
            RevocationSourceKind::DenyList => match DenyList::load_usable(&self.path) {
                Ok((list, errors)) => {
                    reading.deny_list = Some(list);
                    reading
                        .errors
                        .extend(errors.iter().map(ToString::to_string));
                }
                Err(error) => reading.errors.push(error.to_string()),
            },
            kind => reading.read_crls(&files, kind, authorities, before),
        }
        // What could not be read is read again next time.
        if !reading.errors.is_empty() {
            reading.stamps.clear();
        }
        Some(reading)
    }

    /// What to watch for a change of it.
    pub fn watched(&self) -> Vec<WatchedFile> {
        let paths = match self.kind {
            RevocationSourceKind::DenyList => return vec![WatchedFile::new(&self.path)],
            RevocationSourceKind::Crls => crl_paths(&self.path),
            RevocationSourceKind::FetchedCrls => fetched_paths(&self.path),
        };
        let files = paths
            .files
            .unwrap_or_default()
            .into_iter()
            .map(WatchedFile::new);
        paths.folder.into_iter().chain(files).collect()
    }

    /// Adds what was read to what is known of the domain.
    pub fn add_to(&self, update: &mut RevocationUpdate, reading: &SourceReading) {
        update.deny_lists.extend(reading.deny_list.clone());
        match self.named_by {
            NamedBy::Active => update.crls.extend_from_slice(&reading.crls),
            NamedBy::Rejected => update.further_crls.extend_from_slice(&reading.crls),
        }
    }
}

impl SourceReading {
    fn read_crls(
        &mut self,
        files: &[PathBuf],
        kind: RevocationSourceKind,
        authorities: &Arc<Authorities>,
        before: &[CrlFile],
    ) {
        for path in files {
            match CrlFile::load(path, authorities, before) {
                Ok(file) => self.crls.push(file),
                Err(CrlFileError::Unreadable { source, .. })
                    if kind == RevocationSourceKind::FetchedCrls
                        && source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.errors.push(error.to_string()),
            }
        }
    }
}

fn files_or_error(paths: CrlPaths) -> (Vec<PathBuf>, Option<io::Error>) {
    match paths.files {
        Ok(files) => (files, None),
        Err(error) => (Vec::new(), Some(error)),
    }
}

/// The files behind one entry of `crls`.
pub(super) fn crl_paths(full: &Path) -> CrlPaths {
    let name = full
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if file_read::is_folder(full) {
        return in_folder(full, "*");
    }
    if name.contains(['*', '?', '[']) {
        return in_folder(full.parent().unwrap_or(Path::new("")), &name);
    }
    CrlPaths {
        folder: None,
        files: Ok(vec![full.to_owned()]),
    }
}

/// The files of a folder of fetched lists.
pub(super) fn fetched_paths(folder: &Path) -> CrlPaths {
    in_folder(folder, "*.crl")
}

/// Editors and Kubernetes keep their own files beside ours; their names start with a dot.
fn in_folder(folder: &Path, wanted: &str) -> CrlPaths {
    let watched = WatchedFile::new(folder);
    let files = glob::Pattern::new(wanted)
        .map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("bad pattern of file names: {error}"),
            )
        })
        .and_then(|wanted| {
            let mut paths = file_read::entries(folder)?;
            paths.retain(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                !name.starts_with('.') && wanted.matches(&name) && !file_read::is_folder(path)
            });
            paths.sort_unstable();
            Ok(paths)
        });
    CrlPaths {
        folder: Some(watched),
        files,
    }
}
