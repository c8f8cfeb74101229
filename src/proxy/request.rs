//! Decides about a request: route, ApiUser, requirement, permission. The page to read first. Pure: no socket, no clock,
//! no HTTP engine. Both engines and `plan` call [`decide_with`]; `explain` calls [`decide_traced`], which is the same function
//! with a recorder of its steps.

mod authentication;
mod authorizer_verdict;
mod decision;
mod denials;
mod fields;
mod paths;

pub use authentication::{ClientIdentity, PresentedCredentials, shows_its_own_certificate};
pub use decision::{Decision, DecisionRounds, Need};

use authentication::{authenticated_user, principal, reject_invalid_client};
use authorizer_verdict::denied_by_authorizer;
use decision::NoPermit;
use fields::{DecisionFields, effective_request_method};
use paths::leads_to_one_route;

use crate::authorize::{
    Denied, EnforcementSetting, NoTrace, Permit, RouteRule, Trace, apply_enforcement, public_permit,
};
use crate::authorizer::Verdict;
use crate::condition::Facts;
use crate::forward::SentHeaders;
use crate::head::{Fields, RequestHead};
use crate::host::HostName;
use crate::identity::Principal;
use crate::respond::Rejection;
use crate::route::icinga2::BodyEventTypes;
use crate::route::{Admission, CanonicalTarget, Captured, Requirement, Route};
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::{HostPolicy, PeerCertificate, TrustDomainId};
use std::net::IpAddr;
use std::sync::Arc;

/// The client, place and time of a request.
#[derive(Clone, Copy)]
pub struct Client<'s> {
    /// The listener of the connection.
    pub listener: &'s ListenerPolicy,
    /// The policy of the server name of the handshake.
    pub host: &'s Arc<HostPolicy>,
    /// The identity of the client.
    pub identity: &'s ClientIdentity,
    /// The trust domain that verified the client.
    pub verified_by: Option<TrustDomainId>,
    /// The verified certificate.
    pub certificate: Option<&'s PeerCertificate>,
    /// The address of the client.
    pub source: IpAddr,
    /// Seconds since 1970.
    pub now: i64,
}

/// The evidence for a decision beside the request head and the certificate.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The credentials of the request.
    pub presented: PresentedCredentials,
    /// The content of the body, if it was read.
    pub body: Option<BodyEventTypes>,
    /// The verdict of the external authorizer of the route, if it was requested.
    pub verdict: Option<Verdict>,
}

/// A decision and the facts that it was made from, for responses, logs and explanations.
///
/// Borrows from the snapshot (`'s`) and from the request head (`'h`).
pub struct RequestDecision<'s, 'h> {
    /// The method that was authorized. The upstream request has the same.
    pub method: &'h str,
    /// Path and query, if there is a canonical path.
    pub target: Option<CanonicalTarget<'h>>,
    /// The host, if it is valid.
    pub host: Option<HostName<'h>>,
    /// The route.
    pub route: Option<&'s Arc<Route>>,
    /// The ApiUser, if the route identifies clients.
    pub user: Option<&'s Principal>,
    /// What the route requires of this request.
    pub requirement: Option<Requirement<'h>>,
    /// The decision.
    pub decision: Decision<'s>,
}

/// Decides about a request by one snapshot and the certificate of its connection. Where the route makes that depend on
/// more, the decision is [`Decision::Needs`]; [`decide_with`] decides with evidence of that kind.
pub fn decide<'s: 'h, 'h, F: Fields + ?Sized>(
    snapshot: &'s Snapshot,
    client: Client<'s>,
    head: &RequestHead<'h, F>,
) -> RequestDecision<'s, 'h> {
    static NOTHING: Evidence = Evidence {
        presented: PresentedCredentials::Unchecked,
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
    decide_traced(snapshot, client, evidence, head, &mut NoTrace)
}

/// As [`decide_with`]. `trace` observes which conditions and permissions are evaluated.
pub fn decide_traced<'s: 'h, 'h, F: Fields + ?Sized>(
    snapshot: &'s Snapshot,
    client: Client<'s>,
    evidence: &'s Evidence,
    head: &RequestHead<'h, F>,
    trace: &mut impl Trace,
) -> RequestDecision<'s, 'h> {
    let mut decided = RequestDecision {
        method: head.method,
        target: None,
        host: None,
        route: None,
        user: None,
        requirement: None,
        decision: Decision::Deny(Rejection::Internal("not decided")),
    };
    decided.decision = run_phases(snapshot, client, evidence, head, &mut decided, trace).into();
    decided
}

