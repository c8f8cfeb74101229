//! Writes the head of an upstream request as HTTP/1.1. Edits its fields through `request_fields`.

use super::edit::{RequestEdit, request_fields};
use super::framing::Framing;
use super::reuse::Reuse;
use super::sink::{HeadWriter, write_number};
use crate::authorize::Permit;
use crate::head::Fields;
use std::ops::Range;

/// Properties of a written request head.
#[derive(Debug)]
pub struct WrittenHead {
    /// Position of the host in the buffer, for an endpoint with its own Host.
    pub host: Range<usize>,
    /// Whether the upstream connection may carry another request after this one.
    pub reuse: Reuse,
}

/// The parts of a request head that come from the client.
pub struct RequestHeadParts<'a, F: ?Sized> {
    /// The method that was decided on.
    pub method: &'a str,
    /// The pieces of the canonical target.
    pub target: [&'a str; 3],
    /// The fields as the client sent them.
    pub fields: &'a F,
    /// The framing of the body that is sent.
    pub framing: Framing,
}

/// Appends a head to `head`: the request line, the edited fields, the framing field, the empty line.
pub fn write_request_head<F: Fields + ?Sized>(
    permit: &Permit<'_>,
    parts: &RequestHeadParts<'_, F>,
    edit: &RequestEdit<'_>,
    head: &mut Vec<u8>,
) -> WrittenHead {
    let fields = parts.fields;
    for part in [parts.method, " "].iter().chain(&parts.target) {
        head.extend_from_slice(part.as_bytes());
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    // `request_fields` writes the host first.
    let host = head.len() + "host: ".len();
    let reuse = request_fields(permit, fields, edit, &mut HeadWriter(head));
    match parts.framing {
        Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Length(0) if fields.first_value("content-length").is_none() => {}
        Framing::Length(length) => {
            head.extend_from_slice(b"content-length: ");
            write_number(head, length);
            head.extend_from_slice(b"\r\n");
        }
    }
    head.extend_from_slice(b"\r\n");
    WrittenHead {
        host: host..host + edit.requested_host.len(),
        reuse,
    }
}

/// Replaces the host in a head. `place` is its position and is updated.
pub fn replace_host(head: &mut Vec<u8>, place: &mut Range<usize>, host: &str) {
    head.splice(place.clone(), host.bytes());
    place.end = place.start + host.len();
}
