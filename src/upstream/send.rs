//! One request from hyper on its way: a connection, the request up, the answer's head, and whether it may go again. Both
//! directions are polled in one task.

use super::reading::{Came, Reading};
use super::upload::Upload;
use super::{Account, Again, Answer, Failure, Link, Repeat, Upstream, UpstreamError};
use crate::clock;
use crate::forward::{AnswerHead, Asked, Framing, Reuse, Upgrade};
use crate::limit::{BodyFailure, Meter};
use crate::recycled::Recycled;
use bytes::Bytes;
use http_body::Body;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{sleep, sleep_until};

/// A request that is ready to go up.
pub struct Outgoing<B> {
    /// Its whole head, as it goes on the wire.
    pub head: Recycled,
    /// Where in the head the host's name stands.
    pub host: Range<usize>,
    /// Whether the connection may carry another request after this one.
    pub reuse: Reuse,
    /// How long the body is, as the head says.
    pub framing: Framing,
    /// The body.
    pub body: B,
    /// Knows what became of the body.
    pub meter: Arc<Meter>,
    /// What the answer's framing depends on.
    pub asked: Asked,
    /// What the head asks for.
    pub upgrade: Upgrade,
    /// Whether it may go again.
    pub repeat: Repeat,
    /// How long the upstream may do nothing while it has all that there is of the request. From [`LONG_TIMEOUT`] on, a
    /// request that goes at once needs no timer at first: whoever waits polls once more within half of that.
    pub response_timeout: Duration,
    /// What a new connection begins with.
    pub preface: Option<Box<[u8]>>,
    /// Who asks, if the upstream is to see somebody else than the gateway.
    pub account: Option<Arc<Account>>,
}

/// A request that waits for its response is polled once more within half of this after it began, whatever happens.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(5);

/// When the timer for a response is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResponseTimer {
    /// At the second poll: most responses come before that, and never need one. Only where the first poll is the one in
    /// which the request began, because there is only one poll to rely on.
    AtSecondPoll,
    AtOnce,
}

impl ResponseTimer {
    fn of_first_attempt(timeout: Duration, pooled: Option<&Link>) -> Self {
        match pooled {
            Some(_) if timeout >= LONG_TIMEOUT => Self::AtSecondPoll,
            _ => Self::AtOnce,
        }
    }
}

/// What stays the same on each connection that a request is tried on.
struct Asking {
    asked: Asked,
    /// The longest answer that is held back until it is whole.
    held_back: u64,
    upgrade: Upgrade,
    response_timeout: Duration,
}

/// Hears how a request gets on.
pub trait SendObserver {
    /// What is made of the final response's head.
    type ReceivedHead;

    /// A connection to this endpoint is being made for it.
    fn connects_to(&mut self, _endpoint: &str) {}

    /// It is sent to this endpoint.
    fn sent_to(&mut self, _endpoint: &str) {}

    /// Nothing of it was sent by the last attempt.
    fn was_not_sent(&mut self) {}

    /// The head of a response came, perhaps an interim one.
    fn head(&mut self, came: &AnswerHead<'_, '_>) -> Self::ReceivedHead;
}

impl<T, F: FnMut(&AnswerHead<'_, '_>) -> T> SendObserver for F {
    type ReceivedHead = T;

    fn head(&mut self, came: &AnswerHead<'_, '_>) -> T {
        self(came)
    }
}

