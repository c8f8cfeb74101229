//! Permissions: patterns over what a route requires. Decides about one permission, not about users.

mod reach;
mod spelling;

pub use reach::{DenyCoverage, Form, granted_by_any};
pub use spelling::UnusablePermission;

use super::asked::{Asked, What};
use crate::condition::{Condition, EvaluationError, Facts};
use crate::config::{Enforcement, Place, Text};
use crate::pattern::{Case, Pattern, Subject};
use crate::route::{RequirementRule, canonical_literal, decoded, folded_pattern, icinga2};
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
    /// Over paths as an upstream may read them. Only `deny` needs them.
    readings: Option<Box<ReadingPatterns>>,
}

/// The pattern of a `deny` for paths as an upstream may read them.
#[derive(Debug)]
struct ReadingPatterns {
    /// Percent-decoded, where that changes anything.
    decoded: Option<Pattern>,
    /// Decoded, with folded letters, and without regard to case.
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

/// Nearly all permissions have one of these.
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

impl CompiledPermission {
    /// Whether a text is surely a mistake; above all a `deny` that denies nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(text: &str) -> Result<(), UnusablePermission> {
        spelling::check(text)
    }

    /// What is probably meant by a text that [`Self::check`] rejects.
    pub fn meant(text: &str) -> Vec<String> {
        spelling::remedy(text)
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
                if !method.is_empty()
                    && !method.contains('/')
                    && path.starts_with(['/', '*', '?']) =>
            {
                // Written as canonical paths are, so that `GET /a b` and `GET /a%20b` are the same permission.
                let canonical = canonical_literal(path, b"*?\\");
                let readings = (effect == Effect::Deny).then(|| ReadingPatterns::of(&canonical));
                let path = if canonical == path {
                    text.behind(method.len() + 1)
                } else {
                    canonical.into()
                };
                let method = Some(method_pattern(method));
                Scope::One(One {
                    method,
                    pattern: Pattern::over(path, Case::Matters),
                    readings,
                })
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
                if is_nothing {
                    Scope::Nothing
                } else {
                    Scope::One(One {
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

    /// The same, which counts only where the condition holds, and maybe only on trial.
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
        self.compiled
            .qualifiers
            .as_ref()
            .map_or_else(Enforcement::default, |qualifiers| qualifiers.enforcement)
    }

    /// Whether its condition holds; without one it does.
    ///
    /// # Errors
    /// If the condition cannot be evaluated for this request.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, EvaluationError> {
        self.condition()
            .map_or(Ok(true), |condition| condition.holds(facts))
    }

    /// Whether it grants a requirement.
    pub fn grants(&self, asked: &Asked<'_>) -> bool {
        match (&self.compiled.scope, &asked.what) {
            (Scope::Everything, _) => true,
            (
                Scope::One(One {
                    method: None,
                    pattern,
                    ..
                }),
                What::Named(name),
            ) => pattern.matches_subject(name),
            (
                Scope::One(One {
                    method: Some(granted),
                    pattern,
                    ..
                }),
                What::MethodAndPath {
                    method_subject,
                    path,
                    ..
                },
            ) => {
                // The path settles most, and lies nearer.
                pattern.matches_subject(path) && granted.matches_subject(method_subject)
            }
            _ => false,
        }
    }

    /// Whether it denies a requirement: as [`Self::grants`], but a path is also compared as an upstream may read it, so
    /// that `/a%21`, `/a!;x`, `/A!` and `/a!/` are denied where `/a!` is.
    pub fn denies(&self, asked: &Asked<'_>) -> bool {
        let otherwise_read = match (&self.compiled.scope, &asked.what) {
            (
                Scope::One(One {
                    method: Some(denied),
                    pattern,
                    readings,
                }),
                What::MethodAndPath {
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
                matches_method(denied, method, method_subject)
                    && (path_matches(path)
                        || asked.is_any_reading(|path| path_matches(&Subject::new(path))))
            }
            (
                Scope::One(One {
                    method: None,
                    pattern,
                    ..
                }),
                What::Named(_),
            ) => asked.is_any_reading(|name| pattern.matches(name)),
            _ => false,
        };
        otherwise_read || self.grants(asked)
    }

    /// Whether some request on a route with this rule could need it, or be denied by it. `path` is the route's path with `*`.
    pub fn could_match(&self, rule: &RequirementRule, path: &str) -> bool {
        let name_meets = |pattern: &Pattern<Text>, name: String| {
            pattern.overlaps(&Pattern::new(&name, Case::Folds))
        };
        let One {
            method,
            pattern,
            readings,
        } = match &self.compiled.scope {
            Scope::Everything => return true,
            Scope::Nothing => return false,
            Scope::One(one) => one,
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
