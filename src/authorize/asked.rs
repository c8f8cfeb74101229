//! A requirement made ready for being compared with many permissions. Compares nothing itself.

use crate::pattern::Subject;
use crate::route::{Name, OtherReadings, Requirement, other_readings};
use std::cell::OnceCell;

/// What one request needs, and the other ways in which an upstream may read it.
pub struct Asked<'a> {
    pub(super) what: What<'a>,
    text: &'a str,
    /// Made when there is a `deny` to compare with.
    other_readings: OnceCell<OtherReadings>,
}

/// The kinds of requirements, as [`Requirement`] has them.
pub(super) enum What<'a> {
    MethodAndPath {
        method: &'a str,
        method_subject: Subject<'a>,
        path: Subject<'a>,
    },
    Named(Subject<'a>),
    AnyApiUser,
}

impl<'a> Asked<'a> {
    /// Makes a requirement ready.
    pub fn of(requirement: &'a Requirement<'a>) -> Self {
        let (what, text) = match requirement {
            Requirement::MethodAndPath { method, path } => {
                let (method_subject, path_subject) = (
                    Subject::new(method.as_bytes()),
                    Subject::new(path.as_bytes()),
                );
                (
                    What::MethodAndPath {
                        method,
                        method_subject,
                        path: path_subject,
                    },
                    path.as_ref(),
                )
            }
            Requirement::Named(name) => return Self::of_name(name),
            // Several names are asked one after the other.
            Requirement::Every(_) | Requirement::AnyApiUser => (What::AnyApiUser, ""),
        };
        Self {
            what,
            text,
            other_readings: OnceCell::new(),
        }
    }

    /// Makes one name ready.
    pub fn of_name(name: &'a Name<'_>) -> Self {
        let what = What::Named(Subject::new(name.as_octets()));
        Self {
            what,
            text: name.as_str(),
            other_readings: OnceCell::new(),
        }
    }

    /// Whether this holds for the path or name as an upstream may read it, where that differs by more than case: without the
    /// final slash, and as [`other_readings`] says. Also for one with more readings than are compared.
    pub(super) fn is_any_reading(&self, matches: impl Fn(&[u8]) -> bool) -> bool {
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
