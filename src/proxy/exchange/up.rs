//! The request that goes up, rendered from hyper's form, and the answers' heads, rendered for hyper.

use super::content::Content;
use super::{AskedRequest, Exchange, Permitted};
use crate::forward::{
    AnswerFraming, AnswerHead, Asked, ContentLength, FieldSink, Framing, HeadWriter, REQUEST_ID,
    RESPONSE_VIA, RequestEdit, RequestHeadOut, Upgrade, response_fields, write_request_head,
};
use crate::head::Fields;
use crate::identity::IdentityBlock;
use crate::limit::MeteredBody;
use crate::proxy::account::{account, authorization_up};
use crate::proxy::date::date;
use crate::proxy::guard::GuardControl;
use crate::proxy::in_force::UpstreamHere;
use crate::proxy::present::Right;
use crate::proxy::record::Record;
use crate::recycled::Recycled;
use crate::route::Admission;
use crate::upstream::{Manners, Outgoing, Repeat, SendObserver, Upstream};
use http::header::{DATE, VIA};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use http_body::Body;
use std::rc::Rc;
use std::sync::Arc;

/// The body of a request on its way up.
pub(in crate::proxy) type RequestBody = MeteredBody<Content>;

impl Exchange<'_> {
    /// The request that goes up, and its right.
    pub(super) fn outgoing(
        &self,
        record: &mut Record,
        asked: AskedRequest<'_>,
        permitted: &Permitted<'_, '_>,
        upstream: &UpstreamHere,
        upgrade: Upgrade,
    ) -> Option<(Outgoing<RequestBody>, Right)> {
        let AskedRequest { head, content, .. } = asked;
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
        let snapshot = &self.in_force.snapshot;
        let (identity, preface) = self.told(permitted, upstream);
        let account = account(
            upstream.accounts.as_deref(),
            permitted.route.admission,
            (self.view, self.checked),
        );
        let edit = RequestEdit {
            identity: identity.as_deref(),
            client: &self.context.address,
            requested_host,
            request_id: record.request_id(),
            client_version: client_version(head.version),
            authorization: authorization_up(
                upstream,
                account.map(|account| &**account),
                self.checked,
            ),
            upgrade,
            policy: snapshot.field_policy(permitted.route),
            authorizer: self.checked.answer_fields(),
        };
        let mut bytes = Recycled::take();
        let Manners { connect_retry, .. } = upstream.manners;
        let method = upstream.manners.method(permitted.method);
        let line: (&str, &[&str]) = (method, &permitted.target.pieces());
        let RequestHeadOut { host, reuse } = write_request_head(
            &permitted.permit,
            line,
            (&head.headers, framing),
            &edit,
            &mut bytes,
        );
        let outgoing = Outgoing {
            head: bytes,
            host,
            reuse,
            framing,
            body,
            meter,
            asked: Asked::by(method),
            upgrade,
            repeat: Repeat::of(method, framing, upgrade, connect_retry),
            response_timeout: limits.response_timeout,
            preface,
            account: account.cloned(),
        };
        let right = Right::of_parts(head.clone(), self.view.clone(), self.checked);
        Some((outgoing, right.until(permitted.allowance.until)))
    }

    /// What the upstream is told of the client: the block in the head, and what a new connection begins with.
    fn told(
        &self,
        permitted: &Permitted<'_, '_>,
        upstream: &UpstreamHere,
    ) -> (Option<Rc<IdentityBlock>>, Option<Box<[u8]>>) {
        let snapshot = &self.in_force.snapshot;
        let told = (permitted.route.admission != Admission::Public).then_some(self.view);
        let identity = told.map(|view| {
            self.context
                .client
                .identity(view, self.checked, (upstream, snapshot))
        });
        let seen_by: (&Upstream, _, _) = (upstream, &**snapshot, &*self.context.facts);
        let preface = self
            .context
            .client
            .preface(told.map(|view| &**view), self.checked, seen_by);
        (identity, preface)
    }

    /// Who takes interim answers: a client that speaks HTTP/1.1.
    pub(super) fn interim(&self, version: Version, record: &Record) -> Option<Interim> {
        let guard = self
            .context
            .guard
            .clone()
            .filter(|_| version == Version::HTTP_11)?;
        guard.allow_interim(record.request_id());
        Some(Interim { guard })
    }
}

