//! The answer that comes down: an upstream's, streaming, or our own. Recorded when its last byte is gone.

use super::Exchange;
use super::up::{HeaderFields, REQUEST_ID_NAME, Received, RequestBody, request_id_value};
use crate::forward::{FieldSink, tunnel};
use crate::limit::{BodyEnd, BodyFailure, Meter, MeteredBody};
use crate::proxy::activity::Turn;
use crate::proxy::date::date;
use crate::proxy::present::{OpenExchange, RoundWatch, withdrawn};
use crate::proxy::record::Record;
use crate::respond::OwnAnswer;
use crate::route::RouteLimits;
use crate::upstream::{AnswerBody, LinkStream};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

impl Exchange<'_> {
    /// The answer that comes down, streaming.
    pub(super) fn pass_down(
        &self,
        (mut record, open): (Record, Rc<OpenExchange>),
        head: Received,
        body: AnswerBody<RequestBody>,
        limits: RouteLimits,
    ) -> Response<RecordedBody> {
        record.status(head.status.as_u16());
        let meter = record.meters().response.clone();
        let body = MeteredBody::new(body, None, limits.idle_timeout, meter.clone());
        let finish = Finish {
            record,
            body: Some(meter),
            open: Some(open),
        };
        let body = RecordedBody::new(
            DownBody::Passed(Box::new(body)),
            self.turn(limits.idle_timeout),
            finish,
        );
        let mut down = Response::new(body);
        *down.status_mut() = head.status;
        *down.headers_mut() = head.fields;
        down
    }

    /// Both sides leave HTTP; their bytes pass until one side ends.
    pub(super) fn tunnel(
        &self,
        (mut record, exchange): (Record, Rc<OpenExchange>),
        fields: HeaderMap,
        (leaving, upstream): (hyper::upgrade::OnUpgrade, LinkStream),
        limits: RouteLimits,
    ) -> Response<RecordedBody> {
        let mut fields = HeaderFields(fields);
        fields.add("connection", b"upgrade");
        fields.add("upgrade", b"websocket");
        record.status(StatusCode::SWITCHING_PROTOCOLS.as_u16());
        if let Some(guard) = &self.context.guard {
            guard.leave_http();
        }
        let context = self.context.clone();
        let open = self
            .context
            .shared
            .telemetry
            .metrics
            .tunnels_open
            .with_label_values(&[&*self.context.facts.listener]);
        self.context.drain.spawn_local(async move {
            // The socket lives on here with the context, so it still counts as an open connection.
            let Some(mut right) = exchange.take_right() else { return };
            right.is_answered();
            let mut rounds = RoundWatch::new();
            // One may have begun since it was judged.
            rounds.look_at_once();
            rounds.lasts();
            let Ok(client) = leaving.await else {
                record.ended("broken");
                return;
            };
            open.inc();
            let mut cut = None;
            let stop = async {
                tokio::select! {
                    () = context.drain.begun() => "drained",
                    withdrawal = withdrawn(&mut right, &mut rounds, (&context.shared, &context.client)) => {
                        cut = Some(withdrawal);
                        "cut"
                    }
                }
            };
            let end = tunnel(TokioIo::new(client), upstream, limits.idle_timeout, stop).await;
            open.dec();
            record.moved(end.sent, end.received);
            match cut {
                Some(withdrawal) => record.cut("tunnel", &withdrawal),
                None => record.ended(end.reason),
            }
        });
        let nothing = DownBody::Own(Full::default());
        let mut down = Response::new(RecordedBody {
            inner: nothing,
            turn: None,
            broken: None,
            finish: None,
        });
        *down.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *down.headers_mut() = fields.0;
        down
    }

    /// An answer of our own, recorded when it is sent or dropped.
    pub(super) fn own_answer(
        &self,
        mut record: Record,
        answer: OwnAnswer,
    ) -> Response<RecordedBody> {
        record.status(answer.status.as_u16());
        record.own_answer(answer.body.len());
        let id = request_id_value(record.request_id().as_bytes());
        let body = DownBody::Own(Full::from(answer.body));
        let finish = Finish {
            record,
            body: None,
            open: None,
        };
        let body = RecordedBody::new(body, self.turn(self.context.idle_timeout), finish);
        let mut response = Response::new(body);
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(answer.content_type),
        );
        headers.insert(
            http::header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        );
        for (name, value) in answer.fields {
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

    /// HTTP/1.1 has one answer at a time, and the guard sees whether it is taken.
    fn turn(&self, idle_timeout: Option<Duration>) -> Option<Arc<Turn>> {
        let idle_timeout = idle_timeout.filter(|_| self.context.guard.is_none())?;
        Some(self.context.activity.watch(idle_timeout))
    }
}

/// An answer's body with the record that is written at its end.
pub(in crate::proxy) struct RecordedBody {
    inner: DownBody,
    /// Told whom this answer waits for. An answer that may wait for ever has none.
    turn: Option<Arc<Turn>>,
    /// Why the answer broke off, held back for a moment.
    broken: Option<BodyFailure>,
    finish: Option<Finish>,
}

impl RecordedBody {
    fn new(inner: DownBody, turn: Option<Arc<Turn>>, finish: Finish) -> Self {
        Self {
            inner,
            turn,
            broken: None,
            finish: Some(finish),
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
        let open = self.finish.as_ref().and_then(|finish| finish.open.as_ref());
        if open.is_some_and(|open| open.poll_withdrawn(context).is_ready()) {
            // What is not sent yet is not sent any more.
            return Poll::Ready(Some(Err(BodyFailure::Broken(
                "the right to it was withdrawn".into(),
            ))));
        }
        if let Some(failure) = self.broken.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let polled = match &mut self.inner {
            DownBody::Own(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            DownBody::Passed(body) => Pin::new(&mut **body).poll_frame(context),
        };
        if let Some(turn) = &self.turn {
            match polled {
                Poll::Pending => turn.is_the_upstreams(),
                Poll::Ready(_) => turn.is_the_clients(),
            }
        }
        if let Poll::Ready(Some(Err(failure))) = polled {
            // hyper throws away what it has not sent yet when a body fails, but sends it while a body is waited for.
            self.broken = Some(failure);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let inner = match &self.inner {
            DownBody::Own(body) => body.is_end_stream(),
            DownBody::Passed(body) => body.is_end_stream(),
        };
        inner && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            DownBody::Own(body) => body.size_hint(),
            DownBody::Passed(body) => body.size_hint(),
        }
    }
}

/// Ours, or an upstream's.
enum DownBody {
    Own(Full<Bytes>),
    Passed(Box<MeteredBody<AnswerBody<RequestBody>>>),
}

/// What is done when an answer is over, however it ended.
struct Finish {
    record: Record,
    /// Knows how an upstream's body ended.
    body: Option<Arc<Meter>>,
    /// Knows whether it was cut.
    open: Option<Rc<OpenExchange>>,
}

impl Drop for Finish {
    fn drop(&mut self) {
        let Some(meter) = &self.body else { return };
        if let Some(withdrawal) = self.open.as_ref().and_then(|open| open.withdrawn()) {
            self.record.cut("stream", &withdrawal);
            return;
        }
        self.record.ended(match meter.end() {
            BodyEnd::Complete => "complete",
            BodyEnd::Stalled => "upstream_stalled",
            BodyEnd::Broken => "upstream_broke_off",
            BodyEnd::TooLarge | BodyEnd::Unfinished => "client_gone",
        });
    }
}
