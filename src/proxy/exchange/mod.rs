//! One request on hyper, from head to last byte: decision, response of the gateway or of an upstream, and record. Functions
//! are in the order of processing.

mod content;
mod context;
mod response;
mod upstream_request;

pub(super) use context::ConnectionContext;
pub(super) use response::RecordedBody;

use content::Content;
use response::Tunnel;
use upstream_request::ForwardObserver;

use super::active_snapshot::{ActiveSnapshot, WorkerUpstream};
use super::checked_evidence::CheckedEvidence;
use super::client_view::ClientView;
use super::decision_context::DecisionContext;
use super::evidence::{EvidenceCache, evidence_source};
use super::limits::{self, Allowance};
use super::own_answer::own_answer;
use super::record::Record;
use super::request::{Decision, DecisionRounds, RequestDecision, decide_with};
use crate::authorize::Permit;
use crate::clock;
use crate::forward::{Asked, BadUpgrade, Upgrade, requested_upgrade};
use crate::head::RequestHead;
use crate::limit::BodyEnd;
use crate::respond::{Consequence, Refusal, ResponseFormat, SlowPeer, refuse};
use crate::route::{CanonicalTarget, Route};
use crate::upstream::{Answer, ResponseContent, UpstreamError};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

/// Serves one request: decides about it, gathers evidence and decides again as needed, and carries the decision out.
pub(super) async fn serve_request(
    context: Rc<ConnectionContext>,
    mut request: Request<Incoming>,
) -> Response<RecordedBody> {
    let on_upgrade = on_upgrade(&mut request);
    let (parts, body) = request.into_parts();
    // Shared with the live permit, which is rechecked by the same head.
    let parts = Rc::new(parts);
    let head = request_head(&parts);
    let mut content = Content::Streamed(body);
    let mut evidence = EvidenceCache::default();
    let mut rounds = DecisionRounds::default();
    let mut body_end = None;
    let first = context.decision_context(&head);
    let mut record = context.new_record(&first.in_force.snapshot, &parts);
    let mut next = Some(first);
    loop {
        let current = next
            .take()
            .unwrap_or_else(|| context.decision_context(&head));
        let checked = evidence.checked(&current.in_force.snapshot);
        let decision = decide(&current, &checked, &head);
        let source = decision
            .as_ref()
            .filter(|_| body_end.is_none())
            .and_then(|decision| {
                let need = rounds.next_need(&decision.decision)?;
                let asker = context.asker(parts.version, record.request_id());
                evidence_source(need, decision, head.fields, &current, &checked, asker)
            });
        if let Some(source) = source {
            let gathering = context.gather_evidence(&mut evidence, source, &current, &mut content);
            body_end = Box::pin(gathering).await.err();
            continue;
        }
        record.set_evidence(&checked);
        record.set_client(current.view.clone());
        let exchange = Exchange {
            context: &context,
            in_force: &current.in_force,
            view: &current.view,
            checked: &checked,
            format: ResponseFormat::of_accept(&parts.headers),
        };
        let Some(mut decision) = decision else {
            return exchange.refuse(record, &Refusal::ListenerGone);
        };
        if let Some(end) = body_end {
            decision.decision = Decision::Deny(exchange.body_failure(end));
        }
        let request = ClientRequest {
            head: &parts,
            content,
            on_upgrade,
        };
        return exchange.carry_out(record, request, decision).await;
    }
}

fn request_head(parts: &Parts) -> RequestHead<'_, HeaderMap> {
    let target = parts.uri.path_and_query();
    RequestHead {
        method: parts.method.as_str(),
        target: target.map_or("", |target| target.as_str()),
        authority: parts.uri.authority().map(|authority| authority.as_str()),
        fields: &parts.headers,
    }
}

/// The upgrade of the connection, if this request can request one.
fn on_upgrade(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    match request.version() {
        // A body would run into the tunnel.
        Version::HTTP_11 if request.body().is_end_stream() => Some(hyper::upgrade::on(request)),
        _ => None,
    }
}

