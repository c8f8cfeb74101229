//! Facts that a config needs for a decision and the audit log does not contain. If one could matter, the result is unknown.

use crate::authorize::{Grant, Matched, Permission, RequirementSubject};
use crate::cli::decisions::LoggedDecision;
use crate::condition::{Condition, Input};
use crate::identity::Principal;
use crate::proxy::{self, ClientIdentity, Need, PresentedCredentials, RequestDecision};
use crate::route::{Requirement, RequirementRule};
use crate::snapshot::Snapshot;
use std::fmt;

/// A fact that the audit log does not contain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum MissingFact {
    /// The query.
    Query,
    /// A header field.
    Header(String),
    /// The time of each request.
    Time,
    /// The body.
    Body,
    /// The credentials beside the certificate.
    Credentials,
    /// The verdict of an external authorizer.
    Authorizer(String),
}

impl fmt::Display for MissingFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query => f.write_str("the query, which the audit log withholds"),
            Self::Header(name) => write!(
                f,
                "the header field `{name}`, which the audit log does not hold"
            ),
            Self::Time => f.write_str(
                "the time of each single request, since a condition holds at some of them only",
            ),
            Self::Body => f.write_str("what the body says, which the audit log does not hold"),
            Self::Authorizer(name) => write!(
                f,
                "the word of authorizer \"{name}\", which was not asked then"
            ),
            Self::Credentials => f.write_str("the credentials that were shown"),
        }
    }
}

/// The missing facts of a decision. Empty if no relevant condition reads them.
pub(super) fn missing_facts(
    snapshot: &Snapshot,
    identity: &ClientIdentity,
    presented: &PresentedCredentials,
    decision: &LoggedDecision,
    decided: &RequestDecision<'_, '_>,
) -> Vec<MissingFact> {
    match decided.decision {
        proxy::Decision::Needs(Need::Credentials) => return vec![MissingFact::Credentials],
        proxy::Decision::Needs(Need::Body) => return vec![MissingFact::Body],
        proxy::Decision::Needs(Need::Authorizer) => {
            let name = decided
                .route
                .and_then(|route| route.authorizer.as_deref())
                .unwrap_or_default();
            return vec![MissingFact::Authorizer(name.to_owned())];
        }
        proxy::Decision::Permit(_) | proxy::Decision::Deny(_) => {}
    }
    // Without a requirement it was rejected before any condition was evaluated.
    let (Some(route), Some(requirement)) = (decided.route, &decided.requirement) else {
        return Vec::new();
    };
    let unknown = |condition: &Condition| unknown_to(decision, condition);
    let on_route = [
        route.condition.as_ref(),
        route.requirement.condition(decided.method),
    ];
    let mut missing: Vec<MissingFact> = on_route.into_iter().flatten().flat_map(unknown).collect();
    // Icinga's requirements depend on the query. If the preset applied before, the requirement is the same.
    let is_new_preset =
        matches!(route.requirement, RequirementRule::Icinga2) && decision.preset.is_none();
    if is_new_preset && decision.query.is_some() {
        missing.push(MissingFact::Query);
    }
    let user = match (presented, identity) {
        (PresentedCredentials::Proven(proof), _) => Some(&proof.principal),
        (_, ClientIdentity::Known(user)) => Some(user),
        _ => None,
    };
    if let Some(user) = user {
        for_each_subject(requirement, |subject| {
            missing.extend(of_user(snapshot, user, subject, decided, &unknown))
        });
    }
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn of_user(
    snapshot: &Snapshot,
    user: &Principal,
    subject: &RequirementSubject<'_>,
    decided: &RequestDecision<'_, '_>,
    unknown: &impl Fn(&Condition) -> Vec<MissingFact>,
) -> Vec<MissingFact> {
    let of = |permission: &Permission| permission.condition().map(unknown).unwrap_or_default();
    let sets = || snapshot.policy.sets(user);
    let denying = sets()
        .flat_map(|set| &set.denied)
        .filter(|permission| permission.denies(subject))
        .flat_map(of);
    let mut missing: Vec<MissingFact> = denying.collect();
    // One certain grant is enough.
    let sure = matches!(granted_by(decided), Some(matched) if of(matched.permission).is_empty() && matched.permission.grants(subject));
    if !sure {
        missing.extend(
            sets()
                .flat_map(|set| &set.granted)
                .filter(|permission| permission.grants(subject))
                .flat_map(of),
        );
    }
    missing
}

fn granted_by<'s>(decided: &RequestDecision<'s, '_>) -> Option<Matched<'s>> {
    let permit = decided
        .decision
        .permit()
        .filter(|permit| permit.shadowed().is_none())?;
    match permit.grant() {
        Grant::Permission(matched) => Some(matched),
        _ => None,
    }
}

fn for_each_subject(requirement: &Requirement<'_>, mut visit: impl FnMut(&RequirementSubject<'_>)) {
    match requirement {
        Requirement::Every(names) => names
            .iter()
            .for_each(|name| visit(&RequirementSubject::of_name(name))),
        one => visit(&RequirementSubject::of(one)),
    }
}

fn unknown_to(decision: &LoggedDecision, condition: &Condition) -> Vec<MissingFact> {
    let reads = condition.reads();
    let mut missing: Vec<MissingFact> = reads
        .headers()
        .iter()
        .map(|name| MissingFact::Header(name.to_string()))
        .collect();
    if reads.has(Input::Headers) && missing.is_empty() {
        missing.push(MissingFact::Header("*".to_owned()));
    }
    if reads.has(Input::Query) && decision.query.is_some() {
        missing.push(MissingFact::Query);
    }
    missing
}
