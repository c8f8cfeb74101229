//! Writes a response from an HTTP/2 stream in HTTP/1.1 wire format, which both engines read strictly. Edits no field.

use crate::forward::{FieldSink, HeadWriter, RequestKind};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use std::io::Write;

/// How the body of a rendered response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RenderedFraming {
    /// No body.
    None,
    /// By the `content-length` of the upstream. h2 verifies the length.
    Length,
    /// In chunks.
    Chunked,
}

/// Whether the head of a response is also its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadEnd {
    EndsStream,
    BodyFollows,
}

/// Writes the head of a response.
pub(super) fn write_head(
    response: &Response<impl Sized>,
    asked: RequestKind,
    end: HeadEnd,
    out: &mut Vec<u8>,
) -> RenderedFraming {
    let status = response.status();
    let fields = response.headers();
    let framing = framing(status, fields, asked, end);
    write_status(status, out);
    for (name, value) in fields {
        if name != CONTENT_LENGTH || framing != RenderedFraming::Chunked {
            HeadWriter(out).add(name.as_str(), value.as_bytes());
        }
    }
    match framing {
        RenderedFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // Without a length, an empty body would end with the connection.
        RenderedFraming::Length if !fields.contains_key(CONTENT_LENGTH) => {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        RenderedFraming::Length | RenderedFraming::None => {}
    }
    out.extend_from_slice(b"\r\n");
    framing
}

fn framing(
    status: StatusCode,
    fields: &HeaderMap,
    asked: RequestKind,
    end: HeadEnd,
) -> RenderedFraming {
    let bodiless = status.is_informational()
        || asked == RequestKind::Head
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if bodiless {
        return RenderedFraming::None;
    }
    // A body with a length has no trailers in HTTP/1.1, and gRPC needs them.
    let needs_trailers = fields
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    match end {
        HeadEnd::EndsStream => RenderedFraming::Length,
        HeadEnd::BodyFollows if fields.contains_key(CONTENT_LENGTH) && !needs_trailers => {
            RenderedFraming::Length
        }
        HeadEnd::BodyFollows => RenderedFraming::Chunked,
    }
}

fn write_status(status: StatusCode, out: &mut Vec<u8>) {
    let reason = status.canonical_reason().unwrap_or_default();
    // Writing to a vector cannot fail.
    let _ = write!(out, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
}

/// Writes the size of a chunk.
pub(super) fn write_chunk_size(size: usize, out: &mut Vec<u8>) {
    let _ = write!(out, "{size:x}\r\n");
}

/// Writes the end of a chunked body.
pub(super) fn write_trailers(trailers: Option<&HeaderMap>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        HeadWriter(out).add(name.as_str(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(response: Response<()>, asked: RequestKind, end: HeadEnd) -> String {
        let mut out = Vec::new();
        write_head(&response, asked, end, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_response_has_one_framing() {
        let response = |status: u16, fields: &[(&'static str, &'static str)]| {
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(*name, *value);
            }
            response.body(()).unwrap()
        };
        let length = [("content-length", "3")];
        let cases = [
            (
                response(200, &[]),
                HeadEnd::BodyFollows,
                "transfer-encoding: chunked\r\n",
            ),
            (
                response(200, &length),
                HeadEnd::BodyFollows,
                "content-length: 3\r\n",
            ),
            (
                response(200, &[]),
                HeadEnd::EndsStream,
                "content-length: 0\r\n",
            ),
            (
                response(304, &length),
                HeadEnd::EndsStream,
                "content-length: 3\r\n",
            ),
            (response(204, &[]), HeadEnd::EndsStream, ""),
            (response(103, &[]), HeadEnd::BodyFollows, ""),
        ];
        for (response, end, framing) in cases {
            let status = response.status();
            let text = head(response, RequestKind::Other, end);
            let (line, rest) = text.split_once("\r\n").unwrap();
            assert!(
                line.starts_with(&format!("HTTP/1.1 {} ", status.as_u16())),
                "{line}"
            );
            assert_eq!(rest, format!("{framing}\r\n"), "{status}");
        }
        let text = head(
            response(200, &length),
            RequestKind::Head,
            HeadEnd::EndsStream,
        );
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    }

    #[test]
    fn a_grpc_response_with_a_length_keeps_its_trailers() {
        let response = Response::builder()
            .header("content-type", "application/grpc+proto")
            .header("content-length", "3");
        let text = head(
            response.body(()).unwrap(),
            RequestKind::Other,
            HeadEnd::BodyFollows,
        );
        assert!(
            text.ends_with("\r\ntransfer-encoding: chunked\r\n\r\n"),
            "{text}"
        );
        assert!(!text.contains("content-length"), "{text}");
    }
}
