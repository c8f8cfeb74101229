//! Permissions: patterns over requirements. Matches one permission; knows no users.

mod reach;
mod spelling;

pub use reach::{DenyCoverage, RequirementForm, granted_by_any};
pub use spelling::UnusablePermission;

use super::requirement_subject::{RequirementSubject, SubjectKind};
use crate::condition::{Condition, EvaluationError, Facts};
use crate::config::{Enforcement, Place, Text};
use crate::pattern::{Case, Pattern, Subject};
use crate::route::{RequirementRule, canonical_literal, decoded, folded_pattern, icinga2};
use std::sync::{Arc, LazyLock};

/// A permission as it stands in the config.
#[derive(Clone, Debug)]
pub struct Permission {
    compiled: Arc<CompiledPermission>,
    /// Its place in the config.
    pub place: Place,
}

/// The part of a permission that all of its users share. There may be millions, so texts stay slices of the config, and rare
/// parts are boxed.
#[derive(Debug)]
pub struct CompiledPermission {
    text: Text,
    scope: Scope,
    qualifiers: Option<Box<Qualifiers>>,
}

/// The condition and the enforcement of a permission that has either.
#[derive(Debug)]
struct Qualifiers {
    condition: Option<Condition>,
    enforcement: Enforcement,
}

/// The requirements that a permission can match.
#[derive(Debug)]
enum Scope {
    /// `*`: all.
    Everything,
    /// Those that match a pattern.
    Pattern(ScopePattern),
    /// None.
    Nothing,
}

/// A pattern over names, case-insensitive; or over `METHOD /path`, case-sensitive.
#[derive(Debug)]
struct ScopePattern {
    /// The method, for a permission on paths; `*` is every method.
    method: Option<Arc<Pattern>>,
    /// Over names, or canonical paths.
    pattern: Pattern<Text>,
    /// Patterns over other readings of the path by an upstream. Only for `deny`.
    readings: Option<Box<ReadingPatterns>>,
}

/// The patterns of a `deny` over other readings of the path by an upstream.
#[derive(Debug)]
struct ReadingPatterns {
    /// Percent-decoded; `None` if equal to the canonical pattern.
    decoded: Option<Pattern>,
    /// Decoded, with folded letters, case-insensitive.
    folded: Pattern,
}

impl ReadingPatterns {
    fn of(canonical: &str) -> Box<Self> {
        let decoded = decoded(canonical);
        let folded = Pattern::new(folded_pattern(&decoded), Case::Folds);
        let decoded =
            (decoded != canonical.as_bytes()).then(|| Pattern::new(decoded, Case::Matters));
        Box::new(Self { decoded, folded })
    }

    fn matches(&self, path: &Subject<'_>) -> bool {
        self.decoded
            .as_ref()
            .is_some_and(|decoded| decoded.matches_subject(path))
            || self.folded.matches_subject(path)
    }
}

/// Shared method patterns: nearly all permissions have one of these.
static METHODS: LazyLock<[(&str, Arc<Pattern>); 7]> = LazyLock::new(|| {
    ["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        .map(|text| (text, Arc::new(Pattern::new(text, Case::Matters))))
});

fn method_pattern(text: &str) -> Arc<Pattern> {
    let known = METHODS
        .iter()
        .find(|(known, _)| *known == text)
        .map(|(_, pattern)| pattern.clone());
    known.unwrap_or_else(|| Arc::new(Pattern::new(text, Case::Matters)))
}

/// Also matches a method that an upstream may fold to upper case: `get` for `GET`.
fn matches_method(pattern: &Pattern, method: &str, subject: &Subject<'_>) -> bool {
    pattern.matches_subject(subject)
        || method.bytes().any(|byte| byte.is_ascii_lowercase())
            && pattern.matches(method.to_ascii_uppercase().as_bytes())
}

/// The effect of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `permissions`
    Grant,
    /// `deny`
    Deny,
}

impl CompiledPermission {
    /// Checks for a text that is certainly a mistake, above all a `deny` that matches nothing.
    ///
    /// # Errors
    /// The mistake.
    pub fn check(text: &str) -> Result<(), UnusablePermission> {
        spelling::check(text)
    }

    /// Suggested replacements for a text that [`Self::check`] rejects.
    pub fn meant(text: &str) -> Vec<String> {
        spelling::remedy(text)
    }

    /// Compiles a permission. Every text compiles; the caller reports an empty one as a mistake.
    ///
    /// A text matches `METHOD /path` if it is a word without a slash, a space, and then a `/` or a wildcard. All others match
    /// names.
    pub fn new(text: impl Into<Text>, effect: Effect) -> Self {
        let text = text.into();
        let scope = match text.split_once(' ') {
            _ if &*text == "*" => Scope::Everything,
            Some((method, path))
                if !method.is_empty()
                    && !method.contains('/')
                    && path.starts_with(['/', '*', '?']) =>
            {
                // In canonical form, so that `GET /a b` and `GET /a%20b` are the same permission.
                let canonical = canonical_literal(path, b"*?\\");
                let readings = (effect == Effect::Deny).then(|| ReadingPatterns::of(&canonical));
                let path = if canonical == path {
                    text.behind(method.len() + 1)
                } else {
                    canonical.into()
                };
                let method = Some(method_pattern(method));
                Scope::Pattern(ScopePattern {
                    method,
                    pattern: Pattern::over(path, Case::Matters),
                    readings,
                })
            }
            _ => {
                // Icinga ignores the text after a NUL, and no name contains one.
                let name = match text.split_once('\0') {
                    Some((name, _)) => name.to_owned().into(),
                    None => text.clone(),
                };
                let pattern = Pattern::over(name, Case::Folds);
                // After a `*` Icinga compares a signed with an unsigned character, so it never finds a byte beyond ASCII
                // (measured on x86-64). Such a permission must not grant more here than in Icinga.
                let is_nothing = effect == Effect::Grant && pattern.seeks_beyond_ascii();
                if is_nothing {
                    Scope::Nothing
                } else {
                    Scope::Pattern(ScopePattern {
                        method: None,
                        pattern,
                        readings: None,
                    })
                }
            }
        };
        Self {
            text,
            scope,
            qualifiers: None,
        }
    }

