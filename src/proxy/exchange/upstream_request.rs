//! Rendering of the upstream request from hyper's types, and of received response heads for hyper.

use super::content::Content;
use super::{ClientRequest, Exchange, PermittedRequest};
use crate::buffer_pool::PooledBuffer;
use crate::forward::{
    Asked, ContentLength, FieldSink, Framing, HeadWriter, REQUEST_ID, RESPONSE_VIA, RequestEdit,
    RequestHeadParts, ResponseFraming, ResponseHead, Upgrade, WrittenHead, response_fields,
    write_request_head,
};
use crate::head::Fields;
use crate::identity::IdentityBlock;
use crate::limit::MeteredBody;
use crate::proxy::account::{account, upstream_authorization};
use crate::proxy::active_snapshot::WorkerUpstream;
use crate::proxy::date::date;
use crate::proxy::guard::GuardControl;
use crate::proxy::recheck::LivePermit;
use crate::proxy::record::Record;
use crate::route::Admission;
use crate::upstream::{Quirks, RetryPolicy, SendObserver, UpstreamRequest};
use http::header::{DATE, VIA};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use http_body::Body;
use std::rc::Rc;
use std::sync::Arc;

/// The body of an upstream request.
pub(in crate::proxy) type RequestBody = MeteredBody<Content>;

impl Exchange<'_> {
    /// Renders the upstream request. `None` without a valid host. Also gives the permit to recheck.
    pub(super) fn upstream_request(
        &self,
        record: &mut Record,
        request: ClientRequest<'_>,
        permitted: &PermittedRequest<'_, '_>,
        upstream: &WorkerUpstream,
        upgrade: Upgrade,
    ) -> Option<(UpstreamRequest<RequestBody>, LivePermit)> {
        let ClientRequest { head, content, .. } = request;
        let requested_host = requested_host(head)?;
        let limits = permitted.allowance.limits;
        let meter = record.meters().request.clone();
        let body = MeteredBody::new(
            content,
            limits.body_size,
            limits.idle_timeout,
            meter.clone(),
        );
        let framing = framing_of(&body);
        let (identity, preface) = self.client_identity(permitted, upstream);
        let account = account(
            upstream.accounts.as_deref(),
            permitted.route.admission,
            self.view,
            self.checked,
        );
        let edit = RequestEdit {
            identity: identity.as_deref(),
            client: &self.context.address,
            requested_host,
            request_id: record.request_id(),
            client_version: client_version(head.version),
            authorization: upstream_authorization(
                upstream,
                account.map(|account| &**account),
                self.checked,
            ),
            upgrade,
            policy: self.in_force.snapshot.field_policy(permitted.route),
            authorizer: self.checked.authorizer_fields(),
        };
        let mut bytes = PooledBuffer::take();
        let Quirks { connect_retry, .. } = upstream.manners;
        let method = upstream.manners.method(permitted.method);
        let parts = RequestHeadParts {
            method,
            target: permitted.target.pieces(),
            fields: &head.headers,
            framing,
        };
        let WrittenHead { host, reuse } =
            write_request_head(&permitted.permit, &parts, &edit, &mut bytes);
        let upstream_request = UpstreamRequest {
            head: bytes,
            host,
            reuse,
            framing,
            body,
            meter,
            asked: Asked::by(method),
            upgrade,
            repeat: RetryPolicy::of(method, framing, upgrade, connect_retry),
            response_timeout: limits.response_timeout,
            preface,
            account: account.cloned(),
        };
        Some((upstream_request, self.live_permit(head, permitted)))
    }

    /// The permit that is rechecked while the request is open.
    fn live_permit(&self, head: &Rc<Parts>, permitted: &PermittedRequest<'_, '_>) -> LivePermit {
        LivePermit::of_parts(head.clone(), self.view.clone(), self.checked)
            .until(permitted.allowance.until)
    }

    /// What tells the upstream who the client is: header fields, and the PROXY header of a new connection.
    fn client_identity(
        &self,
        permitted: &PermittedRequest<'_, '_>,
        upstream: &WorkerUpstream,
    ) -> (Option<Rc<IdentityBlock>>, Option<Box<[u8]>>) {
        let snapshot = &self.in_force.snapshot;
        let view = (permitted.route.admission != Admission::Public).then_some(self.view);
        let identity = view.map(|view| {
            self.context
                .client
                .identity(view, self.checked, upstream, snapshot)
        });
        let preface = self.context.client.preface(
            view.map(|view| &**view),
            self.checked,
            upstream,
            snapshot,
            &self.context.facts,
        );
        (identity, preface)
    }

    /// Sends interim responses. Only for HTTP/1.1.
    pub(super) fn interim(&self, version: Version, record: &Record) -> Option<InterimSender> {
        let guard = self
            .context
            .guard
            .clone()
            .filter(|_| version == Version::HTTP_11)?;
        guard.allow_interim(record.request_id());
        Some(InterimSender { guard })
    }
}

/// The host that the client requested.
fn requested_host(head: &Parts) -> Option<&str> {
    let authority = head
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let requested_host = authority.or_else(|| head.headers.first_value("host"))?;
    std::str::from_utf8(requested_host).ok()
}

