//! The head of a request that goes up, written as HTTP/1.1. Edits its fields by the one edit list.

use super::edit::{RequestEdit, request_fields};
use super::framing::Framing;
use super::reuse::Reuse;
use super::sink::{HeadWriter, write_number};
use crate::authorize::Permit;
use crate::head::Fields;
use std::ops::Range;

/// What is to be known of a head that was written.
#[derive(Debug)]
pub struct RequestHeadOut {
    /// Where the host's name stands, for an endpoint with one of its own.
    pub host: Range<usize>,
    /// Whether the upstream's connection may carry another request after this one.
    pub reuse: Reuse,
}

/// Writes a head behind what is there: the line of `method` and the parts of `target`, the edited fields, how long the
/// body is, the empty line.
pub fn write_request_head<F: Fields + ?Sized>(
    permit: &Permit<'_>,
    (method, target): (&str, &[&str]),
    (fields, framing): (&F, Framing),
    edit: &RequestEdit<'_>,
    head: &mut Vec<u8>,
) -> RequestHeadOut {
    for part in [method, " "].iter().chain(target) {
        head.extend_from_slice(part.as_bytes());
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    // The edit list begins with the host.
    let host = head.len() + "host: ".len();
    let reuse = request_fields(permit, fields, edit, &mut HeadWriter(head));
    match framing {
        Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Length(0) if fields.first_value("content-length").is_none() => {}
        Framing::Length(length) => {
            head.extend_from_slice(b"content-length: ");
            write_number(head, length);
            head.extend_from_slice(b"\r\n");
        }
    }
    head.extend_from_slice(b"\r\n");
    RequestHeadOut {
        host: host..host + edit.requested_host.len(),
        reuse,
    }
}

/// Names another host in a head than the client did; `place` is where the name stands, before and after.
pub fn replace_host(head: &mut Vec<u8>, place: &mut Range<usize>, host: &str) {
    head.splice(place.clone(), host.bytes());
    place.end = place.start + host.len();
}
