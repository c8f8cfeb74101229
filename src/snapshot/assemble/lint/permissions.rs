//! Lint of permissions: methods that clients do not send, and `deny` that leaves nothing.

use super::super::Assembly;
use super::LintKind;
use crate::authorize::{Effect, Permission};
use crate::config::{Enforcement, Requirement, Spanned, Text};

/// Methods of HTTP, PATCH (RFC 5789) and WebDAV.
const METHODS: [&str; 20] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "LINK",
    "PURGE",
];

/// Why clients do not send the method of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DoubtfulMethod {
    /// This one, in other letters.
    Case(&'static str),
    /// Very likely this one.
    Misspelt(&'static str),
}

impl Assembly<'_> {
    pub(in super::super) fn lint_method(&self, said: &Spanned<Text>, effect: Effect) {
        let Some((method, path)) = method_and_path(&said.value) else {
            return;
        };
        let Some(doubt) = doubtful(method) else {
            return;
        };
        // A method with lower-case letters that a route names is asked for by a name there, and by no path.
        if matches!(doubt, DoubtfulMethod::Misspelt(_)) && self.is_method_of_a_route(method) {
            return;
        }
        if !self
            .linted
            .borrow_mut()
            .permissions
            .insert(said.value.as_str().into())
        {
            return;
        }
        let consequence = match effect {
            Effect::Grant => "grants",
            Effect::Deny => "denies",
        };
        let (message, hint) = match doubt {
            DoubtfulMethod::Case(meant) => (
                format!(
                    "\"{}\" {consequence} no {meant} request: methods are in capitals, and compared as written",
                    said.value
                ),
                format!("write \"{meant} {path}\""),
            ),
            DoubtfulMethod::Misspelt(meant) => (
                format!(
                    "\"{}\" {consequence} requests with the method {method}, which no client sends",
                    said.value
                ),
                format!("did you mean \"{meant} {path}\"?"),
            ),
        };
        self.lint(LintKind::Method, said.place, message, hint);
    }

    fn is_method_of_a_route(&self, method: &str) -> bool {
        self.config
            .routes
            .iter()
            .any(|route| match &route.requirement {
                Some(Requirement::ByMethod(methods)) => {
                    methods.iter().any(|(name, _)| name.value == method)
                }
                Some(Requirement::All(_)) | None => false,
            })
    }

    /// Warns about a `deny` without a condition that covers every request. `whose` is the user or role.
    pub(in super::super) fn lint_denied(&self, denied: &[Permission], whose: &str, name: &str) {
        let paths_are_all = self
            .config
            .routes
            .iter()
            .all(|route| route.requirement.is_none() && route.preset.is_none());
        let covers = |text: &str| text == "*" || paths_are_all && matches!(text, "* *" | "* /*");
        let always = |denied: &&Permission| {
            denied.condition().is_none()
                && denied.enforcement() == Enforcement::Enforce
                && covers(denied.text())
        };
        let Some(found) = denied.iter().find(always) else {
            return;
        };
        let message = format!(
            "`deny` of {whose} \"{name}\" denies everything (\"{}\")",
            found.text()
        );
        let hint = "`deny` wins over `permissions`: deny only what they must not cover; without permissions there is no \
                    right anyway";
        self.lint(LintKind::DeniesEverything, found.place, message, hint);
    }
}

/// The parts of a permission on paths, as `CompiledPermission::new` reads it.
fn method_and_path(text: &str) -> Option<(&str, &str)> {
    let (method, path) = text.split_once(' ')?;
    let is_word = !method.is_empty() && !method.contains(['/', '*', '?']);
    (is_word && path.starts_with(['/', '*', '?'])).then_some((method, path))
}

fn doubtful(method: &str) -> Option<DoubtfulMethod> {
    if METHODS.contains(&method) {
        return None;
    }
    let upper = method.to_ascii_uppercase();
    if let Some(meant) = METHODS.iter().find(|known| **known == upper) {
        return Some(DoubtfulMethod::Case(meant));
    }
    let near = |known: &&&str| strsim::osa_distance(known, &upper) == 1;
    METHODS
        .iter()
        .find(near)
        .map(|meant| DoubtfulMethod::Misspelt(meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_doubtful_in_other_letters_and_near_a_known_one() {
        assert_eq!(doubtful("get"), Some(DoubtfulMethod::Case("GET")));
        assert_eq!(doubtful("Get"), Some(DoubtfulMethod::Case("GET")));
        assert_eq!(doubtful("GTE"), Some(DoubtfulMethod::Misspelt("GET")));
        assert_eq!(doubtful("DELTE"), Some(DoubtfulMethod::Misspelt("DELETE")));
        for method in METHODS.into_iter().chain(["QUERY", "SUBSCRIBE", "ACL"]) {
            assert_eq!(doubtful(method), None, "{method}");
        }
    }

    #[test]
    fn names_and_wildcards_have_no_method() {
        assert_eq!(method_and_path("get /a b"), Some(("get", "/a b")));
        for text in [
            "*",
            "* /a",
            "G?T /a",
            "objects/query *",
            "actions/x",
            " /a",
            "name of it",
        ] {
            assert_eq!(method_and_path(text), None, "{text}");
        }
    }
}
