//! Sends one request from hyper: connection, upload, response head, and retries. Polls both
//! directions in one task.

use super::response_reader::{ResponseReader, ResponseSummary};
use super::upload::Upload;
use super::{
    Account, Answer, AttemptFailure, Link, RetryPolicy, RetryTarget, Upstream, UpstreamError,
};
use crate::buffer_pool::PooledBuffer;
use crate::clock;
use crate::forward::{Asked, Framing, ResponseHead, Reuse, Upgrade};
use crate::limit::{BodyFailure, BodyMeter};
use bytes::Bytes;
use http_body::Body;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{sleep, sleep_until};

/// An upstream request that is ready to be sent.
pub struct UpstreamRequest<B> {
    /// The head in wire format.
    pub head: PooledBuffer,
    /// Position of the host in the head.
    pub host: Range<usize>,
    /// Whether the connection may carry another request after this one.
    pub reuse: Reuse,
    /// The framing of the body according to the head.
    pub framing: Framing,
    /// The body.
    pub body: B,
    /// Reports how the body ended.
    pub meter: Arc<BodyMeter>,
    /// The request kind, which the response framing depends on.
    pub asked: Asked,
    /// The requested upgrade.
    pub upgrade: Upgrade,
    /// The retry policy.
    pub repeat: RetryPolicy,
    /// Maximum time without progress while the upstream has all available bytes of the request.
    /// From [`LONG_TIMEOUT`] on, a request that is sent at once needs no timer at first: the caller
    /// polls again within half of that time.
    pub response_timeout: Duration,
    /// The preface of a new connection.
    pub preface: Option<Box<[u8]>>,
    /// The client's account at the upstream, in place of the gateway's.
    pub account: Option<Arc<Account>>,
}

/// A waiting request is polled again within half of this time, in any case.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(5);

/// When the response timer is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResponseTimer {
    /// At the second poll: most responses arrive earlier and need no timer. Only if the request
    /// starts in the first poll, since only one further poll is guaranteed.
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

/// The settings that all attempts share.
struct AttemptSettings {
    asked: Asked,
    /// Maximum bytes of a response that is held back until it is complete.
    held_back: u64,
    upgrade: Upgrade,
    response_timeout: Duration,
}

/// An observer of the progress of a request.
pub trait SendObserver {
    /// The result for the head of the final response.
    type ReceivedHead;

    /// A connection to this endpoint is opened.
    fn connects_to(&mut self, _endpoint: &str) {}

    /// The request is sent to this endpoint.
    fn sent_to(&mut self, _endpoint: &str) {}

    /// The last attempt sent no byte.
    fn was_not_sent(&mut self) {}

    /// A response head arrived, possibly of an interim response.
    fn head(&mut self, head: &ResponseHead<'_, '_>) -> Self::ReceivedHead;
}

impl<T, F: FnMut(&ResponseHead<'_, '_>) -> T> SendObserver for F {
    type ReceivedHead = T;

    fn head(&mut self, head: &ResponseHead<'_, '_>) -> T {
        self(head)
    }
}

impl Upstream {
    /// Sends a request to the next endpoint (round robin), or to the next reachable one. The
    /// observer receives the head of each response, including interim ones; its result for the last
    /// head is returned.
    ///
    /// Retries only if no byte was sent, or if that is safe and the connection was closed (RFC 9110
    /// section 9.2.2): see [`RetryPolicy`].
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn send<B, O: SendObserver>(
        &self,
        outgoing: UpstreamRequest<B>,
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
        outgoing: UpstreamRequest<B>,
        mut observer: O,
    ) -> Result<Answer<B, O::ReceivedHead>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        let UpstreamRequest {
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
        let preface = preface.as_deref();
        let settings = AttemptSettings {
            asked,
            held_back: repeat.holds_back(&self.manners),
            upgrade,
            response_timeout,
        };
        let mut upload = Upload::new(head, host, framing, body, meter);
        if repeat.keeps_body() {
            upload.keep_body();
        }
        let choice = self.choose();
        let mut pooled = self.pooled_link(choice, account);
        let mut timer = ResponseTimer::of_first_attempt(response_timeout, pooled.as_ref());
        loop {
            let mut link = match pooled.take() {
                Some(link) => link,
                // Connecting is rare, and its future is large.
                None => {
                    observer.connects_to(self.endpoint_name(choice));
                    Box::pin(self.new_link(choice, preface, account)).await?
                }
            };
            self.start_attempt(&mut link, reuse, &mut upload, &mut observer);
            let mut reader = ResponseReader::default();
            let timer = std::mem::replace(&mut timer, ResponseTimer::AtOnce);
            let failure = match settings
                .attempt(&mut upload, &mut reader, &mut link, timer, &mut observer)
                .await
            {
                Ok((received, head)) => {
                    return Ok(Answer::new(received, head, upload, reader, link));
                }
                Err(failure) => failure,
            };
            match self.retry(&mut repeat, &failure, &link, &mut observer) {
                RetryTarget::OnPooled => pooled = self.pooled_link(choice, account),
                RetryTarget::OnNew => {}
                RetryTarget::Never => {
                    let endpoint = self.endpoint_name(link.endpoint()).to_owned();
                    return Err(failure.into_error(endpoint));
                }
            }
        }
    }

