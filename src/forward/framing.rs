//! Where an HTTP/1.1 request ends: strict reading of heads and chunks (RFC 9112 sections 6 and 7). What has two
//! readings is refused. Reads bytes that are given; owns no socket.

/// How long the body behind a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body, or this many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What a request head says about the message, beside its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSummary {
    /// Bytes of the head, empty line included.
    pub length: usize,
    /// The body.
    pub framing: Framing,
}

/// Why a head or body cannot be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Not a request head.
    #[error("the request head is malformed")]
    Malformed,
    /// A target that is no URI, or one with a fragment.
    #[error("the request target is no URI, or has a fragment")]
    Target,
    /// A line end without carriage return, or a carriage return alone.
    #[error("a line of the head does not end with CR LF")]
    BareLineEnd,
    /// More fields than are read.
    #[error("the request head has too many fields")]
    TooManyFields,
    /// Content-Length beside Transfer-Encoding.
    #[error("both Content-Length and Transfer-Encoding are given")]
    LengthAndChunked,
    /// Not one run of digits, or different values.
    #[error("Content-Length is not one number")]
    BadLength,
    /// Anything but one `chunked`.
    #[error("Transfer-Encoding is not chunked")]
    UnknownCoding,
    /// HTTP/1.0 has no chunks.
    #[error("Transfer-Encoding in HTTP/1.0")]
    ChunkedInHttp10,
    /// None, or several.
    #[error("there must be exactly one Host")]
    Host,
    /// An expectation other than `100-continue`.
    #[error("an expectation other than 100-continue")]
    Expectation,
    /// A chunk that is not one.
    #[error("the chunked body is malformed")]
    BadChunk,
}

/// Fields that a head may have.
pub const MAX_FIELDS: usize = 100;

/// Reads a head at the start of `bytes`. `None` while it is incomplete.
///
/// # Errors
/// [`FramingError`] if it can be read in more than one way, or not at all.
pub fn read_head(bytes: &[u8]) -> Result<Option<HeadSummary>, FramingError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(FramingError::TooManyFields),
        Err(_) => return Err(FramingError::Malformed),
    };
    // The parser forgives a bare line feed; another server may see the line end elsewhere.
    strict_line_ends(bytes.get(..length).unwrap_or(bytes))?;
    check_target(request.path.unwrap_or_default())?;
    let framing = framing(request.version, request.headers)?;
    Ok(Some(HeadSummary { length, framing }))
}

/// The HTTP engine cuts a fragment off in silence, and answers what is no URI without a word and without a log line.
fn check_target(target: &str) -> Result<(), FramingError> {
    if target.contains('#') || target.parse::<http::Uri>().is_err() {
        return Err(FramingError::Target);
    }
    Ok(())
}

fn strict_line_ends(head: &[u8]) -> Result<(), FramingError> {
    let mut before = 0;
    for octet in head {
        if (*octet == b'\n') != (before == b'\r') {
            return Err(FramingError::BareLineEnd);
        }
        before = *octet;
    }
    Ok(())
}