fn client_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2.0",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

fn framing_of(body: &RequestBody) -> Framing {
    match body.size_hint().exact() {
        _ if body.is_end_stream() => Framing::Length(0),
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    }
}

/// Sends interim responses (such as 103) to the client as they arrive. hyper sends 100 itself.
pub(super) struct InterimSender {
    guard: Arc<GuardControl>,
}

impl InterimSender {
    fn send(&self, received: &ResponseHead<'_, '_>, record: &Record) {
        let reason = StatusCode::from_u16(received.status)
            .ok()
            .and_then(|status| status.canonical_reason());
        let mut head = format!(
            "HTTP/1.1 {} {}\r\n",
            received.status,
            reason.unwrap_or_default()
        )
        .into_bytes();
        let edit = record.response_edit(ContentLength::FromBody);
        response_fields(received.fields, &edit, &mut HeadWriter(&mut head));
        head.extend_from_slice(b"\r\n");
        self.guard.send_interim(record.request_id(), &head);
    }
}

/// A response head for the client.
pub(super) struct ClientResponseHead {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
}

impl ClientResponseHead {
    /// Renders a final response for hyper. An interim response is sent at once, and the result has no fields.
    pub(super) fn of(
        received: &ResponseHead<'_, '_>,
        client_method: Asked,
        record: &Record,
        interim: Option<&InterimSender>,
    ) -> Self {
        let status = StatusCode::from_u16(received.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut fields = HeaderFields(HeaderMap::new());
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            if let Some(interim) = interim.filter(|_| status != StatusCode::CONTINUE) {
                interim.send(received, record);
            }
            return Self {
                status,
                fields: fields.0,
            };
        }
        fields.0.reserve(received.fields.len() + 4);
        response_fields(
            received.fields,
            &record.response_edit(content_length(received, client_method)),
            &mut fields,
        );
        fields.0.entry(DATE).or_insert_with(date);
        Self {
            status,
            fields: fields.0,
        }
    }
}

/// Records the progress of an upstream request, and renders received heads.
pub(super) struct ForwardObserver<'r> {
    pub(super) record: &'r mut Record,
    /// Kind of the client's method.
    pub(super) client_method: Asked,
    pub(super) interim: Option<&'r InterimSender>,
}

impl SendObserver for ForwardObserver<'_> {
    type ReceivedHead = ClientResponseHead;

    fn connects_to(&mut self, endpoint: &str) {
        self.record.connects_to(endpoint);
    }

    fn sent_to(&mut self, endpoint: &str) {
        self.record.sent_to(endpoint);
    }

    fn was_not_sent(&mut self) {
        self.record.was_not_sent();
    }

    fn head(&mut self, received: &ResponseHead<'_, '_>) -> ClientResponseHead {
        ClientResponseHead::of(received, self.client_method, self.record, self.interim)
    }
}

/// The source of the `content-length` that the client gets. A 204 has none (RFC 9110 section 8.6), so an upstream's is dropped.
fn content_length(received: &ResponseHead<'_, '_>, client_method: Asked) -> ContentLength {
    match (received.status, received.framing) {
        (101 | 204, _) => ContentLength::FromBody,
        (304, _) | (_, ResponseFraming::Length(0)) => ContentLength::FromField,
        _ if client_method == Asked::Head => ContentLength::FromField,
        // This includes a HEAD by method override: the client expects a body, and the field's length would not follow.
        _ => ContentLength::FromBody,
    }
}

/// Renders edited fields for hyper.
pub(super) struct HeaderFields(pub(super) HeaderMap);

impl FieldSink for HeaderFields {
    fn add(&mut self, name: &str, value: &[u8]) {
        let pair = match name {
            REQUEST_ID => request_id_value(value).map(|value| (REQUEST_ID_NAME, value)),
            "via" if value == RESPONSE_VIA.as_bytes() => {
                Some((VIA, HeaderValue::from_static(RESPONSE_VIA)))
            }
            _ => HeaderName::from_bytes(name.as_bytes())
                .ok()
                .zip(HeaderValue::from_bytes(value).ok()),
        };
        match pair {
            Some((name, value)) => {
                self.0.append(name, value);
            }
            // Names and values come from a parser or the gateway, so this is a bug. The field is left out.
            None => tracing::error!(name, "a header field cannot be written"),
        }
    }

    fn add_parts(&mut self, name: &str, parts: &[&[u8]]) {
        match parts {
            [only] => self.add(name, only),
            several => self.add(name, &several.concat()),
        }
    }
}

/// [`REQUEST_ID`], made without an allocation.
pub(super) const REQUEST_ID_NAME: HeaderName = HeaderName::from_static(REQUEST_ID);

/// The id of a request as a value that is never indexed by HPACK (RFC 7541 section 6.2.3). An id never repeats, so indexing it
/// would evict fields that do. The same holds for intermediaries. Each response is some ten bytes longer, because the name is
/// not indexed either.
pub(super) fn request_id_value(id: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(id).ok()?;
    value.set_sensitive(true);
    Some(value)
}
