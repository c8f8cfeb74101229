//! From a final decision to what is sent, in one place for both HTTP engines: limits, responses of the gateway itself, upgrade,
//! identity and account of the client, the head for the upstream, and the permit to recheck. Sends nothing.

use super::account::{account, upstream_authorization};
use super::active_snapshot::{ActiveSnapshot, WorkerUpstream};
use super::checked_evidence::CheckedEvidence;
use super::client::ConnectedClient;
use super::client_view::ClientView;
use super::connection_facts::ConnectionFacts;
use super::limits;
use super::own_response::own_response;
use super::recheck::{HeadSource, LivePermit};
use super::record::Record;
use super::request::RequestDecision;
use crate::authorize::Permit;
use crate::buffer_pool::PooledBuffer;
use crate::forward::{
    ClientAddress, Framing, RequestEdit, RequestHeadParts, RequestKind, Upgrade, WrittenHead,
    grpc_timeout, requested_upgrade, write_request_head,
};
use crate::head::{Fields, RequestHead};
use crate::respond::{GatewayResponse, Rejection, ResponseFormat};
use crate::route::{Admission, CanonicalTarget, Route, RouteLimits};
use crate::upstream::{OutgoingRequest, RetryPolicy};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The client of a request, and the snapshot and evidence of the decision about it.
pub(super) struct DecidedClient<'a> {
    pub(super) client: &'a ConnectedClient,
    pub(super) facts: &'a Rc<ConnectionFacts>,
    pub(super) address: &'a ClientAddress,
    pub(super) active: &'a ActiveSnapshot,
    pub(super) view: &'a Rc<ClientView>,
    pub(super) checked: &'a CheckedEvidence,
}

/// A request as its engine received it.
pub(super) struct ReceivedRequest<'a, F: Fields + ?Sized> {
    pub(super) head: &'a RequestHead<'a, F>,
    /// The same head, for rechecks.
    pub(super) source: HeadSource<'a>,
    pub(super) framing: Framing,
    /// The HTTP version in `Via`.
    pub(super) version: &'static str,
    pub(super) upgrades: UpgradeSupport,
    pub(super) format: ResponseFormat,
}

/// Whether a request can switch protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpgradeSupport {
    Supported,
    /// The HTTP version has no upgrade, or a body would run into the tunnel. `Upgrade` is ignored.
    Ignored,
}

/// What is sent for a permitted request.
#[expect(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for each request"
)]
pub(super) enum RequestPlan {
    /// The gateway responds itself.
    Respond(GatewayResponse),
    Forward(ForwardPlan),
}

/// A request for an upstream.
pub(super) struct ForwardPlan {
    pub(super) upstream: Rc<WorkerUpstream>,
    pub(super) limits: RouteLimits,
    /// Rechecked while the request is open.
    pub(super) live_permit: LivePermit,
    pub(super) outgoing: OutgoingRequest,
}

/// A permitted request on its route.
struct Permitted<'a> {
    permit: Permit<'a>,
    route: &'a Arc<Route>,
    /// The method that was decided on.
    method: &'a str,
    target: CanonicalTarget<'a>,
}

/// Plans what is sent for a request with a final decision. A permitted request uses up limits.
///
/// # Errors
/// Why the request is refused.
pub(super) fn plan<'s: 'h, 'h, F: Fields + ?Sized>(
    record: &mut Record,
    client: &'s DecidedClient<'s>,
    request: &ReceivedRequest<'h, F>,
    decision: RequestDecision<'s, 'h>,
) -> Result<RequestPlan, Rejection<'s>> {
    record.decided(&decision, client.active);
    let permit = decision.decision.into_result()?;
    let (Some(route), Some(target)) = (decision.route, decision.target) else {
        return Err(Rejection::Internal("a permit without a route"));
    };
    let announced = match request.framing {
        Framing::Length(length) => Some(length),
        Framing::Chunked => None,
    };
    let snapshot = &client.active.snapshot;
    let user = client.checked.user(client.view);
    let allowance = limits::take(record, snapshot, route, user, announced)?;
    let method = decision.method;
    let own = own_response(
        &route.target,
        method,
        snapshot,
        client.view,
        client.checked,
        request.format,
    );
    if let Some(response) = own {
        return response.map(RequestPlan::Respond);
    }
    let worker_route = client.active.route(client.facts, route);
    let Some(upstream) = worker_route.upstream.clone() else {
        return Err(Rejection::Internal("a route without its upstream"));
    };
    let permitted = Permitted {
        permit,
        route,
        method,
        target,
    };
    let outgoing = client.outgoing(record, request, &permitted, &upstream, &allowance.limits)?;
    let live_permit =
        LivePermit::of(&request.source, client.view.clone(), client.checked).until(allowance.until);
    Ok(RequestPlan::Forward(ForwardPlan {
        upstream,
        limits: allowance.limits,
        live_permit,
        outgoing,
    }))
}

