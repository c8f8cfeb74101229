//! Sources of revocations: deny lists and CRLs. Finds, reads and stamps the files of each source, for a load and for
//! overlays.

use crate::config::WatchedFile;
use crate::file_read;
use crate::tls::{Authorities, CrlFile, CrlFileError, DenyList, RevocationUpdate, TrustDomainId};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One source of revocations of a trust domain: one entry of the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationSource {
    /// The trust domain that the revocations apply to.
    pub domain: TrustDomainId,
    /// Kind of source.
    pub kind: RevocationSourceKind,
    /// A file, a folder, or a pattern of file names.
    pub path: PathBuf,
    /// The config that contains the entry.
    pub origin: ConfigOrigin,
}

/// Kind of a revocation source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationSourceKind {
    /// `deny_list`
    DenyList,
    /// An entry of `crls`.
    Crls,
    /// The cache folder of `crl_fetch`.
    FetchedCrls,
}

/// The config that names a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOrigin {
    /// The active config.
    Active,
    /// Only a rejected config.
    Rejected,
}

/// The files of an entry of `crls`, and its folder if the entry is a folder or a pattern.
pub(super) struct CrlPaths {
    pub(super) folder: Option<WatchedFile>,
    /// Sorted by name.
    pub(super) files: io::Result<Vec<PathBuf>>,
}

/// Stamps of files at their last read.
pub type Stamps = HashMap<PathBuf, u64>;

/// Content of a source.
#[derive(Debug)]
pub struct SourceReading {
    /// Stamps of its files before the read.
    pub stamps: Stamps,
    /// The deny list, for a source of that kind that could be read.
    pub deny_list: Option<DenyList>,
    /// The CRL files that could be read.
    pub crls: Vec<CrlFile>,
    /// Errors of files that could not be read.
    pub errors: Vec<String>,
}

impl RevocationSource {
    /// Reads the source, unless the stamps show no change. A file with an error does not affect others.
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
        // Taken before the read, so that no change is missed.
        let current: Stamps = files
            .iter()
            .map(|path| (path.clone(), WatchedFile::new(path).stamp()))
            .collect();
        if error.is_none()
            && current
                .iter()
                .all(|(path, stamp)| stamps.get(path) == Some(stamp))
        {
            return None;
        }
        let mut reading = SourceReading {
            stamps: current,
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
        // Without stamps, a source with errors is read again next time.
        if !reading.errors.is_empty() {
            reading.stamps.clear();
        }
        Some(reading)
    }

    /// Files and folders to watch for changes.
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

    /// Adds a reading to the update of the domain.
    pub fn add_to(&self, update: &mut RevocationUpdate, reading: &SourceReading) {
        update.deny_lists.extend(reading.deny_list.clone());
        match self.origin {
            ConfigOrigin::Active => update.crls.extend_from_slice(&reading.crls),
            ConfigOrigin::Rejected => update.further_crls.extend_from_slice(&reading.crls),
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

/// The files of one entry of `crls`.
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

/// The files of a cache folder.
pub(super) fn fetched_paths(folder: &Path) -> CrlPaths {
    in_folder(folder, "*.crl")
}

/// The files of a folder that match a pattern. Files of editors and Kubernetes, which start with a dot, are skipped.
fn in_folder(folder: &Path, pattern: &str) -> CrlPaths {
    let watched = WatchedFile::new(folder);
    let files = glob::Pattern::new(pattern)
        .map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("bad pattern of file names: {error}"),
            )
        })
        .and_then(|pattern| {
            let mut paths = file_read::entries(folder)?;
            paths.retain(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                !name.starts_with('.') && pattern.matches(&name) && !file_read::is_folder(path)
            });
            paths.sort_unstable();
            Ok(paths)
        });
    CrlPaths {
        folder: Some(watched),
        files,
    }
}
