//! Outcomes of a request head: forward, respond, or gather evidence.

use super::whole_body::WholeBody;
use super::{KeepAlive, UnreadInput};
use crate::forward::{ExpectHeader, Framing, HttpVersion};
use crate::proxy::RequestId;
use crate::proxy::decision_context::DecisionContext;
use crate::proxy::evidence::{EvidenceCache, EvidenceSource};
use crate::proxy::record::Record;
use crate::proxy::request::DecisionRounds;
use crate::respond::GatewayResponse;

/// What happens with a request after its head was read.
pub(super) enum HeadOutcome {
    /// Permitted. The rendered upstream request is in the slot.
    Forward,
    /// The gateway responds itself.
    Respond(Box<RecordedResponse>),
    /// The connection ends without a further request.
    End,
    /// The decision needs evidence. The head is kept for the next round.
    NeedsEvidence(Box<PendingDecision>),
}

/// A decision that needs evidence, and the context of its last round.
pub(super) struct PendingDecision {
    pub(super) source: EvidenceSource,
    pub(super) context: DecisionContext,
    pub(super) framing: Framing,
    pub(super) expectation: ExpectHeader,
    /// Length of the head in bytes.
    pub(super) head_length: usize,
    /// The same in all rounds.
    pub(super) request_id: RequestId,
    /// Counts the decision rounds against their maximum.
    pub(super) rounds: DecisionRounds,
}

/// Results of earlier decision rounds of the same request.
#[derive(Clone, Copy)]
pub(super) struct EarlierRounds<'a> {
    pub(super) evidence: &'a EvidenceCache,
    pub(super) body: &'a WholeBody,
    pub(super) request_id: RequestId,
    pub(super) rounds: DecisionRounds,
}

/// A response of the gateway itself, with its record.
pub(super) struct RecordedResponse {
    pub(super) record: Record,
    pub(super) response: GatewayResponse,
    /// The client's HTTP version.
    pub(super) version: HttpVersion,
    pub(super) keep: KeepAlive,
    pub(super) body: GatewayBody,
    /// Whether part of the request stays unread.
    pub(super) unread: UnreadInput,
}

/// Whether a response of the gateway includes its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayBody {
    Sent,
    /// Response to HEAD.
    LengthOnly,
}
