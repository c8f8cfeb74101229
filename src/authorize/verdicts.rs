//! Verdicts of the real Icinga 2 (2.13.6), held against requirement and permissions as they are here. Runs no server.

use super::*;
use crate::config::{Place, Sources};
use crate::route::icinga2::{EventTypes, Needs, accepted_oddities, effective_method, requirement};
use crate::route::{CanonicalTarget, Name, Requirement};
use serde::Deserialize;
use std::sync::Arc;

/// One request that was made of the real server.
#[derive(Deserialize)]
struct VerdictRow {
    tag: String,
    permissions: Vec<String>,
    method: String,
    target: String,
    #[serde(default)]
    fields: Vec<(String, String)>,
    body: Option<String>,
    verdict: String,
    required: Option<String>,
}

/// What becomes of a case here.
#[derive(Debug, PartialEq, Eq)]
enum RecordedVerdict {
    Allowed,
    Denied,
    NotFound,
    BadRequest,
}

fn cases() -> Vec<VerdictRow> {
    serde_json::from_str(include_str!("../../tests/icinga/verdicts.json")).unwrap()
}

fn has(permissions: &[String], name: &Name<'_>) -> bool {
    let file = Sources::default()
        .add("test".into(), String::new())
        .unwrap();
    let requirement = Requirement::Named(name.clone());
    permissions
        .iter()
        .filter(|text| CompiledPermission::check(text).is_ok())
        .any(|text| {
            let compiled = Arc::new(CompiledPermission::new(text.as_str(), Effect::Grant));
            Permission::new(compiled, Place::new(file, &(0..0)))
                .grants(&RequirementSubject::of(&requirement))
        })
}

fn all_needed(needs: &Needs<'_>) -> Vec<String> {
    match needs {
        Needs::Permission(name) => vec![name.as_str().to_lowercase()],
        Needs::Every(names) => names
            .iter()
            .map(|name| name.as_str().to_lowercase())
            .collect(),
        _ => Vec::new(),
    }
}

fn recorded_verdict(case: &VerdictRow) -> (RecordedVerdict, Vec<String>) {
    let overriding = case
        .fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-http-method-override"));
    let method = effective_method(&case.method, overriding.map(|(_, value)| value.as_bytes()));
    let origin_form = case
        .target
        .strip_prefix("https://icinga-master.lab")
        .unwrap_or(&case.target);
    let Ok(target) = CanonicalTarget::parse(origin_form) else {
        return (RecordedVerdict::BadRequest, vec![]);
    };
    if target.oddities.first_beyond(accepted_oddities()).is_some() {
        return (RecordedVerdict::BadRequest, vec![]);
    }
    let mut needs = requirement(method, &target, None);
    if needs == Needs::BodyNeeded {
        let body = EventTypes::from_body(case.body.as_deref().unwrap_or_default().as_bytes());
        needs = requirement(method, &target, Some(&body));
    }
    let granted = |names: &[Name<'_>]| names.iter().all(|name| has(&case.permissions, name));
    let verdict = match &needs {
        Needs::AnyApiUser => RecordedVerdict::Allowed,
        Needs::Permission(name) if granted(std::slice::from_ref(name)) => RecordedVerdict::Allowed,
        Needs::Every(names) if granted(names) => RecordedVerdict::Allowed,
        Needs::Permission(_) | Needs::Every(_) => RecordedVerdict::Denied,
        Needs::Nothing => RecordedVerdict::NotFound,
        Needs::BadRequest(_) | Needs::BodyNeeded => RecordedVerdict::BadRequest,
    };
    (verdict, all_needed(&needs))
}

/// Why a request is refused here that Icinga serves; `docs/icinga2.md` says more of each.
fn stricter_on_purpose(case: &VerdictRow) -> Option<&'static str> {
    let path = case.target.split(['?', '#']).next().unwrap_or_default();
    let has_dot_segment = || path.split('/').any(|word| matches!(word, "." | ".."));
    match () {
        () if case.target.contains('#') => Some("a fragment in a target"),
        () if !case.target.starts_with(['/', 'h']) => Some("a target of another scheme than https"),
        () if case.target.starts_with("//") => Some("an authority behind two slashes"),
        () if has_dot_segment() => Some("a dot segment"),
        () => None,
    }
}

/// What Icinga itself refuses, and is sent on for those who have the right: the field Accept is its own business, and a
/// path is written as it should be.
fn decided_by_icinga(case: &VerdictRow) -> bool {
    case.tag == "accept" || case.target.contains(['|', '"'])
}

#[test]
fn every_recorded_verdict_is_matched_or_stricter_for_a_reason() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (verdict, needed) = recorded_verdict(&case);
        let fits = match case.verdict.as_str() {
            // Icinga's own filters come behind the permission.
            "allowed" | "filtered" => {
                verdict == RecordedVerdict::Allowed || stricter_on_purpose(&case).is_some()
            }
            "denied" => verdict == RecordedVerdict::Denied || stricter_on_purpose(&case).is_some(),
            "no-route" => verdict != RecordedVerdict::Allowed,
            "bad-request" => verdict != RecordedVerdict::Allowed || decided_by_icinga(&case),
            other => panic!("unknown verdict {other}"),
        };
        // Of several that are missing, Icinga names the first.
        let names_the_same = match (&case.required, verdict) {
            (Some(required), RecordedVerdict::Allowed | RecordedVerdict::Denied) => needed
                .iter()
                .any(|name| required.to_lowercase().split('\0').next() == Some(name)),
            _ => true,
        };
        if !fits || !names_the_same {
            wrong.push(format!(
                "{} {} {}: {needed:?}, expected {} {:?} with {:?}",
                case.tag, case.method, case.target, case.verdict, case.required, case.permissions
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} verdicts differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
