//! Repeats a past decision by a config: the same decision as the proxy's, for a client reconstructed from the audit log. Facts
//! that the log does not contain are never guessed.

use super::client::{ReplayedClient, seconds};
use super::lacking::{MissingFact, missing_facts};
use crate::authorize::{Denied, Grant};
use crate::authorizer::{self, Denial, Opinion};
use crate::cli::decisions::{LoggedDecision, LoggedOutcome, Occurrences};
use crate::clock;
use crate::credentials::CredentialFailure;
use crate::head::RequestHead;
use crate::host::HostName;
use crate::proxy::{
    self, Client, DecisionRounds, Evidence, Need, PresentedCredentials, RequestDecision,
    decide_with, unless_denied,
};
use crate::reason::Reason;
use crate::route::icinga2::{BodyEventTypes, EventTypes};
use crate::snapshot::Snapshot;
use crate::tls::FailureReason;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReplayResult {
    /// The decision.
    Decided(ReplayedDecision),
    /// Unknown without these facts.
    Unknown(Vec<MissingFact>),
}

/// A decision in the words of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ReplayedDecision {
    pub(super) outcome: LoggedOutcome,
    pub(super) reason: String,
    /// The permission that decided, with its role.
    pub(super) permission: Option<String>,
    pub(super) route: Option<String>,
    pub(super) requirement: Option<String>,
}

impl ReplayedDecision {
    /// The decision in the log.
    pub(super) fn recorded(decision: &LoggedDecision) -> Self {
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

    fn refused(reason: Reason) -> Self {
        Self {
            outcome: LoggedOutcome::Refuse,
            reason: reason.word().to_owned(),
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
        let (outcome, permission) = match &decided.decision {
            proxy::Decision::Permit(permit) => match (permit.shadowed(), permit.grant()) {
                (Some(denied), _) => (LoggedOutcome::Shadow, denied.matched().map(named)),
                (None, Grant::Permission(matched)) => (LoggedOutcome::Permit, Some(named(matched))),
                (None, Grant::AnyApiUser | Grant::PublicRoute) => (LoggedOutcome::Permit, None),
                // Shadow mode always has a denial.
                (None, Grant::Shadow) => (LoggedOutcome::Shadow, None),
            },
            proxy::Decision::Deny(rejection) => (
                LoggedOutcome::Refuse,
                rejection.denied().and_then(Denied::matched).map(named),
            ),
            proxy::Decision::Needs(_) => (LoggedOutcome::Refuse, None),
        };
        Self {
            outcome,
            reason: decided.decision.reason().word().to_owned(),
            permission,
            route: decided.route.map(|route| route.name.clone()),
            requirement: decided.requirement.as_ref().map(ToString::to_string),
        }
    }
}

/// Whether a decision can be replayed. Permissions do not affect requests that were rejected unread, or with an invalid
/// certificate.
pub(super) fn can_be_replayed(decision: &LoggedDecision) -> bool {
    let certificate = decision.certificate.as_deref();
    let is_verified =
        certificate.is_none_or(|it| it.fingerprint.is_some() && decision.trust_domain.is_some());
    let is_rejected = Reason::from_word(&decision.reason).is_some_and(is_rejected_unread);
    is_verified
        && !is_rejected
        && decision.host.is_some()
        && decision.path.starts_with('/')
        && decision.method_sent != "-"
}

/// Whether the reason is that of a front proxy without a valid identity of its client, or of a malformed request to Icinga.
fn is_rejected_unread(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NoForwardedIdentity
            | Reason::AmbiguousForwardedIdentity
            | Reason::BadForwardedIdentity
            | Reason::NoForwardedCertificate
            | Reason::ForwardedIdentityUnverified
            | Reason::ForwardedFrontProxy
            | Reason::FrontProxySource
            | Reason::NotAFrontProxy
            | Reason::BadQuery
            | Reason::NoEventTypes
            | Reason::BadEventTypes
            | Reason::BadJson
            | Reason::EncodedBody
    )
}

/// Makes a decision again, at the times at which it was made. Where a config judges by the time, both must come to the
/// same.
pub(super) fn replay(
    snapshot: &Snapshot,
    decision: &LoggedDecision,
    occurrences: &Occurrences,
) -> ReplayResult {
    let at = |time: &str| {
        replay_at(
            snapshot,
            decision,
            seconds(time).unwrap_or_else(clock::signed_seconds),
        )
    };
    let last = at(&occurrences.last);
    if snapshot.changes_with_time && at(&occurrences.first) != last {
        return ReplayResult::Unknown(vec![MissingFact::Time]);
    }
    last
}

fn replay_at(snapshot: &Snapshot, decision: &LoggedDecision, now: i64) -> ReplayResult {
    let Some(listener) = snapshot.listeners.get(decision.listener.as_str()) else {
        return ReplayResult::Decided(ReplayedDecision::refused(Reason::ListenerGone));
    };
    let server_name = decision.server_name.as_deref().and_then(HostName::parse);
    let Some(host) = listener.host(server_name.as_ref()) else {
        return ReplayResult::Decided(ReplayedDecision::refused(Reason::Certificate(
            FailureReason::UnknownServerName,
        )));
    };
    let replayed_client = ReplayedClient::of(snapshot, listener, host, decision);
    let source = decision
        .client
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.ip());
    let client = Client {
        listener,
        host,
        identity: &replayed_client.identity,
        verified_by: replayed_client.verified_by,
        certificate: replayed_client.peer.as_ref(),
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
        let missing = missing_facts(
            snapshot,
            &replayed_client.identity,
            &evidence.presented,
            decision,
            &decided,
        );
        return if missing.is_empty() {
            ReplayResult::Decided(ReplayedDecision::of(&decided))
        } else {
            ReplayResult::Unknown(missing)
        };
    }
}

/// Adds the evidence that the decision needs, if the log contains it.
fn gather(
    need: Need,
    snapshot: &Snapshot,
    decision: &LoggedDecision,
    decided: &RequestDecision<'_, '_>,
    evidence: &Evidence,
) -> Option<Evidence> {
    let mut more = evidence.clone();
    match need {
        Need::Credentials => more.presented = presented(snapshot, decision, decided),
        Need::Body => more.body = Some(event_types(decision)?),
        Need::Authorizer => more.verdict = Some(authorizer_verdict(decision)?),
    }
    Some(more)
}

/// The verdict of the external authorizer in the log. It is valid only for the same authorizer and user.
fn authorizer_verdict(decision: &LoggedDecision) -> Option<authorizer::Verdict> {
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

/// The event types of the subscription, from the query or the body. The requirement has all of them.
fn event_types(decision: &LoggedDecision) -> Option<BodyEventTypes> {
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

/// The credentials beside the certificate: assumed to be presented again if the user still has such a credential.
fn presented(
    snapshot: &Snapshot,
    decision: &LoggedDecision,
    decided: &RequestDecision<'_, '_>,
) -> PresentedCredentials {
    let shown = decision.user.as_deref().filter(|_| {
        decision
            .credential
            .as_deref()
            .is_some_and(|kind| kind != "certificate")
    });
    let Some(user) = shown else {
        return PresentedCredentials::Nothing;
    };
    let rule = decided
        .route
        .map(|route| route.credentials)
        .unwrap_or_default();
    match snapshot.credentials.assumed(&snapshot.users, user, rule) {
        Some(proof) => unless_denied(snapshot, proof),
        None => PresentedCredentials::Failed(CredentialFailure::Gone),
    }
}
