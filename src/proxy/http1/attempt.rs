//! One attempt of a permitted request on one connection to its upstream: the request up and the answer's head, polled in
//! one task. Does not know whether it may go again.

use super::answer::Reading;
use super::render::{Forwarding, Rendered};
use super::up::{State, Upload, Uploaded};
use super::{Connection, Keep};
use crate::forward::{Asked, replace_host};
use crate::limit::BodyEnd;
use crate::respond::Withdrawal;
use crate::tls::record::Records;
use crate::upstream::{Failure, Link, Origin};
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// What a request came to.
pub(super) enum Event {
    WantsContinue,
    Answer(Rendered),
    /// It may not go on.
    Withdrawn(Withdrawal),
}

/// The parts of one attempt.
pub(super) struct Attempt {
    pub(super) upload: Upload,
    pub(super) reading: Reading,
    pub(super) link: Link,
}

impl<R: Records> Connection<R> {
    pub(super) fn begin_attempt(&mut self, forwarding: &mut Forwarding, link: Link) -> Attempt {
        // Only now is it certain which endpoint it is.
        if let Some(host) = forwarding.upstream.own_host(link.endpoint()) {
            replace_host(&mut forwarding.head, &mut forwarding.host, host);
        }
        if link.origin() == Origin::New {
            self.now = Instant::now();
        }
        let upload = Upload::new(forwarding, self.now);
        Attempt {
            upload,
            reading: Reading::default(),
            link,
        }
    }

    pub(super) fn poll_attempt(
        &mut self,
        context: &mut Context<'_>,
        forwarding: &mut Forwarding,
        attempt: &mut Attempt,
    ) -> Poll<Result<Event, Failure>> {
        let Attempt {
            upload,
            reading,
            link,
        } = attempt;
        // Before anything moves.
        if let Poll::Ready(withdrawal) = self.poll_withdrawn(context, &mut forwarding.right) {
            return Poll::Ready(Ok(Event::Withdrawn(withdrawal)));
        }
        let forwarding = &*forwarding;
        match upload.poll(context, &mut self.records, &mut self.input, link) {
            Poll::Ready(Ok(Uploaded::WantsContinue)) => {
                return Poll::Ready(Ok(Event::WantsContinue));
            }
            Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
            Poll::Ready(Ok(Uploaded::Whole)) | Poll::Pending => {}
        }
        let held_back = match forwarding.wanted {
            Asked::Head => 0,
            Asked::Other => forwarding.repeat.holds_back(&forwarding.upstream.manners),
        };
        let closing = forwarding.keep == Keep::Close || self.is_ending();
        if let Poll::Ready(read) =
            reading.poll_head(context, link, (forwarding.asked, held_back), |came| {
                // Who answers early with an error wants no more of the request.
                let unwanted = !upload.is_whole() && came.status >= 400;
                let keep = if closing || unwanted {
                    Keep::Close
                } else {
                    Keep::Open
                };
                super::render::answer(&came, forwarding, keep)
            })
        {
            return Poll::Ready(read.map(Event::Answer));
        }
        // An upload that waits for the client watches it already.
        if upload.is_whole() && self.poll_client(context).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        let (patience, late) = match upload.state {
            State::Client => (
                forwarding.limits.idle_timeout,
                Failure::Body(BodyEnd::Stalled),
            ),
            _ => (
                Some(forwarding.limits.response_timeout),
                Failure::ResponseTimeout,
            ),
        };
        self.timer
            .set(patience.map(|patience| upload.progress + patience));
        ready!(self.timer.poll(context));
        Poll::Ready(Err(late))
    }
}
