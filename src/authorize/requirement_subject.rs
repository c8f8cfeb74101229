//! A requirement, prepared once for matching against many permissions. Matches nothing itself.

use crate::pattern::Subject;
use crate::route::{Name, OtherReadings, Requirement, other_readings};
use std::cell::OnceCell;

/// The requirement of one request, with the other readings that an upstream may have of it.
pub struct RequirementSubject<'a> {
    pub(super) kind: SubjectKind<'a>,
    text: &'a str,
    /// Computed when the first `deny` is matched.
    other_readings: OnceCell<OtherReadings>,
}

/// The subject of each kind of [`Requirement`].
pub(super) enum SubjectKind<'a> {
    MethodAndPath {
        method: &'a str,
        method_subject: Subject<'a>,
        path: Subject<'a>,
    },
    Named(Subject<'a>),
    AnyApiUser,
}

impl<'a> RequirementSubject<'a> {
    /// Prepares a requirement.
    pub fn of(requirement: &'a Requirement<'a>) -> Self {
        let (kind, text) = match requirement {
            Requirement::MethodAndPath { method, path } => {
                let method_subject = Subject::new(method.as_bytes());
                let path_subject = Subject::new(path.as_bytes());
                (
                    SubjectKind::MethodAndPath {
                        method,
                        method_subject,
                        path: path_subject,
                    },
                    path.as_ref(),
                )
            }
            Requirement::Named(name) => return Self::of_name(name),
            // The names of `Every` are prepared one by one with `of_name`.
            Requirement::Every(_) | Requirement::AnyApiUser => (SubjectKind::AnyApiUser, ""),
        };
        Self {
            kind,
            text,
            other_readings: OnceCell::new(),
        }
    }

    /// Prepares one name.
    pub fn of_name(name: &'a Name<'_>) -> Self {
        let kind = SubjectKind::Named(Subject::new(name.as_bytes()));
        Self {
            kind,
            text: name.as_str(),
            other_readings: OnceCell::new(),
        }
    }

    /// Whether `matches` holds for another reading of the path or name: without the final slash, or one of [`other_readings`].
    /// Also true if there are more readings than are compared.
    pub(super) fn any_reading_matches(&self, matches: impl Fn(&[u8]) -> bool) -> bool {
        let without_slash = self.text.strip_suffix('/').filter(|text| !text.is_empty());
        if without_slash.is_some_and(|text| matches(text.as_bytes())) {
            return true;
        }
        match self
            .other_readings
            .get_or_init(|| other_readings(self.text))
        {
            OtherReadings::All(readings) => readings.iter().any(|reading| matches(reading)),
            OtherReadings::TooMany => true,
        }
    }
}
