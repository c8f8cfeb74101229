//! Sending of a response to the client: head and first part of the body in one record, then the rest, read into the memory
//! where it is encrypted. Meanwhile the upload continues, and the client is watched.

mod progress;

use super::attempt::Attempt;
use super::close::SocketClose;
use super::forwarded::ForwardedRequest;
use super::rendered_response::{DiscardedBody, RenderedResponse};
use super::response_head_reader::ResponseHeadReader;
use super::upload::RequestUpload;
use super::{Connection, KeepAlive, NextStep, UnreadInput};
use crate::forward::Reuse;
use crate::proxy::recheck::LivePermit;
use crate::reason::EndReason;
use crate::route::RouteLimits;
use crate::tls::record::{RECORD_HEADER, RECORD_PLAINTEXT, Records, Slab, count_copied};
use crate::upstream::{AttemptFailure, Link, UploadState, read_away};
use progress::{
    Download, FEW_RECORDS, LINE_END, LINE_ROOM, MANY_RECORDS, ResponseEnd, wrap_in_chunk,
};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

impl<R: Records> Connection<R> {
    /// Transfers the body of a response until it ends.
    async fn move_body(
        &mut self,
        request: &mut ForwardedRequest,
        upload: &mut RequestUpload,
        link: &mut Link,
        download: &mut Download,
    ) -> ResponseEnd {
        let ForwardedRequest {
            limits,
            live_permit,
            ..
        } = request;
        loop {
            let polled = poll_fn(|context| match self.poll_withdrawn(context, live_permit) {
                Poll::Ready(withdrawal) => Poll::Ready(Some(ResponseEnd::Withdrawn(withdrawal))),
                Poll::Pending => self.poll_response(context, limits, upload, link, download),
            });
            match polled.await {
                Some(end) => return end,
                None => {
                    let tail = std::mem::take(&mut download.tail);
                    if let Err(failure) = self.send_while_permitted(Some(live_permit), &tail).await
                    {
                        return failure.into();
                    }
                }
            }
            if download.is_done() {
                return ResponseEnd::Complete;
            }
        }
    }

    /// Sends a response to the client.
    pub(super) async fn send_response(
        &mut self,
        request: &mut ForwardedRequest,
        attempt: Attempt,
        mut response: RenderedResponse,
    ) -> NextStep {
        let Attempt {
            mut upload,
            reader,
            mut link,
        } = attempt;
        upload.free_sent_body();
        let mut download = Download::new(&mut response, self.now);
        self.set_socket_close(response.delimiter, SocketClose::Reset);
        let head_sent = self
            .send_head(
                &mut download,
                reader,
                &mut response,
                &mut request.live_permit,
            )
            .await;
        let end = match head_sent {
            Err(end) => end,
            Ok(()) => {
                self.move_body(request, &mut upload, &mut link, &mut download)
                    .await
            }
        };
        self.now = Instant::now();
        request.record.ended_at(self.now.into_std());
        request.record.moved(upload.body_bytes, download.body_bytes);
        match end {
            ResponseEnd::Complete => request.record.ended(EndReason::Complete),
            ResponseEnd::BrokeOff => request.record.ended(EndReason::UpstreamBrokeOff),
            ResponseEnd::Stalled => request.record.ended(EndReason::UpstreamStalled),
            ResponseEnd::ClientGone => request.record.ended(EndReason::ClientGone),
            ResponseEnd::Withdrawn(withdrawal) => {
                request.record.cut("stream", &withdrawal);
                return NextStep::Drop;
            }
        }
        if end != ResponseEnd::Complete {
            // The client gets what was received, and then notices that the response is incomplete.
            let _ = self.send(&[]).await;
            return NextStep::Drop;
        }
        self.set_socket_close(response.delimiter, SocketClose::Orderly);
        // After an early response the rest of the request is not sent, so neither connection can be reused.
        if !upload.is_complete() {
            return NextStep::Close(UnreadInput::Possible);
        }
        let keep = response.keep;
        release_link(link, response, &download, &request.upstream.name);
        if keep == KeepAlive::Open {
            NextStep::AwaitRequest
        } else {
            NextStep::Close(UnreadInput::Absent)
        }
    }

    /// Sends the head, together with the part of the body that was received with it.
    async fn send_head(
        &mut self,
        download: &mut Download,
        reader: ResponseHeadReader,
        response: &mut RenderedResponse,
        live_permit: &mut LivePermit,
    ) -> Result<(), ResponseEnd> {
        let (mut slab, from, to) = reader.into_parts();
        let body = from + response.length;
        if let Some(discarded) = &mut response.discarded {
            discarded.prefix = slab.get(body..to).unwrap_or_default().to_vec();
        }
        // An error in the body is returned after the head was sent.
        let accepted = download.accept(slab.get_mut(body..to).unwrap_or_default());
        let passing = *accepted.as_ref().unwrap_or(&0);
        response.head.extend_from_slice(LINE_END);
        let mut data = body..body + passing;
        if download.wraps_in_chunks() && passing > 0 {
            data = wrap_in_chunk(&mut slab, data);
        }
        let head = data
            .start
            .checked_sub(response.head.len())
            .filter(|start| *start >= RECORD_HEADER);
        match head
            .map(|start| start..data.end)
            .filter(|whole| whole.len() <= RECORD_PLAINTEXT)
        {
            Some(whole) => {
                if let Some(place) = slab.get_mut(whole.start..data.start) {
                    place.copy_from_slice(&response.head);
                }
                download.sending = true;
                self.records
                    .start_send(slab, &[whole])
                    .map_err(|_| ResponseEnd::ClientGone)?;
            }
            // There is no room for a head that large before the body.
            None => {
                let body = slab.get(data).unwrap_or_default();
                count_copied(body.len());
                self.send_while_permitted(Some(live_permit), &response.head)
                    .await?;
                self.send_while_permitted(Some(live_permit), body).await?;
            }
        }
        accepted.map(drop).map_err(|_| ResponseEnd::BrokeOff)
    }

