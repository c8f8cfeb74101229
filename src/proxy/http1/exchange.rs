//! One permitted request: connection to the upstream, attempts with retries, and the response. Both directions are polled in
//! one task. Makes no decision about permission.

use super::attempt::{Attempt, AttemptEvent};
use super::forwarded::ForwardedRequest;
use super::gateway_response::SendFailure;
use super::outcome::{GatewayBody, RecordedResponse};
use super::rendered_response::RenderedResponse;
use super::response_head_reader::ResponseHeadReader;
use super::tunnel::PendingTunnel;
use super::{Connection, KeepAlive, NextStep, UnreadInput};
use crate::endpoint::EndpointStream;
use crate::forward::{Framing, HttpVersion, RequestKind, Upgrade};
use crate::respond::{Consequence, Rejection, SlowPeer, Withdrawal, refuse};
use crate::tls::record::Records;
use crate::upstream::{
    AttemptFailure, AttemptObserver, EndpointChoice, Link, SendAttempts, UpstreamError,
};
use std::future::poll_fn;
use std::task::Poll;
use tokio::time::Instant;

/// How a permitted request ended.
enum ForwardOutcome {
    /// The response was sent, or broke off.
    Done(NextStep),
    /// The upstream switched protocols.
    Upgraded(Box<RenderedResponse>, ResponseHeadReader, EndpointStream),
    /// The permit was withdrawn before a response began.
    Withdrawn(Withdrawal),
}

/// How an attempt to connect to the upstream ended.
enum ConnectOutcome {
    Link(Link),
    ClientGone,
    Withdrawn(Withdrawal),
}

impl<R: Records> Connection<R> {
    /// Forwards a request and sends the response. Empties the slot.
    pub(super) async fn forward(&mut self, slot: &mut Option<ForwardedRequest>) -> NextStep {
        let Some(request) = slot.as_mut() else {
            return NextStep::Drop;
        };
        self.recheck_watch.begin();
        let outcome = self.exchange(request).await;
        self.recheck_watch.set_idle();
        // The request is recorded when it is dropped: here, unless an error response or a tunnel follows.
        let Some(request) = slot.take_if(|_| !matches!(outcome, Ok(ForwardOutcome::Done(_))))
        else {
            *slot = None;
            return if let Ok(ForwardOutcome::Done(next_step)) = outcome {
                next_step
            } else {
                NextStep::Drop
            };
        };
        match outcome {
            Err(Some(rejection)) => self.respond_failure(request, rejection).await,
            Ok(ForwardOutcome::Upgraded(response, reader, upstream)) => {
                let ForwardedRequest {
                    record,
                    live_permit,
                    limits,
                    ..
                } = request;
                let idle_timeout = limits.idle_timeout;
                NextStep::Tunnel(Box::new(PendingTunnel {
                    record,
                    live_permit,
                    response,
                    reader,
                    upstream,
                    idle_timeout,
                }))
            }
            Ok(ForwardOutcome::Withdrawn(withdrawal)) => {
                let mut request = request;
                request.record.cut("stream", &withdrawal);
                self.respond_failure(request, Rejection::Withdrawn(withdrawal))
                    .await
            }
            Ok(ForwardOutcome::Done(_)) | Err(None) => NextStep::Drop,
        }
    }

