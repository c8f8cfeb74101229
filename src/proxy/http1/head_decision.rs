//! The decision about one request head. A permitted request is rendered for its upstream; for any other, the gateway responds
//! itself. Sends nothing.

use super::outcome::{GatewayBody, HeadOutcome, PendingDecision, RecordedResponse};
use super::render::{ForwardDecision, ForwardedRequest, HeadInputs, render_request};
use super::{HandOverReason, KeepAlive, UnreadInput};
use crate::forward::{
    BadUpgrade, ClientAddress, Framing, HttpVersion, ParsedHead, Upgrade, requested_upgrade,
};
use crate::head::RequestHead;
use crate::proxy::account::account;
use crate::proxy::checked_evidence::CheckedEvidence;
use crate::proxy::client::ConnectedClient;
use crate::proxy::connection_facts::ConnectionFacts;
use crate::proxy::decision_context::DecisionContext;
use crate::proxy::evidence::{EvidenceCache, EvidenceSource, evidence_source};
use crate::proxy::limits;
use crate::proxy::own_answer::own_answer;
use crate::proxy::question::RequestOrigin;
use crate::proxy::recheck::LivePermit;
use crate::proxy::record::{Record, RequestLine};
use crate::proxy::request::{DecisionRounds, Need, RequestDecision, decide_with};
use crate::proxy::{RequestId, Shared};
use crate::respond::{Consequence, GatewayResponse, Refusal, ResponseFormat, refuse};
use crate::route::{Admission, Target};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// Inputs of a decision beside the parsed head.
pub(super) struct DecisionInput<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) facts: &'a Rc<ConnectionFacts>,
    pub(super) client: &'a ConnectedClient,
    pub(super) address: &'a ClientAddress,
    /// The bytes of the head.
    pub(super) bytes: &'a [u8],
    /// When the head was complete.
    pub(super) now: Instant,
    /// Evidence that earlier decision rounds gathered.
    pub(super) evidence: Option<&'a EvidenceCache>,
    pub(super) request_id: RequestId,
    pub(super) rounds: DecisionRounds,
}

/// Decides about a head.
pub(super) fn decide_head(
    input: &DecisionInput<'_>,
    head: &ParsedHead<'_, '_>,
    slot: &mut Option<ForwardedRequest>,
) -> HeadOutcome {
    match head {
        ParsedHead {
            version: HttpVersion::Http10,
            ..
        } => HeadOutcome::HandOver(HandOverReason::Http10),
        ParsedHead { target, .. } if !target.starts_with('/') => {
            HeadOutcome::HandOver(HandOverReason::TargetForm)
        }
        _ => {
            // Gathering evidence may have taken a while.
            let now = input
                .evidence
                .map_or(input.now.into_std(), |_| std::time::Instant::now());
            let context = DecisionContext::at(input.shared, input.client, head.fields, now);
            let checked = input
                .evidence
                .map_or_else(CheckedEvidence::default, |evidence| {
                    evidence.checked(&context.in_force.snapshot)
                });
            HeadDecision {
                input,
                head,
                context: &context,
                checked: &checked,
            }
            .decide(slot)
        }
    }
}

/// A head with what the decision about it depends on.
struct HeadDecision<'a> {
    input: &'a DecisionInput<'a>,
    head: &'a ParsedHead<'a, 'a>,
    context: &'a DecisionContext,
    checked: &'a CheckedEvidence,
}

