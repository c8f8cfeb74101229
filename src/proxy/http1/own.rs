//! Bytes of our own for the client: answers that no upstream gave, interim answers. Decides none of them.

use super::outcome::{Own, OwnBody};
use super::{After, Connection, Keep};
use crate::proxy::date::write_date;
use crate::proxy::present::Right;
use crate::respond::Withdrawal;
use crate::tls::record::{RECORD_HEADER, RECORD_PLAINTEXT, Records, Slab};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

impl<R: Records> Connection<R> {
    /// Sends an answer of our own.
    pub(super) async fn answer(&mut self, own: Own) -> After {
        let Own {
            mut record,
            answer,
            keep,
            body,
            rest,
        } = own;
        let keep = if self.is_ending() { Keep::Close } else { keep };
        let status = answer.status;
        record.status(status.as_u16());
        let reason = status.canonical_reason().unwrap_or("Error");
        let mut message = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncache-control: no-store\r\nx-request-id: {}\r\n\
             content-length: {}\r\n",
            status.as_u16(),
            answer.content_type,
            record.request_id(),
            answer.body.len(),
        )
        .into_bytes();
        for (name, value) in &answer.fields {
            message.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        write_date(&mut message);
        if keep == Keep::Close {
            message.extend_from_slice(b"connection: close\r\n");
        }
        message.extend_from_slice(b"\r\n");
        let shown = if body == OwnBody::Shown {
            answer.body.len()
        } else {
            0
        };
        message.extend_from_slice(answer.body.as_bytes().get(..shown).unwrap_or_default());
        if self.send(&message).await.is_err() {
            return After::Drop;
        }
        record.own_answer(shown);
        if keep == Keep::Open {
            After::Next
        } else {
            After::Close(rest)
        }
    }

    /// Sends bytes, and waits until they are gone; not longer than the idle timeout for a client that takes none.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), SendFailure> {
        self.send_by(None, bytes).await
    }

    /// The same for bytes of a request that is under way: only for as long as its right stands.
    pub(super) async fn send_by(
        &mut self,
        mut right: Option<&mut Right>,
        bytes: &[u8],
    ) -> Result<(), SendFailure> {
        let begun = Instant::now();
        poll_fn(|context| self.poll_sent_in_time(context, right.as_deref_mut(), begun)).await?;
        for part in bytes.chunks(RECORD_PLAINTEXT) {
            let mut slab = Slab::take();
            let place = RECORD_HEADER..RECORD_HEADER + part.len();
            if let Some(space) = slab.get_mut(place.clone()) {
                space.copy_from_slice(part);
            }
            self.records
                .start_send(slab, &[place])
                .map_err(|_| SendFailure::ClientGone)?;
            let begun = Instant::now();
            poll_fn(|context| self.poll_sent_in_time(context, right.as_deref_mut(), begun)).await?;
        }
        Ok(())
    }

    fn poll_sent_in_time(
        &mut self,
        context: &mut Context<'_>,
        right: Option<&mut Right>,
        begun: Instant,
    ) -> Poll<Result<(), SendFailure>> {
        if let Some(right) = right
            && let Poll::Ready(withdrawal) = self.poll_withdrawn(context, right)
        {
            return Poll::Ready(Err(SendFailure::Withdrawn(withdrawal)));
        }
        if let Poll::Ready(sent) = self.records.poll_sent(context) {
            return Poll::Ready(sent.map_err(|_| SendFailure::ClientGone));
        }
        self.timer
            .set(self.limits.idle_timeout.map(|patience| begun + patience));
        ready!(self.timer.poll(context));
        Poll::Ready(Err(SendFailure::ClientGone))
    }
}

/// Why bytes were not sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum SendFailure {
    /// Or takes none.
    ClientGone,
    /// They are of a request that may not go on.
    Withdrawn(Withdrawal),
}
