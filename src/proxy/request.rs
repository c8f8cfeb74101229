//! Decides about a request: what it asks for, who asks, and whether that is permitted. The page to read first. Pure: no
//! socket, no clock, no HTTP engine; both engines, `explain` and `plan` call [`decide_with`].

mod authentication;
mod decision;
mod fields;
mod outside;
mod paths;
mod unmet;

pub use authentication::{Presented, Standing, shows_its_own_certificate};
pub use decision::{Decision, DecisionRounds, Need};

use authentication::{principal, proven, refuse_who_never_counts};
use decision::NoPermit;
use fields::{JudgedFields, judged_method};
use outside::denied_by_authorizer;
use paths::leads_to_one_route;

use crate::authorize::{Denied, Permit, RouteRule, in_force, public_permit};
use crate::authorizer::Verdict;
use crate::condition::Facts;
use crate::forward::SentHeaders;
use crate::head::{Fields, RequestHead};
use crate::host::HostName;
use crate::identity::Principal;
use crate::respond::Refusal;
use crate::route::icinga2::SaidInBody;
use crate::route::{Admission, CanonicalTarget, Captured, Requirement, Route};
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::{HostPolicy, PeerCertificate, TrustDomainId};
use std::net::IpAddr;
use std::sync::Arc;

/// Where, when and by whom a request is made.
#[derive(Clone, Copy)]
pub struct Client<'s> {
    /// The listener that it came in by.
    pub listener: &'s ListenerPolicy,
    /// The policy of the server name that the client asked for.
    pub host: &'s Arc<HostPolicy>,
    /// Who it is.
    pub standing: &'s Standing,
    /// Who has vouched for its certificate, if it showed one that counts.
    pub vouched_by: Option<TrustDomainId>,
    /// That certificate.
    pub certificate: Option<&'s PeerCertificate>,
    /// Its address.
    pub source: IpAddr,
    /// Seconds since 1970.
    pub now: i64,
}

/// What was looked up for a request beside its head, because its route asks for it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What it shows beside the certificate of its connection.
    pub presented: Presented,
    /// What its body says, where that was read.
    pub body: Option<SaidInBody>,
    /// What the external authorizer of its route says about it, if that was asked.
    pub verdict: Option<Verdict>,
}

/// A request, judged: the outcome, and what it was found by, for answers, logs and explanations.
///
/// Borrows from the snapshot (`'s`) and from the request head (`'h`).
pub struct RequestDecision<'s, 'h> {
    /// The method that was judged, which is also the one that goes up.
    pub method: &'h str,
    /// Path and query, if there is a canonical path.
    pub target: Option<CanonicalTarget<'h>>,
    /// The host, if it is one.
    pub host: Option<HostName<'h>>,
    /// The route.
    pub route: Option<&'s Arc<Route>>,
    /// Who asks, as far as the route wants to know.
    pub user: Option<&'s Principal>,
    /// What the route requires of this request.
    pub requirement: Option<Requirement<'h>>,
    /// Whether it may go on.
    pub decision: Decision<'s>,
}

/// Decides about a request by one snapshot and the certificate of its connection. Where the route makes that depend on more, the
/// decision is [`Decision::Needs`]; [`decide_with`] decides with evidence of that kind.
pub fn decide<'s: 'h, 'h, F: Fields + ?Sized>(
    snapshot: &'s Snapshot,
    client: Client<'s>,
    head: &RequestHead<'h, F>,
) -> RequestDecision<'s, 'h> {
    static NOTHING: Evidence = Evidence {
        presented: Presented::Unchecked,
        body: None,
        verdict: None,
    };
    decide_with(snapshot, client, &NOTHING, head)
}

