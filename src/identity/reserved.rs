//! Names that are nobody's in a trust domain, whatever else says so: its CA also signs those who are no ApiUsers.

use super::Identifier;
use crate::pattern::{Case, Pattern};
use crate::tls::{NameError, PeerCertificate};

/// Patterns of names. Compared without case with everything that a certificate calls its subject, usable or not.
#[derive(Clone, Debug, Default)]
pub struct ReservedNames {
    patterns: Vec<Pattern>,
}

impl ReservedNames {
    /// Patterns with `*` and `?`.
    pub fn new<'t>(patterns: impl Iterator<Item = &'t str>) -> Self {
        Self {
            patterns: patterns
                .map(|text| Pattern::new(text.to_lowercase(), Case::Folds))
                .collect(),
        }
    }

    /// The first reserved name of a certificate. Names that cannot be read could be any.
    pub(super) fn find(&self, peer: &PeerCertificate) -> Option<Box<str>> {
        if self.patterns.is_empty() {
            return None;
        }
        if peer
            .unusable_names
            .iter()
            .any(|(_, reason)| *reason == NameError::Unreadable)
        {
            return Some("(subject alternative names that cannot be read)".into());
        }
        let common_name = peer.common_name.iter().map(|name| name.as_str());
        let others = [&peer.dns_names, &peer.uris, &peer.emails, &peer.other_names];
        let mut names = common_name.chain(others.into_iter().flatten().map(AsRef::as_ref));
        names.find(|name| self.holds(name)).map(Into::into)
    }

    /// Whether a value is a reserved name.
    pub fn reserves(&self, identifier: &Identifier) -> bool {
        identifier.name().is_some_and(|name| self.holds(name))
    }

    fn holds(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let name = name.as_str();
        // As a reader may take it who stops at a NUL, or to whom blanks and the dot of the root say nothing.
        let ends = |letter: char| letter == '.' || letter.is_whitespace() || letter.is_control();
        let short = name
            .split('\0')
            .next()
            .unwrap_or_default()
            .trim_matches(ends);
        let mut readings = [name, short].into_iter().filter(|text| !text.is_empty());
        readings.any(|text| {
            self.patterns
                .iter()
                .any(|pattern| pattern.matches(text.as_bytes()))
        })
    }
}
