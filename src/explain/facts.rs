//! Who asked, what for and on which route, in words. Judges nothing.

use super::explanation::{ClientFacts, Explanation, Note, RequestFacts, RouteFacts, UserFacts};
use super::judged::Judged;
use super::question::{Connection, Who};
use super::scene::{Asked, Scene};
use crate::clock::rfc3339;
use crate::config::CredentialKind;
use crate::host::HostName;
use crate::identity::Principal;
use crate::limit::Bounds;
use crate::proxy::{Presented, Standing};
use crate::route::{Admission, CanonicalTarget, Route, Target};
use crate::tls::FailureReason;

pub(super) fn request_facts(judged: &Judged<'_>) -> RequestFacts {
    let decided = judged.decided;
    RequestFacts {
        listener: judged.scene.listener.name.to_string(),
        method: decided.method.to_owned(),
        host: decided.host.as_ref().map(|host| host.as_str().to_owned()),
        path: decided
            .target
            .as_ref()
            .map(|target| target.path.to_string()),
        source: judged.scene.source.to_string(),
        at: rfc3339(judged.scene.at),
    }
}

/// The same before anybody was judged.
pub(super) fn asked_facts(scene: &Scene<'_>, asked: &Asked) -> RequestFacts {
    RequestFacts {
        listener: scene.listener.name.to_string(),
        method: asked.method.clone(),
        host: HostName::parse_authority(&asked.authority).map(|host| host.as_str().to_owned()),
        path: CanonicalTarget::parse(&asked.target)
            .ok()
            .map(|target| target.path.to_string()),
        source: scene.source.to_string(),
        at: rfc3339(scene.at),
    }
}

pub(super) fn client_facts(judged: &Judged<'_>) -> ClientFacts {
    let (client, snapshot) = (judged.client, judged.scene.snapshot);
    let trust_domain = client.vouched_by.and_then(|id| snapshot.trust_domain(id));
    let (user, nobody) = match (&judged.evidence.presented, client.standing) {
        (Presented::Proven(proof), _) => (
            Some(user_facts(judged, &proof.principal, proof.kind())),
            None,
        ),
        (_, Standing::Known(user)) => (
            Some(user_facts(judged, user, CredentialKind::Certificate)),
            None,
        ),
        (_, standing) => (None, Some(nobody(standing))),
    };
    ClientFacts {
        trust_domain: trust_domain.map(|domain| domain.name.to_string()),
        user,
        nobody,
    }
}

fn user_facts(judged: &Judged<'_>, user: &Principal, credential: CredentialKind) -> UserFacts {
    let snapshot = judged.scene.snapshot;
    let said = snapshot.policy.user(user);
    // What a certificate says beside a password is also of the certificate's user, who must be the same.
    let by_certificate = match judged.client.standing {
        Standing::Known(known) if known.id == user.id => known,
        _ => user,
    };
    UserFacts {
        name: user.name.to_string(),
        place: snapshot
            .users
            .get(user.id)
            .map(|user| snapshot.places.describe(user.place))
            .unwrap_or_default(),
        credential: credential.word().to_owned(),
        identified_by: by_certificate
            .identified_by
            .map(|kind| kind.word().to_owned()),
        roles: said
            .into_iter()
            .flat_map(|said| &said.roles)
            .filter_map(|set| set.role.as_deref().map(str::to_owned))
            .collect(),
        roles_of_certificate: snapshot
            .policy
            .brought_roles(by_certificate)
            .map(str::to_owned)
            .collect(),
        enabled_until: snapshot.policy.enabled_until(user.id).map(rfc3339),
    }
}