/// Decides about a request with evidence that was gathered for it.
pub fn decide_with<'s: 'h, 'h, F: Fields + ?Sized>(
    snapshot: &'s Snapshot,
    client: Client<'s>,
    evidence: &'s Evidence,
    head: &RequestHead<'h, F>,
) -> RequestDecision<'s, 'h> {
    let mut decided = RequestDecision {
        method: head.method,
        target: None,
        host: None,
        route: None,
        user: None,
        requirement: None,
        decision: Decision::Deny(Refusal::Internal("not decided")),
    };
    decided.decision = run_phases(snapshot, client, evidence, head, &mut decided).into();
    decided
}

/// The phases, in order. What each finds is kept also if a later one refuses.
fn run_phases<'s: 'h, 'h, F: Fields + ?Sized>(
    snapshot: &'s Snapshot,
    client: Client<'s>,
    evidence: &'s Evidence,
    head: &RequestHead<'h, F>,
    found: &mut RequestDecision<'s, 'h>,
) -> Result<Permit<'s>, NoPermit<'s>> {
    refuse_who_never_counts(client.standing)?;
    refuse_unforwarded_method(head.method)?;
    let fields = JudgedFields::of(head.fields, &snapshot.judged_fields);
    let host = found.host.insert(requested_host(head.authority, &fields)?);
    belongs_to_connection(client, host)?;
    fields.reject_two_readings()?;
    let target = found
        .target
        .insert(CanonicalTarget::parse(head.target).map_err(Refusal::BadPath)?);

    let Some((route, captured)) = client.listener.routes.find(Some(host), &target.path) else {
        // Strangers learn nothing about which paths there are.
        principal(client.standing)?;
        return Err(Refusal::NoRoute.into());
    };
    found.route = Some(route);
    let public = public_permit(route.admission);
    if public.is_none() {
        // Before anything that would tell a stranger that there is a route.
        proven(route.credentials, client.standing, &evidence.presented)?;
        if !route.vouched_by.takes(client.vouched_by) {
            return Err(Refusal::WrongTrustDomain.into());
        }
    }
    leads_to_one_route(client, host, route, target)?;
    found.method = judged_method(head.method, &fields, target.query.as_deref(), route)?;

    let known = match (&public, client.standing) {
        (None, standing) => Some(proven(route.credentials, standing, &evidence.presented)?),
        (Some(_), Standing::Known(known)) if route.admission == Admission::PublicWithIdentity => {
            Some(known)
        }
        (Some(_), _) => None,
    };
    found.user = known;
    let captures = named_captures(snapshot, route, &captured);
    let shows_own =
        known.is_some() && shows_its_own_certificate(client.standing, &evidence.presented);
    let facts = Facts {
        method: found.method,
        path: &target.path,
        query: target.query.as_deref(),
        host: host.as_str(),
        captures: &captures,
        headers: &SentHeaders {
            fields: head.fields,
            policy: snapshot.field_policy(route),
        },
        certificate: client.certificate.filter(|_| shows_own),
        trust_domain: client
            .vouched_by
            .filter(|_| shows_own)
            .and_then(|id| snapshot.domain_name(id)),
        user: known.map_or("", |known| &known.name),
        source: client.source,
        now: client.now,
    };
    found.requirement = match (&public, known) {
        (Some(_), None) => None,
        (Some(_), Some(_)) => Some(Requirement::MethodAndPath {
            method: found.method,
            path: target.path.clone(),
        }),
        (None, _) => {
            let body = evidence.body.as_ref();
            let required = route
                .requirement
                .for_request(found.method, target, &captured, body);
            Some(
                required
                    .map_err(|why| unmet::without_requirement(why, route, &target.path, head))?,
            )
        }
    };
    let asked = known.zip(found.requirement.as_ref());
    let authorized = authorized(snapshot, route, asked, public, &facts);
    let verdict = evidence.verdict.as_ref();
    let denial = |why| unmet::denied(why, route, &target.path);
    enforce(snapshot, route, known, authorized, verdict, denial)
}

