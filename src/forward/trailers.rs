//! Forwards trailers in both directions. Never forwards one that frames, authenticates or
//! identifies.

use super::fields::may_be_trailer;
use super::framing::{FramingError, MAX_FIELDS};
use super::sink::{FieldSink, HeadWriter};
use crate::head::Fields;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Writes the fields of a trailer section (field lines and the empty line) that may be forwarded
/// and that the message head announced in `Trailer`, as `name: value` lines. Without an
/// announcement the recipient does not expect trailers.
///
/// # Errors
/// [`FramingError::BadChunk`] if the section is malformed.
pub fn write_trailers<F: Fields + ?Sized>(
    section: &[u8],
    head: &F,
    out: &mut Vec<u8>,
) -> Result<(), FramingError> {
    let mut space = [httparse::EMPTY_HEADER; MAX_FIELDS];
    for trailer in parse(section, &mut space)? {
        if may_be_trailer(trailer.name) && is_announced(trailer.name, head) {
            HeadWriter(out).add(trailer.name, trailer.value);
        }
    }
    Ok(())
}

fn is_announced<F: Fields + ?Sized>(name: &str, head: &F) -> bool {
    let mut listed = head
        .values("trailer")
        .flat_map(|value| value.split(|byte| *byte == b','));
    listed.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

/// Like [`write_trailers`], for parsed trailers.
pub fn write_trailer_map<F: Fields + ?Sized>(trailers: &HeaderMap, head: &F, out: &mut Vec<u8>) {
    for (name, value) in trailers {
        if may_be_trailer(name.as_str()) && is_announced(name.as_str(), head) {
            HeadWriter(out).add(name.as_str(), value.as_bytes());
        }
    }
}

/// The fields of a trailer section that may be forwarded, announced or not: HTTP/2 announces none.
///
/// # Errors
/// [`FramingError::BadChunk`] if the section is malformed.
pub fn read_trailers(section: &[u8]) -> Result<HeaderMap, FramingError> {
    let mut passing = HeaderMap::new();
    for trailer in parse(section, &mut [httparse::EMPTY_HEADER; MAX_FIELDS])? {
        let parts = (
            HeaderName::from_bytes(trailer.name.as_bytes()),
            HeaderValue::from_bytes(trailer.value),
        );
        let (Ok(name), Ok(value)) = parts else {
            return Err(FramingError::BadChunk);
        };
        if may_be_trailer(trailer.name) {
            passing.append(name, value);
        }
    }
    Ok(passing)
}

fn parse<'b, 's>(
    section: &'b [u8],
    space: &'s mut [httparse::Header<'b>],
) -> Result<&'s [httparse::Header<'b>], FramingError> {
    match httparse::parse_headers(section, space) {
        Ok(httparse::Status::Complete((_, trailers))) => Ok(trailers),
        _ => Err(FramingError::BadChunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: &[u8] = b"grpc-status: 0\r\nX_Client_CN: root\r\nhost: x\r\nx-sum: 1\r\n\r\n";

    #[test]
    fn permitted_announced_trailers_are_forwarded() {
        let head: &[(&str, &[u8])] = &[("trailer", b"X-Sum, host"), ("Trailer", b"x_client_cn")];
        let mut written = Vec::new();
        let mut from_map = Vec::new();
        write_trailers(SECTION, head, &mut written).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("grpc-status", "0"),
            ("x_client_cn", "root"),
            ("host", "x"),
            ("x-sum", "1"),
        ] {
            map.insert(name, HeaderValue::from_static(value));
        }
        write_trailer_map(&map, head, &mut from_map);
        assert_eq!(written, b"x-sum: 1\r\n");
        assert_eq!(written, from_map);
    }

    #[test]
    fn trailers_come_down_that_may() {
        let names: Vec<_> = read_trailers(SECTION)
            .unwrap()
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect();
        assert_eq!(names, ["grpc-status", "x-sum"]);
        assert!(read_trailers(b"\r\n").unwrap().is_empty());
        assert_eq!(
            read_trailers(b"a b: c\r\n\r\n"),
            Err(FramingError::BadChunk)
        );
    }
}
