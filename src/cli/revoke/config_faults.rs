//! Errors of a config, which hold up no revocation: what `revoke` says about them. Reads nothing.

use crate::config::{Loaded, Problem, Severity, TableName};

/// How many sections are named.
const NAMED_SECTIONS: usize = 5;

/// What is wrong with a config.
pub(super) struct ConfigFaults {
    /// The first error, with its place.
    first: Option<String>,
    /// Lines that could not be read; empty if all were, or nobody knows which.
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

    pub(super) fn any(&self) -> bool {
        self.first.is_some()
    }

    /// Whether there may be users, trust domains or an admin listener that nobody could read.
    pub(super) fn is_incomplete(&self) -> bool {
        self.completeness == Completeness::Incomplete
    }

    /// For a change that is made all the same.
    pub(super) fn warning(&self) -> Option<String> {
        let advice = "a running gateway applies the deny list anyway; other changes wait until the config is corrected";
        self.first.as_ref().map(|first| {
            format!(
                "warning: the config has errors: {first}{}; {advice}",
                self.unread()
            )
        })
    }

    /// What went wrong, where the config may be the reason.
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

/// Whether a heading that could not be read may be that of a trust domain, so that a single one may not be the only one.
pub(super) fn may_hide_trust_domain(loaded: &Loaded) -> bool {
    loaded.unread_sections.iter().any(|section| {
        let heading = section.heading.as_deref().unwrap_or_default();
        section.table == TableName::Unknown && heading.contains("trust_domain")
    })
}
