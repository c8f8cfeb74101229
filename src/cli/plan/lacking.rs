//! What a decision of the past does not say, and a config would have to know. Where that could make a difference, nobody
//! can tell the outcome.

use crate::authorize::{Asked, Grant, Matched, Permission};
use crate::cli::decisions::Decision;
use crate::condition::{Condition, Input};
use crate::identity::Principal;
use crate::proxy::{self, Need, Presented, RequestDecision, Standing};
use crate::route::{Requirement, RequirementRule};
use crate::snapshot::Snapshot;
use std::fmt;

/// What is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Lacking {
    /// The query.
    Query,
    /// A header field.
    Header(String),
    /// When each request came.
    Time,
    /// The body.
    Body,
    /// What was shown beside the certificate.
    Credentials,
    /// The word of an external authorizer.
    Authorizer(String),
}

impl fmt::Display for Lacking {
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

/// What is lacking for a judgement to be sure. Nothing where no condition that could matter looks at it.
pub(super) fn lacking(
    snapshot: &Snapshot,
    (standing, presented): (&Standing, &Presented),
    decision: &Decision,
    decided: &RequestDecision<'_, '_>,
) -> Vec<Lacking> {
    match decided.decision {
        proxy::Decision::Needs(Need::Credentials) => return vec![Lacking::Credentials],
        proxy::Decision::Needs(Need::Body) => return vec![Lacking::Body],
        proxy::Decision::Needs(Need::Authorizer) => {
            let name = decided
                .route
                .and_then(|route| route.authorizer.as_deref())
                .unwrap_or_default();
            return vec![Lacking::Authorizer(name.to_owned())];
        }
        proxy::Decision::Permit(_) | proxy::Decision::Deny(_) => {}
    }
    // Without a requirement it was refused before any condition was asked.
    let (Some(route), Some(requirement)) = (decided.route, &decided.requirement) else {
        return Vec::new();
    };
    let unknown = |condition: &Condition| unknown_to(decision, condition);
    let on_route = [
        route.condition.as_ref(),
        route.requirement.condition(decided.method),
    ];
    let mut lacks: Vec<Lacking> = on_route.into_iter().flatten().flat_map(unknown).collect();
    // Icinga's requirements look at the query; where they did before, they find the same again.
    let looks_anew =
        matches!(route.requirement, RequirementRule::Icinga2) && decision.preset.is_none();
    if looks_anew && decision.query.is_some() {
        lacks.push(Lacking::Query);
    }
    let user = match (presented, standing) {
        (Presented::Proven(proof), _) => Some(&proof.principal),
        (_, Standing::Known(user)) => Some(user),
        _ => None,
    };
    if let Some(user) = user {
        for_each_asked(requirement, |asked| {
            lacks.extend(of_user(snapshot, user, asked, decided, &unknown))
        });
    }
    lacks.sort_unstable();
    lacks.dedup();
    lacks
}

fn of_user(
    snapshot: &Snapshot,
    user: &Principal,
    asked: &Asked<'_>,
    decided: &RequestDecision<'_, '_>,
    unknown: &impl Fn(&Condition) -> Vec<Lacking>,
) -> Vec<Lacking> {
    let of = |permission: &Permission| permission.condition().map(unknown).unwrap_or_default();
    let sets = || snapshot.policy.sets(user);
    let denying = sets()
        .flat_map(|set| &set.denied)
        .filter(|permission| permission.denies(asked))
        .flat_map(of);
    let mut lacks: Vec<Lacking> = denying.collect();
    // One that grants for sure is enough, whatever others would say.
    let sure = matches!(granted_by(decided), Some(matched) if of(matched.permission).is_empty() && matched.permission.grants(asked));
    if !sure {
        lacks.extend(
            sets()
                .flat_map(|set| &set.granted)
                .filter(|permission| permission.grants(asked))
                .flat_map(of),
        );
    }
    lacks
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

fn for_each_asked(requirement: &Requirement<'_>, mut visit: impl FnMut(&Asked<'_>)) {
    match requirement {
        Requirement::Every(names) => names.iter().for_each(|name| visit(&Asked::of_name(name))),
        one => visit(&Asked::of(one)),
    }
}

fn unknown_to(decision: &Decision, condition: &Condition) -> Vec<Lacking> {
    let reads = condition.reads();
    let mut lacks: Vec<Lacking> = reads
        .headers()
        .iter()
        .map(|name| Lacking::Header(name.to_string()))
        .collect();
    if reads.has(Input::Headers) && lacks.is_empty() {
        lacks.push(Lacking::Header("*".to_owned()));
    }
    if reads.has(Input::Query) && decision.query.is_some() {
        lacks.push(Lacking::Query);
    }
    lacks
}