    /// Adds a condition and the enforcement mode.
    pub fn qualified(self, condition: Option<Condition>, enforcement: Enforcement) -> Self {
        let always = condition.is_none() && enforcement == Enforcement::Enforce;
        let qualifiers = (!always).then(|| {
            Box::new(Qualifiers {
                condition,
                enforcement,
            })
        });
        Self { qualifiers, ..self }
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Permission {
    /// A permission at its place. Users with the same permission share the compiled part.
    pub fn new(compiled: Arc<CompiledPermission>, place: Place) -> Self {
        Self { compiled, place }
    }

    /// As written.
    pub fn text(&self) -> &str {
        self.compiled.text()
    }

    /// Equal for permissions that share the compiled part.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.compiled).addr()
    }

    /// Its condition.
    pub fn condition(&self) -> Option<&Condition> {
        self.compiled.qualifiers.as_ref()?.condition.as_ref()
    }

    /// Whether it is enforced or in shadow mode.
    pub fn enforcement(&self) -> Enforcement {
        self.compiled
            .qualifiers
            .as_ref()
            .map_or_else(Enforcement::default, |qualifiers| qualifiers.enforcement)
    }

    /// Whether its condition holds. True without a condition.
    ///
    /// # Errors
    /// If the condition cannot be evaluated for this request.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, EvaluationError> {
        self.condition()
            .map_or(Ok(true), |condition| condition.holds(facts))
    }

    /// Whether it grants a requirement.
    pub fn grants(&self, subject: &RequirementSubject<'_>) -> bool {
        match (&self.compiled.scope, &subject.kind) {
            (Scope::Everything, _) => true,
            (
                Scope::Pattern(ScopePattern {
                    method: None,
                    pattern,
                    ..
                }),
                SubjectKind::Named(name),
            ) => pattern.matches_subject(name),
            (
                Scope::Pattern(ScopePattern {
                    method: Some(granted_method),
                    pattern,
                    ..
                }),
                SubjectKind::MethodAndPath {
                    method_subject,
                    path,
                    ..
                },
            ) => {
                // The path first: it rejects most, and is nearer in memory.
                pattern.matches_subject(path) && granted_method.matches_subject(method_subject)
            }
            _ => false,
        }
    }

    /// Whether it denies a requirement: as [`Self::grants`], but other readings of the path by an upstream match, too. So a
    /// `deny` of `/a!` also denies `/a%21`, `/a!;x`, `/A!` and `/a!/`.
    pub fn denies(&self, subject: &RequirementSubject<'_>) -> bool {
        let denied = match (&self.compiled.scope, &subject.kind) {
            (
                Scope::Pattern(ScopePattern {
                    method: Some(denied_method),
                    pattern,
                    readings,
                }),
                SubjectKind::MethodAndPath {
                    method,
                    method_subject,
                    path,
                },
            ) => {
                let path_matches = |path: &Subject<'_>| {
                    pattern.matches_subject(path)
                        || readings
                            .as_ref()
                            .is_some_and(|readings| readings.matches(path))
                };
                matches_method(denied_method, method, method_subject)
                    && (path_matches(path)
                        || subject.any_reading_matches(|path| path_matches(&Subject::new(path))))
            }
            (
                Scope::Pattern(ScopePattern {
                    method: None,
                    pattern,
                    ..
                }),
                SubjectKind::Named(_),
            ) => subject.any_reading_matches(|name| pattern.matches(name)),
            _ => false,
        };
        denied || self.grants(subject)
    }

    /// Whether it can match a request on a route with this rule. `path` is the route's path with `*`.
    pub fn could_match(&self, rule: &RequirementRule, path: &str) -> bool {
        let name_meets = |pattern: &Pattern<Text>, name: String| {
            pattern.overlaps(&Pattern::new(&name, Case::Folds))
        };
        let ScopePattern {
            method,
            pattern,
            readings,
        } = match &self.compiled.scope {
            Scope::Everything => return true,
            Scope::Nothing => return false,
            Scope::Pattern(one) => one,
        };
        match (method, rule) {
            (None, RequirementRule::Named(demand)) => name_meets(pattern, demand.name.as_pattern()),
            (None, RequirementRule::ByMethod(names)) => names
                .iter()
                .any(|(_, demand)| name_meets(pattern, demand.name.as_pattern())),
            (None, RequirementRule::Icinga2) => icinga2::all_names()
                .any(|name| pattern.overlaps(&Pattern::new(name.as_bytes(), Case::Folds))),
            (Some(_), RequirementRule::MethodAndPath) => {
                let folded = || Pattern::new(folded_pattern(&decoded(path)), Case::Folds);
                pattern.overlaps(&Pattern::new(path, Case::Matters))
                    || readings
                        .as_ref()
                        .is_some_and(|readings| readings.folded.overlaps(&folded()))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
