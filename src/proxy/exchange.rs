//! One request on hyper, from head to last byte: judged, answered by us or forwarded, and recorded. The order of the
//! functions is the way of the request.

use super::Shared;
use super::activity::Activity;
use super::client::{ClientView, ConnectedClient};
use super::guard::GuardControl;
use super::record::{Circumstances, PeerNames, Record};
use super::request::{Judgement, decide};
use super::whoami;
use crate::authorize::Permit;
use crate::config::HostHeader;
use crate::drain::Drain;
use crate::forward::{
    ContentLength, FieldSink, FilteredTrailers, RequestEdit, Upgrade, request_fields, requested_upgrade,
    response_fields, tunnel,
};
use crate::head::{Fields, RequestHead};
use crate::limit::{BodyEnd, BodyFailure, Meter, MeteredBody};
use crate::respond::{Form, OwnAnswer, Refusal, refuse};
use crate::route::{Admission, Route, RouteLimits, Target};
use crate::snapshot::Snapshot;
use crate::upstream::{Answer, Lease, Outgoing, Upstream, UpstreamError};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio_util::sync::CancellationToken;

/// The body of an answer.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, BodyFailure>;

/// What all requests of a connection share.
pub(super) struct ConnectionContext {
    pub(super) shared: Arc<Shared>,
    pub(super) listener: Arc<str>,
    pub(super) address: SocketAddr,
    pub(super) client: ConnectedClient,
    pub(super) drain: Drain,
    /// HTTP/1.1 only.
    pub(super) guard: Option<Arc<GuardControl>>,
    /// Ends the connection after the answers that are on their way.
    pub(super) close: CancellationToken,
    /// Whether requests are under way.
    pub(super) activity: Arc<Activity>,
}

/// Answers one request.
pub(super) async fn answer(context: Arc<ConnectionContext>, request: Request<Incoming>) -> Response<AnswerBody> {
    let snapshot = context.shared.snapshot.load_full();
    let view = context.client.view(&snapshot);
    let mut record = context.new_record(&snapshot, &request);
    record.client_is(view.peer_names(), view.principal().map(|user| user.name.clone()));
    let form = Form::of_accept(&request.headers().all("accept"));
    let exchange = Exchange {
        context: &context,
        snapshot: &snapshot,
        view: &view,
        form,
    };
    let Some(client) = view.client() else {
        return exchange.refused(record, &Refusal::ListenerGone);
    };
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let judgement = decide(
        &snapshot,
        client,
        &RequestHead {
            method: request.method().as_str(),
            target,
            authority: request.uri().authority().map(|authority| authority.as_str()),
            fields: request.headers(),
        },
    );
    record.judged(&judgement);
    let Judgement {
        method,
        target,
        route,
        outcome,
        ..
    } = judgement;
    match (outcome, route, target) {
        (Err(refusal), _, _) => exchange.refused(record, &refusal),
        (Ok(permit), Some(route), Some(target)) => {
            let permitted = Permitted {
                route,
                permit,
                method,
                target: target.to_string(),
            };
            exchange.permitted(record, request, permitted).await
        }
        (Ok(_), _, _) => exchange.refused(record, &Refusal::Internal("a permit without a route")),
    }
}

impl ConnectionContext {
    fn new_record(&self, snapshot: &Snapshot, request: &Request<Incoming>) -> Record {
        let circumstances = Circumstances {
            telemetry: self.shared.telemetry.clone(),
            listener: self.listener.clone(),
            client: self.address,
            server_name: self
                .client
                .facts
                .server_name
                .as_ref()
                .map(|name| name.as_str().to_owned()),
            tls: self.client.facts.version,
            protocol: protocol(request.version()),
            generation: snapshot.generation,
            request_id: super::request_id(),
        };
        let mut record = Record::new(circumstances, request.method().as_str(), request.uri().path());
        self.activity.request_begins();
        let (activity, guard) = (self.activity.clone(), self.guard.clone());
        record.on_end(move || {
            activity.request_ends();
            if let Some(guard) = guard {
                guard.request_is_over();
            }
        });
        record
    }
}

