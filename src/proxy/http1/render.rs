//! Heads as they go on: the request's for the upstream and the answer's for the client, edited by the one edit list and
//! rendered into memory that is used again. Sends nothing.

use super::Keep;
use super::body::Unsent;
use crate::authorize::Permit;
use crate::forward::{
    AnswerFraming, AnswerHead, Asked, ClientAddress, ContentLength, Expectation, FieldPolicy,
    Framing, HeadWriter, ParsedHead, RequestEdit, RequestHeadOut, Reuse, Upgrade, response_fields,
    write_number, write_request_head,
};
use crate::head::Fields;
use crate::identity::IdentityBlock;
use crate::proxy::account::authorization_up;
use crate::proxy::credentials::Checked;
use crate::proxy::date::write_date;
use crate::proxy::in_force::UpstreamHere;
use crate::proxy::limits::Allowance;
use crate::proxy::present::Right;
use crate::proxy::record::Record;
use crate::recycled::Recycled;
use crate::respond::Form;
use crate::route::{CanonicalTarget, Route, RouteLimits};
use crate::upstream::{Account, Manners, Repeat};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// A request that may go on, and all that is needed until its answer is over.
pub(super) struct Forwarding {
    pub(super) record: Record,
    /// For judging it again while it is under way.
    pub(super) right: Right,
    pub(super) upstream: Rc<UpstreamHere>,
    pub(super) limits: RouteLimits,
    /// The head that goes up.
    pub(super) head: Recycled,
    /// Where in it the host's name stands.
    pub(super) host: Range<usize>,
    /// Whether the upstream's connection may carry another request after this one.
    pub(super) reuse: Reuse,
    pub(super) framing: Framing,
    /// The body behind an attempt that sent nothing.
    pub(super) unsent: Option<Unsent>,
    pub(super) expectation: Expectation,
    /// What the upstream is asked.
    pub(super) asked: Asked,
    /// What the client asked, which is something else where an overriding method is judged.
    pub(super) wanted: Asked,
    pub(super) upgrade: Upgrade,
    pub(super) repeat: Repeat,
    pub(super) trailers: Trailers,
    pub(super) keep: Keep,
    pub(super) form: Form,
    /// What a new connection to the upstream begins with.
    pub(super) preface: Option<Box<[u8]>>,
    /// Who asks, if the upstream is to see somebody else than the gateway.
    pub(super) account: Option<Arc<Account>>,
}

/// Whether the client takes trailers (`TE: trailers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailers {
    Taken,
    Dropped,
}

/// What was judged.
pub(super) struct Up<'a> {
    pub(super) permit: &'a Permit<'a>,
    pub(super) route: &'a Arc<Route>,
    pub(super) method: &'a str,
    pub(super) target: &'a CanonicalTarget<'a>,
    pub(super) upstream: Rc<UpstreamHere>,
    pub(super) allowance: Allowance,
    pub(super) upgrade: Upgrade,
}

/// What was said, and by whom.
pub(super) struct Said<'a> {
    pub(super) head: &'a ParsedHead<'a, 'a>,
    /// What the upstream is told about the client, where it is told anything.
    pub(super) identity: Option<Rc<IdentityBlock>>,
    pub(super) right: Right,
    /// What was shown beside the certificate.
    pub(super) checked: &'a Checked,
    pub(super) address: &'a ClientAddress,
    pub(super) preface: Option<Box<[u8]>>,
    /// What the config says about the client's fields.
    pub(super) policy: FieldPolicy<'a>,
    pub(super) account: Option<Arc<Account>>,
}

/// Renders the request that goes up.
pub(super) fn forwarding(record: Record, up: Up<'_>, said: Said<'_>) -> Forwarding {
    let fields = said.head.fields;
    let upgrade = up.upgrade;
    let requested_host = fields
        .first_value("host")
        .and_then(|host| std::str::from_utf8(host).ok())
        .unwrap_or_default();
    let edit = RequestEdit {
        identity: said.identity.as_deref(),
        client: said.address,
        requested_host,
        request_id: record.request_id(),
        client_version: "1.1",
        authorization: authorization_up(&up.upstream, said.account.as_deref(), said.checked),
        upgrade,
        policy: said.policy,
        authorizer: said.checked.answer_fields(),
    };
    let mut head = Recycled::take();
    let target = up.target.pieces();
    let Manners { connect_retry, .. } = up.upstream.manners;
    let method = up.upstream.manners.method(up.method);
    let RequestHeadOut { host, reuse } = write_request_head(
        up.permit,
        (method, &target),
        (fields, said.head.framing),
        &edit,
        &mut head,
    );
    Forwarding {
        upstream: up.upstream,
        limits: up.allowance.limits,
        head,
        host,
        reuse,
        framing: said.head.framing,
        unsent: None,
        expectation: said.head.expectation,
        asked: Asked::by(method),
        wanted: Asked::by(said.head.method),
        upgrade,
        repeat: Repeat::of(method, said.head.framing, upgrade, connect_retry),
        trailers: trailers(fields),
        keep: Keep::of_request(said.head),
        form: Form::of_accept(fields),
        preface: said.preface,
        account: said.account,
        right: said.right,
        record,
    }
}