/// What is left of a permit when shadow mode, the external authorizer and the upstream's credentials have their say.
fn enforce<'s>(
    snapshot: &'s Snapshot,
    route: &'s Route,
    user: Option<&Principal>,
    authorized: Result<Permit<'s>, Denied<'s>>,
    verdict: Option<&Verdict>,
    denial: impl Fn(Denied<'s>) -> Refusal<'s>,
) -> Result<Permit<'s>, NoPermit<'s>> {
    let enforcement = snapshot.policy.enforcement(user, route.enforcement);
    let permit = in_force(authorized, enforcement).map_err(&denial)?;
    let denied_outside = denied_by_authorizer(route, user, verdict)?;
    let permit = permit
        .unless(denied_outside, enforcement)
        .map_err(&denial)?;
    // Only now: a user that is denied must not learn which users the upstream knows.
    let is_known_there = route.known_there.takes(user.map(|user| user.id));
    is_known_there
        .then_some(permit)
        .ok_or(Refusal::UnknownToUpstream.into())
}

/// What the route demands of everybody, then what its requirement demands of this user. Public routes demand nothing of
/// anybody, but a known user's `deny` counts.
fn authorized<'s>(
    snapshot: &'s Snapshot,
    route: &'s Route,
    asked: Option<(&Principal, &Requirement<'_>)>,
    public: Option<Permit<'s>>,
    facts: &Facts<'_>,
) -> Result<Permit<'s>, Denied<'s>> {
    let conditions = [
        route.condition.as_ref(),
        route.requirement.condition(facts.method),
    ];
    RouteRule {
        enabled_until: route.enabled_until,
        conditions,
    }
    .check(facts)?;
    match (public, asked) {
        (None, Some((known, requirement))) => snapshot.policy.authorize(known, requirement, facts),
        (None, None) => Err(Denied::NoPermission),
        (Some(permit), None) => Ok(permit),
        (Some(permit), Some((known, requirement))) => {
            let on_trial = snapshot.policy.refuse_denied(known, requirement, facts)?;
            Ok(permit.marked(on_trial))
        }
    }
}

/// The captures by name, where any condition could ask for them.
fn named_captures<'a>(
    snapshot: &Snapshot,
    route: &'a Route,
    captured: &Captured<'a>,
) -> Vec<(&'a str, &'a str)> {
    match snapshot.has_conditions {
        true => route
            .captures
            .iter()
            .map(AsRef::as_ref)
            .zip(captured.iter())
            .collect(),
        false => Vec::new(),
    }
}

/// CONNECT would open a tunnel past every decision; TRACE would show the client what we add for the upstream.
fn refuse_unforwarded_method(method: &str) -> Result<(), Refusal<'static>> {
    let never = ["CONNECT", "TRACE"]
        .iter()
        .any(|never| method.eq_ignore_ascii_case(never));
    if never {
        Err(Refusal::MethodNotForwarded)
    } else {
        Ok(())
    }
}

/// The one host that a request names: `:authority` and Host agree if both are there.
fn requested_host<'h>(
    authority: Option<&'h str>,
    fields: &JudgedFields<'h>,
) -> Result<HostName<'h>, Refusal<'static>> {
    let text = match (authority, fields.host.map_err(|_| Refusal::BadHost)?) {
        (Some(authority), None) => authority,
        (Some(authority), Some(host)) if host.eq_ignore_ascii_case(authority.as_bytes()) => {
            authority
        }
        (None, Some(host)) => std::str::from_utf8(host).map_err(|_| Refusal::BadHost)?,
        _ => return Err(Refusal::BadHost),
    };
    HostName::parse_authority(text).ok_or(Refusal::BadHost)
}

/// A connection opened under one server name may not ask for a host of another policy (RFC 9110 section 7.4).
fn belongs_to_connection(client: Client<'_>, host: &HostName<'_>) -> Result<(), Refusal<'static>> {
    match client.listener.host(Some(host)) {
        Some(policy) if Arc::ptr_eq(policy, client.host) => Ok(()),
        _ => Err(Refusal::Misdirected),
    }
}
