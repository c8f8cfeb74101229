//! What goes up and what comes down: the one place that edits headers. Pure; each engine renders the result into its
//! own form through [`FieldSink`].

use super::client_address::ClientAddress;
use super::connection_fields::{is_among, named_by_connection};
use super::connection_login::reuse_after_request;
use super::expiry::ExpiryField;
use super::few::Few;
use super::fields::{FieldKind, ResponseKind, response_kind};
use super::policy::FieldPolicy;
use super::reuse::Reuse;
use super::sink::FieldSink;
use super::upgrade::Upgrade;
use crate::authorize::Permit;
use crate::head::Fields;
use crate::identity::IdentityBlock;
use http::{HeaderName, HeaderValue};

/// What the gateway itself says in a request that goes up.
pub struct RequestEdit<'a> {
    /// Who the client is; `None` where the route says nothing.
    pub identity: Option<&'a IdentityBlock>,
    /// The client's address.
    pub client: &'a ClientAddress,
    /// The Host that the client asked for. It goes up; an upstream with a Host of its own replaces it when it is known
    /// which endpoint takes the request.
    pub requested_host: &'a str,
    /// The id of this request.
    pub request_id: &'a str,
    /// The HTTP version that the client speaks: `1.1` or `2.0`.
    pub client_version: &'a str,
    /// Which `Authorization` goes up.
    pub authorization: AuthorizationUp<'a>,
    /// What connection the upstream is asked for.
    pub upgrade: Upgrade,
    /// What the config says about the client's fields.
    pub policy: FieldPolicy<'a>,
    /// What it says in them.
    pub authorizer: &'a [(HeaderName, HeaderValue)],
}

/// The field with the id of a request.
pub const REQUEST_ID: &str = "x-request-id";
/// `Via` of a response, unless the upstream's has more.
pub const RESPONSE_VIA: &str = "1.1 portcullis";

/// Which `Authorization` an upstream sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationUp<'a> {
    /// What the client sent, if anything.
    OfClient,
    /// None: what the client sent was meant for the gateway.
    Removed,
    /// Ours, in place of the client's.
    OfGateway(&'a [u8]),
}

impl<'a> AuthorizationUp<'a> {
    /// Ours where we have one; otherwise what `without` says.
    pub fn of(ours: Option<&'a [u8]>, without: Self) -> Self {
        ours.map_or(without, Self::OfGateway)
    }
}

/// Writes the fields that go up with a request that was permitted.
///
/// Hop-by-hop fields go first, so that `Connection: X-Client-CN` cannot remove what we add; then every identity field
/// of the client, and every one that only an authorizer may say; then ours are added. What passes only in shadow mode is
/// marked. Gives whether the upstream's connection may carry another request after this one.
pub fn request_fields<F: Fields + ?Sized, S: FieldSink + ?Sized>(
    permit: &Permit<'_>,
    fields: &F,
    edit: &RequestEdit<'_>,
    sink: &mut S,
) -> Reuse {
    let mut reuse = Reuse::Keep;
    let named = named_by_connection(fields);
    let mut cookies = Few::<&[u8]>::default();
    let mut via = Few::<&[u8]>::default();
    let mut te_trailers = false;
    sink.add("host", edit.requested_host.as_bytes());
    for (name, value) in fields.pairs() {
        let kind = edit.policy.kind(name, value);
        if kind != FieldKind::Te && is_among(&named, name) {
            continue;
        }
        match kind {
            FieldKind::EndToEnd => sink.add(name, value),
            FieldKind::Cookie => cookies.push(value),
            FieldKind::Via => via.push(value),
            FieldKind::Te => te_trailers |= value.split(|octet| *octet == b',').any(is_trailers),
            FieldKind::Authorization if edit.authorization == AuthorizationUp::OfClient => {
                if reuse_after_request(value) == Reuse::Close {
                    reuse = Reuse::Close;
                }
                sink.add(name, value);
            }
            FieldKind::Authorization
            | FieldKind::HopByHop
            | FieldKind::Identity
            | FieldKind::Forwarding
            | FieldKind::Override
            | FieldKind::Reserved => {}
        }
    }
    if !cookies.is_empty() {
        // RFC 9113 section 8.2.3
        add_joined(sink, "cookie", &cookies, b"; ", &[]);
    }
    if te_trailers {
        sink.add("te", b"trailers");
    }
    add_joined(
        sink,
        "via",
        &via,
        b", ",
        &[edit.client_version.as_bytes(), b" portcullis"],
    );
    own_fields(edit, sink);
    if let Some(denied) = permit.shadowed() {
        sink.add(SHADOW_FIELD, denied.word().as_bytes());
    }
    reuse
}

