//! Source positions of configured values: file, line and column.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Identifies one file of the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u16);

impl FileId {
    /// Position among the files of the load.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A span of bytes in one config file, ordered by file and offset. Kept small, since there may be millions. A span is
/// cut off at 64 KiB, since reports show only its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file that holds the span.
    pub file: FileId,
    start: u32,
    length: u16,
}

impl Place {
    /// The span `range` of `file`.
    pub fn new(file: FileId, range: &Range<usize>) -> Self {
        let start = u32::try_from(range.start).unwrap_or(u32::MAX);
        Self {
            file,
            start,
            length: u16::try_from(range.len()).unwrap_or(u16::MAX),
        }
    }

    /// The place of a value without a file.
    pub fn nowhere() -> Self {
        Self {
            file: FileId(u16::MAX),
            start: 0,
            length: 0,
        }
    }

    /// The span as byte offsets into the file's text.
    pub fn range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.length)
    }
}

/// A value with its place in the config.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

impl<T> Spanned<T> {
    /// Converts the value and keeps the place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: f(self.value),
            place: self.place,
        }
    }
}

/// One config file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path, relative to the working directory or absolute as configured.
    pub path: PathBuf,
    /// The content.
    pub text: Arc<String>,
}

/// A place as path, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// All config files of one load, in reading order.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file. `None` above 65,535 files.
    pub fn add(&mut self, path: PathBuf, text: String) -> Option<FileId> {
        let id = u16::try_from(self.files.len()).ok()?;
        self.files.push(SourceFile {
            path,
            text: Arc::new(text),
        });
        Some(FileId(id))
    }

    /// All files.
    pub fn iter(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The file with an id.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(usize::from(id.0))
    }

    /// All files.
    pub(super) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The folder that paths in this file are relative to.
    pub fn folder(&self, id: FileId) -> &Path {
        self.file(id)
            .and_then(|file| file.path.parent())
            .unwrap_or_else(|| Path::new(""))
    }

    /// `path:line:column`, with line and column from 1.
    pub fn describe(&self, place: Place) -> String {
        self.locate(place)
            .map_or_else(String::new, |Location { path, line, column }| {
                format!("{path}:{line}:{column}")
            })
    }

    /// The parts of [`Self::describe`]; `None` for a place without a file.
    pub fn locate(&self, place: Place) -> Option<Location> {
        let file = self.file(place.file)?;
        let (line, column) = line_and_column(&file.text, place.start as usize);
        Some(Location {
            path: file.path.display().to_string(),
            line,
            column,
        })
    }
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(line_and_column("a\nbc", 0), (1, 1));
        assert_eq!(line_and_column("a\nbc", 3), (2, 2));
        assert_eq!(
            line_and_column("ä\nö!", 5),
            (2, 2),
            "columns count characters"
        );
    }
}
