//! One decision of the past, made again by a config: the same judgement as the proxy's, for a client put together from
//! what the audit log says of it. What the log does not say is never guessed.

use super::client::{Who, seconds};
use super::lacking::{Lacking, lacking};
use crate::authorize::{Denied, Grant};
use crate::authorizer::{self, Denial, Opinion};
use crate::cli::decisions::{Decision, Outcome, Seen};
use crate::clock;
use crate::credentials::CredentialFailure;
use crate::head::RequestHead;
use crate::host::HostName;
use crate::proxy::{
    self, Client, DecisionRounds, Evidence, Need, Presented, RequestDecision, decide_with,
    unless_denied,
};
use crate::route::icinga2::{EventTypes, SaidInBody};
use crate::snapshot::Snapshot;
use crate::tls::FailureReason;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What a config makes of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replayed {
    /// This.
    Decided(Verdict),
    /// Nobody can tell without these.
    Lacks(Vec<Lacking>),
}

/// A decision in the words of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) reason: String,
    /// The permission that decision, with its role.
    pub(super) permission: Option<String>,
    pub(super) route: Option<String>,
    pub(super) requirement: Option<String>,
}

impl Verdict {
    /// As it was decided then.
    pub(super) fn recorded(decision: &Decision) -> Self {
        let role = decision
            .role
            .as_ref()
            .map(|role| format!(" of role \"{role}\""))
            .unwrap_or_default();
        Self {
            outcome: decision.decision,
            reason: decision.reason.clone(),
            permission: decision
                .permission
                .as_ref()
                .map(|text| format!("\"{text}\"{role}")),
            route: decision.route.clone(),
            requirement: decision.requirement.clone(),
        }
    }

    fn refused(reason: &str) -> Self {
        Self {
            outcome: Outcome::Refuse,
            reason: reason.to_owned(),
            permission: None,
            route: None,
            requirement: None,
        }
    }

    fn of(decided: &RequestDecision<'_, '_>) -> Self {
        let named = |matched: crate::authorize::Matched<'_>| {
            let role = matched
                .role
                .map(|role| format!(" of role \"{role}\""))
                .unwrap_or_default();
            format!("\"{}\"{role}", matched.permission.text())
        };
        let (outcome, reason, permission) = match &decided.decision {
            proxy::Decision::Permit(permit) => match (permit.shadowed(), permit.grant()) {
                (Some(denied), _) => (Outcome::Shadow, denied.word(), denied.matched().map(named)),
                (None, Grant::Permission(matched)) => {
                    (Outcome::Permit, "permission", Some(named(matched)))
                }
                (None, Grant::AnyApiUser) => (Outcome::Permit, "any_api_user", None),
                (None, Grant::PublicRoute) => (Outcome::Permit, "public_route", None),
                (None, Grant::Shadow) => (Outcome::Shadow, "internal", None),
            },
            proxy::Decision::Deny(refusal) => (
                Outcome::Refuse,
                refusal.word(),
                refusal.denied().and_then(Denied::matched).map(named),
            ),
            proxy::Decision::Needs(need) => (Outcome::Refuse, need.unmet().word(), None),
        };
        Self {
            outcome,
            reason: reason.to_owned(),
            permission,
            route: decided.route.map(|route| route.name.clone()),
            requirement: decided.requirement.as_ref().map(ToString::to_string),
        }
    }
}

/// Whether a decision says enough to be made again. What was refused unread, or with a certificate that did not count,
/// has nothing to do with what a config grants.
pub(super) fn can_be_replayed(decision: &Decision) -> bool {
    let certificate = decision.certificate.as_deref();
    let counted =
        certificate.is_none_or(|it| it.fingerprint.is_some() && decision.trust_domain.is_some());
    // A proxy that did not say, or not rightly, for whom it speaks.
    let unheard = decision.reason.contains("forwarded") || decision.reason.contains("front_proxy");
    let malformed = [
        "bad_query",
        "no_event_types",
        "bad_event_types",
        "bad_json",
        "encoded_body",
    ];
    let by_its_form = malformed.contains(&decision.reason.as_str());
    counted
        && !unheard
        && !by_its_form
        && decision.host.is_some()
        && decision.path.starts_with('/')
        && decision.method_sent != "-"
}

/// Makes a decision again, at the times at which it was made. Where a config judges by the time, both must come to the
/// same.
pub(super) fn replay(snapshot: &Snapshot, decision: &Decision, seen: &Seen) -> Replayed {
    let at = |time: &str| {
        replay_at(
            snapshot,
            decision,
            seconds(time).unwrap_or_else(clock::signed_seconds),
        )
    };
    let last = at(&seen.last);
    if snapshot.changes_with_time && at(&seen.first) != last {
        return Replayed::Lacks(vec![Lacking::Time]);
    }
    last
}