impl DecidedClient<'_> {
    /// Writes the head of the upstream request. Identity and account of the client, PROXY header, `Authorization` and fields of
    /// an authorizer are added nowhere else.
    fn outgoing<F: Fields + ?Sized>(
        &self,
        record: &Record,
        request: &ReceivedRequest<'_, F>,
        permitted: &Permitted<'_>,
        upstream: &WorkerUpstream,
        limits: &RouteLimits,
    ) -> Result<OutgoingRequest, Rejection<'static>> {
        let upgrade = match request.upgrades {
            UpgradeSupport::Supported if upstream.takes_upgrades() => {
                requested_upgrade(permitted.method, request.head.fields)
                    .map_err(Rejection::Upgrade)?
            }
            UpgradeSupport::Supported | UpgradeSupport::Ignored => Upgrade::None,
        };
        let route = permitted.route;
        let snapshot = &self.active.snapshot;
        // A public route does not tell the upstream who the client is, so the identity is not rendered.
        let view = (route.admission != Admission::Public).then_some(&**self.view);
        let identity =
            view.map(|view| self.client.identity(view, self.checked, upstream, snapshot));
        let preface = (self.client).preface(view, self.checked, upstream, snapshot, self.facts);
        let accounts = upstream.accounts.as_deref();
        let account = account(accounts, route.admission, self.view, self.checked).cloned();
        let edit = RequestEdit {
            identity: identity.as_deref(),
            client: self.address,
            requested_host: requested_host(request.head)?,
            request_id: record.request_id(),
            client_version: request.version,
            authorization: upstream_authorization(upstream, account.as_deref(), self.checked),
            upgrade,
            policy: snapshot.field_policy(route),
            authorizer: self.checked.authorizer_fields(),
        };
        let method = upstream.quirks.method(permitted.method);
        let parts = RequestHeadParts {
            method,
            target: permitted.target.pieces(),
            fields: request.head.fields,
            framing: request.framing,
        };
        let mut head = PooledBuffer::take();
        let WrittenHead { host, reuse } =
            write_request_head(&permitted.permit, &parts, &edit, &mut head);
        let connect_retry = upstream.quirks.connect_retry;
        // The client of a gRPC request with a deadline waits no longer.
        let deadline = grpc_timeout(request.head.fields).unwrap_or(Duration::MAX);
        let response_timeout = limits.response_timeout.min(deadline);
        Ok(OutgoingRequest {
            head,
            host,
            reuse,
            framing: request.framing,
            asked: RequestKind::by(method),
            upgrade,
            retry_policy: RetryPolicy::of(
                method,
                request.framing,
                upgrade,
                connect_retry,
                upstream.other_endpoints(),
            ),
            response_timeout,
            preface,
            account,
        })
    }
}

/// The host that the client requested, with its port.
fn requested_host<'a, F: Fields + ?Sized>(
    head: &RequestHead<'a, F>,
) -> Result<&'a str, Rejection<'static>> {
    let host = || std::str::from_utf8(head.fields.first_value("host")?).ok();
    let requested = head.authority.or_else(host);
    requested.ok_or(Rejection::Internal("a permit without a host"))
}
