//! Permissions: patterns over what a route requires. Decides about one permission, not about users.

use super::asked::{Asked, What};
use crate::condition::{Condition, EvaluationError, Facts};
use crate::config::{Enforcement, Place, Text};
use crate::pattern::{Case, Pattern, Subject};
use crate::route::{RequirementRule, canonical_literal, decoded, icinga2};
use std::sync::{Arc, LazyLock};

/// A permission as it stands in the config.
#[derive(Clone, Debug)]
pub struct Permission {
    compiled: Arc<CompiledPermission>,
    /// Where it stands.
    pub place: Place,
}

/// The part of a permission that is the same for all users that have it. There may be millions, so that it keeps texts
/// where they stand in the config, and what few have in a box.
#[derive(Debug)]
pub struct CompiledPermission {
    text: Text,
    scope: Scope,
    qualifiers: Option<Box<Qualifiers>>,
}

/// When a permission counts that does not always count.
#[derive(Debug)]
struct Qualifiers {
    condition: Option<Condition>,
    enforcement: Enforcement,
}

/// Which kind of requirement a permission is about.
#[derive(Debug)]
enum Scope {
    /// `*`: both kinds.
    Everything,
    /// One of them.
    One(One),
    /// None: nothing is granted by it.
    Nothing,
}

/// A pattern over names, without case; or `METHOD /path`, with case.
#[derive(Debug)]
struct One {
    /// The method, for a permission on paths; `*` is every method.
    method: Option<Arc<Pattern>>,
    /// Over names, or canonical paths.
    pattern: Pattern<Text>,
    /// Over paths as an upstream reads them, percent-decoded. Only `deny` needs it.
    decoded: Option<Box<Pattern>>,
}