/// The host that the client asked for.
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

/// Sends interim answers (103 and the like; hyper itself sends 100) down as they come.
pub(super) struct Interim {
    guard: Arc<GuardControl>,
}

impl Interim {
    fn send(&self, came: &AnswerHead<'_, '_>, record: &Record) {
        let reason = StatusCode::from_u16(came.status)
            .ok()
            .and_then(|status| status.canonical_reason());
        let mut head = format!(
            "HTTP/1.1 {} {}\r\n",
            came.status,
            reason.unwrap_or_default()
        )
        .into_bytes();
        let edit = record.answer_edit(ContentLength::FromBody);
        response_fields(came.fields, &edit, &mut HeadWriter(&mut head));
        head.extend_from_slice(b"\r\n");
        self.guard.send_interim(record.request_id(), &head);
    }
}

/// An answer's head as it comes down.
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
}

impl Received {
    /// Renders a final answer for hyper; an interim one goes down at once, and leaves nothing.
    pub(super) fn of(
        came: &AnswerHead<'_, '_>,
        wanted: Asked,
        record: &Record,
        interim: Option<&Interim>,
    ) -> Self {
        let status = StatusCode::from_u16(came.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut fields = HeaderFields(HeaderMap::new());
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            if let Some(interim) = interim.filter(|_| status != StatusCode::CONTINUE) {
                interim.send(came, record);
            }
            return Self {
                status,
                fields: fields.0,
            };
        }
        fields.0.reserve(came.fields.len() + 4);
        response_fields(
            came.fields,
            &record.answer_edit(content_length(came, wanted)),
            &mut fields,
        );
        fields.0.entry(DATE).or_insert_with(date);
        Self {
            status,
            fields: fields.0,
        }
    }
}

/// Notes in a request's record how it gets on, and renders what comes.
pub(super) struct ForwardObserver<'r> {
    pub(super) record: &'r mut Record,
    /// What the client asked.
    pub(super) wanted: Asked,
    pub(super) interim: Option<&'r Interim>,
}

impl SendObserver for ForwardObserver<'_> {
    type ReceivedHead = Received;

    fn connects_to(&mut self, endpoint: &str) {
        self.record.connects_to(endpoint);
    }

    fn sent_to(&mut self, endpoint: &str) {
        self.record.sent_to(endpoint);
    }

    fn was_not_sent(&mut self) {
        self.record.was_not_sent();
    }

    fn head(&mut self, came: &AnswerHead<'_, '_>) -> Received {
        Received::of(came, self.wanted, self.record, self.interim)
    }
}

/// Where a client learns how long the body is. RFC 9110 section 8.6: a 204 has none, whatever the upstream says.
fn content_length(came: &AnswerHead<'_, '_>, wanted: Asked) -> ContentLength {
    match (came.status, came.framing) {
        (101 | 204, _) => ContentLength::FromBody,
        (304, _) | (_, AnswerFraming::Length(0)) => ContentLength::FromField,
        _ if wanted == Asked::Head => ContentLength::FromField,
        // Also where only we asked with HEAD: what the field says would not follow.
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
            // Names and values come from a parser or are ours, so this is a mistake of ours; better less than wrong.
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

/// The id of a request as a value that no table of HTTP/2 takes (RFC 7541 section 6.2.3): it never comes twice, and would
/// push out what does. Intermediaries keep it out of theirs for the same reason; each response is some ten bytes longer,
/// because the name is no longer in the table either.
pub(super) fn request_id_value(id: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(id).ok()?;
    value.set_sensitive(true);
    Some(value)
}
