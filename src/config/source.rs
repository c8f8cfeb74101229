//! Where a configured value stands: file, line and column. Knows text, not meaning.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One of the files that make up the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u16);

impl FileId {
    /// Position among the files of the load.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A span of bytes in one config file. Ordered as people read: by file, then from top to bottom. Kept small, since there
/// may be millions: of a span of more than 64 KiB only the beginning counts, which is all of it that is ever shown.
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

    /// The place of what stands in no file.
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

/// A value together with the place where the operator wrote it.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

impl<T> Spanned<T> {
    /// The same place with another value, for parsing text into meaning.
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
    /// The path as the operator would write it.
    pub path: PathBuf,
    /// The whole text.
    pub text: Arc<String>,
}

/// A place as people and programs read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// All config files of one load, in reading order.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file. `None` if there are more files than a [`FileId`] can count.
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

    /// The file behind an id.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(usize::from(id.0))
    }

    /// All files.
    pub(super) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The folder against which paths in this file are resolved.
    pub fn folder(&self, id: FileId) -> &Path {
        self.file(id)
            .and_then(|file| file.path.parent())
            .unwrap_or_else(|| Path::new(""))
    }

    /// `path:line:column`, both counted from 1 as editors do.
    pub fn describe(&self, place: Place) -> String {
        self.locate(place)
            .map_or_else(String::new, |Location { path, line, column }| {
                format!("{path}:{line}:{column}")
            })
    }

    /// The parts of [`Self::describe`]; `None` for what stands in no file.
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
