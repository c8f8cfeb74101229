//! Reading of a request head, and the decision about it. Consumes the head once the outcome is final. Sends nothing.

use super::forwarded::ForwardedRequest;
use super::head_decision::{DecisionInput, decide_head};
use super::outcome::{EarlierRounds, GatewayBody, HeadOutcome, PendingDecision, RecordedResponse};
use super::whole_body::WholeBody;
use super::{Connection, KeepAlive, UnreadInput};
use crate::forward::{
    ExpectHeader, Framing, HeadSearch, HttpVersion, ParsedHead, field_space, parse_head,
};
use crate::proxy::active_snapshot::active_snapshot;
use crate::proxy::evidence::{EvidenceCache, EvidenceSource};
use crate::proxy::record::{Record, RequestLine};
use crate::proxy::request_id;
use crate::respond::{Rejection, ResponseFormat, refuse};
use crate::route::icinga2::EventTypes;
use crate::tls::record::Records;
use memchr::memmem;

impl<R: Records> Connection<R> {
    /// Reads the head of the next request and decides about it. `None` while it is incomplete.
    pub(super) fn begin(
        &mut self,
        search: &mut HeadSearch,
        slot: &mut Option<ForwardedRequest>,
        earlier: Option<EarlierRounds<'_>>,
    ) -> Option<HeadOutcome> {
        // One empty line before a request is ignored (RFC 9112 section 2.2).
        if search.is_new() && self.held_head.is_empty() && self.input.first().starts_with(b"\r\n") {
            self.input.consume(2);
        }
        loop {
            let bytes = self.head_bytes();
            if search.is_worth_reading(bytes) {
                let mut space = field_space();
                match parse_head(bytes, &mut space) {
                    Err(error) => return Some(self.reject_unread(&Rejection::Framing(error))),
                    Ok(Some(head)) if head.length > self.limits.head_size => {
                        return Some(self.reject_unread(&Rejection::HeadTooLarge));
                    }
                    Ok(Some(head)) => {
                        let head_length = head.length;
                        let unread = unread_body(head.framing, earlier);
                        let outcome = self.decide(bytes, head, slot, earlier);
                        return Some(self.consume_head(outcome, head_length, unread));
                    }
                    Ok(None) => {}
                }
            }
            // Later records may hold the body, so only the first piece counts.
            if bytes.len() > self.limits.head_size {
                return Some(self.reject_unread(&Rejection::HeadTooLarge));
            }
            if !self.extend_head() {
                return None;
            }
        }
    }

    /// The bytes of the next head that are in one piece. The body may follow.
    fn head_bytes(&self) -> &[u8] {
        if self.held_head.is_empty() {
            self.input.first()
        } else {
            &self.held_head
        }
    }

    /// Adds the next piece to the head. `false` if there is none.
    fn extend_head(&mut self) -> bool {
        if self.held_head.is_empty() {
            // The rest of the head may be in the next record.
            if self.input.join() {
                return true;
            }
            if !self.input.is_full() {
                return false;
            }
        }
        // The head is longer than the input.
        let piece = self.input.first();
        let length = head_part(&self.held_head, piece);
        self.held_head
            .extend_from_slice(piece.get(..length).unwrap_or_default());
        self.input.consume(length);
        length > 0
    }

    /// Moves a head out of the input, so that the body is in front.
    pub(super) fn hold_head(&mut self, length: usize) {
        if self.held_head.is_empty() {
            self.held_head
                .extend_from_slice(self.input.first().get(..length).unwrap_or_default());
            self.input.consume(length);
        }
    }

    /// Decides about a head. `bytes` begin with it.
    fn decide(
        &self,
        bytes: &[u8],
        mut head: ParsedHead<'_, '_>,
        slot: &mut Option<ForwardedRequest>,
        earlier: Option<EarlierRounds<'_>>,
    ) -> HeadOutcome {
        if let Some(WholeBody::Read(body)) = earlier.map(|earlier| earlier.body) {
            // The upstream gets exactly these bytes.
            head.framing = Framing::Length(u64::try_from(body.len()).unwrap_or(u64::MAX));
            head.expectation = ExpectHeader::None;
        }
        let input = DecisionInput {
            shared: &self.shared,
            facts: &self.facts,
            client: &self.client,
            address: &self.address,
            bytes: bytes.get(..head.length).unwrap_or_default(),
            now: self.now,
            earlier,
            request_id: earlier.map_or_else(request_id, |earlier| earlier.request_id),
        };
        decide_head(&input, &head, slot)
    }