impl Upstream {
    /// Sends a request to the endpoint whose turn it is (round robin), or to the next that can be reached. The observer
    /// sees the head of each response, also of interim ones; what it makes of the last is given back.
    ///
    /// Goes again only where nothing was sent, or where that is safe and a connection turned out to be closed (RFC 9110
    /// section 9.2.2): see [`Repeat`].
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn send<B, O: SendObserver>(
        &self,
        outgoing: Outgoing<B>,
        observer: O,
    ) -> Result<Answer<B, O::ReceivedHead>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        let result = self.try_send(outgoing, observer).await;
        if let Err(error) = &result {
            self.series().failed(error.word());
        }
        result
    }

    async fn try_send<B, O: SendObserver>(
        &self,
        outgoing: Outgoing<B>,
        mut observer: O,
    ) -> Result<Answer<B, O::ReceivedHead>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        let Outgoing {
            head,
            host,
            framing,
            body,
            meter,
            asked,
            upgrade,
            mut repeat,
            response_timeout,
            preface,
            account,
            reuse,
        } = outgoing;
        let account = account.as_deref();
        let asking = Asking {
            asked,
            held_back: repeat.holds_back(&self.manners),
            upgrade,
            response_timeout,
        };
        let mut upload = Upload::new(head, host, (framing, body), meter);
        if repeat.keeps_body() {
            upload.keep_body();
        }
        let choice = self.choose();
        let mut pooled = self.pooled_link(choice, account);
        let mut timer = ResponseTimer::of_first_attempt(response_timeout, pooled.as_ref());
        loop {
            let mut link = match pooled.take() {
                Some(link) => link,
                // Connecting is rare and large.
                None => {
                    observer.connects_to(self.endpoint_name(choice));
                    Box::pin(self.new_link(choice, preface.as_deref(), account)).await?
                }
            };
            self.begin(&mut link, reuse, &mut upload, &mut observer);
            let mut reading = Reading::default();
            let timer = std::mem::replace(&mut timer, ResponseTimer::AtOnce);
            let failure = match asking
                .attempt(&mut upload, &mut reading, &mut link, timer, &mut observer)
                .await
            {
                Ok((came, made)) => return Ok(Answer::new((came, made), upload, reading, link)),
                Err(failure) => failure,
            };
            if !failure.was_sent() {
                observer.was_not_sent();
            }
            match repeat.after(&failure, link.origin()) {
                Again::OnPooled => pooled = self.pooled_link(choice, account),
                Again::OnNew => self.series().retried(),
                Again::Never => {
                    let endpoint = self.endpoint_name(link.endpoint()).to_owned();
                    return Err(failure.into_error(endpoint));
                }
            }
        }
    }

    /// Readies what goes up for the connection that takes it.
    fn begin<B, O: SendObserver>(
        &self,
        link: &mut Link,
        reuse: Reuse,
        upload: &mut Upload<B>,
        observer: &mut O,
    ) where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        self.series().connection_used(link.origin().word());
        link.carry(reuse);
        observer.sent_to(self.endpoint_name(link.endpoint()));
        // Only now is it certain which endpoint it is.
        if let Some(host) = self.own_host(link.endpoint()) {
            upload.set_host(host);
        }
        upload.again();
    }
}

impl Asking {
    /// Ready with the final answer's head, or with why there is none.
    async fn attempt<B, O: SendObserver>(
        &self,
        upload: &mut Upload<B>,
        reading: &mut Reading,
        link: &mut Link,
        timer: ResponseTimer,
        observer: &mut O,
    ) -> Result<(Came, O::ReceivedHead), Failure>
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        let mut late = pin!((timer == ResponseTimer::AtOnce).then(|| sleep(self.response_timeout)));
        let mut is_first = true;
        poll_fn(|context| {
            if let Poll::Ready(Err(failure)) = upload.poll(context, link) {
                return Poll::Ready(Err(failure));
            }
            while let Poll::Ready(read) =
                reading.poll_head(context, link, (self.asked, self.held_back), |came| {
                    observer.head(came)
                })
            {
                match read {
                    Ok((came, _)) if came.is_interim() => reading.pass_head(&came),
                    Ok((came, _)) if came.status == 101 && !self.may_leave(&came, upload) => {
                        return Poll::Ready(Err(Failure::Upgraded));
                    }
                    Ok(answer) => return Poll::Ready(Ok(answer)),
                    // What is wrong with the request's body is the reason for what follows from it.
                    Err(failure) => {
                        return Poll::Ready(Err(upload
                            .body_failure()
                            .map_or(failure, Failure::Body)));
                    }
                }
            }
            // Waiting for the client does not count; that has a timeout of its own.
            if late.is_none() {
                if std::mem::take(&mut is_first) {
                    return Poll::Pending;
                }
                late.set(Some(sleep_until(
                    (upload.progress + self.response_timeout).into(),
                )));
            }
            let Some(mut late) = late.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            while late.as_mut().poll(context).is_ready() {
                let now = clock::now();
                let since = if upload.waits_for_client() {
                    now
                } else {
                    upload.progress
                };
                if since + self.response_timeout <= now {
                    return Poll::Ready(Err(Failure::ResponseTimeout));
                }
                late.as_mut().reset((since + self.response_timeout).into());
            }
            Poll::Pending
        })
        .await
    }

    /// Whether an answer leaves HTTP for the protocol that was asked for.
    fn may_leave<B>(&self, came: &Came, upload: &Upload<B>) -> bool
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        self.upgrade != Upgrade::None && self.upgrade == came.upgrade && upload.is_whole()
    }
}

#[cfg(test)]
mod tests;