fn trailers(fields: &[httparse::Header<'_>]) -> Trailers {
    let takes = fields.first_value("te").is_some_and(|value| {
        value
            .split(|octet| *octet == b',')
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    });
    if takes {
        Trailers::Taken
    } else {
        Trailers::Dropped
    }
}

/// An answer's head as it comes down, and what is to be known about its body.
pub(super) struct Rendered {
    pub(super) head: Recycled,
    pub(super) status: u16,
    pub(super) framing: AnswerFraming,
    pub(super) reuse: Reuse,
    /// Bytes of the head that came.
    pub(super) length: usize,
    /// What the answer upgrades to.
    pub(super) upgrade: Upgrade,
    /// Whether the connection to the client stays.
    pub(super) keep: Keep,
    /// The names of trailers, for filtering those that come.
    pub(super) announced: Vec<u8>,
    /// The body that comes, and that the client did not ask for.
    pub(super) unwanted: Option<Box<Unwanted>>,
}

/// A body that the upstream sends and nobody wants.
pub(super) struct Unwanted {
    pub(super) framing: AnswerFraming,
    pub(super) reuse: Reuse,
    /// What came of it with the head.
    pub(super) came: Vec<u8>,
}

/// What the client sees of an answer's body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Whole,
    /// Only how long it would be: the client asked with HEAD.
    Announced,
    /// There is none, and the client expects one: HEAD is what was judged, and not what it said.
    Empty,
    /// Such an answer has none (RFC 9110 sections 15.2, 15.3.5 and 15.4.5).
    None,
}

impl Shown {
    fn of(came: &AnswerHead<'_, '_>, forwarding: &Forwarding) -> Self {
        match (came.status, forwarding.wanted, forwarding.asked) {
            (100..=199 | 204, ..) => Self::None,
            (_, Asked::Head, _) => Self::Announced,
            (304, ..) => Self::None,
            (_, Asked::Other, Asked::Head) => Self::Empty,
            (_, Asked::Other, Asked::Other) => Self::Whole,
        }
    }
}

/// Renders an answer for the client: `keep` is what it and we want.
pub(super) fn answer(came: &AnswerHead<'_, '_>, forwarding: &Forwarding, keep: Keep) -> Rendered {
    let mut head = Recycled::take();
    head.extend_from_slice(b"HTTP/1.1 ");
    write_number(&mut head, u64::from(came.status));
    head.push(b' ');
    head.extend_from_slice(came.reason.as_bytes());
    head.extend_from_slice(b"\r\n");
    let shown = Shown::of(came, forwarding);
    let length = if shown == Shown::Announced {
        ContentLength::FromField
    } else {
        ContentLength::FromBody
    };
    response_fields(
        came.fields,
        &forwarding.record.answer_edit(length),
        &mut HeadWriter(&mut head),
    );
    if came.status >= 200 {
        write_end(&mut head, came, shown, keep);
    }
    // A body that the client did not ask for is not passed on.
    let dropped = shown == Shown::Announced && came.framing != AnswerFraming::None;
    let unwanted = dropped.then(|| {
        Box::new(Unwanted {
            framing: came.framing,
            reuse: came.reuse,
            came: Vec::new(),
        })
    });
    let (framing, reuse) = if dropped {
        (AnswerFraming::None, Reuse::Close)
    } else {
        (came.framing, came.reuse)
    };
    let upgrade = came.upgrade();
    let chunked = came.framing == AnswerFraming::Chunked && forwarding.trailers == Trailers::Taken;
    let trailer = if chunked {
        came.fields.first_value("trailer")
    } else {
        None
    };
    let announced = trailer.map(<[u8]>::to_vec).unwrap_or_default();
    let (status, length) = (came.status, came.length);
    Rendered {
        head,
        status,
        framing,
        reuse,
        length,
        upgrade,
        keep,
        announced,
        unwanted,
    }
}

/// The fields of a final answer that are about this connection, and its date.
fn write_end(head: &mut Recycled, came: &AnswerHead<'_, '_>, shown: Shown, keep: Keep) {
    match (shown, came.framing) {
        (Shown::Announced | Shown::None, _) => {}
        (Shown::Empty, _) => head.extend_from_slice(b"content-length: 0\r\n"),
        (Shown::Whole, AnswerFraming::Length(length)) => {
            head.extend_from_slice(b"content-length: ");
            write_number(head, length);
            head.extend_from_slice(b"\r\n");
        }
        // What ends with the upstream's connection gets an end of its own, so that the client's stays.
        (Shown::Whole, _) => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if came.fields.first_value("date").is_none() {
        write_date(head);
    }
    if keep == Keep::Close {
        head.extend_from_slice(b"connection: close\r\n");
    }
}
