//! Lint of a config that loads, but where a guard is off or nobody gets in. Warns; never stops a start.

mod certificates;
mod open_routes;
mod paths;
mod permissions;
mod shadow;
mod unused;
mod users;

use super::Assembly;
use crate::config::Place;
use std::collections::{HashMap, HashSet};

/// Warnings of one kind that are shown one by one.
const SHOWN: usize = 20;

/// A warning that may come once for each of many users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LintKind {
    /// A permission with a method that clients do not send.
    Method,
    /// A name with a wildcard where names are exact.
    Wildcard,
    /// A common name that is written as a distinguished name.
    DistinguishedName,
    /// A user with an empty list of permissions, and no role.
    NoPermissions,
    /// A `deny` that leaves nothing.
    DeniesEverything,
    /// Shadow mode of a user, or of a `deny`.
    Shadow,
    /// A user with a password or token who cannot get through the handshake.
    NoCertificate,
    /// A role that gives nobody anything.
    UnusedRole,
}

impl LintKind {
    /// What there are more of.
    fn plural(self) -> &'static str {
        match self {
            Self::Method => "permissions with a method that clients do not send",
            Self::Wildcard => "names with a wildcard where names are exact",
            Self::DistinguishedName => "common names that look like distinguished names",
            Self::NoPermissions => "users without a permission",
            Self::DeniesEverything => "users and roles that are denied everything",
            Self::Shadow => "users and `deny` entries in shadow mode",
            Self::NoCertificate => "users without a certificate whom the TLS handshake rejects",
            Self::UnusedRole => "roles that no user has",
        }
    }
}

/// What was warned about so far.
#[derive(Default)]
pub(super) struct LintLog {
    /// Texts of permissions, each of which is reported once however many users have it.
    permissions: HashSet<Box<str>>,
    repeated: HashMap<LintKind, LintCount>,
}

struct LintCount {
    count: usize,
    /// Where the last one stands.
    place: Place,
}

impl Assembly<'_> {
    /// Warns, unless there are already many warnings of this kind; these are counted.
    pub(super) fn lint(
        &self,
        kind: LintKind,
        place: Place,
        message: String,
        hint: impl Into<String>,
    ) {
        let mut linted = self.linted.borrow_mut();
        let repeated = linted
            .repeated
            .entry(kind)
            .or_insert(LintCount { count: 0, place });
        repeated.count += 1;
        repeated.place = place;
        if repeated.count <= SHOWN {
            self.problems.warning(place, message, hint);
        }
    }

    /// Warnings about the config as a whole, and how many more there would be of each kind.
    pub(super) fn lint_whole(&self) {
        if !self.problems.any_error() {
            self.lint_shadow();
            self.lint_no_users();
            self.lint_unexpanded_paths();
        }
        for (kind, repeated) in &self.linted.borrow().repeated {
            let more = repeated.count.saturating_sub(SHOWN);
            if more > 0 {
                let message = format!("there are {more} more {}; this is the last", kind.plural());
                self.problems
                    .warning(repeated.place, message, "mend those above, and check again");
            }
        }
    }
}
