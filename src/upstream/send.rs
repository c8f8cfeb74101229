//! Sends one request of an HTTP/2 client: connection, upload, response head, and retries. Polls both
//! directions in one task.

use super::response_reader::{ResponseReader, ResponseSummary};
use super::upload::Upload;
use super::{
    AttemptFailure, AttemptObserver, Link, OutgoingRequest, SendAttempts, Upstream, UpstreamError,
    UpstreamResponse,
};
use crate::clock;
use crate::forward::{RequestKind, ResponseHead};
use crate::limit::{BodyFailure, BodyMeter};
use bytes::Bytes;
use http_body::Body;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{sleep, sleep_until};

/// An upstream request with its body. From [`LONG_TIMEOUT`] on, the response timeout of a request that is sent at once needs
/// no timer at first: the caller polls again within half of that time.
pub struct UpstreamRequest<B> {
    /// The request without its body.
    pub outgoing: OutgoingRequest,
    /// The body.
    pub body: B,
    /// Reports how the body ended.
    pub meter: Arc<BodyMeter>,
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
    asked: RequestKind,
    /// Maximum bytes of a response that is held back until it is complete.
    held_back: u64,
    response_timeout: Duration,
}

/// An observer of the attempts and of the response heads of a request.
pub trait SendObserver: AttemptObserver {
    /// The result for the head of the final response.
    type ReceivedHead;

    /// A response head arrived, possibly of an interim response.
    fn head(&mut self, head: &ResponseHead<'_, '_>) -> Self::ReceivedHead;
}

impl<T, F: FnMut(&ResponseHead<'_, '_>) -> T> AttemptObserver for F {}

impl<T, F: FnMut(&ResponseHead<'_, '_>) -> T> SendObserver for F {
    type ReceivedHead = T;

    fn head(&mut self, head: &ResponseHead<'_, '_>) -> T {
        self(head)
    }
}

impl Upstream {
    /// Sends a request to the chosen endpoint, or to another one if it cannot be reached. The observer receives the head of each response, including interim ones; its result for the last
    /// head is returned.
    ///
    /// Retries only if no byte was sent, or if that is safe (RFC 9110 section 9.2.2): see [`RetryPolicy`](super::RetryPolicy).
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn send<B, O: SendObserver>(
        &self,
        request: UpstreamRequest<B>,
        observer: O,
    ) -> Result<UpstreamResponse<B, O::ReceivedHead>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        let result = self.try_send(request, observer).await;
        // A failed request body is the client's fault.
        if let Err(error) = &result
            && !matches!(error, UpstreamError::RequestBody(_))
        {
            self.series().failed(error.reason());
        }
        result
    }

    async fn try_send<B, O: SendObserver>(
        &self,
        request: UpstreamRequest<B>,
        mut observer: O,
    ) -> Result<UpstreamResponse<B, O::ReceivedHead>, UpstreamError>
    where
        B: Body<Data = Bytes, Error = BodyFailure> + Unpin,
    {
        let UpstreamRequest {
            mut outgoing,
            body,
            meter,
        } = request;
        let settings = AttemptSettings {
            asked: outgoing.asked,
            held_back: outgoing.retry_policy.holds_back(&self.quirks),
            response_timeout: outgoing.response_timeout,
        };
        let mut attempts = SendAttempts::new(self, self.series(), &outgoing);
        let mut upload = Upload::new(&mut outgoing, body, meter);
        let mut pooled = attempts.pooled_link(self, &outgoing);
        let mut timer = ResponseTimer::of_first_attempt(settings.response_timeout, pooled.as_ref());
        loop {
            let mut link = match pooled.take() {
                Some(link) => link,
                // Connecting is rare, and its future is large.
                None => {
                    observer.connects_to(self.endpoint_name(attempts.choice().number()));
                    Box::pin(self.new_link(attempts.choice(), &outgoing)).await?
                }
            };
            attempts.begin(self, &mut link, &outgoing, &mut observer);
            // The endpoint is only known now.
            if let Some(host) = self.own_host(link.endpoint()) {
                upload.set_host(host);
            }
            upload.restart();
            let mut reader = ResponseReader::default();
            let timer = std::mem::replace(&mut timer, ResponseTimer::AtOnce);
            let failure = match settings
                .attempt(&mut upload, &mut reader, &mut link, timer, &mut observer)
                .await
            {
                Ok((received, head)) => {
                    self.responded(link.endpoint());
                    return Ok(UpstreamResponse::new(received, head, upload, reader, link));
                }
                Err(failure) => failure,
            };
            if let Err(failure) = attempts.failed(self, failure, &mut observer) {
                let endpoint = self.endpoint_name(attempts.last_endpoint()).to_owned();
                return Err(failure.into_error(endpoint));
            }
            pooled = attempts.pooled_link(self, &outgoing);
        }
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
                    // No request of HTTP/2 requests an upgrade.
                    Ok((received, _)) if received.status == 101 => {
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
}

#[cfg(test)]
mod tests;
