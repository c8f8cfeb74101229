//! Writes keys and certificates to disk: all files of a command or none. Private keys are readable by their owner alone from
//! the first byte.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{OutputFile, PkiError};

/// The handling of existing files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// They are kept, and the command fails.
    Refuse,
    /// They are replaced.
    Replace,
}

/// Creates `folder` and its parents if they are missing.
///
/// # Errors
/// [`PkiError::Write`].
pub fn create_folder(folder: &Path) -> Result<(), PkiError> {
    fs::create_dir_all(folder).map_err(|source| PkiError::Write {
        path: folder.to_owned(),
        source,
    })
}

/// Rejects an output that is also an input: with `Replace`, the command would overwrite its input.
///
/// # Errors
/// [`PkiError::SharedPath`].
pub fn reject_shared_paths(outputs: &[&Path], inputs: &[&Path]) -> Result<(), PkiError> {
    let inputs: Vec<PathBuf> = inputs.iter().map(|path| resolved(path)).collect();
    match outputs
        .iter()
        .find(|output| inputs.contains(&resolved(output)))
    {
        Some(output) => Err(PkiError::SharedPath(output.to_path_buf())),
        None => Ok(()),
    }
}

/// Writes all files. All paths are checked before the first byte is written. The files get their names after all contents are
/// on disk; an earlier failure leaves nothing behind.
///
/// # Errors
/// [`PkiError::Exists`], [`PkiError::NoFolder`], [`PkiError::NotRegular`], [`PkiError::SharedPath`], or
/// [`PkiError::Write`].
pub fn write_files(files: &[OutputFile], overwrite: Overwrite) -> Result<(), PkiError> {
    for (index, file) in files.iter().enumerate() {
        check_target(file.path(), overwrite)?;
        let earlier: Vec<&Path> = files.iter().take(index).map(OutputFile::path).collect();
        reject_shared_paths(&[file.path()], &earlier)?;
    }
    let staged = files
        .iter()
        .map(|file| StagedFile::write(file, overwrite))
        .collect::<Result<Vec<_>, _>>()?;
    staged.into_iter().try_for_each(StagedFile::publish)
}

fn check_target(path: &Path, overwrite: Overwrite) -> Result<(), PkiError> {
    let folder = parent(path);
    if !folder.is_dir() {
        return Err(PkiError::NoFolder {
            folder: folder.to_owned(),
            path: path.to_owned(),
        });
    }
    // Links are not followed: a dangling link exists, too.
    match (fs::symlink_metadata(path), overwrite) {
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        (Err(source), _) => Err(PkiError::Write {
            path: path.to_owned(),
            source,
        }),
        (Ok(_), Overwrite::Refuse) => Err(PkiError::Exists(path.to_owned())),
        (Ok(found), Overwrite::Replace) if found.is_file() || found.is_symlink() => Ok(()),
        (Ok(_), Overwrite::Replace) => Err(PkiError::NotRegular(path.to_owned())),
    }
}

/// A file that is on disk and not published yet. Dropping it before `publish` removes it.
struct StagedFile {
    written: PathBuf,
    target: PathBuf,
    state: StageState,
}

enum StageState {
    Pending,
    Published,
}

impl StagedFile {
    /// Without `Replace`, the target itself is created exclusively, so there is no race between check and write.
    fn write(file: &OutputFile, overwrite: Overwrite) -> Result<Self, PkiError> {
        let target = file.path().to_owned();
        let written = match overwrite {
            Overwrite::Refuse => target.clone(),
            Overwrite::Replace => temporary_path(&target)?,
        };
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => PkiError::Exists(file.path().to_owned()),
            _ => PkiError::Write {
                path: file.path().to_owned(),
                source,
            },
        };
        // The mode is passed to `open`, so that a key is never readable by others.
        let mut opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(file.mode())
            .open(&written)
            .map_err(failed)?;
        let staged = Self {
            written,
            target,
            state: StageState::Pending,
        };
        opened
            .write_all(file.bytes())
            .and_then(|()| File::sync_all(&opened))
            .map_err(failed)?;
        Ok(staged)
    }

    fn publish(mut self) -> Result<(), PkiError> {
        if self.written != self.target {
            fs::rename(&self.written, &self.target).map_err(|source| PkiError::Write {
                path: self.target.clone(),
                source,
            })?;
        }
        self.state = StageState::Published;
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if matches!(self.state, StageState::Pending) {
            // The error that led here is already returned, so an error of the removal is ignored.
            let _ = fs::remove_file(&self.written);
        }
    }
}

/// A new name beside `target`, so that the rename stays within one file system.
fn temporary_path(target: &Path) -> Result<PathBuf, PkiError> {
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| PkiError::Random)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    Ok(target.with_file_name(format!(".{name}.{:016x}.tmp", u64::from_be_bytes(random))))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The path with its folder canonicalized, so that two spellings of one file are equal.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = fs::canonicalize(parent(path)).unwrap_or_else(|_| parent(path).to_owned());
        folder.join(path.file_name().unwrap_or_default())
    })
}
