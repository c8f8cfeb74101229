//! What somebody should know about an import. Decides nothing.

use super::error::Position;
use super::text::printable;
use std::fmt;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Information,
    /// Somebody has to look: it is not, or not wholly, as it was.
    Attention,
}

/// A finding with what to do about it.
#[derive(Clone, Debug)]
pub struct Note {
    /// How much it matters.
    pub weight: Weight,
    /// Where it stands, if the place is known.
    pub at: Option<Position>,
    /// Who or what it is about.
    pub about: String,
    /// What is so.
    pub what: String,
}

impl Note {
    pub(super) fn attention(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            weight: Weight::Attention,
            at: None,
            about: about.into(),
            what: what.into(),
        }
    }

    pub(super) fn information(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            weight: Weight::Information,
            ..Self::attention(about, what)
        }
    }

    pub(super) fn at(mut self, at: Position) -> Self {
        self.at = Some(at);
        self
    }
}

/// One line without control characters, since names and patterns come from files of others.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "line {}: ", at.line)?;
        }
        if !self.about.is_empty() {
            write!(f, "{}: ", printable(&self.about))?;
        }
        f.write_str(&printable(&self.what))
    }
}
