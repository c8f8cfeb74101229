//! Reports of unusable files: the detected format, or else the error of the reader.

use super::Assembly;
use crate::config::{Place, Spanned, unexpanded};
use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::FileKind;
use std::path::Path;

/// An unusable file.
pub(super) struct UnusableFile<'a> {
    /// Place of its path in the config.
    pub(super) place: Place,
    pub(super) path: &'a Path,
    pub(super) expected: FileKind,
    /// Error of its reader.
    pub(super) error: String,
    /// Hint if the format is not detected.
    pub(super) hint: String,
}

impl Assembly<'_> {
    pub(super) fn report_file(&self, file: UnusableFile<'_>) {
        match FileFormat::misplaced_file(file.path, file.expected) {
            Some(FileAdvice { what, hint }) => {
                self.problems
                    .error(file.place, format!("{} {what}", file.path.display()), hint);
            }
            None => self.problems.error(file.place, file.error, file.hint),
        }
    }
}

/// Hint for an unreadable file: about an unexpanded path, or else `usual`.
pub(super) fn unreadable_hint(path: &Spanned<String>, usual: &str) -> String {
    unexpanded(&path.value).unwrap_or_else(|| usual.to_owned())
}

/// The general hint for [`unreadable_hint`].
pub(super) const CHECK_THE_PATH: &str =
    "check the path, which is relative to this file, and its mode";
