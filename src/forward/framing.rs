//! Parses HTTP/1.1 request heads strictly and finds the end of the body (RFC 9112 section 6).
//! Rejects ambiguous heads. Reads given bytes; owns no socket.

use super::target::split_target;
use std::mem::MaybeUninit;

/// Length of the body after a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body, or this many bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
}

/// Errors of a malformed or ambiguous head or body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Not a request head.
    #[error("the request head is malformed")]
    Malformed,
    /// A target that is not a URI, or that has a fragment.
    #[error("the request target is no URI, or has a fragment")]
    Target,
    /// A line end without carriage return, or a carriage return alone.
    #[error("a line of the head does not end with CR LF")]
    BareLineEnd,
    /// More fields than [`MAX_FIELDS`].
    #[error("the request head has too many fields")]
    TooManyFields,
    /// Content-Length beside Transfer-Encoding.
    #[error("both Content-Length and Transfer-Encoding are given")]
    LengthAndChunked,
    /// Not one run of digits, or different values.
    #[error("Content-Length is not one number")]
    BadLength,
    /// Other than one `chunked`.
    #[error("Transfer-Encoding is not chunked")]
    UnknownCoding,
    /// HTTP/1.0 has no chunked transfer coding.
    #[error("Transfer-Encoding in HTTP/1.0")]
    ChunkedInHttp10,
    /// No `Host`, or several.
    #[error("there must be exactly one Host")]
    Host,
    /// An expectation other than `100-continue`.
    #[error("an expectation other than 100-continue")]
    Expectation,
    /// A malformed chunk.
    #[error("the chunked body is malformed")]
    BadChunk,
}

/// Maximum number of fields in a head.
pub const MAX_FIELDS: usize = 100;

/// Uninitialized space for the fields of one head, on the stack.
pub type FieldSpace<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELDS];

/// Uninitialized space for the fields of one head.
pub const fn field_space<'b>() -> FieldSpace<'b> {
    [const { MaybeUninit::uninit() }; MAX_FIELDS]
}

/// A parsed request head. Borrows the input bytes.
#[derive(Debug)]
pub struct ParsedHead<'b, 'f> {
    /// As sent.
    pub method: &'b str,
    /// The authority of a target in absolute form or authority form.
    pub authority: Option<&'b str>,
    /// Path and query as sent, without the authority.
    pub target: &'b str,
    /// The client's HTTP version.
    pub version: HttpVersion,
    /// In the order of arrival.
    pub fields: &'f [httparse::Header<'b>],
    /// Bytes of the head, empty line included.
    pub length: usize,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether the client waits for a 100 before it sends the body.
    pub expectation: ExpectHeader,
}

/// The HTTP version of an HTTP/1 request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl HttpVersion {
    /// The version in a status line, and in logs.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }

    /// The version in `Via`.
    pub fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
        }
    }
}

/// `Expect`. Only `100-continue` is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectHeader {
    /// The client sends the body without waiting.
    None,
    /// The client may wait for an interim response before the body.
    Continue,
}

/// Parses the head at the start of `bytes`. `None` while it is incomplete.
///
/// # Errors
/// [`FramingError`] if it is malformed or ambiguous.
pub fn parse_head<'b, 'f>(
    bytes: &'b [u8],
    space: &'f mut FieldSpace<'b>,
) -> Result<Option<ParsedHead<'b, 'f>>, FramingError> {
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, space) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(FramingError::TooManyFields),
        Err(_) => return Err(FramingError::Malformed),
    };
    // The parser accepts a bare line feed; another server may see the line end elsewhere.
    strict_line_ends(bytes.get(..length).unwrap_or(bytes))?;
    let target = split_target(request.path.unwrap_or_default()).ok_or(FramingError::Target)?;
    let version = if request.version == Some(0) {
        HttpVersion::Http10
    } else {
        HttpVersion::Http11
    };
    let fields: &'f [httparse::Header<'b>] = request.headers;
    let (framing, expectation) = framing(version, fields)?;
    let method = request.method.unwrap_or_default();
    Ok(Some(ParsedHead {
        method,
        authority: target.authority,
        target: target.path,
        version,
        fields,
        length,
        framing,
        expectation,
    }))
}

/// Checks that a carriage return precedes each line feed. The parser rejects any other carriage
/// return.
fn strict_line_ends(head: &[u8]) -> Result<(), FramingError> {
    let follows_return =
        |at: usize| at.checked_sub(1).and_then(|previous| head.get(previous)) == Some(&b'\r');
    if memchr::memchr_iter(b'\n', head).all(follows_return) {
        Ok(())
    } else {
        Err(FramingError::BareLineEnd)
    }
}

