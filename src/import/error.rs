//! Errors that prevent an import. Findings that do not prevent it are notes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A position in a text. Lines and columns count from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The position after the last character of a text.
    pub(super) fn after(text: &str) -> Self {
        let line_start = text.rfind('\n').map_or(0, |newline| newline + 1);
        let column = text.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self {
            line: text.matches('\n').count() + 1,
            column,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// An error that prevents an import.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that another file names could not be read.
    #[error("{}:{at}: cannot read {}", .path.display(), .named.display())]
    ReadNamed {
        /// The file that contains the name.
        path: PathBuf,
        /// The position of the name.
        at: Position,
        /// The named file.
        named: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not UTF-8.
    #[error("{}:{at}: this is not UTF-8 text", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The position of the first invalid byte.
        at: Position,
    },
    /// The text violates the syntax of its format.
    #[error("{}:{at}: {message}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The position of the error.
        at: Position,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// The text has another format, or contains nothing about clients.
    #[error("{}: {message}", .path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What the file is.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// A password could not be hashed.
    #[error("no hash could be made of the password of \"{user}\"")]
    Hash {
        /// The user.
        user: String,
        /// The cause.
        source: crate::credentials::HashError,
    },
}

impl ImportError {
    /// The action that resolves the error.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path and its mode; `-` is standard input",
            Self::ReadNamed { .. } => {
                "copy the file to where it is named, or change the path there"
            }
            Self::NotText { .. } => "convert it: `iconv -f LATIN1 -t UTF-8 FILE`",
            Self::Malformed { hint, .. } | Self::Unfit { hint, .. } => hint,
            Self::Hash { .. } => "try again",
        }
    }

    pub(super) fn unfit(path: &Path, message: impl Into<String>, hint: &'static str) -> Self {
        Self::Unfit {
            path: path.to_owned(),
            message: message.into(),
            hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(Position::after("").to_string(), "1:1");
        assert_eq!(Position::after("a\nä").to_string(), "2:2");
        assert_eq!(Position::after("a\n").to_string(), "2:1");
    }
}