    /// Ready with `None` when the tail is to be sent, or with how the response ended.
    fn poll_response(
        &mut self,
        context: &mut Context<'_>,
        limits: &RouteLimits,
        upload: &mut RequestUpload,
        link: &mut Link,
        download: &mut Download,
    ) -> Poll<Option<ResponseEnd>> {
        match upload.poll(context, &mut self.records, &mut self.input, link) {
            Poll::Ready(Err(AttemptFailure::ClientGone)) => {
                return Poll::Ready(Some(ResponseEnd::ClientGone));
            }
            // The response has begun, so a failed upload only stops.
            Poll::Ready(Err(_)) => upload.state = UploadState::Stopped,
            Poll::Ready(Ok(_)) => upload.free_sent_body(),
            Poll::Pending => {}
        }
        loop {
            if download.sending {
                match self.records.poll_sent(context) {
                    Poll::Ready(Ok(())) => {
                        download.sending = false;
                        if !download.is_done() {
                            download.progress = Instant::now();
                        }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Some(ResponseEnd::ClientGone)),
                    Poll::Pending => break,
                }
            }
            if !download.tail.is_empty() {
                return Poll::Ready(None);
            }
            if download.is_done() {
                return Poll::Ready(Some(ResponseEnd::Complete));
            }
            match self.poll_transfer(context, link, download) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Poll::Ready(Some(end)),
                Poll::Pending => break,
            }
        }
        if upload.is_complete() && self.poll_client(context).is_ready() {
            return Poll::Ready(Some(ResponseEnd::ClientGone));
        }
        let (timeout, late) = if download.sending {
            (self.limits.idle_timeout, ResponseEnd::ClientGone)
        } else {
            (limits.idle_timeout, ResponseEnd::Stalled)
        };
        self.timer
            .set(timeout.map(|timeout| download.progress + timeout));
        ready!(self.timer.poll(context));
        Poll::Ready(Some(late))
    }

    /// Reads available bytes of the body and starts to send them.
    fn poll_transfer(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
        download: &mut Download,
    ) -> Poll<Result<(), ResponseEnd>> {
        let mut slab = Slab::take();
        let mut spaces = [const { 0..0 }; MANY_RECORDS];
        let mut count = 0;
        let one_chunk =
            RECORD_HEADER + LINE_ROOM..RECORD_HEADER + RECORD_PLAINTEXT - LINE_END.len();
        let chunk_range = download.wraps_in_chunks().then_some(one_chunk);
        let whole = R::spaces(download.records);
        let ranges = chunk_range
            .iter()
            .cloned()
            .chain(whole.iter().filter(|_| chunk_range.is_none()));
        for (place, range) in spaces.iter_mut().zip(ranges) {
            *place = range;
            count += 1;
        }
        let spaces = spaces.get(..count).unwrap_or_default();
        let mut left = match ready!(link.poll_read_spaces(context, &mut slab, spaces)) {
            Ok(0) => return Poll::Ready(download.closed()),
            Ok(count) => count,
            Err(_) => return Poll::Ready(Err(ResponseEnd::BrokeOff)),
        };
        download.progress = Instant::now();
        let room: usize = spaces.iter().map(ExactSizeIterator::len).sum();
        download.records = if left == room {
            MANY_RECORDS
        } else {
            FEW_RECORDS
        };
        let mut pieces = [const { 0..0 }; MANY_RECORDS];
        let mut count = 0;
        for space in spaces {
            let filled = space.start..space.start + left.min(space.len());
            left -= filled.len();
            let bytes = slab.get_mut(filled.clone()).unwrap_or_default();
            let Ok(passing) = download.accept(bytes) else {
                return Poll::Ready(Err(ResponseEnd::BrokeOff));
            };
            if let Some(place) = pieces.get_mut(count).filter(|_| passing > 0) {
                *place = filled.start..filled.start + passing;
                count += 1;
            }
        }
        if download.wraps_in_chunks()
            && let Some(piece) = pieces.first_mut()
        {
            *piece = wrap_in_chunk(&mut slab, piece.clone());
        }
        if count > 0 {
            download.sending = true;
            let sent = self
                .records
                .start_send(slab, pieces.get(..count).unwrap_or_default());
            return Poll::Ready(sent.map_err(|_| ResponseEnd::ClientGone));
        }
        Poll::Ready(Ok(()))
    }
}

/// Keeps an upstream connection for another request, if that is possible after this response.
fn release_link(link: Link, response: RenderedResponse, download: &Download, upstream: &str) {
    if let Some(discarded) = response.discarded {
        let DiscardedBody {
            framing,
            reuse,
            prefix,
        } = *discarded;
        read_away(link, framing, reuse, &prefix);
    } else if download.has_surplus {
        tracing::debug!(
            upstream,
            "upstream connection ended: unexpected data after the response"
        );
    } else if response.reuse == Reuse::Keep {
        link.keep();
    }
}
