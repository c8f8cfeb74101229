//! A file to be imported, with its text. Knows no form.

use super::error::{ImportError, Position};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file that was read. Its text may hold passwords.
pub struct ImportFile {
    path: PathBuf,
    text: Zeroizing<String>,
}

impl ImportFile {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    /// [`ImportError`] if it cannot be read, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let mut octets = Zeroizing::new(Vec::new());
        let read = match path == Path::new("-") {
            true => io::stdin().lock().read_to_end(&mut octets).map(drop),
            false => std::fs::read(path).map(|read| *octets = read),
        };
        read.map_err(|source| ImportError::Read {
            path: path.to_owned(),
            source,
        })?;
        let shown = if path == Path::new("-") {
            Path::new("standard input")
        } else {
            path
        };
        Self::new(shown, &octets)
    }

    /// Reads a file that another one names; relative paths begin at that one's folder.
    pub(super) fn named(&self, at: Position, path: &str) -> Result<Self, ImportError> {
        let named = self.path.parent().unwrap_or(Path::new("")).join(path);
        let octets = std::fs::read(&named).map_err(|source| ImportError::ReadNamed {
            path: self.path.clone(),
            at,
            named: named.clone(),
            source,
        })?;
        Self::new(&named, &octets)
    }

    /// A text as if it had been read from a file.
    ///
    /// # Errors
    /// [`ImportError::NotText`]
    pub fn new(path: &Path, octets: &[u8]) -> Result<Self, ImportError> {
        match std::str::from_utf8(octets) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                Ok(Self {
                    path: path.to_owned(),
                    text: Zeroizing::new(text.to_owned()),
                })
            }
            Err(error) => {
                let good = octets.get(..error.valid_up_to()).unwrap_or_default();
                let at = Position::behind(&String::from_utf8_lossy(good));
                Err(ImportError::NotText {
                    path: path.to_owned(),
                    at,
                })
            }
        }
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn malformed(
        &self,
        at: Position,
        message: impl Into<String>,
        hint: &'static str,
    ) -> ImportError {
        ImportError::Malformed {
            path: self.path.clone(),
            at,
            message: message.into(),
            hint,
        }
    }
}