/// Why a client is no ApiUser.
fn nobody(standing: &Standing) -> String {
    match standing {
        Standing::Known(user) => user.name.to_string(),
        Standing::Anonymous => "no certificate".to_owned(),
        Standing::UnknownUser => "the certificate is no ApiUser's".to_owned(),
        Standing::AmbiguousIdentity(one, other) => {
            format!("the certificate is both \"{one}\" and \"{other}\"")
        }
        Standing::ReservedName(name) => {
            format!("the name \"{name}\" is reserved in its trust domain")
        }
        Standing::UnusableName(error) => error.to_string(),
        Standing::Forwarded(refusal) => refusal.word().to_owned(),
        Standing::Refused(FailureReason::NoCertificate) => "no certificate".to_owned(),
        Standing::Refused(FailureReason::CaCertificate) => {
            "this is a CA's certificate (CA:TRUE), with which no client may identify itself"
                .to_owned()
        }
        Standing::Refused(reason) => format!("the certificate is refused ({})", reason.word()),
    }
}

pub(super) fn route_facts(judged: &Judged<'_>, route: &Route) -> RouteFacts {
    RouteFacts {
        name: route.name.clone(),
        place: judged.scene.snapshot.places.describe(route.place),
        upstream: if let Target::Upstream(name) = &route.target {
            Some(name.to_string())
        } else {
            None
        },
        admission: match route.admission {
            Admission::Authorized => "authorized",
            Admission::PublicWithIdentity => "public_with_identity",
            Admission::Public => "public",
        }
        .to_owned(),
        enabled_until: route.enabled_until.map(rfc3339),
        conditions: Vec::new(),
    }
}

/// What else has a say, or is to be known. What engines look at beside the judgement has its lines here.
pub(super) fn notes(judged: &Judged<'_>, explanation: &Explanation) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |name: &str, text: String| {
        notes.push(Note {
            name: name.to_owned(),
            text,
        })
    };
    if judged.scene.question.connection == Connection::FrontProxy {
        note(
            "front proxy",
            "is taken to have said who the client is".to_owned(),
        );
    }
    if let Presented::Proven(proof) = &judged.evidence.presented {
        note(
            "credential",
            format!("the {} is taken to be right", proof.kind().word()),
        );
    }
    let limits = judged.limits();
    if let (Some(body), Some(_)) = (&judged.scene.question.body, judged.decided.route) {
        let limit = limits
            .body_size
            .map_or("any number".to_owned(), |limit| limit.to_string());
        note(
            "body",
            format!("{} octets, of which it may have {limit}", body.len()),
        );
    }
    for (whose, bounds) in [("the ApiUser", limits.user), ("the route", limits.route)] {
        if let Some(bounds) = bounds {
            note(
                "limit",
                format!(
                    "of {whose}: {}; how much of it is used is not looked at",
                    numbers(&bounds)
                ),
            );
        }
    }
    let mut conditions = explanation.route.iter().flat_map(|route| &route.conditions);
    let mut tried = explanation
        .tried
        .iter()
        .filter_map(|tried| tried.condition.as_ref());
    let has_certificate = matches!(judged.scene.question.who, Who::Certificate(_));
    let mut asks = conditions
        .by_ref()
        .chain(tried.by_ref())
        .flat_map(|condition| &condition.values);
    if !has_certificate && asks.any(|value| value.name.starts_with("certificate")) {
        note(
            "certificate",
            "conditions look at it and see none: ask with --cert to be sure".to_owned(),
        );
    }
    notes
}

/// The numbers of a limit.
fn numbers(bounds: &Bounds) -> String {
    let rate = bounds.rate.map(|rate| {
        let window = humantime::format_duration(rate.rate.window);
        format!(
            "{} requests in {window}, {} at once",
            rate.rate.requests, rate.burst
        )
    });
    let parts = [
        rate,
        bounds.concurrency.map(|most| format!("{most} under way")),
        bounds.daily_quota.map(|most| format!("{most} on a day")),
        bounds
            .body_size
            .map(|most| format!("{most} octets of a body")),
        bounds
            .request_time
            .map(|time| format!("{} for a request", humantime::format_duration(time))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