/// Runs the phases in order. `decided` keeps the results of each phase, also if a later one denies the request.
fn run_phases<'s: 'h, 'h, F: Fields + ?Sized>(
    snapshot: &'s Snapshot,
    client: Client<'s>,
    evidence: &'s Evidence,
    head: &RequestHead<'h, F>,
    decided: &mut RequestDecision<'s, 'h>,
    trace: &mut impl Trace,
) -> Result<Permit<'s>, NoPermit<'s>> {
    reject_invalid_client(client.identity)?;
    reject_unforwarded_method(head.method)?;
    let fields = DecisionFields::of(head.fields, &snapshot.decision_fields);
    let host = requested_host(head.authority, &fields)?;
    let host = decided.host.insert(host);
    check_host_of_connection(client, host)?;
    fields.reject_two_readings()?;
    let canonical = CanonicalTarget::parse(head.target).map_err(Rejection::BadPath)?;
    let target = decided.target.insert(canonical);

    let (route, captured) = find_route(client, host, &target.path)?;
    decided.route = Some(route);
    let public = public_permit(route.admission);
    let user = match public {
        None => Some(check_client(client, evidence, route)?),
        Some(_) => user_of_public_route(route, client.identity),
    };
    leads_to_one_route(client, host, route, target)?;
    decided.method =
        effective_request_method(head.method, &fields, target.query.as_deref(), route)?;

    decided.user = user;
    let captures = named_captures(snapshot, route, &captured);
    let shows_own =
        user.is_some() && shows_its_own_certificate(client.identity, &evidence.presented);
    let domain = client.verified_by.filter(|_| shows_own);
    let headers = SentHeaders {
        fields: head.fields,
        policy: snapshot.field_policy(route),
    };
    let facts = Facts {
        method: decided.method,
        path: &target.path,
        query: target.query.as_deref(),
        host: host.as_str(),
        captures: &captures,
        headers: &headers,
        certificate: client.certificate.filter(|_| shows_own),
        trust_domain: domain.and_then(|id| snapshot.domain_name(id)),
        user: user.map_or("", |user| &user.name),
        source: client.source,
        now: client.now,
    };
    decided.requirement = match public {
        Some(_) => user.map(|_| method_and_path(decided.method, target)),
        None => {
            let body = evidence.body.as_ref();
            let requirement =
                (route.requirement).for_request(decided.method, target, &captured, body);
            let no_requirement = |why| denials::without_requirement(why, route, &target.path, head);
            Some(requirement.map_err(no_requirement)?)
        }
    };
    let required = user.zip(decided.requirement.as_ref());
    let authorized = authorized(snapshot, route, required, public, &facts, trace);
    let enforcement = snapshot.policy.enforcement(user, route.enforcement);
    trace.authorized(&authorized, enforcement);
    let denial = |why| denials::denied(why, route, &target.path);
    let verdict = evidence.verdict.as_ref();
    enforce(route, user, authorized, enforcement, verdict, denial)
}

/// The route of the request. An unauthenticated client does not learn which paths exist.
fn find_route<'s, 'p>(
    client: Client<'s>,
    host: &HostName<'_>,
    path: &'p str,
) -> Result<(&'s Arc<Route>, Captured<'p>), NoPermit<'s>> {
    match client.listener.routes.find(Some(host), path) {
        Some(found) => Ok(found),
        None => {
            principal(client.identity)?;
            Err(Rejection::NoRoute.into())
        }
    }
}

/// The user of a route that is not public, if the client may use it. Runs before any check whose result would show an
/// unauthenticated client that the route exists.
fn check_client<'s>(
    client: Client<'s>,
    evidence: &'s Evidence,
    route: &Route,
) -> Result<&'s Principal, NoPermit<'s>> {
    let user = authenticated_user(route.credentials, client.identity, &evidence.presented)?;
    match route.verified_by.takes(client.verified_by) {
        true => Ok(user),
        false => Err(Rejection::WrongTrustDomain.into()),
    }
}