impl ClientView {
    fn peer_names(&self) -> Option<PeerNames> {
        self.peer.as_ref().map(|peer| PeerNames {
            common_name: peer.common_name.as_ref().ok().map(ToString::to_string),
            serial: peer.serial.clone(),
            fingerprint: peer.fingerprint.clone(),
        })
    }
}

/// A request that may go on.
struct Permitted<'s> {
    route: &'s Arc<Route>,
    permit: Permit<'s>,
    method: String,
    target: String,
}

/// One request and everything around it.
struct Exchange<'a> {
    context: &'a Arc<ConnectionContext>,
    snapshot: &'a Arc<Snapshot>,
    view: &'a ClientView,
    form: Form,
}

impl Exchange<'_> {
    fn refused(&self, mut record: Record, refusal: &Refusal<'_>) -> Response<AnswerBody> {
        record.failed(refusal);
        let answer = refuse(refusal, self.form, record.request_id());
        let mut response = own_answer(record, answer);
        if refusal.closes_connection() {
            self.context.close.cancel();
            if self.context.guard.is_some() {
                response
                    .headers_mut()
                    .insert(http::header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response
    }

    async fn permitted(
        &self,
        record: Record,
        request: Request<Incoming>,
        permitted: Permitted<'_>,
    ) -> Response<AnswerBody> {
        let name = match &permitted.route.target {
            Target::Whoami => return self.whoami(record),
            Target::Upstream(name) => name,
        };
        match self.snapshot.upstreams.get(name) {
            Some(upstream) => self.forward(record, request, permitted, upstream).await,
            None => self.refused(record, &Refusal::Internal("a route without its upstream")),
        }
    }

    fn whoami(&self, record: Record) -> Response<AnswerBody> {
        match self.view.principal() {
            Some(user) => {
                let answer = whoami::answer(&self.snapshot.policy, user, self.view.peer.as_ref(), self.form);
                own_answer(record, answer)
            }
            None => self.refused(record, &Refusal::NoCertificate),
        }
    }

    async fn forward(
        &self,
        mut record: Record,
        mut request: Request<Incoming>,
        permitted: Permitted<'_>,
        upstream: &Arc<Upstream>,
    ) -> Response<AnswerBody> {
        let limits = permitted.route.limits;
        if limits
            .body_size
            .is_some_and(|limit| request.body().size_hint().lower() > limit)
        {
            return self.refused(record, &Refusal::Body(BodyEnd::TooLarge));
        }
        let choice = upstream.choose();
        let upgrade = match request.version() {
            // A body would run into the tunnel.
            Version::HTTP_11 if request.body().is_end_stream() => {
                requested_upgrade(&permitted.method, request.headers())
            }
            _ => Upgrade::None,
        };
        let leaving = (upgrade == Upgrade::WebSocket).then(|| hyper::upgrade::on(&mut request));
        let Some(outgoing) = self.outgoing(&record, request, &permitted, upstream, (choice, upgrade)) else {
            return self.refused(record, &Refusal::Internal("a head that cannot be written"));
        };
        let method = outgoing.request.method().clone();
        let outcome = upstream.send(outgoing, choice).await;
        if let Some(guard) = &self.context.guard {
            guard.refuse_interim();
        }
        match outcome {
            Err(error) => self.refused(record, &self.failure(error)),
            Ok(answer) => {
                record.answered_by(answer.endpoint.clone());
                match (leaving, answer.response.status()) {
                    (Some(leaving), StatusCode::SWITCHING_PROTOCOLS) => self.tunnel(record, answer, leaving, limits),
                    (None, StatusCode::SWITCHING_PROTOCOLS) => {
                        self.refused(record, &Refusal::Internal("the upstream left HTTP without being asked"))
                    }
                    _ => self.pass_down(record, answer, &method, limits),
                }
            }
        }
    }

    /// A request body that failed is the client's doing, and has its own answers.
    fn failure(&self, error: UpstreamError) -> Refusal<'static> {
        match error {
            UpstreamError::RequestBody(end) => {
                let broken = self.context.guard.as_ref().and_then(|guard| guard.broken_body());
                broken.map_or(Refusal::Body(end), Refusal::Framing)
            }
            error => Refusal::Upstream(error),
        }
    }

    /// The request that goes up.
    fn outgoing(
        &self,
        record: &Record,
        request: Request<Incoming>,
        permitted: &Permitted<'_>,
        upstream: &Upstream,
        (choice, upgrade): (usize, Upgrade),
    ) -> Option<Outgoing> {
        let (head, body) = request.into_parts();
        let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
        let requested_host = authority.or_else(|| head.headers.all("host").first().copied())?;
        let requested_host = std::str::from_utf8(requested_host).ok()?;
        let edit = RequestEdit {
            identity: (permitted.route.admission != Admission::Public).then_some(&self.view.identity),
            client: self.context.address.ip(),
            requested_host,
            upstream_host: match upstream.host_header {
                HostHeader::Client => requested_host,
                HostHeader::Endpoint => upstream.authority(choice),
            },
            request_id: record.request_id(),
            client_version: match head.version {
                Version::HTTP_2 => "2.0",
                Version::HTTP_10 => "1.0",
                _ => "1.1",
            },
            authorization: upstream.authorization.as_deref(),
            upgrade,
        };
        let mut fields = HeaderFields(HeaderMap::with_capacity(head.headers.len() + 16));
        request_fields(&permitted.permit, &head.headers, &edit, &mut fields);
        let limits = permitted.route.limits;
        let body = MeteredBody::new(body, limits.body_size, limits.idle_timeout, record.request.clone());
        if body.size_hint().exact().is_none() {
            // hyper by itself drops a body of unknown length behind a GET.
            fields.add("transfer-encoding", b"chunked");
        }
        let mut up = Request::new(FilteredTrailers::new(body).boxed_unsync());
        *up.method_mut() = Method::from_bytes(permitted.method.as_bytes()).ok()?;
        *up.uri_mut() = permitted.target.parse().ok()?;
        *up.headers_mut() = fields.0;
        if let Some(guard) = self.context.guard.clone().filter(|_| head.version == Version::HTTP_11) {
            pass_interim_answers(&mut up, guard, record.request_id().to_owned());
        }
        Some(Outgoing {
            request: up,
            meter: record.request.clone(),
            response_timeout: limits.response_timeout,
        })
    }

    /// The answer that comes down, streaming.
    fn pass_down(
        &self,
        mut record: Record,
        answer: Answer,
        method: &Method,
        limits: RouteLimits,
    ) -> Response<AnswerBody> {
        let Answer { response, lease, .. } = answer;
        let (head, body) = response.into_parts();
        record.status(head.status.as_u16());
        let without_body = *method == Method::HEAD || body.is_end_stream();
        // RFC 9110 section 8.6: a 204 has none, whatever the upstream says.
        let length = if without_body && head.status != StatusCode::NO_CONTENT {
            ContentLength::FromField
        } else {
            ContentLength::FromBody
        };
        let mut fields = HeaderFields(HeaderMap::with_capacity(head.headers.len() + 2));
        response_fields(&head.headers, length, record.request_id(), &mut fields);
        let meter = record.response.clone();
        let body = MeteredBody::new(body, None, limits.idle_timeout, meter.clone());
        let finish = Finish {
            record,
            lease: Some(lease),
            meter,
        };
        let body = RecordedBody {
            inner: FilteredTrailers::new(body).boxed_unsync(),
            _finish: finish,
        };
        let mut down = Response::new(body.boxed_unsync());
        *down.status_mut() = head.status;
        *down.headers_mut() = fields.0;
        down
    }

    /// Both sides leave HTTP; their bytes pass until one side ends.
    fn tunnel(
        &self,
        mut record: Record,
        answer: Answer,
        leaving: hyper::upgrade::OnUpgrade,
        limits: RouteLimits,
    ) -> Response<AnswerBody> {
        let mut fields = HeaderFields(HeaderMap::new());
        response_fields(
            answer.response.headers(),
            ContentLength::FromBody,
            record.request_id(),
            &mut fields,
        );
        fields.add("connection", b"upgrade");
        fields.add("upgrade", b"websocket");
        record.status(StatusCode::SWITCHING_PROTOCOLS.as_u16());
        if let Some(guard) = &self.context.guard {
            guard.leave_http();
        }
        let drain = self.context.drain.clone();
        let open = self
            .context
            .shared
            .telemetry
            .metrics
            .tunnels_open
            .with_label_values(&[&*self.context.listener]);
        self.context.drain.spawn(async move {
            let Ok((client, upstream)) = tokio::try_join!(leaving, hyper::upgrade::on(answer.response)) else {
                record.ended("broken");
                return;
            };
            open.inc();
            let (client, upstream) = (TokioIo::new(client), TokioIo::new(upstream));
            let end = tunnel(client, upstream, limits.idle_timeout, drain.begun()).await;
            open.dec();
            record.tunnelled(end.received);
            record.ended(end.reason);
        });
        let mut down = Response::new(Full::default().map_err(|never| match never {}).boxed_unsync());
        *down.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *down.headers_mut() = fields.0;
        down
    }
}

/// Interim answers (103 and the like; hyper itself sends 100) go down as they come.
fn pass_interim_answers<B>(request: &mut Request<B>, guard: Arc<GuardControl>, request_id: String) {
    guard.allow_interim(&request_id);
    hyper::ext::on_informational(request, move |response| {
        let status = response.status();
        if matches!(status, StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS) {
            return;
        }
        let mut head = InterimHead(
            format!(
                "HTTP/1.1 {} {}\r\n",
                status.as_u16(),
                status.canonical_reason().unwrap_or("")
            )
            .into_bytes(),
        );
        response_fields(response.headers(), ContentLength::FromBody, &request_id, &mut head);
        head.0.extend_from_slice(b"\r\n");
        guard.send_interim(&request_id, &head.0);
    });
}

struct InterimHead(Vec<u8>);

impl FieldSink for InterimHead {
    fn add(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// An answer of our own, recorded when it is sent or dropped.
fn own_answer(mut record: Record, answer: OwnAnswer) -> Response<AnswerBody> {
    record.status(answer.status.as_u16());
    record.own_answer(answer.body.len());
    let id = HeaderValue::from_str(record.request_id());
    let meter = record.response.clone();
    let body = Full::from(answer.body).map_err(|never| match never {}).boxed_unsync();
    let body = RecordedBody {
        inner: body,
        _finish: Finish {
            record,
            lease: None,
            meter,
        },
    };
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type),
    );
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = id {
        headers.insert("x-request-id", id);
    }
    response
}

/// Renders edited fields for hyper.
struct HeaderFields(HeaderMap);

impl FieldSink for HeaderFields {
    fn add(&mut self, name: &str, value: &[u8]) {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => {
                self.0.append(name, value);
            }
            // Names and values come from a parser or are ours, so this is a mistake of ours; better less than wrong.
            _ => tracing::error!(name, "a header field cannot be written"),
        }
    }
}

/// An answer's body with the record that is written at its end.
struct RecordedBody {
    inner: AnswerBody,
    _finish: Finish,
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        Poll::Ready(ready!(Pin::new(&mut self.inner).poll_frame(context)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What is done when an answer is over, however it ended.
struct Finish {
    record: Record,
    lease: Option<Lease>,
    meter: Arc<Meter>,
}

impl Drop for Finish {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        self.record.ended(match self.meter.end() {
            BodyEnd::Complete => {
                lease.release();
                "complete"
            }
            BodyEnd::Stalled => "upstream_stalled",
            BodyEnd::Broken => "upstream_broke_off",
            BodyEnd::TooLarge | BodyEnd::Unfinished => "client_gone",
        });
    }
}