/// Nearly all permissions have one of these.
static METHODS: LazyLock<[(&str, Arc<Pattern>); 7]> = LazyLock::new(|| {
    ["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        .map(|text| (text, Arc::new(Pattern::new(text, Case::Matters))))
});

fn method_pattern(text: &str) -> Arc<Pattern> {
    let known = METHODS.iter().find(|(known, _)| *known == text).map(|(_, pattern)| pattern.clone());
    known.unwrap_or_else(|| Arc::new(Pattern::new(text, Case::Matters)))
}

/// Also for a method that an upstream may take for another: `get` for `GET`.
fn matches_method(pattern: &Pattern, method: &str, subject: &Subject<'_>) -> bool {
    pattern.matches_subject(subject)
        || method.bytes().any(|octet| octet.is_ascii_lowercase())
            && pattern.matches(method.to_ascii_uppercase().as_bytes())
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
    pub fn new(text: impl Into<Text>, effect: Effect) -> Self {
        let text = text.into();
        let scope = match text.split_once(' ') {
            _ if &*text == "*" => Scope::Everything,
            Some((method, path))
                if !method.is_empty() && !method.contains('/') && path.starts_with(['/', '*', '?']) =>
            {
                // Written as canonical paths are, so that `GET /a b` and `GET /a%20b` are the same permission.
                let canonical = canonical_literal(path, b"*?\\");
                let decoded =
                    (effect == Effect::Deny).then(|| Box::new(Pattern::new(decoded(&canonical), Case::Matters)));
                let path = if canonical == path { text.behind(method.len() + 1) } else { canonical.into() };
                let method = Some(method_pattern(method));
                Scope::One(One { method, pattern: Pattern::over(path, Case::Matters), decoded })
            }
            _ => {
                // What stands behind a NUL has never counted for Icinga; and a name has none.
                let name = match text.split_once('\0') {
                    Some((name, _)) => name.to_owned().into(),
                    None => text.clone(),
                };
                let pattern = Pattern::over(name, Case::Folds);
                // Icinga compares what a `*` seeks as a signed character with one that is not, so it never finds an octet
                // beyond ASCII (measured on x86-64). Who has such a permission must not get more from us than from Icinga.
                let is_nothing = effect == Effect::Grant && pattern.seeks_beyond_ascii();
                if is_nothing { Scope::Nothing } else { Scope::One(One { method: None, pattern, decoded: None }) }
            }
        };
        Self { text, scope, qualifiers: None }
    }

    /// The same, which counts only where the condition holds, and maybe only on trial.
    pub fn qualified(self, condition: Option<Condition>, enforcement: Enforcement) -> Self {
        let always = condition.is_none() && enforcement == Enforcement::Enforce;
        let qualifiers = (!always).then(|| Box::new(Qualifiers { condition, enforcement }));
        Self { qualifiers, ..self }
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Permission {
    /// A permission at its place. Users with the same permission share what was compiled.
    pub fn new(compiled: Arc<CompiledPermission>, place: Place) -> Self {
        Self { compiled, place }
    }

    /// As written.
    pub fn text(&self) -> &str {
        self.compiled.text()
    }

    /// What is the same for two permissions that were compiled as one.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.compiled).addr()
    }

    /// The condition under which it counts.
    pub fn condition(&self) -> Option<&Condition> {
        self.compiled.qualifiers.as_ref()?.condition.as_ref()
    }

    /// Whether it counts, or only on trial.
    pub fn enforcement(&self) -> Enforcement {
        self.compiled.qualifiers.as_ref().map_or_else(Enforcement::default, |qualifiers| qualifiers.enforcement)
    }

    /// Whether its condition holds; without one it does.
    ///
    /// # Errors
    /// If the condition cannot be evaluated for this request.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, EvaluationError> {
        self.condition().map_or(Ok(true), |condition| condition.holds(facts))
    }

    /// Whether it grants a requirement.
    pub fn grants(&self, asked: &Asked<'_>) -> bool {
        match (&self.compiled.scope, &asked.what) {
            (Scope::Everything, _) => true,
            (Scope::One(One { method: None, pattern, .. }), What::Named(name)) => pattern.matches_subject(name),
            (
                Scope::One(One { method: Some(granted), pattern, .. }),
                What::MethodAndPath { method_subject, path, .. },
            ) => {
                // The path settles most, and lies nearer.
                pattern.matches_subject(path) && granted.matches_subject(method_subject)
            }
            _ => false,
        }
    }

    /// Whether it denies a requirement: as [`Self::grants`], but a path is also compared as an upstream may read it, so
    /// that `/a%21` and `/a!;x` are denied where `/a!` is.
    pub fn denies(&self, asked: &Asked<'_>) -> bool {
        let otherwise_read = match (&self.compiled.scope, &asked.what) {
            (
                Scope::One(One { method: Some(denied), pattern, decoded }),
                What::MethodAndPath { method, method_subject, path },
            ) => {
                let path_matches = |path: &Subject<'_>| {
                    pattern.matches_subject(path)
                        || decoded.as_ref().is_some_and(|decoded| decoded.matches_subject(path))
                };
                matches_method(denied, method, method_subject)
                    && (path_matches(path) || asked.other_readings().any(|path| path_matches(&Subject::new(path))))
            }
            (Scope::One(One { method: None, pattern, .. }), What::Named(_)) => {
                asked.other_readings().any(|name| pattern.matches(name))
            }
            _ => false,
        };
        otherwise_read || self.grants(asked)
    }

    /// Whether some request on a route with this rule could need it. `path` is the route's path with `*`.
    pub fn could_grant(&self, rule: &RequirementRule, path: &str) -> bool {
        let name_meets = |pattern: &Pattern<Text>, name: String| pattern.overlaps(&Pattern::new(&name, Case::Folds));
        let One { method, pattern, .. } = match &self.compiled.scope {
            Scope::Everything => return true,
            Scope::Nothing => return false,
            Scope::One(one) => one,
        };
        match (method, rule) {
            (None, RequirementRule::Named(demand)) => name_meets(pattern, demand.name.as_pattern()),
            (None, RequirementRule::ByMethod(names)) => {
                names.iter().any(|(_, demand)| name_meets(pattern, demand.name.as_pattern()))
            }
            (None, RequirementRule::Icinga2) => {
                icinga2::all_names().any(|name| pattern.overlaps(&Pattern::new(name.as_bytes(), Case::Folds)))
            }
            (Some(_), RequirementRule::MethodAndPath) => pattern.overlaps(&Pattern::new(path, Case::Matters)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileId, Place, Sources};
    use crate::route::{Requirement, plain_reading};
    use proptest::prelude::*;

    fn compiled(text: &str, effect: Effect) -> Permission {
        let file: FileId = Sources::default().add("test".into(), String::new()).unwrap();
        Permission::new(Arc::new(CompiledPermission::new(text, effect)), Place::new(file, &(0..0)))
    }

    fn permission(text: &str) -> Permission {
        compiled(text, Effect::Grant)
    }

    impl Permission {
        fn test_grants(&self, requirement: &Requirement<'_>) -> bool {
            self.grants(&Asked::of(requirement))
        }

        fn test_denies(&self, requirement: &Requirement<'_>) -> bool {
            self.denies(&Asked::of(requirement))
        }
    }

    fn request<'a>(method: &'a str, path: &'a str) -> Requirement<'a> {
        Requirement::MethodAndPath { method, path: path.into() }
    }

    #[test]
    fn method_and_path_compare_with_case() {
        assert!(permission("GET /api/*").test_grants(&request("GET", "/api/x/y")));
        assert!(!permission("GET /api/*").test_grants(&request("GET", "/API/x")));
        assert!(!permission("GET /api/*").test_grants(&request("get", "/api/x")));
        assert!(!permission("GET /api/*").test_grants(&request("POST", "/api/x")));
        assert!(!permission("GET /api/*").test_grants(&request("GET", "/api")));
        assert!(permission("* /api/*").test_grants(&request("DELETE", "/api/x")));
        assert!(permission("GET /a b").test_grants(&request("GET", "/a%20b")));
    }

    #[test]
    fn the_two_kinds_never_match_each_other() {
        let named = Requirement::Named("objects/x /b".into());
        assert!(!permission("* /b").test_grants(&named));
        assert!(!permission("GET*").test_grants(&request("GET", "/x")));
        assert!(permission("*").test_grants(&named) && permission("*").test_grants(&request("GET", "/x")));
        assert!(permission("OBJECTS/*").test_grants(&Requirement::Named("objects/query/host".into())));
    }

    #[test]
    fn a_text_with_spaces_is_a_name_unless_it_is_a_method_and_a_path() {
        let named = |name: &'static str| Requirement::Named(name.into());
        assert!(permission("objects/query/Host ").test_grants(&named("objects/query/host ")));
        assert!(!permission("objects/query/Host ").test_grants(&named("objects/query/host")));
        assert!(!permission(" objects/*").test_grants(&named("objects/query/host")));
        assert!(permission("events/* *").test_grants(&named("events/a b")));
        assert!(permission("events/CheckResult\0*").test_grants(&named("events/checkresult")), "as a C string");
        assert!(!permission("events/CheckResult\0*").test_grants(&named("events/checkresults")));
    }

    #[test]
    fn an_octet_beyond_ascii_right_behind_a_star_is_never_found_as_in_icinga() {
        let asked = Requirement::Named("events/\u{e4}".into());
        for (text, grants) in [
            ("events/\u{e4}", true),
            ("events/??", true),
            ("events*/\u{e4}", true),
            ("events/\u{e4}*", true),
            ("events*\u{e4}", false),
            ("events*?\u{e4}", false),
            ("*\u{e4}*", false),
            ("events/\\*\u{e4}", false),
        ] {
            assert_eq!(permission(text).test_grants(&asked), grants, "{text}");
        }
        let literal = Requirement::Named("events/*\u{e4}".into());
        assert!(permission("events/\\*\u{e4}").test_grants(&literal), "a star that is meant seeks nothing");
        // What is denied is what was meant.
        assert!(compiled("events*\u{e4}", Effect::Deny).test_denies(&asked));
    }

    #[test]
    fn deny_reads_a_path_as_the_upstream_will() {
        let deny = compiled("GET /secret!/*", Effect::Deny);
        assert!(deny.test_denies(&request("GET", "/secret%21/x")));
        assert!(!deny.test_grants(&request("GET", "/secret%21/x")));
        assert!(compiled("GET /secret%21/*", Effect::Deny).test_denies(&request("GET", "/secret!/x")));
        assert!(compiled("GET /a b*", Effect::Deny).test_denies(&request("GET", "/a%20bc")));
        assert!(deny.test_denies(&request("GET", "/secret!;v=1/x")));
        assert!(deny.test_denies(&request("get", "/secret!/x")), "a method that an upstream may take for GET");
        assert!(compiled("GET /a/b*", Effect::Deny).test_denies(&request("GET", "//a//b")));
        assert!(compiled("items/secret", Effect::Deny).test_denies(&Requirement::Named("items/secret;x".into())));
        assert!(!deny.test_denies(&request("GET", "/public/x")));
        assert!(!deny.test_denies(&request("GET", "/public;secret!/x")));
    }

    #[test]
    fn a_permission_that_no_route_asks_for_is_found() {
        assert!(permission("GET /api/*").could_grant(&RequirementRule::MethodAndPath, "/api/v1/*"));
        assert!(!permission("GET /api/*").could_grant(&RequirementRule::MethodAndPath, "/other/*"));
        assert!(!permission("objects/*").could_grant(&RequirementRule::MethodAndPath, "/*"));
        for (text, could) in [
            ("objects/query/*", true),
            ("OBJECTS/*/Dependency", true),
            ("events/Made-Up", true),
            ("status/quer?", true),
            ("objects/query/hosts", false),
            ("templates/Host", false),
            ("config/*/x", false),
            ("GET /v1/*", false),
        ] {
            assert_eq!(permission(text).could_grant(&RequirementRule::Icinga2, "/v1/*"), could, "{text}");
        }
    }

    /// `denies` as it is meant: every pattern on every reading, whether they differ or not.
    fn denies_every_reading(permission: &Permission, requirement: &Requirement<'_>) -> bool {
        let readings = |text: &str| {
            [text.as_bytes().to_vec(), decoded(text), decoded(&plain_reading(text)), plain_reading(text).into_bytes()]
        };
        let Scope::One(One { method, pattern, decoded }) = &permission.compiled.scope else { return true };
        match (method, requirement) {
            (Some(denied), Requirement::MethodAndPath { method, path }) => {
                let methods = [(*method).to_owned(), method.to_ascii_uppercase()];
                let matches = |path: &[u8]| pattern.matches(path) || decoded.as_ref().unwrap().matches(path);
                methods.iter().any(|method| denied.matches(method.as_bytes()))
                    && readings(path).iter().any(|path| matches(path))
            }
            (None, Requirement::Named(name)) => readings(name.as_str()).iter().any(|name| pattern.matches(name)),
            _ => false,
        }
    }

    #[test]
    fn a_permission_is_small_and_keeps_no_copy_of_its_text() {
        assert!(size_of::<CompiledPermission>() <= 72 && size_of::<Permission>() <= 16, "there may be millions");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn deny_agrees_with_trying_every_reading(
            method in "(GET|\\*|G\\*|get)", pattern in "/([ab/]|[*?!;]|%21|%2F){0,6}",
            asked_method in "(GET|get|Get|POST)", path in "/([ab/]|[!;]|%21|%2F|%41){0,7}",
            name in "[ab]([ab/]|[!;*]|%21){0,5}", asked_name in "[aAb]([ab/]|[!;]|%21){0,6}",
        ) {
            let deny = compiled(&format!("{method} {pattern}"), Effect::Deny);
            let asked = request(&asked_method, &path);
            prop_assert_eq!(deny.test_denies(&asked), denies_every_reading(&deny, &asked));
            let deny = compiled(&name, Effect::Deny);
            let asked = Requirement::Named(asked_name.as_str().into());
            prop_assert_eq!(deny.test_denies(&asked), denies_every_reading(&deny, &asked));
        }
    }
}