/// Decides about a request. `None` if the listener was removed.
fn decide<'s: 'h, 'h>(
    decision_context: &'s DecisionContext,
    checked: &'s CheckedEvidence,
    head: &RequestHead<'h, HeaderMap>,
) -> Option<RequestDecision<'s, 'h>> {
    let client = decision_context.view.client()?;
    Some(decide_with(
        &decision_context.in_force.snapshot,
        client,
        &checked.evidence,
        head,
    ))
}

/// A permitted request.
struct PermittedRequest<'s, 'h> {
    route: &'s Arc<Route>,
    permit: Permit<'s>,
    method: &'h str,
    target: CanonicalTarget<'h>,
    allowance: Allowance,
}

/// A request as the client sent it.
struct ClientRequest<'h> {
    head: &'h Rc<Parts>,
    content: Content,
    /// The upgrade of the connection, if it is possible.
    on_upgrade: Option<OnUpgrade>,
}

impl ClientRequest<'_> {
    /// The protocol that the client requests to switch to.
    fn upgrade(&self, method: &str) -> Result<Upgrade, BadUpgrade> {
        match self.on_upgrade {
            Some(_) => requested_upgrade(method, &self.head.headers),
            None => Ok(Upgrade::None),
        }
    }

    /// The upgrade of the connection, unless no switch of protocols was accepted.
    fn take_upgrade(&mut self, upgrade: Upgrade) -> Option<OnUpgrade> {
        self.on_upgrade.take().filter(|_| upgrade != Upgrade::None)
    }
}

/// A request with the context of its final decision.
struct Exchange<'a> {
    context: &'a Rc<ConnectionContext>,
    in_force: &'a ActiveSnapshot,
    view: &'a Rc<ClientView>,
    checked: &'a CheckedEvidence,
    format: ResponseFormat,
}

