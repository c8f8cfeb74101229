//! The share of the requests of one route and method that a permission matches. For explanations; decides nothing.

use super::{Permission, Scope, ScopePattern, matches_method};
use crate::pattern::{Case, Coverage, Part, Pattern, Subject, coverage};
use crate::route::{OtherReadings, folded_letters, has_one_reading, other_readings};

/// The form of the requirements of many requests.
#[derive(Clone, Debug)]
pub enum RequirementForm {
    /// One method, and paths that consist of these parts.
    MethodAndPath {
        /// The method.
        method: String,
        /// The parts of the path.
        path: Vec<Part>,
    },
    /// Names that consist of these parts.
    Named(Vec<Part>),
    /// Being an ApiUser.
    AnyApiUser,
}

/// The share of the requests that a `deny` denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyCoverage {
    /// None.
    None,
    /// Only those with more readings of path or name than are compared: every `deny` for their method denies them.
    TooManyReadings,
    /// Some.
    Some,
    /// All.
    All,
}

impl From<Coverage> for DenyCoverage {
    fn from(coverage: Coverage) -> Self {
        match coverage {
            Coverage::None => Self::None,
            Coverage::Some => Self::Some,
            Coverage::All => Self::All,
        }
    }
}

impl RequirementForm {
    fn parts(&self) -> (&[Part], Case) {
        match self {
            Self::MethodAndPath { path, .. } => (path, Case::Matters),
            Self::Named(name) => (name, Case::Folds),
            Self::AnyApiUser => (&[], Case::Folds),
        }
    }
}

/// The share of the requests that any of these permissions grants.
pub fn granted_by_any<'p>(
    permissions: impl Iterator<Item = &'p Permission> + Clone,
    form: &RequirementForm,
) -> Coverage {
    if permissions
        .clone()
        .any(|permission| matches!(permission.compiled.scope, Scope::Everything))
    {
        return Coverage::All;
    }
    let (parts, case) = form.parts();
    let patterns = permissions.filter_map(|permission| match (&permission.compiled.scope, form) {
        (
            Scope::Pattern(ScopePattern {
                method: None,
                pattern,
                ..
            }),
            RequirementForm::Named(_),
        ) => Some(pattern.as_bytes()),
        (
            Scope::Pattern(ScopePattern {
                method: Some(granted),
                pattern,
                ..
            }),
            RequirementForm::MethodAndPath { method, .. },
        ) => granted
            .matches(method.as_bytes())
            .then_some(pattern.as_bytes()),
        _ => None,
    });
    coverage(patterns, parts, case)
}

impl Permission {
    /// The share of the requests that it grants, without regard to its condition.
    pub fn grant_coverage(&self, form: &RequirementForm) -> Coverage {
        granted_by_any(std::iter::once(self), form)
    }

    /// The share of the requests that it denies, without regard to its condition. Where other readings of the path by an
    /// upstream could matter, the result is [`DenyCoverage::Some`].
    pub fn deny_coverage(&self, form: &RequirementForm) -> DenyCoverage {
        let direct = self.grant_coverage(form);
        let (parts, case) = form.parts();
        let (exact, folded) = match (&self.compiled.scope, form) {
            (
                Scope::Pattern(ScopePattern {
                    method: Some(denied),
                    pattern,
                    readings,
                }),
                RequirementForm::MethodAndPath { method, .. },
            ) => {
                if !matches_method(denied, method, &Subject::new(method.as_bytes())) {
                    return direct.into();
                }
                let (decoded, folded) = readings
                    .as_deref()
                    .map(|readings| {
                        (
                            readings.decoded.as_ref().map(Pattern::as_bytes),
                            readings.folded.as_bytes(),
                        )
                    })
                    .unzip();
                ([Some(pattern.as_bytes()), decoded.flatten()], folded)
            }
            (
                Scope::Pattern(ScopePattern {
                    method: None,
                    pattern,
                    ..
                }),
                RequirementForm::Named(_),
            ) => ([Some(pattern.as_bytes()), None], None),
            _ => return direct.into(),
        };
        // The exact patterns, decoded or not; and the folded one without regard to case.
        let case_sensitive = coverage(exact.into_iter().flatten(), parts, case);
        let case_insensitive = coverage(folded, parts, Case::Folds);
        let all = || exact.into_iter().chain([folded]).flatten();
        let meets = |parts: &[Part]| coverage(all(), parts, Case::Folds) != Coverage::None;
        let by_number = by_number_of_readings(parts);
        if by_number == DenyCoverage::All
            || [direct, case_sensitive, case_insensitive].contains(&Coverage::All)
        {
            return DenyCoverage::All;
        }
        if meets(parts) || meets(&loosened(parts)) {
            DenyCoverage::Some
        } else {
            by_number
        }
    }
}

/// The coverage that follows from the number of readings alone.
fn by_number_of_readings(parts: &[Part]) -> DenyCoverage {
    let mut fixed = Vec::new();
    for part in parts {
        let Part::Text(text) = part else {
            return DenyCoverage::TooManyReadings;
        };
        fixed.extend_from_slice(text);
    }
    match std::str::from_utf8(&fixed).map(other_readings) {
        Ok(OtherReadings::TooMany) => DenyCoverage::All,
        _ => DenyCoverage::None,
    }
}

