//! Which of many requests at once a permission is about: those of one route and method. For explanations; decides nothing.

use super::{One, Permission, Scope, matches_method};
use crate::pattern::{Case, Coverage, Part, Pattern, Subject, coverage};
use crate::route::{OtherReadings, folded_letters, has_one_reading, other_readings};

/// What requests of one kind require.
#[derive(Clone, Debug)]
pub enum Form {
    /// One method on paths that are made of these parts.
    MethodAndPath {
        /// The method.
        method: String,
        /// The parts of the path.
        path: Vec<Part>,
    },
    /// Names that are made of these parts.
    Named(Vec<Part>),
    /// Being an ApiUser.
    AnyApiUser,
}

/// Which of the requests a `deny` denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyCoverage {
    /// None.
    None,
    /// Those alone whose path or name has more readings than are compared: every `deny` for their method denies them.
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

impl Form {
    fn parts(&self) -> (&[Part], Case) {
        match self {
            Self::MethodAndPath { path, .. } => (path, Case::Matters),
            Self::Named(name) => (name, Case::Folds),
            Self::AnyApiUser => (&[], Case::Folds),
        }
    }
}

/// Which of the requests are granted by any of these permissions.
pub fn granted_by_any<'p>(
    permissions: impl Iterator<Item = &'p Permission> + Clone,
    form: &Form,
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
            Scope::One(One {
                method: None,
                pattern,
                ..
            }),
            Form::Named(_),
        ) => Some(pattern.octets()),
        (
            Scope::One(One {
                method: Some(granted),
                pattern,
                ..
            }),
            Form::MethodAndPath { method, .. },
        ) => granted
            .matches(method.as_bytes())
            .then_some(pattern.octets()),
        _ => None,
    });
    coverage(patterns, parts, case)
}

impl Permission {
    /// Which of the requests it grants, its condition apart.
    pub fn grants_of(&self, form: &Form) -> Coverage {
        granted_by_any(std::iter::once(self), form)
    }

    /// Which of the requests it denies, its condition apart. A path is also compared as an upstream may read it, so where
    /// that could matter the answer is [`DenyCoverage::Some`].
    pub fn denies_of(&self, form: &Form) -> DenyCoverage {
        let direct = self.grants_of(form);
        let (parts, case) = form.parts();
        let (exact, folded) = match (&self.compiled.scope, form) {
            (
                Scope::One(One {
                    method: Some(denied),
                    pattern,
                    readings,
                }),
                Form::MethodAndPath { method, .. },
            ) => {
                if !matches_method(denied, method, &Subject::new(method.as_bytes())) {
                    return direct.into();
                }
                let (decoded, folded) = readings
                    .as_deref()
                    .map(|readings| {
                        (
                            readings.decoded.as_ref().map(Pattern::octets),
                            readings.folded.octets(),
                        )
                    })
                    .unzip();
                ([Some(pattern.octets()), decoded.flatten()], folded)
            }
            (
                Scope::One(One {
                    method: None,
                    pattern,
                    ..
                }),
                Form::Named(_),
            ) => ([Some(pattern.octets()), None], None),
            _ => return direct.into(),
        };
        // What is compared as it is, whether a pattern is read decoded or not; and without regard to case.
        let as_it_is = coverage(exact.into_iter().flatten(), parts, case);
        let without_case = coverage(folded, parts, Case::Folds);
        let all = || exact.into_iter().chain([folded]).flatten();
        let meets = |parts: &[Part]| coverage(all(), parts, Case::Folds) != Coverage::None;
        let by_number = by_number_of_readings(parts);
        if by_number == DenyCoverage::All
            || [direct, as_it_is, without_case].contains(&Coverage::All)
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

/// What a `deny` denies by the number of readings alone.
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

/// The parts as somebody may read them who decodes, folds letters, and cuts off or leaves out parts of segments: so a slash
/// may be missing where nothing is left behind it.
fn loosened(parts: &[Part]) -> Vec<Part> {
    let mut loose = Vec::new();
    for part in parts {
        let Part::Text(text) = part else {
            // A letter that follows may be composed with the last one before.
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
        // What is cut off in a segment takes along what follows in it.
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
    use crate::authorize::{Asked, CompiledPermission, Effect};
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

    fn on(method: &str, path: &[Part]) -> Form {
        Form::MethodAndPath {
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
                permission(text, Effect::Grant).grants_of(&form),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            permission("*", Effect::Grant).grants_of(&Form::AnyApiUser),
            Coverage::All
        );
        assert_eq!(
            permission("x", Effect::Grant).grants_of(&Form::AnyApiUser),
            Coverage::None
        );
    }

    #[test]
    fn what_is_denied_by_another_reading_is_not_called_free() {
        let below = on("GET", &[Part::text("/a"), Part::Below]);
        assert_eq!(
            permission("GET /a/b", Effect::Deny).denies_of(&below),
            DenyCoverage::Some
        );
        assert_eq!(
            permission("GET /a*", Effect::Deny).denies_of(&below),
            DenyCoverage::All
        );
        assert_eq!(
            permission("POST /a*", Effect::Deny).denies_of(&below),
            DenyCoverage::None
        );
        // As an upstream reads it, `/a;x` is `/a`.
        let segment = on("get", &[Part::text("/"), Part::Segment]);
        assert_eq!(
            permission("GET /a", Effect::Deny).denies_of(&segment),
            DenyCoverage::Some
        );
        // And `/a/;` is `/a`, too.
        let deeper = on("GET", &[Part::text("/a/"), Part::Segment]);
        assert_eq!(
            permission("GET /a", Effect::Deny).denies_of(&deeper),
            DenyCoverage::Some
        );
    }

    #[test]
    fn a_path_with_too_many_readings_is_denied_by_each_deny_for_its_method() {
        let long = "zz1%20/%EF%BC%A1.%3B/".repeat(1400);
        let asks = |path: &str, deny: &Permission| {
            deny.denies(&Asked::of(&Requirement::MethodAndPath {
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
        assert_eq!(deny.denies_of(&below), DenyCoverage::TooManyReadings);
        assert!(!asks(&format!("/a/{long}"), &other_method));
        assert_eq!(other_method.denies_of(&below), DenyCoverage::None);
        // One path, which the config says.
        assert_eq!(
            deny.denies_of(&on("GET", &[Part::text("/a")])),
            DenyCoverage::None
        );
        assert_eq!(
            deny.denies_of(&on("GET", &[Part::text(format!("/a/{long}"))])),
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
            let covered = deny.denies_of(&on("GET", &[Part::text("/a/"), Part::Segment]));
            let path = format!("/a/{segment}");
            let denied = deny.denies(&Asked::of(&Requirement::MethodAndPath { method: "GET", path: path.as_str().into() }));
            prop_assert!(covered != DenyCoverage::All || denied, "{} is not denied", path);
            // A path as short as this has all its readings.
            let is_free = matches!(covered, DenyCoverage::None | DenyCoverage::TooManyReadings);
            prop_assert!(!is_free || !denied, "{} is denied", path);
        }
    }
}
