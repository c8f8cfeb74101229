//! One attempt to send a permitted request on one upstream connection: upload and response head, polled in one task. Does not
//! decide on retries.

use super::forwarded::ForwardedRequest;
use super::rendered_response::RenderedResponse;
use super::response_head_reader::ResponseHeadReader;
use super::upload::{RequestUpload, UploadEvent};
use super::{Connection, KeepAlive};
use crate::forward::{RequestKind, replace_host};
use crate::limit::BodyEnd;
use crate::respond::Withdrawal;
use crate::tls::record::Records;
use crate::upstream::{AttemptFailure, Link, Origin, UploadState};
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// An event during an attempt.
pub(super) enum AttemptEvent {
    /// The client expects a 100 before it sends the body.
    ExpectsContinue,
    Response(RenderedResponse),
    /// The permit of the request was withdrawn.
    Withdrawn(Withdrawal),
}

/// The parts of one attempt.
pub(super) struct Attempt {
    pub(super) upload: RequestUpload,
    pub(super) reader: ResponseHeadReader,
    pub(super) link: Link,
}

impl<R: Records> Connection<R> {
    pub(super) fn begin_attempt(&mut self, request: &mut ForwardedRequest, link: Link) -> Attempt {
        // The endpoint is known only once there is a connection.
        if let Some(host) = request.upstream.own_host(link.endpoint()) {
            replace_host(&mut request.outgoing.head, &mut request.outgoing.host, host);
        }
        if link.origin() == Origin::New {
            self.now = Instant::now();
        }
        let upload = RequestUpload::new(request, self.now);
        Attempt {
            upload,
            reader: ResponseHeadReader::default(),
            link,
        }
    }

    pub(super) fn poll_attempt(
        &mut self,
        context: &mut Context<'_>,
        request: &mut ForwardedRequest,
        attempt: &mut Attempt,
    ) -> Poll<Result<AttemptEvent, AttemptFailure>> {
        let Attempt {
            upload,
            reader,
            link,
        } = attempt;
        if let Poll::Ready(withdrawal) = self.poll_withdrawn(context, &mut request.live_permit) {
            return Poll::Ready(Ok(AttemptEvent::Withdrawn(withdrawal)));
        }
        let request = &*request;
        match upload.poll(context, &mut self.records, &mut self.input, link) {
            Poll::Ready(Ok(UploadEvent::ExpectsContinue)) => {
                return Poll::Ready(Ok(AttemptEvent::ExpectsContinue));
            }
            Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
            Poll::Ready(Ok(UploadEvent::Complete)) | Poll::Pending => {}
        }
        let held_back = match request.client_method {
            RequestKind::Head => 0,
            RequestKind::Other => request
                .outgoing
                .retry_policy
                .holds_back(&request.upstream.quirks),
        };
        let closing = request.keep == KeepAlive::Close || self.is_ending();
        if let Poll::Ready(read) = reader.poll_head(
            context,
            link,
            request.outgoing.asked,
            held_back,
            |response| {
                // An early error response means that the upstream reads no more of the request.
                let upload_ends = !upload.is_complete() && response.status >= 400;
                let keep = if closing || upload_ends {
                    KeepAlive::Close
                } else {
                    KeepAlive::Open
                };
                super::rendered_response::render_response(&response, request, keep)
            },
        ) {
            return Poll::Ready(read.map(AttemptEvent::Response));
        }
        // An incomplete upload watches the client itself.
        if upload.is_complete() && self.poll_client(context).is_ready() {
            return Poll::Ready(Err(AttemptFailure::ClientGone));
        }
        let (timeout, late) = match upload.state {
            UploadState::WaitsForClient => (
                request.limits.idle_timeout,
                AttemptFailure::Body(BodyEnd::Stalled),
            ),
            _ => (
                Some(request.limits.response_timeout),
                AttemptFailure::ResponseTimeout,
            ),
        };
        self.timer
            .set(timeout.map(|timeout| upload.progress + timeout));
        ready!(self.timer.poll(context));
        Poll::Ready(Err(late))
    }
}