fn framing(version: Option<u8>, fields: &[httparse::Header<'_>]) -> Result<Framing, FramingError> {
    let values = |name: &'static str| {
        fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    if values("host").count() != 1 {
        return Err(FramingError::Host);
    }
    if values("expect").any(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
        return Err(FramingError::Expectation);
    }
    let mut length = None;
    for value in values("content-length") {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits);
        let number: u64 = text.and_then(|text| text.parse().ok()).ok_or(FramingError::BadLength)?;
        // Even two equal ones: whoever joins them sees a list (RFC 9112 section 6.3 allows refusing).
        if length.replace(number).is_some() {
            return Err(FramingError::BadLength);
        }
    }
    let codings: Vec<&[u8]> = values("transfer-encoding").collect();
    match (codings.as_slice(), length) {
        ([], length) => Ok(Framing::Length(length.unwrap_or(0))),
        (_, Some(_)) => Err(FramingError::LengthAndChunked),
        _ if version == Some(0) => Err(FramingError::ChunkedInHttp10),
        ([coding], None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        _ => Err(FramingError::UnknownCoding),
    }
}

/// Finds the end of a chunked body, however it is split over reads.
#[derive(Clone, Debug, Default)]
pub struct ChunkScanner {
    state: State,
    /// Data bytes still to come in this chunk; while a size is read, the size so far.
    remaining: u64,
    /// Octets of the current line (size, extension or trailer section), to bound it.
    line: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeLineFeed,
    Data,
    DataCarriageReturn,
    DataLineFeed,
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    EndLineFeed,
    End,
}

/// A size has at most this many digits, so it cannot overflow.
const MAX_SIZE_DIGITS: usize = 15;
/// Extensions carry nothing for us, so they may not be long.
const MAX_EXTENSION: usize = 256;
/// All trailer fields together.
const MAX_TRAILERS: usize = 16 * 1024;

impl ChunkScanner {
    /// Takes `bytes`, as far as they belong to this body. Gives how many do.
    ///
    /// # Errors
    /// [`FramingError::BadChunk`].
    pub fn scan(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        let mut at = 0;
        while self.state != State::End
            && let Some(octet) = bytes.get(at)
        {
            if self.state == State::Data {
                let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(self.remaining);
                self.remaining -= here;
                at += usize::try_from(here).unwrap_or(usize::MAX);
                if self.remaining == 0 {
                    self.state = State::DataCarriageReturn;
                }
                continue;
            }
            self.state = self.step(*octet).ok_or(FramingError::BadChunk)?;
            at += 1;
        }
        Ok(at)
    }

    /// Whether the whole body was seen.
    pub fn is_complete(&self) -> bool {
        self.state == State::End
    }

    fn step(&mut self, octet: u8) -> Option<State> {
        match (self.state, octet) {
            (State::Size, _) if char::from(octet).is_ascii_hexdigit() => {
                self.line += 1;
                self.remaining = self.remaining * 16 + u64::from(char::from(octet).to_digit(16)?);
                (self.line <= MAX_SIZE_DIGITS).then_some(State::Size)
            }
            (State::Size, b';') if self.line > 0 => {
                self.line = 0;
                Some(State::Extension)
            }
            (State::Size, b'\r') if self.line > 0 => Some(State::SizeLineFeed),
            (State::Extension, b'\r') => Some(State::SizeLineFeed),
            (State::Extension, b'\t' | b' '..=b'~') => self.grow(MAX_EXTENSION, State::Extension),
            (State::SizeLineFeed, b'\n') => {
                self.line = 0;
                Some(if self.remaining == 0 { State::TrailerStart } else { State::Data })
            }
            (State::DataCarriageReturn, b'\r') => Some(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Some(State::Size),
            (State::TrailerStart, b'\r') => Some(State::EndLineFeed),
            (State::TrailerStart | State::Trailer, b'\t' | b' '..=b'~' | 0x80..) => {
                self.grow(MAX_TRAILERS, State::Trailer)
            }
            (State::Trailer, b'\r') => Some(State::TrailerLineFeed),
            (State::TrailerLineFeed, b'\n') => Some(State::TrailerStart),
            (State::EndLineFeed, b'\n') => Some(State::End),
            _ => None,
        }
    }

    fn grow(&mut self, limit: usize, next: State) -> Option<State> {
        self.line += 1;
        (self.line <= limit).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(text: &str) -> Result<Option<Framing>, FramingError> {
        read_head(text.as_bytes()).map(|head| head.map(|head| head.framing))
    }

    #[test]
    fn ordinary_heads_have_one_length() {
        assert_eq!(head("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Ok(Some(Framing::Length(0))));
        assert_eq!(head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), Ok(Some(Framing::Length(5))));
        assert_eq!(
            head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"),
            Ok(Some(Framing::Chunked))
        );
        assert_eq!(head("GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None));
    }

    #[test]
    fn heads_with_two_readings_are_refused() {
        for (fields, error) in [
            ("Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", FramingError::LengthAndChunked),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", FramingError::LengthAndChunked),
            ("Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n", FramingError::BadLength),
            ("Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n", FramingError::BadLength),
            ("Host: a\r\nContent-Length: +5\r\n", FramingError::BadLength),
            ("Host: a\r\nContent-Length: 5, 5\r\n", FramingError::BadLength),
            ("Host: a\r\nContent-Length: 99999999999999999999\r\n", FramingError::BadLength),
            ("Host: a\r\nContent-Length:\r\n", FramingError::BadLength),
            ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", FramingError::UnknownCoding),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", FramingError::UnknownCoding),
            ("Host: a\r\nTransfer-Encoding: xchunked\r\n", FramingError::UnknownCoding),
            ("Host: a\r\nTransfer-Encoding:\r\n", FramingError::UnknownCoding),
            ("Host: a\r\nHost: a\r\n", FramingError::Host),
            ("Accept: a\r\n", FramingError::Host),
            ("Host: a\r\nExpect: 200-ok\r\n", FramingError::Expectation),
            ("Host: a\nAccept: b\r\n", FramingError::BareLineEnd),
            ("Host : a\r\n", FramingError::Malformed),
            ("Host: a\r\n folded\r\n", FramingError::Malformed),
            ("Host: a\r\nX: a\rb\r\n", FramingError::Malformed),
            ("Host: a\r\nX: a\0b\r\n", FramingError::Malformed),
        ] {
            assert_eq!(head(&format!("POST / HTTP/1.1\r\n{fields}\r\n")), Err(error), "{fields:?}");
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

    fn scan_in_pieces(body: &[u8], piece: usize) -> Result<(usize, bool), FramingError> {
        let mut scanner = ChunkScanner::default();
        let mut taken = 0;
        for part in body.chunks(piece) {
            let here = scanner.scan(part)?;
            taken += here;
            if here < part.len() {
                break;
            }
        }
        Ok((taken, scanner.is_complete()))
    }

    #[test]
    fn chunked_bodies_end_where_they_end_however_they_are_split() {
        let body = b"5\r\nhello\r\n0a;x=\"y\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nGET";
        for piece in 1..body.len() {
            assert_eq!(scan_in_pieces(body, piece), Ok((body.len() - 3, true)), "pieces of {piece}");
        }
        assert_eq!(scan_in_pieces(b"0\r\n\r\n", 64), Ok((5, true)));
        assert_eq!(scan_in_pieces(b"5\r\nhel", 64), Ok((6, false)));
    }

    #[test]
    fn chunks_with_two_readings_are_refused() {
        for body in [
            "5\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n",
            " 5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            "-1\r\n",
            "\r\n",
            ";a\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "0\r\n\n",
            "0\r\nA: b\n\r\n",
            "fffffffffffffffff\r\n",
            "5;a\nb\r\nhello\r\n",
        ] {
            assert_eq!(scan_in_pieces(body.as_bytes(), 64), Err(FramingError::BadChunk), "{body:?}");
        }
        let endless = format!("5;{}\r\n", "a".repeat(300));
        assert_eq!(scan_in_pieces(endless.as_bytes(), 64), Err(FramingError::BadChunk));
    }

    proptest! {
        #[test]
        fn what_is_written_in_chunks_is_scanned_to_its_end(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            piece in 1usize..20,
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let length = body.len();
            body.extend_from_slice(b"NEXT");
            prop_assert_eq!(scan_in_pieces(&body, piece), Ok((length, true)));
        }

        #[test]
        fn scanning_never_panics_and_never_takes_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut scanner = ChunkScanner::default();
            if let Ok(taken) = scanner.scan(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
            let _ = read_head(&bytes);
        }
    }
}
