//! Reports of files that cannot be used: what they are in place of what was wanted, or else what the reader said.

use super::Assembly;
use crate::config::{Place, Spanned, unexpanded};
use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::FileKind;
use std::path::Path;

/// A file that cannot be used.
pub(super) struct UnusableFile<'a> {
    /// Where it is named.
    pub(super) place: Place,
    pub(super) path: &'a Path,
    pub(super) wanted: FileKind,
    /// What its reader said.
    pub(super) error: String,
    /// What to do if nothing better is known.
    pub(super) hint: String,
}

impl Assembly<'_> {
    pub(super) fn report_file(&self, file: UnusableFile<'_>) {
        match FileFormat::misplaced_file(file.path, file.wanted) {
            Some(FileAdvice { what, hint }) => {
                self.problems
                    .error(file.place, format!("{} {what}", file.path.display()), hint);
            }
            None => self.problems.error(file.place, file.error, file.hint),
        }
    }
}

/// What to do about a file that cannot be read; `usual` if its path has nothing that a shell would expand.
pub(super) fn unreadable_hint(path: &Spanned<String>, usual: &str) -> String {
    unexpanded(&path.value).unwrap_or_else(|| usual.to_owned())
}

/// `usual` for files of which nothing else is known.
pub(super) const CHECK_THE_PATH: &str =
    "check the path, which is relative to this file, and its mode";
