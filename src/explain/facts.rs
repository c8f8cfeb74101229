//! Facts about client, request and route, in words. Decides nothing.

use super::context::{ExplainedRequest, QuestionContext};
use super::decided_question::DecidedQuestion;
use super::explanation::{ClientFacts, Explanation, Note, RequestFacts, RouteFacts, UserFacts};
use super::question::{ConnectionPeer, QuestionClient};
use crate::clock::rfc3339;
use crate::config::CredentialKind;
use crate::host::HostName;
use crate::identity::Principal;
use crate::limit::Bounds;
use crate::proxy::{ClientIdentity, PresentedCredentials};
use crate::route::{Admission, CanonicalTarget, Route, Target};
use crate::tls::FailureReason;

pub(super) fn request_facts(decided_question: &DecidedQuestion<'_>) -> RequestFacts {
    let decided = decided_question.decided;
    RequestFacts {
        listener: decided_question.context.listener.name.to_string(),
        method: decided.method.to_owned(),
        host: decided.host.as_ref().map(|host| host.as_str().to_owned()),
        path: decided
            .target
            .as_ref()
            .map(|target| target.path.to_string()),
        source: decided_question.context.source.to_string(),
        at: rfc3339(decided_question.context.at),
    }
}

/// The request facts before a decision.
pub(super) fn undecided_request_facts(
    context: &QuestionContext<'_>,
    request: &ExplainedRequest,
) -> RequestFacts {
    RequestFacts {
        listener: context.listener.name.to_string(),
        method: request.method.clone(),
        host: HostName::parse_authority(&request.authority).map(|host| host.as_str().to_owned()),
        path: CanonicalTarget::parse(&request.target)
            .ok()
            .map(|target| target.path.to_string()),
        source: context.source.to_string(),
        at: rfc3339(context.at),
    }
}

pub(super) fn client_facts(decided_question: &DecidedQuestion<'_>) -> ClientFacts {
    let client = decided_question.client;
    let snapshot = decided_question.context.snapshot;
    let trust_domain = client.verified_by.and_then(|id| snapshot.trust_domain(id));
    let (user, nobody) = match (&decided_question.evidence.presented, client.identity) {
        (PresentedCredentials::Proven(proof), _) => (
            Some(user_facts(decided_question, &proof.principal, proof.kind())),
            None,
        ),
        (_, ClientIdentity::Known(user)) => (
            Some(user_facts(
                decided_question,
                user,
                CredentialKind::Certificate,
            )),
            None,
        ),
        (_, identity) => (None, Some(missing_user(identity))),
    };
    ClientFacts {
        trust_domain: trust_domain.map(|domain| domain.name.to_string()),
        user,
        nobody,
    }
}

fn user_facts(
    decided_question: &DecidedQuestion<'_>,
    user: &Principal,
    credential: CredentialKind,
) -> UserFacts {
    let snapshot = decided_question.context.snapshot;
    let permissions = snapshot.policy.user(user);
    // With a password, the certificate must identify the same user.
    let certificate_user = match decided_question.client.identity {
        ClientIdentity::Known(known) if known.id == user.id => known,
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
        identified_by: certificate_user
            .identified_by
            .map(|kind| kind.word().to_owned()),
        roles: permissions
            .into_iter()
            .flat_map(|permissions| &permissions.roles)
            .filter_map(|set| set.role.as_deref().map(str::to_owned))
            .collect(),
        roles_of_certificate: snapshot
            .policy
            .certificate_roles(certificate_user)
            .map(str::to_owned)
            .collect(),
        enabled_until: snapshot.policy.enabled_until(user.id).map(rfc3339),
    }
}

/// The reason that a client is no ApiUser.
fn missing_user(identity: &ClientIdentity) -> String {
    match identity {
        ClientIdentity::Known(user) => user.name.to_string(),
        ClientIdentity::Anonymous => "no certificate".to_owned(),
        ClientIdentity::UnknownUser => "the certificate is no ApiUser's".to_owned(),
        ClientIdentity::AmbiguousIdentity(one, other) => {
            format!("the certificate is both \"{one}\" and \"{other}\"")
        }
        ClientIdentity::ReservedName(name) => {
            format!("the name \"{name}\" is reserved in its trust domain")
        }
        ClientIdentity::UnusableName(error) => error.to_string(),
        ClientIdentity::Forwarded(rejection) => rejection.reason().word().to_owned(),
        ClientIdentity::Refused(FailureReason::NoCertificate) => "no certificate".to_owned(),
        ClientIdentity::Refused(FailureReason::CaCertificate) => {
            "this is a CA's certificate (CA:TRUE), with which no client may identify itself"
                .to_owned()
        }
        ClientIdentity::Refused(reason) => {
            format!("the certificate is refused ({})", reason.word())
        }
    }
}

pub(super) fn route_facts(decided_question: &DecidedQuestion<'_>, route: &Route) -> RouteFacts {
    RouteFacts {
        name: route.name.clone(),
        place: decided_question
            .context
            .snapshot
            .places
            .describe(route.place),
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

/// Notes on checks of the HTTP engines outside of the decision, and on limits of the explanation.
pub(super) fn notes(
    decided_question: &DecidedQuestion<'_>,
    explanation: &Explanation,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |name: &str, text: String| {
        notes.push(Note {
            name: name.to_owned(),
            text,
        })
    };
    if decided_question.context.question.connection == ConnectionPeer::FrontProxy {
        note(
            "front proxy",
            "is taken to have said who the client is".to_owned(),
        );
    }
    if let PresentedCredentials::Proven(proof) = &decided_question.evidence.presented {
        note(
            "credential",
            format!("the {} is taken to be right", proof.kind().word()),
        );
    }
    let limits = decided_question.limits();
    if let (Some(body), Some(_)) = (
        &decided_question.context.question.body,
        decided_question.decided.route,
    ) {
        let limit = limits
            .body_size
            .map_or("any number".to_owned(), |limit| limit.to_string());
        note(
            "body",
            format!("{} bytes, of which it may have {limit}", body.len()),
        );
    }
    for (owner, bounds) in [("the ApiUser", limits.user), ("the route", limits.route)] {
        if let Some(bounds) = bounds {
            note(
                "limit",
                format!(
                    "of {owner}: {}; how much of it is used is not looked at",
                    numbers(&bounds)
                ),
            );
        }
    }
    if lacks_certificate(decided_question, explanation) {
        note(
            "certificate",
            "conditions look at it and see none: ask with --cert to be sure".to_owned(),
        );
    }
    notes
}

/// Whether a condition reads the client certificate and the question has none.
fn lacks_certificate(decided_question: &DecidedQuestion<'_>, explanation: &Explanation) -> bool {
    if matches!(
        decided_question.context.question.who,
        QuestionClient::Certificate(_)
    ) {
        return false;
    }
    let of_route = explanation.route.iter().flat_map(|route| &route.conditions);
    let of_permissions = explanation
        .tried
        .iter()
        .filter_map(|tried| tried.condition.as_ref());
    of_route
        .chain(of_permissions)
        .flat_map(|condition| &condition.values)
        .any(|value| value.name.starts_with("certificate"))
}

/// The values of a limit.
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
            .map(|most| format!("{most} bytes of a body")),
        bounds
            .request_time
            .map(|time| format!("{} for a request", humantime::format_duration(time))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
