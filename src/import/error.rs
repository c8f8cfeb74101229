//! Why a file cannot be imported at all. What is only odd in it is a note, not an error.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A place in a text; line and column count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The place behind this text.
    pub(super) fn behind(text: &str) -> Self {
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

/// Why nothing was imported.
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
    /// A file that another one names could not be read.
    #[error("{}:{at}: cannot read {}", .path.display(), .named.display())]
    ReadNamed {
        /// The file that names it.
        path: PathBuf,
        /// Where.
        at: Position,
        /// The file that is named.
        named: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Octets that are not UTF-8.
    #[error("{}:{at}: this is not UTF-8 text", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first octet that is none.
        at: Position,
    },
    /// The text breaks the rules of its form.
    #[error("{}:{at}: {message}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where.
        at: Position,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// The text is of another form, or says nothing about clients.
    #[error("{}: {message}", .path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it is.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// A password could not be hashed.
    #[error("no hash could be made of the password of \"{user}\"")]
    Hash {
        /// Whose.
        user: String,
        /// Why.
        source: crate::credentials::HashError,
    },
}

impl ImportError {
    /// What to do about it.
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
        assert_eq!(Position::behind("").to_string(), "1:1");
        assert_eq!(Position::behind("a\nä").to_string(), "2:2");
        assert_eq!(Position::behind("a\n").to_string(), "2:1");
    }
}
