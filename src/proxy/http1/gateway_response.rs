//! Sending of the gateway's own bytes to the client: its responses, interim responses, trailers. Decides on none of them.

use super::outcome::{GatewayBody, RecordedResponse};
use super::{Connection, KeepAlive, NextStep};
use crate::proxy::date::write_date;
use crate::proxy::recheck::LivePermit;
use crate::respond::Withdrawal;
use crate::tls::record::{RECORD_HEADER, RECORD_PLAINTEXT, Records, Slab};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

impl<R: Records> Connection<R> {
    /// Sends a response of the gateway.
    pub(super) async fn respond(&mut self, recorded: RecordedResponse) -> NextStep {
        let RecordedResponse {
            mut record,
            response,
            version,
            keep,
            body,
            unread,
        } = recorded;
        let keep = if self.is_ending() {
            KeepAlive::Close
        } else {
            keep
        };
        let status = response.status;
        record.status(status.as_u16());
        let reason = status.canonical_reason().unwrap_or("Error");
        let mut message = format!(
            "{} {} {reason}\r\ncontent-type: {}\r\ncache-control: no-store\r\nx-request-id: {}\r\n\
             content-length: {}\r\n",
            version.protocol(),
            status.as_u16(),
            response.content_type,
            record.request_id(),
            response.body.len(),
        )
        .into_bytes();
        for (name, value) in &response.fields {
            message.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        write_date(&mut message);
        message.extend_from_slice(keep.field(version));
        message.extend_from_slice(b"\r\n");
        let body_length = if body == GatewayBody::Sent {
            response.body.len()
        } else {
            0
        };
        message.extend_from_slice(
            response
                .body
                .as_bytes()
                .get(..body_length)
                .unwrap_or_default(),
        );
        if self.send(&message).await.is_err() {
            return NextStep::Drop;
        }
        record.gateway_response(body_length);
        if keep == KeepAlive::Open {
            NextStep::AwaitRequest
        } else {
            NextStep::Close(unread)
        }
    }

    /// Sends bytes and waits until they are written. Fails if the client takes none for the idle timeout.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), SendFailure> {
        self.send_while_permitted(None, bytes).await
    }

    /// Like `send`, but fails when the permit of the request is withdrawn.
    pub(super) async fn send_while_permitted(
        &mut self,
        mut live_permit: Option<&mut LivePermit>,
        bytes: &[u8],
    ) -> Result<(), SendFailure> {
        let begun = Instant::now();
        poll_fn(|context| self.poll_sent_in_time(context, live_permit.as_deref_mut(), begun))
            .await?;
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
            poll_fn(|context| self.poll_sent_in_time(context, live_permit.as_deref_mut(), begun))
                .await?;
        }
        Ok(())
    }

    fn poll_sent_in_time(
        &mut self,
        context: &mut Context<'_>,
        live_permit: Option<&mut LivePermit>,
        begun: Instant,
    ) -> Poll<Result<(), SendFailure>> {
        if let Some(live_permit) = live_permit
            && let Poll::Ready(withdrawal) = self.poll_withdrawn(context, live_permit)
        {
            return Poll::Ready(Err(SendFailure::Withdrawn(withdrawal)));
        }
        if let Poll::Ready(sent) = self.records.poll_sent(context) {
            return Poll::Ready(sent.map_err(|_| SendFailure::ClientGone));
        }
        self.timer
            .set(self.limits.idle_timeout.map(|timeout| begun + timeout));
        ready!(self.timer.poll(context));
        Poll::Ready(Err(SendFailure::ClientGone))
    }
}

/// Why bytes were not sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum SendFailure {
    /// The connection is broken, or the client takes no bytes.
    ClientGone,
    /// The permit of the request was withdrawn.
    Withdrawn(Withdrawal),
}
