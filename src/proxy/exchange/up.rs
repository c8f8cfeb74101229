//! The request that goes up, rendered for hyper.

use super::{Exchange, Permitted};
use crate::forward::{
    ClientAddress, ContentLength, FieldSink, FilteredTrailers, RequestEdit, Upgrade, request_fields, response_fields,
};
use crate::head::Fields;
use crate::limit::MeteredBody;
use crate::proxy::guard::GuardControl;
use crate::proxy::record::Record;
use crate::route::Admission;
use crate::upstream::{Outgoing, Upstream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::Arc;

impl Exchange<'_> {
    /// The request that goes up.
    pub(super) fn outgoing(
        &self,
        record: &mut Record,
        request: Request<Incoming>,
        permitted: &Permitted<'_>,
        upstream: &Upstream,
        upgrade: Upgrade,
    ) -> Option<Outgoing> {
        let (head, body) = request.into_parts();
        let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
        let requested_host = authority.or_else(|| head.headers.first_value("host"))?;
        let requested_host = std::str::from_utf8(requested_host).ok()?;
        let client = ClientAddress::new(self.context.facts.client.ip());
        let edit = RequestEdit {
            identity: (permitted.route.admission != Admission::Public).then_some(&self.view.identity),
            client: &client,
            requested_host,
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
        let meter = record.meters().request.clone();
        let body = MeteredBody::new(body, limits.body_size, limits.idle_timeout, meter.clone());
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
        Some(Outgoing { request: up, meter, response_timeout: limits.response_timeout })
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
            format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("")).into_bytes(),
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

/// Renders edited fields for hyper.
pub(super) struct HeaderFields(pub(super) HeaderMap);

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
