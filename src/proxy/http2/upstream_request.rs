//! The upstream request with its body from hyper, and received response heads for hyper.

use super::content::Content;
use crate::forward::{
    ContentLength, FieldSink, Framing, REQUEST_ID, RESPONSE_VIA, RequestKind, ResponseFraming,
    ResponseHead, response_fields,
};
use crate::limit::MeteredBody;
use crate::proxy::date::date;
use crate::proxy::record::Record;
use crate::route::RouteLimits;
use crate::upstream::{AttemptObserver, OutgoingRequest, SendObserver, UpstreamRequest};
use http::header::{DATE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Body;

/// The body of an upstream request.
pub(in crate::proxy) type RequestBody = MeteredBody<Content>;

/// The framing of a body in HTTP/1.1, which upstreams speak.
pub(super) fn framing_of(body: &impl Body) -> Framing {
    match body.size_hint().exact() {
        _ if body.is_end_stream() => Framing::Length(0),
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    }
}

/// The request for the upstream, with its limited and metered body.
pub(super) fn upstream_request(
    record: &mut Record,
    content: Content,
    outgoing: OutgoingRequest,
    limits: &RouteLimits,
) -> UpstreamRequest<RequestBody> {
    let meter = record.meters().request.clone();
    UpstreamRequest {
        outgoing,
        body: MeteredBody::new(
            content,
            limits.body_size,
            limits.idle_timeout,
            meter.clone(),
        ),
        meter,
    }
}

/// A response head for the client.
pub(super) struct ClientResponseHead {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
}

impl ClientResponseHead {
    /// Renders a final response for hyper. For an interim response, which is not passed on, the result has no fields.
    pub(super) fn of(
        received: &ResponseHead<'_, '_>,
        client_method: RequestKind,
        record: &Record,
    ) -> Self {
        let status = StatusCode::from_u16(received.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut fields = HeaderFields(HeaderMap::new());
        if !status.is_informational() {
            fields.0.reserve(received.fields.len() + 4);
            response_fields(
                received.fields,
                &record.response_edit(content_length(received, client_method)),
                &mut fields,
            );
            fields.0.entry(DATE).or_insert_with(date);
        }
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
    pub(super) client_method: RequestKind,
}

impl AttemptObserver for ForwardObserver<'_> {
    fn connects_to(&mut self, endpoint: &str) {
        self.record.connects_to(endpoint);
    }

    fn sent_to(&mut self, endpoint: &str) {
        self.record.sent_to(endpoint);
    }

    fn was_not_sent(&mut self) {
        self.record.was_not_sent();
    }
}

impl SendObserver for ForwardObserver<'_> {
    type ReceivedHead = ClientResponseHead;

    fn head(&mut self, received: &ResponseHead<'_, '_>) -> ClientResponseHead {
        ClientResponseHead::of(received, self.client_method, self.record)
    }
}

/// The source of the `content-length` that the client gets. A 204 has none (RFC 9110 section 8.6), so an upstream's is dropped.
fn content_length(received: &ResponseHead<'_, '_>, client_method: RequestKind) -> ContentLength {
    match (received.status, received.framing) {
        (204, _) => ContentLength::FromBody,
        (304, _) | (_, ResponseFraming::Length(0)) => ContentLength::FromField,
        _ if client_method == RequestKind::Head => ContentLength::FromField,
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
