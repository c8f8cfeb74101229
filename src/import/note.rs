//! Notes about an import for the operator.

use super::error::Position;
use super::text::printable;
use std::fmt;

/// Severity of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// No action is needed.
    Information,
    /// The operator must check it: something was not carried over, or only in part.
    Attention,
}

/// A finding about one imported item, with the action to take.
#[derive(Clone, Debug)]
pub struct ImportNote {
    /// The severity.
    pub weight: Weight,
    /// The position in the imported file, if known.
    pub at: Option<Position>,
    /// The user or item that the note describes; empty for the whole import.
    pub subject: String,
    /// The text of the note.
    pub text: String,
}

impl ImportNote {
    pub(super) fn attention(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            weight: Weight::Attention,
            at: None,
            subject: subject.into(),
            text: text.into(),
        }
    }

    pub(super) fn information(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            weight: Weight::Information,
            ..Self::attention(subject, text)
        }
    }

    pub(super) fn at(mut self, at: Position) -> Self {
        self.at = Some(at);
        self
    }
}

/// Writes one line without control characters, since names and patterns come from untrusted files.
impl fmt::Display for ImportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "line {}: ", at.line)?;
        }
        if !self.subject.is_empty() {
            write!(f, "{}: ", printable(&self.subject))?;
        }
        f.write_str(&printable(&self.text))
    }
}