    /// Whether and where to send once more after this failure.
    fn retry<O: SendObserver>(
        &self,
        repeat: &mut RetryPolicy,
        failure: &AttemptFailure,
        link: &Link,
        observer: &mut O,
    ) -> RetryTarget {
        if !failure.was_sent() {
            observer.was_not_sent();
        }
        let again = repeat.after(failure, link.origin());
        if matches!(again, RetryTarget::OnNew) {
            self.series().retried();
        }
        again
    }

    /// Prepares the upload for the connection.
    fn start_attempt<B, O: SendObserver>(
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
        // The endpoint is only known now.
        if let Some(host) = self.own_host(link.endpoint()) {
            upload.set_host(host);
        }
        upload.restart();
    }
}

impl AttemptSettings {
    /// The head of the final response, or the failure.
    async fn attempt<B, O: SendObserver>(
        &self,
        upload: &mut Upload<B>,
        reader: &mut ResponseReader,
        link: &mut Link,
        timer: ResponseTimer,
        observer: &mut O,
    ) -> Result<(ResponseSummary, O::ReceivedHead), AttemptFailure>
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        let mut timeout =
            pin!((timer == ResponseTimer::AtOnce).then(|| sleep(self.response_timeout)));
        let mut is_first = true;
        poll_fn(|context| {
            if let Poll::Ready(Err(failure)) = upload.poll(context, link) {
                return Poll::Ready(Err(failure));
            }
            while let Poll::Ready(read) =
                reader.poll_head(context, link, self.asked, self.held_back, |head| {
                    observer.head(head)
                })
            {
                match read {
                    Ok((received, _)) if received.is_interim() => reader.skip_head(&received),
                    Ok((received, _))
                        if received.status == 101 && !self.grants_upgrade(&received, upload) =>
                    {
                        return Poll::Ready(Err(AttemptFailure::Upgraded));
                    }
                    Ok(answer) => return Poll::Ready(Ok(answer)),
                    // A failure of the request body is the cause of the other failure.
                    Err(failure) => {
                        return Poll::Ready(Err(upload
                            .body_failure()
                            .map_or(failure, AttemptFailure::Body)));
                    }
                }
            }
            // Time spent waiting for the client does not count; it has its own timeout.
            if timeout.is_none() {
                if std::mem::take(&mut is_first) {
                    return Poll::Pending;
                }
                timeout.set(Some(sleep_until(
                    (upload.progress + self.response_timeout).into(),
                )));
            }
            let Some(mut timeout) = timeout.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            while timeout.as_mut().poll(context).is_ready() {
                let now = clock::now();
                let since = if upload.waits_for_client() {
                    now
                } else {
                    upload.progress
                };
                if since + self.response_timeout <= now {
                    return Poll::Ready(Err(AttemptFailure::ResponseTimeout));
                }
                timeout
                    .as_mut()
                    .reset((since + self.response_timeout).into());
            }
            Poll::Pending
        })
        .await
    }

    /// Whether a 101 response grants the requested upgrade.
    fn grants_upgrade<B>(&self, received: &ResponseSummary, upload: &Upload<B>) -> bool
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        self.upgrade != Upgrade::None && self.upgrade == received.upgrade && upload.is_complete()
    }
}

#[cfg(test)]
mod tests;