fn replay_at(snapshot: &Snapshot, decision: &Decision, now: i64) -> Replayed {
    let Some(listener) = snapshot.listeners.get(decision.listener.as_str()) else {
        return Replayed::Decided(Verdict::refused("listener_gone"));
    };
    let server_name = decision.server_name.as_deref().and_then(HostName::parse);
    let Some(host) = listener.host(server_name.as_ref()) else {
        return Replayed::Decided(Verdict::refused(FailureReason::UnknownServerName.word()));
    };
    let who = Who::of(snapshot, listener, host, decision);
    let source = decision
        .client
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.ip());
    let (standing, vouched_by, certificate) = (&who.standing, who.vouched_by, who.peer.as_ref());
    let client = Client {
        listener,
        host,
        standing,
        vouched_by,
        certificate,
        source,
        now,
    };
    let overriding = [("x-http-method-override", decision.method.as_bytes())];
    let fields = if decision.method == decision.method_sent {
        &[][..]
    } else {
        &overriding[..]
    };
    let head = RequestHead {
        method: &decision.method_sent,
        target: decision.path_sent.as_deref().unwrap_or(&decision.path),
        authority: decision.host.as_deref(),
        fields,
    };
    let mut evidence = Evidence::default();
    let mut rounds = DecisionRounds::default();
    loop {
        let decided = decide_with(snapshot, client, &evidence, &head);
        let need = rounds.next_need(&decided.decision);
        let more = need.and_then(|need| gather(need, snapshot, decision, &decided, &evidence));
        if let Some(more) = more {
            drop(decided);
            evidence = more;
            continue;
        }
        let lacks = lacking(
            snapshot,
            (&who.standing, &evidence.presented),
            decision,
            &decided,
        );
        return if lacks.is_empty() {
            Replayed::Decided(Verdict::of(&decided))
        } else {
            Replayed::Lacks(lacks)
        };
    }
}

/// The evidence with what the decision needs, if the log says what the gateway found then.
fn gather(
    need: Need,
    snapshot: &Snapshot,
    decision: &Decision,
    decided: &RequestDecision<'_, '_>,
    evidence: &Evidence,
) -> Option<Evidence> {
    let mut more = evidence.clone();
    match need {
        Need::Credentials => more.presented = presented(snapshot, decision, decided),
        Need::Body => more.body = Some(event_types(decision)?),
        Need::Authorizer => more.verdict = Some(outside(decision)?),
    }
    Some(more)
}

/// What an external authorizer said about this very request. It counts for the same authorizer and user alone.
fn outside(decision: &Decision) -> Option<authorizer::Verdict> {
    let opinion = match decision.authorizer_says.as_deref()? {
        "permit" => Opinion::Permit(Arc::default()),
        "deny" => Opinion::Deny(Denial::Response),
        _ => return None,
    };
    let (by, about) = (
        decision.authorizer.as_deref()?.into(),
        decision.user.as_deref().map(Into::into),
    );
    Some(authorizer::Verdict { by, about, opinion })
}

/// The types of events that were subscribed to, in the query or the body: the requirement names them all.
fn event_types(decision: &Decision) -> Option<SaidInBody> {
    let requirement = decision
        .requirement
        .as_deref()
        .filter(|_| decision.preset.as_deref() == Some("icinga2"))?;
    let names = requirement
        .split(" and ")
        .filter(|_| !requirement.starts_with('('));
    let types = names
        .map(|name| name.strip_prefix("events/"))
        .collect::<Option<Vec<_>>>()?;
    Some(EventTypes::from_body(
        serde_json::json!({ "types": types }).to_string().as_bytes(),
    ))
}

/// What was shown then beside the certificate is taken to be shown again, if the user still has such a thing.
fn presented(
    snapshot: &Snapshot,
    decision: &Decision,
    decided: &RequestDecision<'_, '_>,
) -> Presented {
    let shown = decision.user.as_deref().filter(|_| {
        decision
            .credential
            .as_deref()
            .is_some_and(|kind| kind != "certificate")
    });
    let Some(user) = shown else {
        return Presented::Nothing;
    };
    let rule = decided
        .route
        .map(|route| route.credentials)
        .unwrap_or_default();
    match snapshot.credentials.assumed(&snapshot.users, user, rule) {
        Some(proof) => unless_denied(snapshot, proof),
        None => Presented::Failed(CredentialFailure::Gone),
    }
}
