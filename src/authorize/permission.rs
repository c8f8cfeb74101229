//! Permissions: patterns over what a route requires. Decides about one permission, not about users.

use super::pattern::{Case, Pattern};
use crate::config::Place;
use crate::route::{Requirement, RequirementRule, canonical_literal, decoded, plain_reading};
use std::sync::Arc;

/// A permission as it stands in the config.
#[derive(Clone, Debug)]
pub struct Permission {
    compiled: Arc<CompiledPermission>,
    /// Where it stands.
    pub place: Place,
}

/// The part of a permission that is the same for all users that have it.
#[derive(Debug)]
pub struct CompiledPermission {
    text: Box<str>,
    scope: Scope,
}

/// Which kind of requirement a permission is about.
#[derive(Debug)]
enum Scope {
    /// `*`: both kinds.
    Everything,
    /// A pattern over names, without case.
    Name(Pattern),
    /// `METHOD /path`, with case. `*` as the method is every method.
    MethodAndPath(MethodAndPath),
}

#[derive(Debug)]
struct MethodAndPath {
    method: Pattern,
    /// Over canonical paths.
    path: Pattern,
    /// Over paths as an upstream reads them, percent-decoded. Only `deny` needs it.
    decoded: Option<Pattern>,
}

/// What a permission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `permissions`
    Grant,
    /// `deny`
    Deny,
}

/// A text that looks like a permission on a path, but can never match one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusablePermission {
    /// `/internal/*`
    #[error("a permission on a path begins with the method")]
    PathWithoutMethod,
    /// `DELETE`
    #[error("a permission for a method names a path, too")]
    MethodWithoutPath,
    /// Nothing at all.
    #[error("a permission is empty")]
    Empty,
}

impl CompiledPermission {
    /// Whether a text is surely a mistake; above all a `deny` that denies nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(text: &str) -> Result<(), UnusablePermission> {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        match text {
            _ if text.trim().is_empty() => Err(UnusablePermission::Empty),
            _ if text.starts_with('/') => Err(UnusablePermission::PathWithoutMethod),
            _ if METHODS.contains(&text.trim()) => Err(UnusablePermission::MethodWithoutPath),
            _ => Ok(()),
        }
    }

    /// Compiles a permission. Every text is one, but an empty one is surely a mistake, which the caller reports.
    ///
    /// A text is about `METHOD /path` if it is one word without a slash, a space, and then a `/` or a wildcard;
    /// all others are about names.
    pub fn new(text: &str, effect: Effect) -> Self {
        let scope = match text.split_once(' ') {
            _ if text == "*" => Scope::Everything,
            Some((method, path))
                if !method.is_empty() && !method.contains('/') && path.starts_with(['/', '*', '?']) =>
            {
                // Written as canonical paths are, so that `GET /a b` and `GET /a%20b` are the same permission.
                let canonical = canonical_literal(path, b"*?\\");
                Scope::MethodAndPath(MethodAndPath {
                    method: Pattern::new(method, Case::Matters),
                    decoded: (effect == Effect::Deny).then(|| Pattern::new(decoded(&canonical), Case::Matters)),
                    path: Pattern::new(canonical, Case::Matters),
                })
            }
            _ => Scope::Name(Pattern::new(text, Case::Folds)),
        };
        Self { text: text.into(), scope }
    }
}

impl Permission {
    /// A permission at its place. Users with the same permission share what was compiled.
    pub fn new(compiled: Arc<CompiledPermission>, place: Place) -> Self {
        Self { compiled, place }
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.compiled.text
    }

    /// Whether it grants a requirement.
    pub fn grants(&self, requirement: &Requirement<'_>) -> bool {
        match (&self.compiled.scope, requirement) {
            (Scope::Everything, _) => true,
            (Scope::Name(pattern), Requirement::Named(name)) => pattern.matches(name.as_str().as_bytes()),
            (Scope::MethodAndPath(granted), Requirement::MethodAndPath { method, path }) => {
                granted.method.matches(method.as_bytes()) && granted.path.matches(path.as_bytes())
            }
            _ => false,
        }
    }