impl Exchange<'_> {
    fn refuse(&self, mut record: Record, refusal: &Refusal<'_>) -> Response<RecordedBody> {
        record.failed(refusal);
        let response = refuse(refusal, self.format, record.request_id());
        let mut response = self.gateway_response(record, response);
        let shares_bytes = self.context.guard.is_some();
        let closes = match refusal.consequence() {
            Consequence::None => false,
            Consequence::SharedBytesEnd => shares_bytes,
            Consequence::ConnectionEnds => true,
        };
        if closes {
            self.context.close.cancel();
            if shares_bytes {
                response
                    .headers_mut()
                    .insert(http::header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response
    }

    /// Carries out a final decision: forwards the request, or responds.
    async fn carry_out(
        &self,
        mut record: Record,
        request: ClientRequest<'_>,
        request_decision: RequestDecision<'_, '_>,
    ) -> Response<RecordedBody> {
        record.decided(&request_decision, self.in_force);
        let RequestDecision {
            method,
            target,
            route,
            decision,
            ..
        } = request_decision;
        let permit = match decision.into_result() {
            Ok(permit) => permit,
            Err(refusal) => return self.refuse(record, &refusal),
        };
        let (Some(route), Some(target)) = (route, target) else {
            return self.refuse(record, &Refusal::Internal("a permit without a route"));
        };
        let user = self.checked.user(self.view);
        let min_length = Some(request.content.size_hint().lower());
        let snapshot = &self.in_force.snapshot;
        match limits::take(&mut record, snapshot, route, user, min_length) {
            Err(refusal) => self.refuse(record, &refusal),
            Ok(allowance) => {
                let permitted = PermittedRequest {
                    route,
                    permit,
                    method,
                    target,
                    allowance,
                };
                self.serve_permitted(record, request, permitted).await
            }
        }
    }

    async fn serve_permitted(
        &self,
        record: Record,
        request: ClientRequest<'_>,
        permitted: PermittedRequest<'_, '_>,
    ) -> Response<RecordedBody> {
        let snapshot = &self.in_force.snapshot;
        if let Some(result) = own_answer(
            &permitted.route.target,
            permitted.method,
            snapshot,
            self.view,
            self.checked,
            self.format,
        ) {
            return match result {
                Ok(response) => self.gateway_response(record, response),
                Err(refusal) => self.refuse(record, &refusal),
            };
        }
        match self
            .in_force
            .route(&self.context.facts, permitted.route)
            .upstream
            .clone()
        {
            Some(upstream) => self.forward(record, request, permitted, &upstream).await,
            None => self.refuse(record, &Refusal::Internal("a route without its upstream")),
        }
    }

    async fn forward(
        &self,
        mut record: Record,
        mut request: ClientRequest<'_>,
        permitted: PermittedRequest<'_, '_>,
        upstream: &WorkerUpstream,
    ) -> Response<RecordedBody> {
        let limits = permitted.allowance.limits;
        let request_meter = record.meters().request.clone();
        let head = request.head;
        let upgrade = match request.upgrade(permitted.method) {
            Ok(upgrade) => upgrade,
            Err(bad) => return self.refuse(record, &Refusal::Upgrade(bad)),
        };
        let on_upgrade = request.take_upgrade(upgrade);
        let client_method = Asked::by(head.method.as_str());
        let Some((upstream_request, live_permit)) =
            self.upstream_request(&mut record, request, &permitted, upstream, upgrade)
        else {
            return self.refuse(record, &Refusal::Internal("a head that cannot be written"));
        };
        let open = self.context.open.begin(live_permit);
        let interim = self.interim(head.version, &record);
        let observer = ForwardObserver {
            record: &mut record,
            client_method,
            interim: interim.as_ref(),
        };
        let outcome = tokio::select! {
            biased;
            withdrawal = poll_fn(|context| open.poll_withdrawn(context)) => {
                let slow = if request_meter.waits_for_sender() { SlowPeer::Client } else { SlowPeer::Upstream };
                Err(Refusal::Withdrawn(withdrawal.while_waiting_for(slow)))
            }
            outcome = upstream.send(upstream_request, observer) => outcome.map_err(|error| self.upstream_failure(error)),
        };
        if let Some(guard) = &self.context.guard {
            guard.forbid_interim();
        }
        let Answer { head, behind, .. } = match outcome {
            Err(refusal) => {
                if let Refusal::Withdrawn(withdrawal) = &refusal {
                    record.cut("stream", withdrawal);
                }
                return self.refuse(record, &refusal);
            }
            Ok(answer) => answer,
        };
        record.answered_at(clock::now());
        match (behind, on_upgrade) {
            (ResponseContent::Body(mut body), _) => {
                // With a method override, the upstream's response can have a body that one to HEAD must not have.
                if client_method == Asked::Head && !body.is_end_stream() {
                    body.discard();
                }
                self.send_response(record, open, head, body, limits)
            }
            (ResponseContent::Stream(stream), Some(client)) => {
                let tunnel = Tunnel::new(record, open, client, stream, limits);
                self.tunnel(tunnel, head.fields)
            }
            (ResponseContent::Stream(_), None) => self.refuse(
                record,
                &Refusal::Internal("the upstream left HTTP without being asked"),
            ),
        }
    }

    /// The refusal for a failed upstream request. A failed request body is the client's fault and has refusals of its own.
    fn upstream_failure(&self, error: UpstreamError) -> Refusal<'static> {
        match error {
            UpstreamError::RequestBody(end) => self.body_failure(end),
            error => Refusal::Upstream(error),
        }
    }

    fn body_failure(&self, end: BodyEnd) -> Refusal<'static> {
        let broken = self
            .context
            .guard
            .as_ref()
            .and_then(|guard| guard.broken_body());
        broken.map_or(Refusal::Body(end), Refusal::Framing)
    }
}
