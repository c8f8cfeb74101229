//! An answer on its way down: the new head and the first of the body in one record, then the rest, read where it will be
//! encrypted. Meanwhile the rest of the request goes up, and the client is watched.

mod progress;

use super::answer::Reading;
use super::render::{Forwarding, Rendered, Unwanted};
use super::up::{State, Upload};
use super::{After, Connection, Keep, Rest};
use crate::forward::Reuse;
use crate::proxy::present::Right;
use crate::route::RouteLimits;
use crate::tls::record::{RECORD_HEADER, RECORD_PLAINTEXT, Records, Slab, count_copied};
use crate::upstream::{Failure, Link, read_away};
use progress::{Body, Down, End, FEW_RECORDS, LINE_END, LINE_ROOM, MANY_RECORDS, in_chunk};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

impl<R: Records> Connection<R> {
    /// Sends an answer down.
    pub(super) async fn pass_down(
        &mut self,
        forwarding: &mut Forwarding,
        (mut upload, mut link): (Upload, Link),
        reading: Reading,
        mut answer: Rendered,
    ) -> After {
        let mut down = Down::new(&mut answer, self.now);
        let end = match self
            .begin_down(&mut down, reading, &mut answer, &mut forwarding.right)
            .await
        {
            Err(end) => end,
            Ok(()) => loop {
                let Forwarding { limits, right, .. } = forwarding;
                let moved = poll_fn(|context| match self.poll_withdrawn(context, right) {
                    // Before anything moves.
                    Poll::Ready(withdrawal) => Poll::Ready(Some(End::Withdrawn(withdrawal))),
                    Poll::Pending => {
                        self.poll_down(context, limits, (&mut upload, &mut link), &mut down)
                    }
                });
                match moved.await {
                    Some(end) => break end,
                    None => {
                        let tail = std::mem::take(&mut down.tail);
                        if let Err(failure) = self.send_by(Some(right), &tail).await {
                            break failure.into();
                        }
                    }
                }
                if down.is_done() {
                    break End::Complete;
                }
            },
        };
        self.now = Instant::now();
        forwarding.record.over_at(self.now.into_std());
        forwarding.record.moved(upload.taken, down.passed);
        match end {
            End::Complete => forwarding.record.ended("complete"),
            End::BrokeOff => forwarding.record.ended("upstream_broke_off"),
            End::Stalled => forwarding.record.ended("upstream_stalled"),
            End::ClientGone => forwarding.record.ended("client_gone"),
            End::Withdrawn(withdrawal) => {
                forwarding.record.cut("stream", &withdrawal);
                return After::Drop;
            }
        }
        if end != End::Complete {
            // What came before a break reaches the client, which then sees that no end follows.
            let _ = self.send(&[]).await;
            return After::Drop;
        }
        // After an early answer the rest of the request is not sent any more, so neither side can go on.
        if !upload.is_whole() {
            return After::Close(Rest::Unread);
        }
        if let Some(unwanted) = answer.unwanted {
            let Unwanted {
                framing,
                reuse,
                came,
            } = *unwanted;
            read_away(link, framing, reuse, &came);
        } else if down.surplus {
            tracing::debug!(
                upstream = &*forwarding.upstream.name,
                "upstream connection ended: nobody asked for more"
            );
        } else if answer.reuse == Reuse::Keep {
            link.keep();
        }
        if answer.keep == Keep::Open {
            After::Next
        } else {
            After::Close(Rest::Nothing)
        }
    }

    /// Sends the head, and with it what came of the body.
    async fn begin_down(
        &mut self,
        down: &mut Down,
        reading: Reading,
        answer: &mut Rendered,
        right: &mut Right,
    ) -> Result<(), End> {
        let (mut slab, from, to) = reading.into_parts();
        let body = from + answer.length;
        if let Some(unwanted) = &mut answer.unwanted {
            unwanted.came = slab.get(body..to).unwrap_or_default().to_vec();
        }
        // Whatever is wrong with the body, the answer has begun.
        let taken = down.take(slab.get(body..to).unwrap_or_default());
        let passing = *taken.as_ref().unwrap_or(&0);
        answer.head.extend_from_slice(LINE_END);
        let mut data = body..body + passing;
        if matches!(down.body, Body::UntilClose) && passing > 0 {
            data = in_chunk(&mut slab, data);
        }
        let head = data
            .start
            .checked_sub(answer.head.len())
            .filter(|start| *start >= RECORD_HEADER);
        match head
            .map(|start| start..data.end)
            .filter(|whole| whole.len() <= RECORD_PLAINTEXT)
        {
            Some(whole) => {
                if let Some(place) = slab.get_mut(whole.start..data.start) {
                    place.copy_from_slice(&answer.head);
                }
                down.sending = true;
                self.records
                    .start_send(slab, &[whole])
                    .map_err(|_| End::ClientGone)?;
            }
            // A head that large has no room before the body.
            None => {
                let body = slab.get(data).unwrap_or_default();
                count_copied(body.len());
                self.send_by(Some(right), &answer.head).await?;
                self.send_by(Some(right), body).await?;
            }
        }
        taken.map(drop).map_err(|_| End::BrokeOff)
    }

