//! Rendering of the upstream request's head and of the client response's head. Both are edited by `forward/edit` and written
//! to pooled buffers. Sends nothing.

use super::KeepAlive;
use super::body::UnsentBody;
use crate::authorize::Permit;
use crate::buffer_pool::PooledBuffer;
use crate::forward::{
    Asked, ClientAddress, ContentLength, ExpectHeader, FieldPolicy, Framing, HeadWriter,
    ParsedHead, RequestEdit, RequestHeadParts, ResponseFraming, ResponseHead, Reuse, Upgrade,
    WrittenHead, response_fields, write_number, write_request_head,
};
use crate::head::Fields;
use crate::identity::IdentityBlock;
use crate::proxy::account::upstream_authorization;
use crate::proxy::active_snapshot::WorkerUpstream;
use crate::proxy::checked_evidence::CheckedEvidence;
use crate::proxy::date::write_date;
use crate::proxy::limits::Allowance;
use crate::proxy::recheck::LivePermit;
use crate::proxy::record::Record;
use crate::respond::ResponseFormat;
use crate::route::{CanonicalTarget, Route, RouteLimits};
use crate::upstream::{Account, Quirks, RetryPolicy};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// A permitted request, with what is needed until its response is complete.
pub(super) struct ForwardedRequest {
    pub(super) record: Record,
    /// Rechecked while the request is open.
    pub(super) live_permit: LivePermit,
    pub(super) upstream: Rc<WorkerUpstream>,
    pub(super) limits: RouteLimits,
    /// The head of the upstream request.
    pub(super) head: PooledBuffer,
    /// Position of the host name in `head`.
    pub(super) host: Range<usize>,
    /// Whether the upstream connection may carry another request after this one.
    pub(super) reuse: Reuse,
    pub(super) framing: Framing,
    /// State of the body after an attempt that sent nothing.
    pub(super) unsent: Option<UnsentBody>,
    pub(super) expectation: ExpectHeader,
    /// Kind of the method in the upstream request.
    pub(super) upstream_method: Asked,
    /// Kind of the client's method. Differs from `upstream_method` where a method override was decided on.
    pub(super) client_method: Asked,
    pub(super) upgrade: Upgrade,
    pub(super) retry_policy: RetryPolicy,
    pub(super) trailers: Trailers,
    pub(super) keep: KeepAlive,
    pub(super) format: ResponseFormat,
    /// Bytes that a new connection to the upstream begins with (a PROXY header).
    pub(super) preface: Option<Box<[u8]>>,
    /// The account that authenticates to the upstream instead of the gateway's own.
    pub(super) account: Option<Arc<Account>>,
}

/// Whether the client takes trailers (`TE: trailers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailers {
    Accepted,
    Dropped,
}

/// The result of a permitting decision.
pub(super) struct ForwardDecision<'a> {
    pub(super) permit: &'a Permit<'a>,
    pub(super) route: &'a Arc<Route>,
    pub(super) method: &'a str,
    pub(super) target: &'a CanonicalTarget<'a>,
    pub(super) upstream: Rc<WorkerUpstream>,
    pub(super) allowance: Allowance,
    pub(super) upgrade: Upgrade,
}

/// What the head of the upstream request is rendered from, beside the decision.
pub(super) struct HeadInputs<'a> {
    pub(super) head: &'a ParsedHead<'a, 'a>,
    /// Header fields that tell the upstream who the client is. `None` on a public route.
    pub(super) identity: Option<Rc<IdentityBlock>>,
    pub(super) live_permit: LivePermit,
    /// Evidence beside the certificate.
    pub(super) checked: &'a CheckedEvidence,
    pub(super) address: &'a ClientAddress,
    pub(super) preface: Option<Box<[u8]>>,
    /// Configured treatment of the client's header fields.
    pub(super) policy: FieldPolicy<'a>,
    pub(super) account: Option<Arc<Account>>,
}