    /// Consumes a head if its outcome is final. A head that is decided again is kept.
    fn consume_head(
        &mut self,
        mut outcome: HeadOutcome,
        head_length: usize,
        unread: Option<Framing>,
    ) -> HeadOutcome {
        if matches!(outcome, HeadOutcome::NeedsEvidence(_)) {
            return outcome;
        }
        if self.held_head.is_empty() {
            self.input.consume(head_length);
        } else {
            self.held_head = Vec::new();
        }
        if let HeadOutcome::Respond(response) = &mut outcome {
            self.skip_body(response, unread);
        }
        outcome
    }

    /// Gathers the evidence that a decision needs. The head is kept for the next round.
    pub(super) async fn gather_evidence(
        &mut self,
        pending: PendingDecision,
        evidence: &mut EvidenceCache,
        body: &mut WholeBody,
    ) {
        if let EvidenceSource::Body(source) = &pending.source {
            // It is read once. A need that is left is a denial.
            if !matches!(body, WholeBody::Unread) {
                return;
            }
            self.hold_head(pending.head_length);
            *body = self
                .read_body(pending.framing, pending.expectation, source)
                .await;
            if let WholeBody::Read(bytes) = body {
                evidence.set_body(EventTypes::from_body(bytes));
            }
            return;
        }
        evidence
            .gather(
                pending.source,
                &self.shared,
                &pending.context,
                self.facts.client.ip(),
            )
            .await;
    }

    /// Skips the body of a request that is not forwarded, if all of it is in the input. Otherwise the connection closes after
    /// the response.
    fn skip_body(&mut self, response: &mut RecordedResponse, unread: Option<Framing>) {
        match unread {
            Some(Framing::Length(length))
                if usize::try_from(length).is_ok_and(|length| length <= self.input.len()) =>
            {
                self.input
                    .consume(usize::try_from(length).unwrap_or_default());
            }
            Some(Framing::Length(_) | Framing::Chunked) | None => {
                response.keep = KeepAlive::Close;
                response.unread = UnreadInput::Possible;
            }
        }
    }

    /// Responds to input that is not a readable request. The connection closes after the response.
    pub(super) fn reject_unread(&mut self, rejection: &Rejection<'_>) -> HeadOutcome {
        let version = active_snapshot(&self.shared).snapshot.version();
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
        record.rejected_unread(rejection);
        let response = refuse(rejection, ResponseFormat::Json, record.request_id());
        HeadOutcome::Respond(Box::new(RecordedResponse {
            record,
            response,
            version: HttpVersion::Http11,
            keep: KeepAlive::Close,
            body: GatewayBody::Sent,
            unread: UnreadInput::Possible,
        }))
    }
}

/// The framing of the body that is left in the input. `None` if its end is unknown.
fn unread_body(framing: Framing, earlier: Option<EarlierRounds<'_>>) -> Option<Framing> {
    match earlier.map(|earlier| earlier.body) {
        None | Some(WholeBody::Unread) => Some(framing),
        Some(WholeBody::Read(_)) => Some(Framing::Length(0)),
        Some(WholeBody::Failed(_)) => None,
    }
}

/// How many bytes of `piece` belong to a head of which `held` is the beginning: all, or those up to its end.
fn head_part(held: &[u8], piece: &[u8]) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    let before = held.len().min(END.len() - 1);
    let joint: Vec<u8> = held
        .iter()
        .skip(held.len() - before)
        .chain(piece.iter().take(END.len() - 1))
        .copied()
        .collect();
    if let Some(at) = memmem::find(&joint, END) {
        return at + END.len() - before;
    }
    memmem::find(piece, END).map_or(piece.len(), |at| at + END.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_head_in_two_pieces_ends_where_it_ends_in_one(held in "[a\r\n]{0,9}", piece in "[a\r\n]{0,9}") {
            proptest::prop_assume!(!held.contains("\r\n\r\n"));
            let whole = held.clone() + &piece;
            let expected = whole.find("\r\n\r\n").map_or(piece.len(), |at| at + 4 - held.len());
            proptest::prop_assert_eq!(head_part(held.as_bytes(), piece.as_bytes()), expected);
        }
    }
}
