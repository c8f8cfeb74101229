//! An input file of an import, with its text. Independent of the format.

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
    /// [`ImportError`] if the file cannot be read, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let mut bytes = Zeroizing::new(Vec::new());
        let result = match path == Path::new("-") {
            true => io::stdin().lock().read_to_end(&mut bytes).map(drop),
            false => std::fs::read(path).map(|read| *bytes = read),
        };
        result.map_err(|source| ImportError::Read {
            path: path.to_owned(),
            source,
        })?;
        let display_path = if path == Path::new("-") {
            Path::new("standard input")
        } else {
            path
        };
        Self::new(display_path, &bytes)
    }

    /// Reads a file that this file names at a position. Relative paths are resolved against this file's folder.
    pub(super) fn named(&self, at: Position, path: &str) -> Result<Self, ImportError> {
        let named = self.path.parent().unwrap_or(Path::new("")).join(path);
        let bytes = std::fs::read(&named).map_err(|source| ImportError::ReadNamed {
            path: self.path.clone(),
            at,
            named: named.clone(),
            source,
        })?;
        Self::new(&named, &bytes)
    }

    /// Creates an input from bytes in memory, with a path for messages.
    ///
    /// # Errors
    /// [`ImportError::NotText`] if the bytes are not UTF-8.
    pub fn new(path: &Path, bytes: &[u8]) -> Result<Self, ImportError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                Ok(Self {
                    path: path.to_owned(),
                    text: Zeroizing::new(text.to_owned()),
                })
            }
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let at = Position::after(&String::from_utf8_lossy(valid));
                Err(ImportError::NotText {
                    path: path.to_owned(),
                    at,
                })
            }
        }
    }

    /// The path as given, or "standard input".
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