    /// Makes as many attempts as are safe.
    ///
    /// # Errors
    /// The rejection for the client, or `None` if the client is gone.
    async fn exchange(
        &mut self,
        request: &mut ForwardedRequest,
    ) -> Result<ForwardOutcome, Option<Rejection<'static>>> {
        let series = request.upstream.series.clone();
        let mut attempts = SendAttempts::new(&request.upstream, series, &request.outgoing);
        loop {
            let mut link = match attempts.pooled_link(&request.upstream, &request.outgoing) {
                Some(link) => link,
                None => match self.connect(request, attempts.choice()).await {
                    Ok(ConnectOutcome::Link(link)) => link,
                    Ok(ConnectOutcome::ClientGone) => return Err(None),
                    Ok(ConnectOutcome::Withdrawn(withdrawal)) => {
                        return Ok(ForwardOutcome::Withdrawn(withdrawal));
                    }
                    Err(error) => return Err(Some(Rejection::Upstream(error))),
                },
            };
            let ForwardedRequest {
                upstream,
                outgoing,
                record,
                ..
            } = &mut *request;
            attempts.begin(upstream, &mut link, outgoing, record);
            let failure = match self.attempt(request, link).await {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => failure,
            };
            let ForwardedRequest {
                upstream, record, ..
            } = &mut *request;
            if let Err(failure) = attempts.failed(upstream, failure, record) {
                let endpoint = upstream.endpoint_name(attempts.last_endpoint());
                return Err(rejection(failure, endpoint.to_owned()));
            }
        }
    }

    /// Connects to the upstream, while client and permit are watched.
    async fn connect(
        &mut self,
        request: &mut ForwardedRequest,
        choice: EndpointChoice,
    ) -> Result<ConnectOutcome, UpstreamError> {
        request
            .record
            .connects_to(request.upstream.endpoint_name(choice.number()));
        let ForwardedRequest {
            upstream,
            live_permit,
            outgoing,
            ..
        } = request;
        let mut connecting = Box::pin(upstream.new_link(choice, outgoing));
        poll_fn(|context| {
            if let Poll::Ready(connected) = connecting.as_mut().poll(context) {
                return Poll::Ready(connected.map(ConnectOutcome::Link));
            }
            if let Poll::Ready(withdrawal) = self.poll_withdrawn(context, live_permit) {
                return Poll::Ready(Ok(ConnectOutcome::Withdrawn(withdrawal)));
            }
            self.poll_client(context)
                .map(|()| Ok(ConnectOutcome::ClientGone))
        })
        .await
    }

    async fn attempt(
        &mut self,
        request: &mut ForwardedRequest,
        link: Link,
    ) -> Result<ForwardOutcome, AttemptFailure> {
        let mut attempt = self.begin_attempt(request, link);
        loop {
            let event = poll_fn(|context| self.poll_attempt(context, request, &mut attempt)).await;
            self.now = Instant::now();
            match event {
                Ok(AttemptEvent::ExpectsContinue) => {
                    let sent = self
                        .send_while_permitted(
                            Some(&mut request.live_permit),
                            b"HTTP/1.1 100 Continue\r\n\r\n",
                        )
                        .await;
                    if let Some(withdrawal) = withdrawn(sent)? {
                        return Ok(ForwardOutcome::Withdrawn(withdrawal));
                    }
                    attempt.upload.progress = Instant::now();
                }
                Ok(AttemptEvent::Response(response)) if response.status == 101 => {
                    return self.upgrade(request, attempt, response);
                }
                Ok(AttemptEvent::Response(mut response)) if response.status < 200 => {
                    // HTTP/1.0 has no interim responses (RFC 9110 section 15.2).
                    if response.status != 100 && request.version == HttpVersion::Http11 {
                        response.head.extend_from_slice(b"\r\n");
                        let sent = self
                            .send_while_permitted(Some(&mut request.live_permit), &response.head)
                            .await;
                        if let Some(withdrawal) = withdrawn(sent)? {
                            return Ok(ForwardOutcome::Withdrawn(withdrawal));
                        }
                    }
                    attempt.reader.skip_head(response.length);
                }
                Ok(AttemptEvent::Response(response)) => {
                    request.upstream.responded(attempt.link.endpoint());
                    request.record.responded_at(self.now.into_std());
                    request.record.status(response.status);
                    let next_step = self.send_response(request, attempt, response).await;
                    return Ok(ForwardOutcome::Done(next_step));
                }
                Ok(AttemptEvent::Withdrawn(withdrawal)) => {
                    request.record.moved(attempt.upload.body_bytes, 0);
                    return Ok(ForwardOutcome::Withdrawn(
                        withdrawal.while_waiting_for(attempt.upload.waits_for()),
                    ));
                }
                Err(failure) => {
                    request.record.moved(attempt.upload.body_bytes, 0);
                    attempt.upload.restore(request);
                    return Err(failure);
                }
            }
        }
    }

    /// Accepts a 101 if the client requested this upgrade and the request is sent completely.
    fn upgrade(
        &mut self,
        request: &mut ForwardedRequest,
        attempt: Attempt,
        response: RenderedResponse,
    ) -> Result<ForwardOutcome, AttemptFailure> {
        let is_requested = request.outgoing.upgrade != Upgrade::None
            && request.outgoing.upgrade == response.upgrade;
        if !is_requested || !attempt.upload.is_complete() {
            return Err(AttemptFailure::Upgraded);
        }
        request.upstream.responded(attempt.link.endpoint());
        let Attempt { reader, link, .. } = attempt;
        let upstream = link.into_upgraded().ok_or(AttemptFailure::Upgraded)?;
        request.record.responded_at(self.now.into_std());
        let response = Box::new(response);
        Ok(ForwardOutcome::Upgraded(response, reader, upstream))
    }

    /// Responds to a request that failed before a response began.
    async fn respond_failure(
        &mut self,
        request: ForwardedRequest,
        rejection: Rejection<'static>,
    ) -> NextStep {
        let ForwardedRequest {
            mut record,
            format,
            client_method,
            framing,
            version,
            keep,
            upstream,
            ..
        } = request;
        if let Rejection::Upstream(error) = &rejection {
            upstream.series.failed(error.reason());
        }
        record.failed(&rejection);
        let response = refuse(&rejection, format, record.request_id());
        // An unread body cannot be told from the next request, so the connection closes.
        let bodiless = framing == Framing::Length(0);
        let (mut keep, unread) = if bodiless {
            (keep, UnreadInput::Absent)
        } else {
            (KeepAlive::Close, UnreadInput::Possible)
        };
        if rejection.reason().consequence() == Consequence::ConnectionEnds {
            keep = KeepAlive::Close;
        }
        let body = if client_method == RequestKind::Head {
            GatewayBody::LengthOnly
        } else {
            GatewayBody::Sent
        };
        self.respond(RecordedResponse {
            record,
            response,
            version,
            keep,
            body,
            unread,
        })
        .await
    }
}

/// The withdrawal that stopped bytes before the final response, if there was one.
fn withdrawn(sent: Result<(), SendFailure>) -> Result<Option<Withdrawal>, AttemptFailure> {
    match sent {
        Ok(()) => Ok(None),
        Err(SendFailure::Withdrawn(withdrawal)) => {
            Ok(Some(withdrawal.while_waiting_for(SlowPeer::Client)))
        }
        Err(SendFailure::ClientGone) => Err(AttemptFailure::ClientGone),
    }
}

/// The rejection that a failed attempt leads to. `None` if the client is gone.
fn rejection(failure: AttemptFailure, endpoint: String) -> Option<Rejection<'static>> {
    match failure {
        AttemptFailure::Framing(error) => Some(Rejection::Framing(error)),
        AttemptFailure::ClientGone => None,
        failure => Some(match failure.into_error(endpoint) {
            UpstreamError::RequestBody(end) => Rejection::Body(end),
            error => Rejection::Upstream(error),
        }),
    }
}