/// The requirement that is compared with the `deny` list of a known user on a public route.
fn method_and_path<'h>(method: &'h str, target: &CanonicalTarget<'h>) -> Requirement<'h> {
    Requirement::MethodAndPath {
        method,
        path: target.path.clone(),
    }
}

/// The ApiUser of a request on a public route, if the route identifies clients.
fn user_of_public_route<'s>(route: &Route, identity: &'s ClientIdentity) -> Option<&'s Principal> {
    match identity {
        ClientIdentity::Known(user) if route.admission == Admission::PublicWithIdentity => {
            Some(user)
        }
        _ => None,
    }
}

/// The permit after shadow mode, the verdict of the external authorizer, and the check for an upstream account.
fn enforce<'s>(
    route: &'s Route,
    user: Option<&Principal>,
    authorized: Result<Permit<'s>, Denied<'s>>,
    enforcement: EnforcementSetting,
    verdict: Option<&Verdict>,
    denial: impl Fn(Denied<'s>) -> Rejection<'s>,
) -> Result<Permit<'s>, NoPermit<'s>> {
    let permit = apply_enforcement(authorized, enforcement.mode).map_err(&denial)?;
    let denied_outside = denied_by_authorizer(route, user, verdict)?;
    let permit = permit
        .with_denial(denied_outside, enforcement.mode)
        .map_err(&denial)?;
    // The last check: a user that is denied must not learn which users the upstream knows.
    let has_account = route.known_users.takes(user.map(|user| user.id));
    has_account
        .then_some(permit)
        .ok_or(Rejection::UnknownToUpstream.into())
}

/// Checks the conditions of the route, then the permissions of the user. Public routes require no permission, but a
/// `deny` of a known user applies.
fn authorized<'s>(
    snapshot: &'s Snapshot,
    route: &'s Route,
    required: Option<(&Principal, &Requirement<'_>)>,
    public: Option<Permit<'s>>,
    facts: &Facts<'_>,
    trace: &mut impl Trace,
) -> Result<Permit<'s>, Denied<'s>> {
    let conditions = [
        route.condition.as_ref(),
        route.requirement.condition(facts.method),
    ];
    RouteRule {
        enabled_until: route.enabled_until,
        conditions,
    }
    .check(facts, trace)?;
    match (public, required) {
        (None, Some((user, requirement))) => {
            snapshot.policy.authorize(user, requirement, facts, trace)
        }
        (None, None) => Err(Denied::NoPermission),
        (Some(permit), None) => Ok(permit),
        (Some(permit), Some((user, requirement))) => {
            let policy = &snapshot.policy;
            let on_trial = policy.check_denies(user, requirement, facts, trace)?;
            Ok(permit.with_shadowed(on_trial))
        }
    }
}

/// The captures by name. Empty if no condition can use them.
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

/// CONNECT would open a tunnel without decisions; TRACE would show the client the fields that we add for the upstream.
fn reject_unforwarded_method(method: &str) -> Result<(), Rejection<'static>> {
    let is_never_forwarded = ["CONNECT", "TRACE"]
        .iter()
        .any(|name| method.eq_ignore_ascii_case(name));
    if is_never_forwarded {
        Err(Rejection::MethodNotForwarded)
    } else {
        Ok(())
    }
}

/// The host of a request: `:authority` or Host. Both must agree if both are present.
fn requested_host<'h>(
    authority: Option<&'h str>,
    fields: &DecisionFields<'h>,
) -> Result<HostName<'h>, Rejection<'static>> {
    let text = match (authority, fields.host.map_err(|_| Rejection::BadHost)?) {
        (Some(authority), None) => authority,
        (Some(authority), Some(host)) if host.eq_ignore_ascii_case(authority.as_bytes()) => {
            authority
        }
        (None, Some(host)) => std::str::from_utf8(host).map_err(|_| Rejection::BadHost)?,
        _ => return Err(Rejection::BadHost),
    };
    HostName::parse_authority(text).ok_or(Rejection::BadHost)
}

/// Rejects a host with another policy than the server name of the connection (RFC 9110 section 7.4).
fn check_host_of_connection(
    client: Client<'_>,
    host: &HostName<'_>,
) -> Result<(), Rejection<'static>> {
    match client.listener.host(Some(host)) {
        Some(policy) if Arc::ptr_eq(policy, client.host) => Ok(()),
        _ => Err(Rejection::Misdirected),
    }
}

#[cfg(test)]
mod tests;