/// Renders the head of the upstream request.
pub(super) fn render_request(
    record: Record,
    decision: ForwardDecision<'_>,
    inputs: HeadInputs<'_>,
) -> ForwardedRequest {
    let fields = inputs.head.fields;
    let upgrade = decision.upgrade;
    let requested_host = fields
        .first_value("host")
        .and_then(|host| std::str::from_utf8(host).ok())
        .unwrap_or_default();
    let edit = RequestEdit {
        identity: inputs.identity.as_deref(),
        client: inputs.address,
        requested_host,
        request_id: record.request_id(),
        client_version: "1.1",
        authorization: upstream_authorization(
            &decision.upstream,
            inputs.account.as_deref(),
            inputs.checked,
        ),
        upgrade,
        policy: inputs.policy,
        authorizer: inputs.checked.authorizer_fields(),
    };
    let mut head = PooledBuffer::take();
    let Quirks { connect_retry, .. } = decision.upstream.manners;
    let method = decision.upstream.manners.method(decision.method);
    let parts = RequestHeadParts {
        method,
        target: decision.target.pieces(),
        fields,
        framing: inputs.head.framing,
    };
    let WrittenHead { host, reuse } = write_request_head(decision.permit, &parts, &edit, &mut head);
    ForwardedRequest {
        upstream: decision.upstream,
        limits: decision.allowance.limits,
        head,
        host,
        reuse,
        framing: inputs.head.framing,
        unsent: None,
        expectation: inputs.head.expectation,
        upstream_method: Asked::by(method),
        client_method: Asked::by(inputs.head.method),
        upgrade,
        retry_policy: RetryPolicy::of(method, inputs.head.framing, upgrade, connect_retry),
        trailers: trailers(fields),
        keep: KeepAlive::of_request(inputs.head),
        format: ResponseFormat::of_accept(fields),
        preface: inputs.preface,
        account: inputs.account,
        live_permit: inputs.live_permit,
        record,
    }
}

fn trailers(fields: &[httparse::Header<'_>]) -> Trailers {
    let takes = fields.first_value("te").is_some_and(|value| {
        value
            .split(|byte| *byte == b',')
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    });
    if takes {
        Trailers::Accepted
    } else {
        Trailers::Dropped
    }
}

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
            request.upstream_method,
        ) {
            (100..=199 | 204, ..) => Self::None,
            (_, Asked::Head, _) => Self::LengthOnly,
            (304, ..) => Self::None,
            (_, Asked::Other, Asked::Head) => Self::Empty,
            (_, Asked::Other, Asked::Other) => Self::Whole,
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
    head.extend_from_slice(b"HTTP/1.1 ");
    write_number(&mut head, u64::from(response.status));
    head.push(b' ');
    head.extend_from_slice(response.reason.as_bytes());
    head.extend_from_slice(b"\r\n");
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
    if response.status >= 200 {
        write_end(&mut head, response, body_mode, keep);
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
    let upgrade = response.upgrade();
    let chunked =
        response.framing == ResponseFraming::Chunked && request.trailers == Trailers::Accepted;
    let trailer = if chunked {
        response.fields.first_value("trailer")
    } else {
        None
    };
    let trailer_names = trailer.map(<[u8]>::to_vec).unwrap_or_default();
    RenderedResponse {
        head,
        status: response.status,
        framing,
        reuse,
        length: response.length,
        upgrade,
        keep,
        trailer_names,
        discarded,
    }
}

/// Writes the fields of a final response that concern this connection, and the date.
fn write_end(
    head: &mut PooledBuffer,
    response: &ResponseHead<'_, '_>,
    body_mode: ResponseBodyMode,
    keep: KeepAlive,
) {
    match (body_mode, response.framing) {
        (ResponseBodyMode::LengthOnly | ResponseBodyMode::None, _) => {}
        (ResponseBodyMode::Empty, _) => head.extend_from_slice(b"content-length: 0\r\n"),
        (ResponseBodyMode::Whole, ResponseFraming::Length(length)) => {
            head.extend_from_slice(b"content-length: ");
            write_number(head, length);
            head.extend_from_slice(b"\r\n");
        }
        // A body that ends with the upstream connection is sent in chunks, so that the client's connection stays open.
        (ResponseBodyMode::Whole, _) => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if response.fields.first_value("date").is_none() {
        write_date(head);
    }
    if keep == KeepAlive::Close {
        head.extend_from_slice(b"connection: close\r\n");
    }
}
