//! Reserved names of a trust domain: certificates with such names identify no ApiUser, since the CA also issues
//! certificates to other parties.

use super::Identifier;
use crate::pattern::{Case, Pattern};
use crate::tls::{NameError, PeerCertificate};

/// Patterns of reserved names. Compared, ignoring case, with all subject names of a certificate, usable or not.
#[derive(Clone, Debug, Default)]
pub struct ReservedNames {
    patterns: Vec<Pattern>,
}

impl ReservedNames {
    /// Creates the set from patterns with `*` and `?`.
    pub fn new<'t>(patterns: impl Iterator<Item = &'t str>) -> Self {
        Self {
            patterns: patterns
                .map(|text| Pattern::new(text.to_lowercase(), Case::Folds))
                .collect(),
        }
    }

    /// The first reserved name of a certificate. Unreadable names count as reserved.
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
        names.find(|name| self.matches(name)).map(Into::into)
    }

    /// Whether an identifier is a reserved name.
    pub fn reserves(&self, identifier: &Identifier) -> bool {
        identifier.name().is_some_and(|name| self.matches(name))
    }

    fn matches(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let name = name.as_str();
        // Also the name as read by a parser that stops at a NUL, or ignores blanks and the root dot.
        let is_ignored =
            |letter: char| letter == '.' || letter.is_whitespace() || letter.is_control();
        let short = name
            .split('\0')
            .next()
            .unwrap_or_default()
            .trim_matches(is_ignored);
        let mut readings = [name, short].into_iter().filter(|text| !text.is_empty());
        readings.any(|text| {
            self.patterns
                .iter()
                .any(|pattern| pattern.matches(text.as_bytes()))
        })
    }
}
