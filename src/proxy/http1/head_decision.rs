//! The decision about one request head. A permitted request is planned for its upstream; for any other, the gateway responds
//! itself. Sends nothing.

use super::forwarded::ForwardedRequest;
use super::outcome::{EarlierRounds, GatewayBody, HeadOutcome, PendingDecision, RecordedResponse};
use super::whole_body::WholeBody;
use super::{KeepAlive, UnreadInput};
use crate::forward::{ClientAddress, Framing, HttpVersion, ParsedHead};
use crate::head::RequestHead;
use crate::proxy::checked_evidence::CheckedEvidence;
use crate::proxy::client::ConnectedClient;
use crate::proxy::connection_facts::ConnectionFacts;
use crate::proxy::decision_context::DecisionContext;
use crate::proxy::evidence::{EvidenceSource, evidence_source};
use crate::proxy::plan::{DecidedClient, ReceivedRequest, RequestPlan, UpgradeSupport, plan};
use crate::proxy::question::RequestOrigin;
use crate::proxy::recheck::HeadSource;
use crate::proxy::record::{Record, RequestLine};
use crate::proxy::request::{Decision, DecisionRounds, Need, RequestDecision, decide_with};
use crate::proxy::{RequestId, Shared};
use crate::respond::{Consequence, GatewayResponse, Rejection, ResponseFormat, refuse};
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
    /// `None` in the first round.
    pub(super) earlier: Option<EarlierRounds<'a>>,
    pub(super) request_id: RequestId,
}

/// Decides about a head.
pub(super) fn decide_head(
    input: &DecisionInput<'_>,
    head: &ParsedHead<'_, '_>,
    slot: &mut Option<ForwardedRequest>,
) -> HeadOutcome {
    // Gathering evidence may have taken a while.
    let now = input
        .earlier
        .map_or(input.now.into_std(), |_| std::time::Instant::now());
    let context = DecisionContext::at(input.shared, input.client, head.fields, now);
    let checked = input
        .earlier
        .map_or_else(CheckedEvidence::default, |earlier| {
            earlier.evidence.checked(&context.active.snapshot)
        });
    HeadDecision {
        input,
        head,
        context: &context,
        checked: &checked,
    }
    .decide(slot)
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
            return self.refuse(self.record(), &Rejection::ListenerGone);
        };
        let head = RequestHead {
            method: self.head.method,
            target: self.head.target,
            authority: self.head.authority,
            fields: self.head.fields,
        };
        let snapshot = &self.context.active.snapshot;
        let mut decision = decide_with(snapshot, client, &self.checked.evidence, &head);
        let mut rounds = DecisionRounds::default();
        if let Some(earlier) = self.input.earlier {
            rounds = earlier.rounds;
            if let WholeBody::Failed(fault) = earlier.body {
                decision.decision = Decision::Deny(fault.rejection());
            }
        }
        match rounds.next_need(&decision.decision) {
            Some(need) => match self.evidence_source(need, &decision) {
                Some(source) => self.needs_evidence(source, rounds),
                None => self.carry_out(&head, decision, slot),
            },
            None => self.carry_out(&head, decision, slot),
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
            protocol: self.head.version.protocol(),
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
            active: self.context.active.clone(),
            view: self.context.view.clone(),
        };
        let request_id = self.input.request_id;
        HeadOutcome::NeedsEvidence(Box::new(PendingDecision {
            source,
            context,
            framing: self.head.framing,
            expectation: self.head.expectation,
            head_length: self.head.length,
            request_id,
            rounds,
        }))
    }

    /// Carries out a final decision: puts the request for the upstream into the slot, or responds.
    fn carry_out(
        &self,
        head: &RequestHead<'_, [httparse::Header<'_>]>,
        decision: RequestDecision<'_, '_>,
        slot: &mut Option<ForwardedRequest>,
    ) -> HeadOutcome {
        let mut record = self.record();
        let request = ReceivedRequest {
            head,
            source: HeadSource::Bytes(self.input.bytes),
            framing: self.head.framing,
            version: self.head.version.number(),
            upgrades: self.upgrades(),
            format: ResponseFormat::of_accept(self.head.fields),
        };
        let client = DecidedClient {
            client: self.input.client,
            facts: self.input.facts,
            address: self.input.address,
            active: &self.context.active,
            view: &self.context.view,
            checked: self.checked,
        };
        match plan(&mut record, &client, &request, decision) {
            Ok(RequestPlan::Forward(plan)) => {
                *slot = Some(ForwardedRequest::new(record, self.head, plan));
                HeadOutcome::Forward
            }
            Ok(RequestPlan::Respond(response)) => {
                self.respond(record, response, KeepAlive::of_request(self.head))
            }
            Err(rejection) => self.refuse(record, &rejection),
        }
    }

    /// A body would run into the tunnel, and HTTP/1.0 has no upgrade (RFC 9110 section 7.8).
    fn upgrades(&self) -> UpgradeSupport {
        match (self.head.version, self.head.framing) {
            (HttpVersion::Http11, Framing::Length(0)) => UpgradeSupport::Supported,
            _ => UpgradeSupport::Ignored,
        }
    }

    fn record(&self) -> Record {
        let version = self.context.active.snapshot.version();
        let mut record = Record::new(
            self.input.facts.clone(),
            self.head.version.protocol(),
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

    fn refuse(&self, mut record: Record, rejection: &Rejection<'_>) -> HeadOutcome {
        record.failed(rejection);
        let response = refuse(
            rejection,
            ResponseFormat::of_accept(self.head.fields),
            record.request_id(),
        );
        let keep = match rejection.reason().consequence() {
            Consequence::None => KeepAlive::of_request(self.head),
            Consequence::SharedBytesEnd | Consequence::ConnectionEnds => KeepAlive::Close,
        };
        self.respond(record, response, keep)
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
            version: self.head.version,
            keep,
            body,
            unread: UnreadInput::Absent,
        }))
    }
}