fn framing(
    version: HttpVersion,
    fields: &[httparse::Header<'_>],
) -> Result<(Framing, ExpectHeader), FramingError> {
    let mut hosts = 0;
    let mut expectation = ExpectHeader::None;
    let mut codings = 0;
    let mut length: Option<u64> = None;
    let mut coding: Option<&[u8]> = None;
    let mut bad_length = false;
    for field in fields {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            4 if is("host") => hosts += 1,
            6 if is("expect") => {
                if !field.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(FramingError::Expectation);
                }
                // HTTP/1.0 has no interim responses (RFC 9110 section 10.1.1).
                if version == HttpVersion::Http11 {
                    expectation = ExpectHeader::Continue;
                }
            }
            // Two equal values are rejected as well: a recipient that joins them gets a list (RFC
            // 9112 section 6.3 allows rejection).
            14 if is("content-length") => match (content_length(field.value), length) {
                (Some(number), None) => length = Some(number),
                _ => bad_length = true,
            },
            17 if is("transfer-encoding") => {
                codings += 1;
                coding = Some(field.value);
            }
            _ => {}
        }
    }
    if hosts != 1 {
        return Err(FramingError::Host);
    }
    if bad_length {
        return Err(FramingError::BadLength);
    }
    let framing = match (coding, length) {
        (None, length) => Framing::Length(length.unwrap_or(0)),
        (Some(_), Some(_)) => return Err(FramingError::LengthAndChunked),
        _ if version == HttpVersion::Http10 => return Err(FramingError::ChunkedInHttp10),
        (Some(coding), None) if codings == 1 && coding.eq_ignore_ascii_case(b"chunked") => {
            Framing::Chunked
        }
        _ => return Err(FramingError::UnknownCoding),
    };
    Ok((framing, expectation))
}

/// Maximum length of a body. Larger numbers are negative to implementations with signed lengths,
/// and hyper reserves the largest values.
const MAX_LENGTH: u64 = i64::MAX.unsigned_abs();

/// Parses a `Content-Length`: digits only, at most [`MAX_LENGTH`].
pub(super) fn content_length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
        .filter(|length| *length <= MAX_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Framing>, FramingError> {
        let mut space = field_space();
        let read = parse_head(text.as_bytes(), &mut space);
        read.map(|head| head.map(|head| head.framing))
    }

    #[test]
    fn ordinary_heads_have_one_length() {
        assert_eq!(
            head("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            Ok(Some(Framing::Length(0)))
        );
        assert_eq!(
            head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"),
            Ok(Some(Framing::Length(5)))
        );
        assert_eq!(
            head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"),
            Ok(Some(Framing::Chunked))
        );
        assert_eq!(
            head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n"),
            Ok(Some(Framing::Length(i64::MAX.unsigned_abs())))
        );
        assert_eq!(head("GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None));
    }

    const TWO_READINGS: [(&str, FramingError); 21] = [
        (
            "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            FramingError::LengthAndChunked,
        ),
        (
            "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            FramingError::LengthAndChunked,
        ),
        (
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
            FramingError::BadLength,
        ),
        (
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
            FramingError::BadLength,
        ),
        ("Host: a\r\nContent-Length: +5\r\n", FramingError::BadLength),
        (
            "Host: a\r\nContent-Length: 5, 5\r\n",
            FramingError::BadLength,
        ),
        (
            "Host: a\r\nContent-Length: 99999999999999999999\r\n",
            FramingError::BadLength,
        ),
        (
            "Host: a\r\nContent-Length: 9223372036854775808\r\n",
            FramingError::BadLength,
        ),
        ("Host: a\r\nContent-Length:\r\n", FramingError::BadLength),
        (
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
            FramingError::UnknownCoding,
        ),
        (
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            FramingError::UnknownCoding,
        ),
        (
            "Host: a\r\nTransfer-Encoding: xchunked\r\n",
            FramingError::UnknownCoding,
        ),
        (
            "Host: a\r\nTransfer-Encoding:\r\n",
            FramingError::UnknownCoding,
        ),
        ("Host: a\r\nHost: a\r\n", FramingError::Host),
        ("Accept: a\r\n", FramingError::Host),
        ("Host: a\r\nExpect: 200-ok\r\n", FramingError::Expectation),
        ("Host: a\nAccept: b\r\n", FramingError::BareLineEnd),
        ("Host : a\r\n", FramingError::Malformed),
        ("Host: a\r\n folded\r\n", FramingError::Malformed),
        ("Host: a\r\nX: a\rb\r\n", FramingError::Malformed),
        ("Host: a\r\nX: a\0b\r\n", FramingError::Malformed),
    ];

    #[test]
    fn heads_with_two_readings_are_rejected() {
        for (fields, error) in TWO_READINGS {
            assert_eq!(
                head(&format!("POST / HTTP/1.1\r\n{fields}\r\n")),
                Err(error),
                "{fields:?}"
            );
        }
        for target in ["/a#b", "/a?b#c", "/a<b", "/a`b"] {
            let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(head(&text), Err(FramingError::Target), "{target}");
        }
        assert_eq!(
            head("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Err(FramingError::ChunkedInHttp10)
        );
    }

    proptest::proptest! {
        #[test]
        fn reading_a_head_never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = parse_head(&bytes, &mut field_space());
        }

        #[test]
        fn line_ends_of_what_is_read_are_all_whole(
            lines in proptest::collection::vec("[a-zA-Z-]{0,4}[:\r\n\t ]{0,3}[a-z\r\n]{0,4}(\r\n|\n|\r|)", 0..6),
            first in "(\r|\n|\r\n|)GET[ \r]/[ \r]HTTP/1\\.1(\r\n|\n|\r)",
        ) {
            let head = format!("{first}Host: a\r\n{}\r\n", lines.concat());
            if let Ok(Some(read)) = parse_head(head.as_bytes(), &mut field_space()) {
                let count = |byte: u8| head.as_bytes()[..read.length].iter().filter(|other| **other == byte).count();
                proptest::prop_assert_eq!(count(b'\r'), count(b'\n'), "{:?}", head);
            }
        }
    }
}
