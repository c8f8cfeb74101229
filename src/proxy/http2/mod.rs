//! One HTTP/2 request, from head to last byte: decision, response of the gateway or of an upstream, and record. Functions
//! are in the order of processing.

mod content;
mod context;
mod response;
mod server;
mod upstream_request;

pub(super) use context::ConnectionContext;
pub(super) use server::serve;

use content::Content;
use response::RecordedBody;
use upstream_request::{ForwardObserver, framing_of, upstream_request};

use super::active_snapshot::ActiveSnapshot;
use super::checked_evidence::CheckedEvidence;
use super::client_view::ClientView;
use super::decision_context::DecisionContext;
use super::evidence::{EvidenceCache, evidence_source};
use super::plan::{DecidedClient, ForwardPlan, ReceivedRequest, RequestPlan, UpgradeSupport, plan};
use super::recheck::HeadSource;
use super::record::Record;
use super::request::{Decision, DecisionRounds, RequestDecision, decide_with};
use crate::clock;
use crate::forward::RequestKind;
use crate::head::RequestHead;
use crate::respond::{Consequence, Rejection, ResponseFormat, SlowPeer, refuse};
use crate::upstream::{UpstreamError, UpstreamResponse};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use std::future::poll_fn;
use std::rc::Rc;

/// Serves one request: decides about it, gathers evidence and decides again as needed, and carries the decision out.
pub(super) async fn serve_request(
    context: Rc<ConnectionContext>,
    request: Request<Incoming>,
) -> Response<RecordedBody> {
    let (parts, body) = request.into_parts();
    // Shared with the live permit, which is rechecked by the same head.
    let parts = Rc::new(parts);
    let head = request_head(&parts);
    let mut content = Content::Streamed(body);
    let mut evidence = EvidenceCache::default();
    let mut rounds = DecisionRounds::default();
    let mut body_fault = None;
    let first = context.decision_context(&head);
    let mut record = context.new_record(&first.active.snapshot, &parts);
    let mut next = Some(first);
    loop {
        let current = next
            .take()
            .unwrap_or_else(|| context.decision_context(&head));
        let checked = evidence.checked(&current.active.snapshot);
        let decision = decide(&current, &checked, &head);
        let source = decision
            .as_ref()
            .filter(|_| body_fault.is_none())
            .and_then(|decision| {
                let need = rounds.next_need(&decision.decision)?;
                let asker = context.asker(record.request_id());
                evidence_source(need, decision, head.fields, &current, &checked, asker)
            });
        if let Some(source) = source {
            let gathering = context.gather_evidence(&mut evidence, source, &current, &mut content);
            body_fault = Box::pin(gathering).await.err();
            continue;
        }
        record.set_evidence(&checked);
        record.set_client(current.view.clone());
        let exchange = Exchange {
            context: &context,
            active: &current.active,
            view: &current.view,
            checked: &checked,
            format: ResponseFormat::of_http2(&parts.headers),
            method: RequestKind::by(parts.method.as_str()),
        };
        let Some(mut decision) = decision else {
            return exchange.refuse(record, &Rejection::ListenerGone);
        };
        if let Some(fault) = body_fault {
            decision.decision = Decision::Deny(fault.rejection());
        }
        return exchange.carry_out(record, &parts, content, decision).await;
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

/// Decides about a request. `None` if the listener was removed.
fn decide<'s: 'h, 'h>(
    decision_context: &'s DecisionContext,
    checked: &'s CheckedEvidence,
    head: &RequestHead<'h, HeaderMap>,
) -> Option<RequestDecision<'s, 'h>> {
    let client = decision_context.view.client()?;
    Some(decide_with(
        &decision_context.active.snapshot,
        client,
        &checked.evidence,
        head,
    ))
}

/// A request with the context of its final decision.
struct Exchange<'a> {
    context: &'a Rc<ConnectionContext>,
    active: &'a ActiveSnapshot,
    view: &'a Rc<ClientView>,
    checked: &'a CheckedEvidence,
    format: ResponseFormat,
    /// Kind of the client's method.
    method: RequestKind,
}

impl Exchange<'_> {
    fn refuse(&self, mut record: Record, rejection: &Rejection<'_>) -> Response<RecordedBody> {
        record.failed(rejection);
        let response = refuse(rejection, self.format, record.request_id());
        if rejection.reason().consequence() == Consequence::ConnectionEnds {
            self.context.close.cancel();
        }
        self.gateway_response(record, response)
    }

    /// Carries out a final decision: forwards the request, or responds.
    async fn carry_out(
        &self,
        mut record: Record,
        head: &Rc<Parts>,
        content: Content,
        decision: RequestDecision<'_, '_>,
    ) -> Response<RecordedBody> {
        let request = ReceivedRequest {
            head: &request_head(head),
            source: HeadSource::Parts(head),
            framing: framing_of(&content),
            version: "2.0",
            upgrades: UpgradeSupport::Ignored,
            format: self.format,
        };
        let client = DecidedClient {
            client: &self.context.client,
            facts: &self.context.facts,
            address: &self.context.address,
            active: self.active,
            view: self.view,
            checked: self.checked,
        };
        match plan(&mut record, &client, &request, decision) {
            Ok(RequestPlan::Respond(response)) => self.gateway_response(record, response),
            Ok(RequestPlan::Forward(plan)) => self.forward(record, content, plan).await,
            Err(rejection) => self.refuse(record, &rejection),
        }
    }

    async fn forward(
        &self,
        mut record: Record,
        content: Content,
        plan: ForwardPlan,
    ) -> Response<RecordedBody> {
        let ForwardPlan {
            upstream,
            limits,
            live_permit,
            outgoing,
        } = plan;
        let upstream_request = upstream_request(&mut record, content, outgoing, &limits);
        let request_meter = upstream_request.meter.clone();
        let open = self.context.open.begin(live_permit);
        let observer = ForwardObserver {
            record: &mut record,
            client_method: self.method,
        };
        let outcome = tokio::select! {
            biased;
            withdrawal = poll_fn(|context| open.poll_withdrawn(context)) => {
                let slow = if request_meter.waits_for_sender() { SlowPeer::Client } else { SlowPeer::Upstream };
                Err(Rejection::Withdrawn(withdrawal.while_waiting_for(slow)))
            }
            outcome = upstream.send(upstream_request, observer) => outcome.map_err(upstream_failure),
        };
        let UpstreamResponse { head, mut body, .. } = match outcome {
            Err(rejection) => {
                if let Rejection::Withdrawn(withdrawal) = &rejection {
                    record.cut("stream", withdrawal);
                }
                return self.refuse(record, &rejection);
            }
            Ok(answer) => answer,
        };
        record.responded_at(clock::now());
        // With a method override, the upstream's response can have a body that one to HEAD must not have.
        if self.method == RequestKind::Head && !body.is_end_stream() {
            body.discard();
        }
        self.send_response(record, open, head, body, limits)
    }
}

/// The rejection for a failed upstream request. A failed request body is the client's fault and has refusals of its own.
fn upstream_failure(error: UpstreamError) -> Rejection<'static> {
    match error {
        UpstreamError::RequestBody(end) => Rejection::Body(end),
        error => Rejection::Upstream(error),
    }
}
