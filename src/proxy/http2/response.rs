//! The response to the client: streamed from an upstream, or made by the gateway. Recorded when its last byte is sent.

use super::Exchange;
use super::upstream_request::{ClientResponseHead, REQUEST_ID_NAME, RequestBody, request_id_value};
use crate::forward::RequestKind;
use crate::limit::{BodyEnd, BodyFailure, BodyMeter, MeteredBody};
use crate::proxy::activity::StallTimer;
use crate::proxy::date::date;
use crate::proxy::recheck::OpenExchange;
use crate::proxy::record::Record;
use crate::reason::EndReason;
use crate::respond::GatewayResponse;
use crate::route::RouteLimits;
use crate::upstream::ResponseBody;
use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

impl Exchange<'_> {
    /// Streams an upstream's response.
    pub(super) fn send_response(
        &self,
        mut record: Record,
        open: Rc<OpenExchange>,
        head: ClientResponseHead,
        body: ResponseBody<RequestBody>,
        limits: RouteLimits,
    ) -> Response<RecordedBody> {
        record.status(head.status.as_u16());
        let meter = record.meters().response.clone();
        let body = MeteredBody::new(body, None, limits.idle_timeout, meter.clone());
        let recorder = ResponseRecorder {
            record,
            meter: Some(meter),
            open: Some(open),
        };
        let body = RecordedBody::new(
            ResponseSource::Upstream(Box::new(body)),
            self.stall_timer(limits.idle_timeout),
            recorder,
        );
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.fields;
        response
    }

    /// A response of the gateway, recorded when it is sent or dropped.
    pub(super) fn gateway_response(
        &self,
        mut record: Record,
        content: GatewayResponse,
    ) -> Response<RecordedBody> {
        record.status(content.status.as_u16());
        let length = content.body.len();
        let sent_status = content.sent_status();
        // A response to HEAD has no content (RFC 9110 section 9.3.2), only its length.
        let body = match self.method {
            RequestKind::Head => Full::default(),
            RequestKind::Other => Full::from(content.body),
        };
        record.gateway_response(if self.method == RequestKind::Head {
            0
        } else {
            length
        });
        let id = request_id_value(record.request_id().as_bytes());
        let body = ResponseSource::Gateway(body);
        let recorder = ResponseRecorder {
            record,
            meter: None,
            open: None,
        };
        let body = RecordedBody::new(body, self.stall_timer(self.context.idle_timeout), recorder);
        let mut response = Response::new(body);
        *response.status_mut() = sent_status;
        let headers = response.headers_mut();
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(content.content_type),
        );
        headers.insert(
            http::header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        );
        if self.method == RequestKind::Head {
            headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in content.fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(name, value);
            }
        }
        if let Some(id) = id {
            headers.insert(REQUEST_ID_NAME, id);
        }
        headers.insert(http::header::DATE, date());
        response
    }

    /// Detects a client that takes no byte of a response. `None` without an idle timeout.
    fn stall_timer(&self, idle_timeout: Option<Duration>) -> Option<Arc<StallTimer>> {
        Some(self.context.activity.watch(idle_timeout?))
    }
}

/// The body of a response, with the record that is written at its end.
pub(in crate::proxy) struct RecordedBody {
    inner: ResponseSource,
    /// Gets to know whether the response waits for the client. `None` without an idle timeout.
    stall_timer: Option<Arc<StallTimer>>,
    /// Why the body failed. Returned by the next poll, after hyper has sent what it buffered.
    failure: Option<BodyFailure>,
    recorder: Option<ResponseRecorder>,
}

impl RecordedBody {
    fn new(
        inner: ResponseSource,
        stall_timer: Option<Arc<StallTimer>>,
        recorder: ResponseRecorder,
    ) -> Self {
        Self {
            inner,
            stall_timer,
            failure: None,
            recorder: Some(recorder),
        }
    }
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let open = self
            .recorder
            .as_ref()
            .and_then(|recorder| recorder.open.as_ref());
        if open.is_some_and(|open| open.poll_withdrawn(context).is_ready()) {
            return Poll::Ready(Some(Err(BodyFailure::Broken(
                "the permit was withdrawn".into(),
            ))));
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let polled = match &mut self.inner {
            ResponseSource::Gateway(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            ResponseSource::Upstream(body) => Pin::new(&mut **body).poll_frame(context),
        };
        if let Some(stall_timer) = &self.stall_timer {
            match polled {
                Poll::Pending => stall_timer.waits_for_upstream(),
                Poll::Ready(_) => stall_timer.waits_for_client(),
            }
        }
        if let Poll::Ready(Some(Err(failure))) = polled {
            // hyper discards its buffer when a body fails, but sends it while the body is pending.
            self.failure = Some(failure);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let inner = match &self.inner {
            ResponseSource::Gateway(body) => body.is_end_stream(),
            ResponseSource::Upstream(body) => body.is_end_stream(),
        };
        inner && self.failure.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            ResponseSource::Gateway(body) => body.size_hint(),
            ResponseSource::Upstream(body) => body.size_hint(),
        }
    }
}

/// Where the body of a response comes from.
enum ResponseSource {
    Gateway(Full<Bytes>),
    Upstream(Box<MeteredBody<ResponseBody<RequestBody>>>),
}

/// Writes the record when a response ends, for any reason.
struct ResponseRecorder {
    record: Record,
    /// How the upstream's body ended. `None` for a response of the gateway.
    meter: Option<Arc<BodyMeter>>,
    /// Whether the permit was withdrawn.
    open: Option<Rc<OpenExchange>>,
}

impl Drop for ResponseRecorder {
    fn drop(&mut self) {
        let Some(meter) = &self.meter else { return };
        if let Some(withdrawal) = self.open.as_ref().and_then(|open| open.withdrawn()) {
            self.record.cut("stream", &withdrawal);
            return;
        }
        self.record.ended(match meter.end() {
            BodyEnd::Complete => EndReason::Complete,
            BodyEnd::Stalled => EndReason::UpstreamStalled,
            BodyEnd::Broken => EndReason::UpstreamBrokeOff,
            BodyEnd::TooLarge | BodyEnd::Unfinished => EndReason::ClientGone,
        });
    }
}
