//! Edits the fields of upstream requests and client responses; no other module edits fields. Pure;
//! each HTTP engine renders the result through [`FieldSink`].

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

/// The gateway's own values in an upstream request.
pub struct RequestEdit<'a> {
    /// Identity of the client. `None` where the route sends no identity fields.
    pub identity: Option<&'a IdentityBlock>,
    /// The client's address.
    pub client: &'a ClientAddress,
    /// The Host of the client's request. An upstream with its own Host replaces it after an
    /// endpoint is selected.
    pub requested_host: &'a str,
    /// The id of this request.
    pub request_id: &'a str,
    /// The HTTP version of the client connection: `1.1` or `2.0`.
    pub client_version: &'a str,
    /// Which `Authorization` is sent.
    pub authorization: UpstreamAuthorization<'a>,
    /// The upgrade that the upstream is asked for.
    pub upgrade: Upgrade,
    /// The configured rules for the client's fields.
    pub policy: FieldPolicy<'a>,
    /// The fields that the authorizer sets.
    pub authorizer: &'a [(HeaderName, HeaderValue)],
}

/// Name of the field with the request id.
pub const REQUEST_ID: &str = "x-request-id";
/// The gateway's entry in `Via` of a response.
pub const RESPONSE_VIA: &str = "1.1 portcullis";

/// Which `Authorization` is sent to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamAuthorization<'a> {
    /// The client's value, if any.
    OfClient,
    /// None: the client's value was a credential for the gateway.
    Removed,
    /// The gateway's value, in place of the client's.
    OfGateway(&'a [u8]),
}

impl<'a> UpstreamAuthorization<'a> {
    /// `ours` if there is one, otherwise `without`.
    pub fn of(ours: Option<&'a [u8]>, without: Self) -> Self {
        ours.map_or(without, Self::OfGateway)
    }
}

/// Writes the fields of the upstream request for a permitted request.
///
/// Hop-by-hop fields are removed first, so that `Connection: X-Client-CN` cannot remove an added
/// field. Then the client's identity fields and the fields reserved for authorizers are removed.
/// Then the gateway's fields are added. A request that only shadow mode permits is marked. Returns
/// whether the upstream connection may carry another request.
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
            FieldKind::Te => te_trailers |= value.split(|byte| *byte == b',').any(is_trailers),
            FieldKind::Authorization if edit.authorization == UpstreamAuthorization::OfClient => {
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
        sink.add(SHADOW_FIELD, denied.reason().word().as_bytes());
    }
    reuse
}

/// Names the reason for which enforcement would deny the request.
const SHADOW_FIELD: &str = "x-portcullis-shadow";

/// Adds one field that joins `values` and `last`, with `between` as separator. `last` is one value
/// in parts; an empty slice adds none.
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
    if let UpstreamAuthorization::OfGateway(authorization) = edit.authorization {
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

/// Source of the `Content-Length` that the client receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentLength {
    /// The body that follows.
    FromBody,
    /// The upstream's field: no body follows (HEAD, 304).
    FromField,
}

/// The gateway's own values in a client response.
pub struct ResponseEdit<'a> {
    /// Source of the length.
    pub length: ContentLength,
    /// The id of this request.
    pub request_id: &'a str,
    /// The field that tells the client when its certificate expires. `None` where none is
    /// configured.
    pub expiry: Option<&'a ExpiryField>,
}

/// Writes the fields of the response to the client.
pub fn response_fields<F: Fields + ?Sized, S: FieldSink + ?Sized>(
    fields: &F,
    edit: &ResponseEdit<'_>,
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
    if let Some((name, value)) = edit.expiry.and_then(ExpiryField::field) {
        sink.add(name, value.as_bytes());
    }
}

#[cfg(test)]
mod tests;
