//! What goes up and what comes down: the one place that edits headers. Pure; each engine renders the result into its
//! own form through [`FieldSink`].

use super::fields::{FieldKind, is_hop_by_hop_response, kind, may_be_named_by_connection};
use crate::authorize::Permit;
use crate::head::Fields;
use crate::identity::IdentityBlock;
use std::net::IpAddr;

/// Takes the fields of an edited head.
pub trait FieldSink {
    /// Adds one field. Names are lower case if they are ours.
    fn add(&mut self, name: &str, value: &[u8]);
}

/// What the gateway itself says in a request that goes up.
pub struct RequestEdit<'a> {
    /// Who the client is; `None` where the route says nothing.
    pub identity: Option<&'a IdentityBlock>,
    /// The client's address.
    pub client: IpAddr,
    /// The Host that the client asked for. It goes up; an upstream with a Host of its own replaces it when it is known
    /// which endpoint takes the request.
    pub requested_host: &'a str,
    /// The id of this request.
    pub request_id: &'a str,
    /// The HTTP version that the client speaks: `1.1` or `2.0`.
    pub client_version: &'a str,
    /// `Authorization` to send in place of the client's own.
    pub authorization: Option<&'a [u8]>,
    /// What connection the upstream is asked for.
    pub upgrade: Upgrade,
}

/// Whether a request asks to leave HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// An ordinary request.
    None,
    /// WebSocket (RFC 6455), the only protocol that is passed on.
    WebSocket,
}

/// A `Connection` field that names what it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Connection names a field that every hop needs")]
pub struct BadConnection;

/// The names that the `Connection` fields of a message list.
fn connection_names<F: Fields + ?Sized>(fields: &F) -> Vec<&str> {
    fields
        .all("connection")
        .into_iter()
        .filter_map(|value| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

/// Checks what `Connection` names, before anything is decided.
///
/// # Errors
/// [`BadConnection`] if it names a field that must not vanish.
pub fn check_connection<F: Fields + ?Sized>(fields: &F) -> Result<(), BadConnection> {
    connection_names(fields).iter().all(|name| may_be_named_by_connection(name)).then_some(()).ok_or(BadConnection)
}

/// Which upgrade a request asks for. All but WebSocket count as none: their fields are hop-by-hop and stay behind.
pub fn requested_upgrade<F: Fields + ?Sized>(method: &str, fields: &F) -> Upgrade {
    let named = connection_names(fields).iter().any(|name| name.eq_ignore_ascii_case("upgrade"));
    let values = fields.all("upgrade");
    let is_websocket = matches!(values.as_slice(), [only] if only.eq_ignore_ascii_case(b"websocket"));
    if named && is_websocket && method == "GET" { Upgrade::WebSocket } else { Upgrade::None }
}

/// Writes the fields that go up with a request that was permitted.
///
/// Hop-by-hop fields go first, so that `Connection: X-Client-CN` cannot remove what we add; then every identity field
/// of the client; then ours are added.
pub fn request_fields<F: Fields + ?Sized>(
    _proof: &Permit<'_>,
    fields: &F,
    edit: &RequestEdit<'_>,
    sink: &mut dyn FieldSink,
) {
    let named = connection_names(fields);
    let mut cookies: Vec<&[u8]> = Vec::new();
    let mut via: Vec<&[u8]> = Vec::new();
    let mut te_trailers = false;
    sink.add("host", edit.requested_host.as_bytes());
    fields.each(&mut |name, value| {
        if named.iter().any(|hop| hop.eq_ignore_ascii_case(name)) && kind(name) != FieldKind::Te {
            return;
        }
        match kind(name) {
            FieldKind::EndToEnd => sink.add(name, value),
            FieldKind::Cookie => cookies.push(value),
            FieldKind::Via => via.push(value),
            FieldKind::Te => te_trailers |= value.split(|octet| *octet == b',').any(is_trailers),
            FieldKind::Authorization if edit.authorization.is_none() => sink.add(name, value),
            FieldKind::Authorization
            | FieldKind::HopByHop
            | FieldKind::Identity
            | FieldKind::Forwarding
            | FieldKind::Override => {}
        }
    });
    if !cookies.is_empty() {
        // RFC 9113 section 8.2.3
        sink.add("cookie", &cookies.join(&b"; "[..]));
    }
    if te_trailers {
        sink.add("te", b"trailers");
    }
    via.push(b"");
    own_fields(edit, &via, sink);
}

fn is_trailers(coding: &[u8]) -> bool {
    coding.trim_ascii().eq_ignore_ascii_case(b"trailers")
}

fn own_fields(edit: &RequestEdit<'_>, via: &[&[u8]], sink: &mut dyn FieldSink) {
    let mut line = via.join(&b", "[..]);
    line.extend_from_slice(format!("{} portcullis", edit.client_version).as_bytes());
    sink.add("via", &line);
    let address = edit.client.to_string();
    let node = if edit.client.is_ipv6() { format!("\"[{address}]\"") } else { address.clone() };
    let forwarded = format!("for={node};host=\"{}\";proto=https", edit.requested_host);
    sink.add("forwarded", forwarded.as_bytes());
    sink.add("x-forwarded-for", address.as_bytes());
    sink.add("x-forwarded-proto", b"https");
    sink.add("x-forwarded-host", edit.requested_host.as_bytes());
    sink.add("x-request-id", edit.request_id.as_bytes());
    if let Some(authorization) = edit.authorization {
        sink.add("authorization", authorization);
    }
    for (name, value) in edit.identity.into_iter().flat_map(IdentityBlock::fields) {
        sink.add(name, value.as_bytes());
    }
    if edit.upgrade == Upgrade::WebSocket {
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

/// Writes the fields that come down with an answer.
pub fn response_fields<F: Fields + ?Sized>(
    fields: &F,
    length: ContentLength,
    request_id: &str,
    sink: &mut dyn FieldSink,
) {
    let named = connection_names(fields);
    let mut via: Vec<&[u8]> = Vec::new();
    fields.each(&mut |name, value| {
        if named.iter().any(|hop| hop.eq_ignore_ascii_case(name)) {
            return;
        }
        match name {
            name if name.eq_ignore_ascii_case("via") => via.push(value),
            name if name.eq_ignore_ascii_case("content-length") => {
                if length == ContentLength::FromField {
                    sink.add(name, value);
                }
            }
            name if name.eq_ignore_ascii_case("x-request-id") || is_hop_by_hop_response(name) => {}
            name => sink.add(name, value),
        }
    });
    via.push(b"1.1 portcullis");
    sink.add("via", &via.join(&b", "[..]));
    sink.add("x-request-id", request_id.as_bytes());
}

#[cfg(test)]
mod tests;