    /// Ready with `None` when the tail is to be sent, or with how the answer ended.
    fn poll_down(
        &mut self,
        context: &mut Context<'_>,
        limits: &RouteLimits,
        (upload, link): (&mut Upload, &mut Link),
        down: &mut Down,
    ) -> Poll<Option<End>> {
        match upload.poll(context, &mut self.records, &mut self.input, link) {
            Poll::Ready(Err(Failure::ClientGone)) => return Poll::Ready(Some(End::ClientGone)),
            // There is an answer already; the rest of the request is given up.
            Poll::Ready(Err(_)) => upload.state = State::Refused,
            Poll::Ready(Ok(_)) | Poll::Pending => {}
        }
        loop {
            if down.sending {
                match self.records.poll_sent(context) {
                    Poll::Ready(Ok(())) => {
                        down.sending = false;
                        if !down.is_done() {
                            down.progress = Instant::now();
                        }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Some(End::ClientGone)),
                    Poll::Pending => break,
                }
            }
            if !down.tail.is_empty() {
                return Poll::Ready(None);
            }
            if down.is_done() {
                return Poll::Ready(Some(End::Complete));
            }
            match self.poll_pass(context, link, down) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Poll::Ready(Some(end)),
                Poll::Pending => break,
            }
        }
        if upload.is_whole() && self.poll_client(context).is_ready() {
            return Poll::Ready(Some(End::ClientGone));
        }
        let (patience, late) = if down.sending {
            (self.limits.idle_timeout, End::ClientGone)
        } else {
            (limits.idle_timeout, End::Stalled)
        };
        self.timer
            .set(patience.map(|patience| down.progress + patience));
        ready!(self.timer.poll(context));
        Poll::Ready(Some(late))
    }

    /// Reads what has come of the body, and begins to send it.
    fn poll_pass(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
        down: &mut Down,
    ) -> Poll<Result<(), End>> {
        let mut slab = Slab::take();
        let mut spaces = [const { 0..0 }; MANY_RECORDS];
        let mut count = 0;
        let one_chunk =
            RECORD_HEADER + LINE_ROOM..RECORD_HEADER + RECORD_PLAINTEXT - LINE_END.len();
        let in_chunks = matches!(down.body, Body::UntilClose).then_some(one_chunk);
        let whole = R::spaces(down.records);
        let ranges = in_chunks
            .iter()
            .cloned()
            .chain(whole.iter().filter(|_| in_chunks.is_none()));
        for (place, range) in spaces.iter_mut().zip(ranges) {
            *place = range;
            count += 1;
        }
        let spaces = spaces.get(..count).unwrap_or_default();
        let mut left = match ready!(link.poll_read_spaces(context, &mut slab, spaces)) {
            Ok(0) => return Poll::Ready(down.closed()),
            Ok(count) => count,
            Err(_) => return Poll::Ready(Err(End::BrokeOff)),
        };
        down.progress = Instant::now();
        let room: usize = spaces.iter().map(ExactSizeIterator::len).sum();
        down.records = if left == room {
            MANY_RECORDS
        } else {
            FEW_RECORDS
        };
        let mut pieces = [const { 0..0 }; MANY_RECORDS];
        let mut count = 0;
        for space in spaces {
            let filled = space.start..space.start + left.min(space.len());
            left -= filled.len();
            let bytes = slab.get(filled.clone()).unwrap_or_default();
            let Ok(passing) = down.take(bytes) else {
                return Poll::Ready(Err(End::BrokeOff));
            };
            if let Some(place) = pieces.get_mut(count).filter(|_| passing > 0) {
                *place = filled.start..filled.start + passing;
                count += 1;
            }
        }
        if matches!(down.body, Body::UntilClose)
            && let Some(piece) = pieces.first_mut()
        {
            *piece = in_chunk(&mut slab, piece.clone());
        }
        if count > 0 {
            down.sending = true;
            let sent = self
                .records
                .start_send(slab, pieces.get(..count).unwrap_or_default());
            return Poll::Ready(sent.map_err(|_| End::ClientGone));
        }
        Poll::Ready(Ok(()))
    }
}