/// The parts for an upstream that decodes, folds letters, and removes parts of segments. So a slash may be missing where nothing
/// remains after it.
fn loosened(parts: &[Part]) -> Vec<Part> {
    let mut loose = Vec::new();
    for part in parts {
        let Part::Text(text) = part else {
            // A following letter may combine with the last one before it.
            if *part != Part::Below
                && let Some(Part::Text(before)) = loose.last_mut()
                && before.last() != Some(&b'/')
            {
                before.pop();
            }
            loose.push(Part::Anything);
            continue;
        };
        // Paths and names are ASCII.
        let text = std::str::from_utf8(text).unwrap_or(";");
        // A removal inside a segment extends to the end of the segment.
        let begins_a_segment = loose.is_empty() || text.starts_with('/');
        match text.strip_suffix('/').unwrap_or(text) {
            before if begins_a_segment && has_one_reading(before) => {
                loose.push(Part::Text(folded_letters(before.as_bytes())))
            }
            _ => loose.push(Part::Anything),
        }
        loose.extend(text.ends_with('/').then_some(Part::Anything));
    }
    loose
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::{CompiledPermission, Effect, RequirementSubject};
    use crate::config::{Place, Sources};
    use crate::route::Requirement;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn permission(text: &str, effect: Effect) -> Permission {
        let file = Sources::default()
            .add("test".into(), String::new())
            .unwrap();
        Permission::new(
            Arc::new(CompiledPermission::new(text, effect)),
            Place::new(file, &(0..0)),
        )
    }

    fn on(method: &str, path: &[Part]) -> RequirementForm {
        RequirementForm::MethodAndPath {
            method: method.to_owned(),
            path: path.to_vec(),
        }
    }

    #[test]
    fn a_permission_is_about_all_some_or_none_of_a_routes_requests() {
        let form = on("GET", &[Part::text("/v1/"), Part::Segment]);
        for (text, expected) in [
            ("*", Coverage::All),
            ("* /v1/*", Coverage::All),
            ("GET /v1/h*", Coverage::Some),
            ("POST /v1/*", Coverage::None),
            ("GET /v2/*", Coverage::None),
            ("v1/*", Coverage::None),
        ] {
            assert_eq!(
                permission(text, Effect::Grant).grant_coverage(&form),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            permission("*", Effect::Grant).grant_coverage(&RequirementForm::AnyApiUser),
            Coverage::All
        );
        assert_eq!(
            permission("x", Effect::Grant).grant_coverage(&RequirementForm::AnyApiUser),
            Coverage::None
        );
    }

    #[test]
    fn what_is_denied_by_another_reading_is_not_called_free() {
        let below = on("GET", &[Part::text("/a"), Part::Below]);
        assert_eq!(
            permission("GET /a/b", Effect::Deny).deny_coverage(&below),
            DenyCoverage::Some
        );
        assert_eq!(
            permission("GET /a*", Effect::Deny).deny_coverage(&below),
            DenyCoverage::All
        );
        assert_eq!(
            permission("POST /a*", Effect::Deny).deny_coverage(&below),
            DenyCoverage::None
        );
        // As an upstream reads it, `/a;x` is `/a`.
        let segment = on("get", &[Part::text("/"), Part::Segment]);
        assert_eq!(
            permission("GET /a", Effect::Deny).deny_coverage(&segment),
            DenyCoverage::Some
        );
        // And `/a/;` is `/a`, too.
        let deeper = on("GET", &[Part::text("/a/"), Part::Segment]);
        assert_eq!(
            permission("GET /a", Effect::Deny).deny_coverage(&deeper),
            DenyCoverage::Some
        );
    }

    #[test]
    fn a_path_with_too_many_readings_is_denied_by_each_deny_for_its_method() {
        let long = "zz1%20/%EF%BC%A1.%3B/".repeat(1400);
        let asks = |path: &str, deny: &Permission| {
            deny.denies(&RequirementSubject::of(&Requirement::MethodAndPath {
                method: "GET",
                path: path.to_owned().into(),
            }))
        };
        let (deny, other_method) = (
            permission("GET /b", Effect::Deny),
            permission("POST /b", Effect::Deny),
        );
        let below = on("GET", &[Part::text("/a"), Part::Below]);
        assert!(asks(&format!("/a/{long}"), &deny) && !asks("/a/x", &deny));
        assert_eq!(deny.deny_coverage(&below), DenyCoverage::TooManyReadings);
        assert!(!asks(&format!("/a/{long}"), &other_method));
        assert_eq!(other_method.deny_coverage(&below), DenyCoverage::None);
        // One path, which the config says.
        assert_eq!(
            deny.deny_coverage(&on("GET", &[Part::text("/a")])),
            DenyCoverage::None
        );
        assert_eq!(
            deny.deny_coverage(&on("GET", &[Part::text(format!("/a/{long}"))])),
            DenyCoverage::All
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn what_is_sure_about_deny_holds_for_every_path(
            pattern in "/([abA/]|[*?!;.]|%21|%2F){0,4}", segment in "([abA.]|[!;]|%21|%2F|%41|%20|%3B|%EF%BD%81){1,4}",
        ) {
            let deny = permission(&format!("GET {pattern}"), Effect::Deny);
            let covered = deny.deny_coverage(&on("GET", &[Part::text("/a/"), Part::Segment]));
            let path = format!("/a/{segment}");
            let denied = deny.denies(&RequirementSubject::of(&Requirement::MethodAndPath { method: "GET", path: path.as_str().into() }));
            prop_assert!(covered != DenyCoverage::All || denied, "{} is not denied", path);
            // A path as short as this has all its readings.
            let is_free = matches!(covered, DenyCoverage::None | DenyCoverage::TooManyReadings);
            prop_assert!(!is_free || !denied, "{} is denied", path);
        }
    }
}
