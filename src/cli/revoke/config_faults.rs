//! The errors of a config, as `revoke` reports them. They do not prevent a revocation.

use crate::config::{Loaded, Problem, Severity, TableName};

/// Maximum number of unreadable sections in a message.
const NAMED_SECTIONS: usize = 5;

/// The errors of a config.
pub(super) struct ConfigFaults {
    /// The first error, with its place.
    first: Option<String>,
    /// Unreadable sections. Also empty if they are unknown.
    unread: Vec<String>,
    completeness: Completeness,
}

/// Whether all files could be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Complete,
    Incomplete,
}

impl ConfigFaults {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let place = |problem: &Problem| {
            problem
                .place
                .map(|place| loaded.sources.describe(place) + ": ")
        };
        let first = loaded
            .problems
            .first_of(Severity::Error)
            .map(|problem| place(&problem).unwrap_or_default() + &problem.message);
        let is_complete = loaded.unread.is_empty() && loaded.unread_sections.is_empty();
        let completeness = if is_complete {
            Completeness::Complete
        } else {
            Completeness::Incomplete
        };
        Self {
            first,
            unread: loaded
                .unread_sections
                .iter()
                .map(ToString::to_string)
                .collect(),
            completeness,
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.first.is_some()
    }

    /// Whether users, trust domains or the admin listener may be in an unreadable part.
    pub(super) fn is_incomplete(&self) -> bool {
        self.completeness == Completeness::Incomplete
    }

    /// The warning for a change that is made despite the errors.
    pub(super) fn warning(&self) -> Option<String> {
        let advice = "a running gateway applies the deny list anyway; other changes wait until the config is corrected";
        self.first.as_ref().map(|first| {
            format!(
                "warning: the config has errors: {first}{}; {advice}",
                self.unread()
            )
        })
    }

    /// Adds the config errors to a message, since they may be its cause.
    pub(super) fn explain(&self, message: String) -> String {
        match &self.first {
            Some(first) => format!(
                "{message}\nthe config has errors: {first}{}\nname the list with --deny-list FILE",
                self.unread()
            ),
            None => message,
        }
    }

    fn unread(&self) -> String {
        if self.unread.is_empty() {
            return String::new();
        }
        let named: Vec<&str> = self
            .unread
            .iter()
            .take(NAMED_SECTIONS)
            .map(String::as_str)
            .collect();
        let more = match self.unread.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("; could not be read: {}{more}", named.join(", "))
    }
}

/// Whether an unreadable heading may be that of a trust domain, so that a single known domain may not be the only one.
pub(super) fn may_hide_trust_domain(loaded: &Loaded) -> bool {
    loaded.unread_sections.iter().any(|section| {
        let heading = section.heading.as_deref().unwrap_or_default();
        section.table == TableName::Unknown && heading.contains("trust_domain")
    })
}