    /// Whether it denies a requirement: as [`Self::grants`], but a path is also compared as an upstream may read it, so
    /// that `/a%21` and `/a!;x` are denied where `/a!` is.
    pub fn denies(&self, requirement: &Requirement<'_>) -> bool {
        // As an upstream may read it: decoded; without parameters and empty segments; both.
        let readings = |text: &str| [decoded(text), decoded(&plain_reading(text)), plain_reading(text).into_bytes()];
        let decoded_matches = match (&self.compiled.scope, requirement) {
            (Scope::MethodAndPath(denied), Requirement::MethodAndPath { method, path }) => {
                let method_matches = denied.method.matches(method.as_bytes())
                    || denied.method.matches(method.to_ascii_uppercase().as_bytes());
                let patterns = [Some(&denied.path), denied.decoded.as_ref()];
                let path_matches = |path: &Vec<u8>| patterns.iter().flatten().any(|pattern| pattern.matches(path));
                method_matches && (path_matches(&path.as_bytes().to_vec()) || readings(path).iter().any(path_matches))
            }
            (Scope::Name(pattern), Requirement::Named(name)) => {
                readings(name.as_str()).iter().any(|name| pattern.matches(name))
            }
            _ => false,
        };
        decoded_matches || self.grants(requirement)
    }

    /// Whether some request on a route with this rule could need it. `path` is the route's path with `*`.
    pub fn could_grant(&self, rule: &RequirementRule, path: &str) -> bool {
        let name_meets = |pattern: &Pattern, name: String| pattern.overlaps(&Pattern::new(&name, Case::Folds));
        match (&self.compiled.scope, rule) {
            (Scope::Everything, _) => true,
            (Scope::Name(pattern), RequirementRule::Named(template)) => name_meets(pattern, template.as_pattern()),
            (Scope::Name(pattern), RequirementRule::ByMethod(names)) => {
                names.iter().any(|(_, template)| name_meets(pattern, template.as_pattern()))
            }
            (Scope::MethodAndPath(granted), RequirementRule::MethodAndPath) => {
                granted.path.overlaps(&Pattern::new(path, Case::Matters))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileId, Place, Sources};

    fn compiled(text: &str, effect: Effect) -> Permission {
        let file: FileId = Sources::default().add("test".into(), String::new()).unwrap();
        Permission::new(Arc::new(CompiledPermission::new(text, effect)), Place::new(file, &(0..0)))
    }

    fn permission(text: &str) -> Permission {
        compiled(text, Effect::Grant)
    }

    fn request<'a>(method: &'a str, path: &'a str) -> Requirement<'a> {
        Requirement::MethodAndPath { method, path: path.into() }
    }

    #[test]
    fn method_and_path_compare_with_case() {
        assert!(permission("GET /api/*").grants(&request("GET", "/api/x/y")));
        assert!(!permission("GET /api/*").grants(&request("GET", "/API/x")));
        assert!(!permission("GET /api/*").grants(&request("get", "/api/x")));
        assert!(!permission("GET /api/*").grants(&request("POST", "/api/x")));
        assert!(!permission("GET /api/*").grants(&request("GET", "/api")));
        assert!(permission("* /api/*").grants(&request("DELETE", "/api/x")));
        assert!(permission("GET /a b").grants(&request("GET", "/a%20b")));
    }

    #[test]
    fn the_two_kinds_never_match_each_other() {
        let named = Requirement::Named("objects/x /b".into());
        assert!(!permission("* /b").grants(&named));
        assert!(!permission("GET*").grants(&request("GET", "/x")));
        assert!(permission("*").grants(&named) && permission("*").grants(&request("GET", "/x")));
        assert!(permission("OBJECTS/*").grants(&Requirement::Named("objects/query/host".into())));
    }

    #[test]
    fn deny_reads_a_path_as_the_upstream_will() {
        let deny = compiled("GET /secret!/*", Effect::Deny);
        assert!(deny.denies(&request("GET", "/secret%21/x")));
        assert!(!deny.grants(&request("GET", "/secret%21/x")));
        assert!(compiled("GET /secret%21/*", Effect::Deny).denies(&request("GET", "/secret!/x")));
        assert!(compiled("GET /a b*", Effect::Deny).denies(&request("GET", "/a%20bc")));
        assert!(deny.denies(&request("GET", "/secret!;v=1/x")));
        assert!(deny.denies(&request("get", "/secret!/x")), "a method that an upstream may take for GET");
        assert!(compiled("GET /a/b*", Effect::Deny).denies(&request("GET", "//a//b")));
        assert!(compiled("items/secret", Effect::Deny).denies(&Requirement::Named("items/secret;x".into())));
        assert!(!deny.denies(&request("GET", "/public/x")));
        assert!(!deny.denies(&request("GET", "/public;secret!/x")));
    }

    #[test]
    fn a_permission_that_no_route_asks_for_is_found() {
        assert!(permission("GET /api/*").could_grant(&RequirementRule::MethodAndPath, "/api/v1/*"));
        assert!(!permission("GET /api/*").could_grant(&RequirementRule::MethodAndPath, "/other/*"));
        assert!(!permission("objects/*").could_grant(&RequirementRule::MethodAndPath, "/*"));
    }
}
