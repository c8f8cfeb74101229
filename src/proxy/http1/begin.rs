//! From the bytes of a head to what happens with the request: read where it lies, judged, and taken from the input. Sends
//! nothing.

use super::judging::{Asking, judged};
use super::outcome::{Begun, EarlierRounds, Own, OwnBody, Unchecked};
use super::render::Forwarding;
use super::{Connection, Keep, Rest};
use crate::forward::{Framing, HeadSearch, field_space, parse_head};
use crate::proxy::credentials::Looked;
use crate::proxy::in_force::in_force;
use crate::proxy::record::Record;
use crate::proxy::request::DecisionRounds;
use crate::proxy::request_id;
use crate::respond::{Form, Refusal, refuse};
use crate::tls::record::Records;

impl<R: Records> Connection<R> {
    /// Reads the head at the front of the input and decides about it. `None` while it is incomplete.
    pub(super) fn begin(
        &mut self,
        search: &mut HeadSearch,
        place: &mut Option<Forwarding>,
        earlier: Option<EarlierRounds<'_>>,
    ) -> Option<Begun> {
        // One empty line before a request is forgiven (RFC 9112 section 2.2).
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
                        let octets = bytes.get(..head.length).unwrap_or_default();
                        let (looked, request_id, rounds) = match earlier {
                            Some(earlier) => {
                                (Some(earlier.looked), earlier.request_id, earlier.rounds)
                            }
                            None => (None, request_id(), DecisionRounds::default()),
                        };
                        let asking = Asking {
                            shared,
                            facts,
                            client,
                            address,
                            octets,
                            now: *now,
                            looked,
                            request_id,
                            rounds,
                        };
                        let begun = judged(&asking, &head, place);
                        let taken = head.length;
                        return Some(self.take(begun, taken));
                    }
                    Ok(None) => {}
                }
            }
            // What lies in further records may be body.
            if bytes.len() > self.limits.head_size {
                return Some(self.refuse_unread(&Refusal::HeadTooLarge));
            }
            // The rest of the head may lie in the next record.
            if !self.input.join() {
                return None;
            }
        }
    }

    /// Takes a judged head from the input; not one that somebody else will read again.
    fn take(&mut self, (mut begun, body): (Begun, Framing), head: usize) -> Begun {
        match &mut begun {
            Begun::Elsewhere(_) | Begun::Unchecked(_) => return begun,
            Begun::Own(own) => {
                self.input.consume(head);
                self.pass_over(own, body);
            }
            Begun::Forward | Begun::End => self.input.consume(head),
        }
        self.facts.series.fast_path("taken", "-");
        begun
    }

    /// Gathers the evidence that a decision needs. The head waits meanwhile, and is read again for the next round.
    pub(super) async fn find_out(&self, unchecked: Unchecked, looked: &mut Looked) {
        let Unchecked {
            wanted, judging, ..
        } = unchecked;
        looked
            .find_out(wanted, &self.shared, &judging, self.facts.client.ip())
            .await;
    }

    /// A body that nobody wants is passed over if it is here already; else the connection ends behind the answer.
    fn pass_over(&mut self, own: &mut Own, body: Framing) {
        match body {
            Framing::Length(length)
                if usize::try_from(length).is_ok_and(|length| length <= self.input.len()) =>
            {
                self.input
                    .consume(usize::try_from(length).unwrap_or_default());
            }
            Framing::Length(_) | Framing::Chunked => {
                (own.keep, own.rest) = (Keep::Close, Rest::Unread)
            }
        }
    }

    /// What came is no request that could be judged; the connection ends behind the answer.
    pub(super) fn refuse_unread(&mut self, refusal: &Refusal<'_>) -> Begun {
        let version = in_force(&self.shared).snapshot.version();
        let mut record = Record::new(
            self.facts.clone(),
            "HTTP/1.1",
            version,
            request_id(),
            ("-", "-"),
        );
        record.refused_unread(refusal);
        let answer = refuse(refusal, Form::Json, record.request_id());
        Begun::Own(Box::new(Own {
            record,
            answer,
            keep: Keep::Close,
            body: OwnBody::Shown,
            rest: Rest::Unread,
        }))
    }
}
