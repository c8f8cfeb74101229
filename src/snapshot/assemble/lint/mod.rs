//! Lint of a valid config that is probably not as intended: a check is off, or no client can get in.

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

/// Maximum number of warnings of one kind that are shown.
const MAX_SHOWN: usize = 20;

/// Kind of a warning that may occur for each of many users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LintKind {
    /// A permission with an unusual method.
    Method,
    /// A name with a wildcard where names are exact.
    Wildcard,
    /// A common name that is written as a distinguished name.
    DistinguishedName,
    /// A user with an empty list of permissions, and no role.
    NoPermissions,
    /// A `deny` that covers every request.
    DeniesEverything,
    /// Shadow mode of a user, or of a `deny`.
    Shadow,
    /// A user with only a password or token. The handshake rejects such a client.
    NoCertificate,
    /// A role that no user has.
    UnusedRole,
}

impl LintKind {
    /// Description of further warnings.
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

/// The warnings so far.
#[derive(Default)]
pub(super) struct LintLog {
    /// Texts of reported permissions, so that each is reported once for all its users.
    permissions: HashSet<Box<str>>,
    repeated: HashMap<LintKind, LintCount>,
}

struct LintCount {
    count: usize,
    /// Place of the last one.
    place: Place,
}

impl Assembly<'_> {
    /// Warns, up to [`MAX_SHOWN`] times per kind. Further warnings are counted.
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
        if repeated.count <= MAX_SHOWN {
            self.problems.warning(place, message, hint);
        }
    }

    /// Warns about the config as a whole, and reports the numbers of further warnings.
    pub(super) fn lint_whole(&self) {
        if !self.problems.any_error() {
            self.lint_shadow();
            self.lint_no_users();
            self.lint_unexpanded_paths();
        }
        for (kind, repeated) in &self.linted.borrow().repeated {
            let more = repeated.count.saturating_sub(MAX_SHOWN);
            if more > 0 {
                let message = format!("there are {more} more {}; this is the last", kind.plural());
                self.problems
                    .warning(repeated.place, message, "mend those above, and check again");
            }
        }
    }
}