impl HeadDecision<'_> {
    fn decide(&self, slot: &mut Option<ForwardedRequest>) -> HeadOutcome {
        let Some(client) = self.context.view.client() else {
            return self.refuse(self.record(), &Refusal::ListenerGone);
        };
        let head = RequestHead {
            method: self.head.method,
            target: self.head.target,
            authority: None,
            fields: self.head.fields,
        };
        let snapshot = &self.context.in_force.snapshot;
        let decision = decide_with(snapshot, client, &self.checked.evidence, &head);
        let mut rounds = self.input.rounds;
        match rounds.next_need(&decision.decision) {
            Some(Need::Body) => HeadOutcome::HandOver(HandOverReason::BodyDecides),
            Some(need) => match self.evidence_source(need, &decision) {
                Some(source) => self.needs_evidence(source, rounds),
                None => self.carry_out(decision, slot),
            },
            None => self.carry_out(decision, slot),
        }
    }

    /// The source of the evidence that the decision needs.
    fn evidence_source(
        &self,
        need: Need,
        decision: &RequestDecision<'_, '_>,
    ) -> Option<EvidenceSource> {
        let origin = RequestOrigin {
            client: self.input.client,
            facts: self.input.facts,
            protocol: "HTTP/1.1",
            request_id: &self.input.request_id,
        };
        evidence_source(
            need,
            decision,
            self.head.fields,
            self.context,
            self.checked,
            origin,
        )
    }

    fn needs_evidence(&self, source: EvidenceSource, rounds: DecisionRounds) -> HeadOutcome {
        let context = DecisionContext {
            in_force: self.context.in_force.clone(),
            view: self.context.view.clone(),
        };
        let request_id = self.input.request_id;
        HeadOutcome::NeedsEvidence(Box::new(PendingDecision {
            source,
            context,
            request_id,
            rounds,
        }))
    }

    /// Carries out a final decision: renders the request for the upstream, or responds.
    fn carry_out(
        &self,
        request_decision: RequestDecision<'_, '_>,
        slot: &mut Option<ForwardedRequest>,
    ) -> HeadOutcome {
        let mut record = self.record();
        record.decided(&request_decision, &self.context.in_force);
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
        let (Some(route), Some(target)) = (route, &target) else {
            return self.refuse(record, &Refusal::Internal("a permit without a route"));
        };
        let content_length = match self.head.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let user = self.checked.user(&self.context.view);
        let snapshot = &self.context.in_force.snapshot;
        let allowance = match limits::take(&mut record, snapshot, route, user, content_length) {
            Ok(allowance) => allowance,
            Err(refusal) => return self.refuse(record, &refusal),
        };
        let worker_route = self.context.in_force.route(self.input.facts, route);
        let Some(upstream) = worker_route.upstream.clone() else {
            return self.gateway_response(record, &route.target, method);
        };
        let upgrade = match self.upgrade(method) {
            Ok(upgrade) => upgrade,
            Err(bad) => return self.refuse(record, &Refusal::Upgrade(bad)),
        };
        let decision = ForwardDecision {
            permit: &permit,
            route,
            method,
            target,
            upstream,
            allowance,
            upgrade,
        };
        let inputs = self.head_inputs(&decision);
        *slot = Some(render_request(record, decision, inputs));
        HeadOutcome::Forward
    }

    /// The requested upgrade. Ignored for a request with a body, which would run into the tunnel.
    fn upgrade(&self, method: &str) -> Result<Upgrade, BadUpgrade> {
        match self.head.framing {
            Framing::Length(0) => requested_upgrade(method, self.head.fields),
            Framing::Length(_) | Framing::Chunked => Ok(Upgrade::None),
        }
    }

    /// Collects what the head of the upstream request is rendered from.
    fn head_inputs<'a>(&'a self, decision: &ForwardDecision<'a>) -> HeadInputs<'a> {
        let DecisionInput {
            client,
            facts,
            bytes,
            address,
            ..
        } = *self.input;
        let snapshot = &self.context.in_force.snapshot;
        // A public route does not tell the upstream who the client is, so the identity is not rendered.
        let view = (decision.route.admission != Admission::Public).then_some(&*self.context.view);
        let identity =
            view.map(|view| client.identity(view, self.checked, &decision.upstream, snapshot));
        let preface = client.preface(view, self.checked, &decision.upstream, snapshot, facts);
        let live_permit = LivePermit::of_bytes(bytes, self.context.view.clone(), self.checked)
            .until(decision.allowance.until);
        let account = account(
            decision.upstream.accounts.as_deref(),
            decision.route.admission,
            &self.context.view,
            self.checked,
        )
        .cloned();
        let policy = snapshot.field_policy(decision.route);
        HeadInputs {
            head: self.head,
            identity,
            address,
            preface,
            live_permit,
            checked: self.checked,
            policy,
            account,
        }
    }

    fn record(&self) -> Record {
        let version = self.context.in_force.snapshot.version();
        let mut record = Record::new(
            self.input.facts.clone(),
            "HTTP/1.1",
            version,
            self.input.request_id,
            RequestLine {
                method: self.head.method,
                target: self.head.target,
            },
        )
        .begun_at(self.input.now.into_std());
        record.set_client(self.context.view.clone());
        record.set_evidence(self.checked);
        record
    }

    fn refuse(&self, mut record: Record, refusal: &Refusal<'_>) -> HeadOutcome {
        record.failed(refusal);
        let response = refuse(
            refusal,
            ResponseFormat::of_accept(self.head.fields),
            record.request_id(),
        );
        let keep = match refusal.consequence() {
            Consequence::None => KeepAlive::of_request(self.head),
            Consequence::SharedBytesEnd | Consequence::ConnectionEnds => KeepAlive::Close,
        };
        self.respond(record, response, keep)
    }

    fn gateway_response(&self, record: Record, target: &Target, method: &str) -> HeadOutcome {
        let format = ResponseFormat::of_accept(self.head.fields);
        match own_answer(
            target,
            method,
            &self.context.in_force.snapshot,
            &self.context.view,
            self.checked,
            format,
        ) {
            Some(Ok(response)) => self.respond(record, response, KeepAlive::of_request(self.head)),
            Some(Err(refusal)) => self.refuse(record, &refusal),
            None => self.refuse(record, &Refusal::Internal("a route without its upstream")),
        }
    }

    fn respond(&self, record: Record, response: GatewayResponse, keep: KeepAlive) -> HeadOutcome {
        let body = if self.head.method == "HEAD" {
            GatewayBody::LengthOnly
        } else {
            GatewayBody::Sent
        };
        HeadOutcome::Respond(Box::new(RecordedResponse {
            record,
            response,
            keep,
            body,
            unread: UnreadInput::Absent,
        }))
    }
}
