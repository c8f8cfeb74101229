//! A permitted request of an HTTP/1 client, with what is needed until its response is complete. Sends nothing.

use super::KeepAlive;
use super::body::{UnsentBody, UploadBody};
use super::whole_body::WholeBody;
use crate::forward::{ExpectHeader, Framing, HttpVersion, ParsedHead, RequestKind};
use crate::head::Fields;
use crate::proxy::active_snapshot::WorkerUpstream;
use crate::proxy::plan::ForwardPlan;
use crate::proxy::recheck::LivePermit;
use crate::proxy::record::Record;
use crate::respond::ResponseFormat;
use crate::route::RouteLimits;
use crate::upstream::OutgoingRequest;
use std::rc::Rc;

/// A permitted request, with what is needed until its response is complete.
pub(super) struct ForwardedRequest {
    pub(super) record: Record,
    /// Rechecked while the request is open.
    pub(super) live_permit: LivePermit,
    pub(super) upstream: Rc<WorkerUpstream>,
    pub(super) limits: RouteLimits,
    pub(super) outgoing: OutgoingRequest,
    /// The framing of the body that is in the input.
    pub(super) framing: Framing,
    /// State of the body after an attempt that sent nothing, or a body that was read before the decision.
    pub(super) unsent: Option<UnsentBody>,
    pub(super) expectation: ExpectHeader,
    /// Kind of the client's method. Differs from that of the upstream request where a method override was decided on.
    pub(super) client_method: RequestKind,
    pub(super) trailers: Trailers,
    /// The client's HTTP version.
    pub(super) version: HttpVersion,
    pub(super) keep: KeepAlive,
    pub(super) format: ResponseFormat,
}

/// Whether the client takes trailers (`TE: trailers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailers {
    Accepted,
    Dropped,
}

impl ForwardedRequest {
    pub(super) fn new(record: Record, head: &ParsedHead<'_, '_>, plan: ForwardPlan) -> Self {
        Self {
            record,
            live_permit: plan.live_permit,
            upstream: plan.upstream,
            limits: plan.limits,
            outgoing: plan.outgoing,
            framing: head.framing,
            unsent: None,
            expectation: head.expectation,
            client_method: RequestKind::by(head.method),
            trailers: Trailers::of(head),
            version: head.version,
            keep: KeepAlive::of_request(head),
            format: ResponseFormat::of_accept(head.fields),
        }
    }

    /// Sends the body that was read before the decision, if any.
    pub(super) fn take_body(&mut self, body: WholeBody) {
        if let WholeBody::Read(bytes) = body {
            self.framing = Framing::Length(0);
            self.unsent = Some(UnsentBody {
                body: UploadBody::Tail,
                body_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                tail: bytes,
            });
        }
    }
}

impl Trailers {
    fn of(head: &ParsedHead<'_, '_>) -> Self {
        let takes = head.fields.first_value("te").is_some_and(|value| {
            value
                .split(|byte| *byte == b',')
                .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
        });
        if takes && head.version == HttpVersion::Http11 {
            Self::Accepted
        } else {
            Self::Dropped
        }
    }
}
