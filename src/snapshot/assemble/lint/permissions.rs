//! Lint of permissions: unusual methods, and `deny` entries that cover every request.

use super::super::Assembly;
use super::LintKind;
use crate::authorize::{Effect, Permission};
use crate::config::{Enforcement, RouteRequirement, Spanned, Text};

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

/// Why the method of a permission is probably a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DoubtfulMethod {
    /// A known method in other case.
    Case(&'static str),
    /// A likely misspelling of a known method.
    Misspelt(&'static str),
}

impl Assembly<'_> {
    pub(in super::super) fn lint_method(&self, table: &Spanned<Text>, effect: Effect) {
        let Some((method, path)) = method_and_path(&table.value) else {
            return;
        };
        let Some(doubt) = doubtful(method) else {
            return;
        };
        // A method in the requirements of a route maps to a name there, so permissions on paths do not use it.
        if matches!(doubt, DoubtfulMethod::Misspelt(_)) && self.is_method_of_a_route(method) {
            return;
        }
        if !self
            .linted
            .borrow_mut()
            .permissions
            .insert(table.value.as_str().into())
        {
            return;
        }
        let consequence = match effect {
            Effect::Grant => "grants",
            Effect::Deny => "denies",
        };
        let (message, hint) = match doubt {
            DoubtfulMethod::Case(known) => (
                format!(
                    "\"{}\" {consequence} no {known} request: methods are in capitals, and compared as written",
                    table.value
                ),
                format!("write \"{known} {path}\""),
            ),
            DoubtfulMethod::Misspelt(known) => (
                format!(
                    "\"{}\" {consequence} requests with the method {method}, which no client sends",
                    table.value
                ),
                format!("did you mean \"{known} {path}\"?"),
            ),
        };
        self.lint(LintKind::Method, table.place, message, hint);
    }

    fn is_method_of_a_route(&self, method: &str) -> bool {
        self.config
            .routes
            .iter()
            .any(|route| match &route.requirement {
                Some(RouteRequirement::ByMethod(methods)) => {
                    methods.iter().any(|(name, _)| name.value == method)
                }
                Some(RouteRequirement::All(_)) | None => false,
            })
    }

    /// Warns about an unconditional `deny` that covers every request. `owner` is "api_user" or "role".
    pub(in super::super) fn lint_denied(&self, denied: &[Permission], owner: &str, name: &str) {
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
        let Some(entry) = denied.iter().find(always) else {
            return;
        };
        let message = format!(
            "`deny` of {owner} \"{name}\" denies everything (\"{}\")",
            entry.text()
        );
        let hint = "`deny` wins over `permissions`: deny only what they must not cover; without permissions there is no \
                    right anyway";
        self.lint(LintKind::DeniesEverything, entry.place, message, hint);
    }
}

/// Method and path of a permission, split as in `CompiledPermission::new`.
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
