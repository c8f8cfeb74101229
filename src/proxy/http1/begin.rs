//! Reading of a request head at the front of the input, and the decision about it. Consumes the head once the outcome is
//! final. Sends nothing.

use super::head_decision::{DecisionInput, decide_head};
use super::outcome::{EarlierRounds, GatewayBody, HeadOutcome, PendingDecision, RecordedResponse};
use super::render::ForwardedRequest;
use super::{Connection, KeepAlive, UnreadInput};
use crate::forward::{Framing, HeadSearch, field_space, parse_head};
use crate::proxy::active_snapshot::in_force;
use crate::proxy::evidence::EvidenceCache;
use crate::proxy::record::{Record, RequestLine};
use crate::proxy::request::DecisionRounds;
use crate::proxy::request_id;
use crate::respond::{Refusal, ResponseFormat, refuse};
use crate::tls::record::Records;

impl<R: Records> Connection<R> {
    /// Reads the head at the front of the input and decides about it. `None` while it is incomplete.
    pub(super) fn begin(
        &mut self,
        search: &mut HeadSearch,
        slot: &mut Option<ForwardedRequest>,
        earlier: Option<EarlierRounds<'_>>,
    ) -> Option<HeadOutcome> {
        // One empty line before a request is ignored (RFC 9112 section 2.2).
        if search.is_new() && self.input.first().starts_with(b"\r\n") {
            self.input.consume(2);
        }
        loop {
            let bytes = self.input.first();
            if search.is_worth_reading(bytes) {
                let mut space = field_space();
                match parse_head(bytes, &mut space) {
                    Err(error) => return Some(self.refuse_unread(&Refusal::Framing(error))),
                    Ok(Some(head)) if head.length > self.limits.head_size => {
                        return Some(self.refuse_unread(&Refusal::HeadTooLarge));
                    }
                    Ok(Some(head)) => {
                        let Self {
                            shared,
                            facts,
                            client,
                            address,
                            now,
                            ..
                        } = &*self;
                        let bytes = bytes.get(..head.length).unwrap_or_default();
                        let (evidence, request_id, rounds) = match earlier {
                            Some(earlier) => {
                                (Some(earlier.evidence), earlier.request_id, earlier.rounds)
                            }
                            None => (None, request_id(), DecisionRounds::default()),
                        };
                        let input = DecisionInput {
                            shared,
                            facts,
                            client,
                            address,
                            bytes,
                            now: *now,
                            evidence,
                            request_id,
                            rounds,
                        };
                        let outcome = decide_head(&input, &head, slot);
                        let head_length = head.length;
                        let framing = head.framing;
                        return Some(self.consume_head(outcome, head_length, framing));
                    }
                    Ok(None) => {}
                }
            }
            // Later records may hold the body, so only the first piece counts.
            if bytes.len() > self.limits.head_size {
                return Some(self.refuse_unread(&Refusal::HeadTooLarge));
            }
            // The rest of the head may be in the next record.
            if !self.input.join() {
                return None;
            }
        }
    }

    /// Consumes a head if its outcome is final. A head that is handed over or decided again stays in the input.
    fn consume_head(
        &mut self,
        mut outcome: HeadOutcome,
        head_length: usize,
        framing: Framing,
    ) -> HeadOutcome {
        match &mut outcome {
            HeadOutcome::HandOver(_) | HeadOutcome::NeedsEvidence(_) => return outcome,
            HeadOutcome::Respond(response) => {
                self.input.consume(head_length);
                self.skip_body(response, framing);
            }
            HeadOutcome::Forward | HeadOutcome::End => self.input.consume(head_length),
        }
        self.facts.series.fast_path("taken", "-");
        outcome
    }

    /// Gathers the evidence that a decision needs. The head stays in the input for the next round.
    pub(super) async fn gather_evidence(
        &self,
        pending: PendingDecision,
        evidence: &mut EvidenceCache,
    ) {
        let PendingDecision {
            source, context, ..
        } = pending;
        evidence
            .gather(source, &self.shared, &context, self.facts.client.ip())
            .await;
    }

    /// Skips the body of a request that is not forwarded, if all of it is in the input. Otherwise the connection closes after
    /// the response.
    fn skip_body(&mut self, response: &mut RecordedResponse, framing: Framing) {
        match framing {
            Framing::Length(length)
                if usize::try_from(length).is_ok_and(|length| length <= self.input.len()) =>
            {
                self.input
                    .consume(usize::try_from(length).unwrap_or_default());
            }
            Framing::Length(_) | Framing::Chunked => {
                response.keep = KeepAlive::Close;
                response.unread = UnreadInput::Possible;
            }
        }
    }

    /// Responds to input that is not a readable request. The connection closes after the response.
    pub(super) fn refuse_unread(&mut self, refusal: &Refusal<'_>) -> HeadOutcome {
        let version = in_force(&self.shared).snapshot.version();
        let mut record = Record::new(
            self.facts.clone(),
            "HTTP/1.1",
            version,
            request_id(),
            RequestLine {
                method: "-",
                target: "-",
            },
        );
        record.refused_unread(refusal);
        let response = refuse(refusal, ResponseFormat::Json, record.request_id());
        HeadOutcome::Respond(Box::new(RecordedResponse {
            record,
            response,
            keep: KeepAlive::Close,
            body: GatewayBody::Sent,
            unread: UnreadInput::Possible,
        }))
    }
}