/// Tells an upstream why a request would be refused if refusals were enforced.
const SHADOW_FIELD: &str = "x-portcullis-shadow";

/// One field of several values, and of one more in parts unless there are none.
fn add_joined<S: FieldSink + ?Sized>(
    sink: &mut S,
    name: &str,
    values: &Few<&[u8]>,
    between: &[u8],
    last: &[&[u8]],
) {
    if values.is_empty() {
        return sink.add_parts(name, last);
    }
    let mut parts = Few::<&[u8]>::default();
    for value in values.iter() {
        if !parts.is_empty() {
            parts.push(between);
        }
        parts.push(value);
    }
    if !last.is_empty() {
        parts.push(between);
        last.iter().for_each(|part| parts.push(part));
    }
    parts.with_slice(|parts| sink.add_parts(name, parts));
}

fn is_trailers(coding: &[u8]) -> bool {
    coding.trim_ascii().eq_ignore_ascii_case(b"trailers")
}

fn own_fields<S: FieldSink + ?Sized>(edit: &RequestEdit<'_>, sink: &mut S) {
    sink.add_forwarding(edit.client, edit.requested_host);
    sink.add(REQUEST_ID, edit.request_id.as_bytes());
    if let AuthorizationUp::OfGateway(authorization) = edit.authorization {
        sink.add("authorization", authorization);
    }
    if let Some(identity) = edit.identity {
        sink.add_identity(identity);
    }
    for (name, value) in edit.authorizer {
        sink.add(name.as_str(), value.as_bytes());
    }
    if edit.upgrade != Upgrade::None {
        sink.add("connection", b"upgrade");
        sink.add("upgrade", b"websocket");
    }
}

/// How an answer's length is known to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentLength {
    /// From the body that follows.
    FromBody,
    /// From the field: no body follows (HEAD, 304).
    FromField,
}

/// What the gateway itself says in an answer that comes down.
pub struct AnswerEdit<'a> {
    /// Where the client learns the length.
    pub length: ContentLength,
    /// The id of this request.
    pub request_id: &'a str,
    /// Tells the client when its certificate expires; `None` where the config wants no such field.
    pub expiry: Option<&'a ExpiryField>,
}

/// Writes the fields that come down with an answer.
pub fn response_fields<F: Fields + ?Sized, S: FieldSink + ?Sized>(
    fields: &F,
    edit: &AnswerEdit<'_>,
    sink: &mut S,
) {
    let named = named_by_connection(fields);
    let mut via = Few::<&[u8]>::default();
    for (name, value) in fields.pairs() {
        if is_among(&named, name) || edit.expiry.is_some_and(|expiry| expiry.owns(name)) {
            continue;
        }
        match response_kind(name) {
            ResponseKind::EndToEnd => sink.add(name, value),
            ResponseKind::Via => via.push(value),
            ResponseKind::ContentLength if edit.length == ContentLength::FromField => {
                sink.add(name, value)
            }
            ResponseKind::ContentLength | ResponseKind::RequestId | ResponseKind::HopByHop => {}
        }
    }
    add_joined(sink, "via", &via, b", ", &[RESPONSE_VIA.as_bytes()]);
    sink.add(REQUEST_ID, edit.request_id.as_bytes());
    if let Some((name, value)) = edit.expiry.and_then(ExpiryField::said) {
        sink.add(name, value.as_bytes());
    }
}

#[cfg(test)]
mod tests;
