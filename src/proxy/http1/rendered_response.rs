//! Rendering of a response head for the client. Its fields are edited by `forward/edit`. Sends nothing.

use super::KeepAlive;
use super::forwarded::{ForwardedRequest, Trailers};
use crate::buffer_pool::PooledBuffer;
use crate::forward::{
    ContentLength, HeadWriter, HttpVersion, RequestKind, ResponseFraming, ResponseHead, Reuse,
    Upgrade, response_fields, write_number,
};
use crate::head::Fields;
use crate::proxy::date::write_date;

/// A response head rendered for the client, and how its body is transferred.
pub(super) struct RenderedResponse {
    pub(super) head: PooledBuffer,
    pub(super) status: u16,
    pub(super) framing: ResponseFraming,
    pub(super) reuse: Reuse,
    /// Length of the head that was received, in bytes.
    pub(super) length: usize,
    /// The protocol that the response upgrades to.
    pub(super) upgrade: Upgrade,
    /// Whether the client's connection stays open.
    pub(super) keep: KeepAlive,
    pub(super) delimiter: BodyDelimiter,
    /// Value of the `Trailer` field, which filters the trailers that are received.
    pub(super) trailer_names: Vec<u8>,
    /// A body that the client did not request and does not get.
    pub(super) discarded: Option<Box<DiscardedBody>>,
}

/// A body that is read from the upstream and not passed on.
pub(super) struct DiscardedBody {
    pub(super) framing: ResponseFraming,
    pub(super) reuse: Reuse,
    /// The part of it that was received with the head.
    pub(super) prefix: Vec<u8>,
}

/// How much of a response's body the client gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ResponseBodyMode {
    Whole,
    /// Only its length: the client's method is HEAD.
    LengthOnly,
    /// The upstream request was HEAD by a method override, so there is no body, but the client expects one.
    Empty,
    /// A response with this status has no body (RFC 9110 sections 15.2, 15.3.5 and 15.4.5).
    None,
}

impl ResponseBodyMode {
    fn of(response: &ResponseHead<'_, '_>, request: &ForwardedRequest) -> Self {
        match (
            response.status,
            request.client_method,
            request.outgoing.asked,
        ) {
            (100..=199 | 204, ..) => Self::None,
            (_, RequestKind::Head, _) => Self::LengthOnly,
            (304, ..) => Self::None,
            (_, RequestKind::Other, RequestKind::Head) => Self::Empty,
            (_, RequestKind::Other, RequestKind::Other) => Self::Whole,
        }
    }
}

/// What shows the client where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyDelimiter {
    /// A length, or chunks.
    Framing,
    /// The end of the connection. HTTP/1.0 has no chunks.
    Close,
}

impl BodyDelimiter {
    fn of(
        response: &ResponseHead<'_, '_>,
        version: HttpVersion,
        body_mode: ResponseBodyMode,
    ) -> Self {
        let has_length = matches!(response.framing, ResponseFraming::Length(_));
        if version == HttpVersion::Http10 && body_mode == ResponseBodyMode::Whole && !has_length {
            Self::Close
        } else {
            Self::Framing
        }
    }
}

/// Renders a response head for the client. `keep` is what both client and gateway want.
pub(super) fn render_response(
    response: &ResponseHead<'_, '_>,
    request: &ForwardedRequest,
    keep: KeepAlive,
) -> RenderedResponse {
    let mut head = PooledBuffer::take();
    write_status_line(&mut head, response, request.version);
    let body_mode = ResponseBodyMode::of(response, request);
    let length = if body_mode == ResponseBodyMode::LengthOnly {
        ContentLength::FromField
    } else {
        ContentLength::FromBody
    };
    response_fields(
        response.fields,
        &request.record.response_edit(length),
        &mut HeadWriter(&mut head),
    );
    let delimiter = BodyDelimiter::of(response, request.version, body_mode);
    let keep = match delimiter {
        BodyDelimiter::Close => KeepAlive::Close,
        BodyDelimiter::Framing => keep,
    };
    if response.status >= 200 {
        write_body_framing(&mut head, response, body_mode, delimiter);
        if response.fields.first_value("date").is_none() {
            write_date(&mut head);
        }
        head.extend_from_slice(keep.field(request.version));
    }
    let is_discarded =
        body_mode == ResponseBodyMode::LengthOnly && response.framing != ResponseFraming::None;
    let discarded = is_discarded.then(|| {
        Box::new(DiscardedBody {
            framing: response.framing,
            reuse: response.reuse,
            prefix: Vec::new(),
        })
    });
    let (framing, reuse) = if is_discarded {
        (ResponseFraming::None, Reuse::Close)
    } else {
        (response.framing, response.reuse)
    };
    RenderedResponse {
        head,
        status: response.status,
        framing,
        reuse,
        length: response.length,
        upgrade: response.upgrade(),
        keep,
        delimiter,
        trailer_names: trailer_names(response, request.trailers),
        discarded,
    }
}

fn write_status_line(
    head: &mut PooledBuffer,
    response: &ResponseHead<'_, '_>,
    version: HttpVersion,
) {
    head.extend_from_slice(version.protocol().as_bytes());
    head.push(b' ');
    write_number(head, u64::from(response.status));
    head.push(b' ');
    head.extend_from_slice(response.reason.as_bytes());
    head.extend_from_slice(b"\r\n");
}

/// Value of the `Trailer` field. Empty if the client gets no trailers.
fn trailer_names(response: &ResponseHead<'_, '_>, trailers: Trailers) -> Vec<u8> {
    if response.framing != ResponseFraming::Chunked || trailers == Trailers::Dropped {
        return Vec::new();
    }
    let names = response.fields.first_value("trailer");
    names.map(<[u8]>::to_vec).unwrap_or_default()
}

/// Writes the field that frames the body of a final response.
fn write_body_framing(
    head: &mut PooledBuffer,
    response: &ResponseHead<'_, '_>,
    body_mode: ResponseBodyMode,
    delimiter: BodyDelimiter,
) {
    match (body_mode, response.framing) {
        (ResponseBodyMode::LengthOnly | ResponseBodyMode::None, _) => {}
        (ResponseBodyMode::Empty, _) => head.extend_from_slice(b"content-length: 0\r\n"),
        (ResponseBodyMode::Whole, ResponseFraming::Length(length)) => {
            head.extend_from_slice(b"content-length: ");
            write_number(head, length);
            head.extend_from_slice(b"\r\n");
        }
        (ResponseBodyMode::Whole, _) if delimiter == BodyDelimiter::Close => {}
        // A body that ends with the upstream connection is sent in chunks, so that the client's connection stays open.
        (ResponseBodyMode::Whole, _) => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
}
