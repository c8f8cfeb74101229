//! Finds the end of a response body, for both HTTP engines (RFC 9112 section 6.3). Sends nothing.

use super::chunks::{ChunkPart, ChunkScanner};
use super::response_head::{ResponseFraming, ResponseHeadError};

/// The part of a response body that is to come.
pub struct ResponseBodyScanner(Rest);

enum Rest {
    Nothing,
    /// Number of bytes.
    Length(u64),
    Chunked(Box<ChunkedRest>),
    /// The body ends with the connection.
    UntilClose,
}

#[derive(Default)]
struct ChunkedRest {
    scanner: ChunkScanner,
    /// The trailer section, with its final empty line.
    trailers: Vec<u8>,
}

/// What bytes of a response body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPart {
    /// Content.
    Data,
    /// Sizes and line ends of chunks.
    Framing,
    /// Part of the trailer section.
    Trailers,
    /// The body is complete. Further bytes do not belong to it.
    End,
}

/// The connection ended before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncompleteBody;

impl ResponseBodyScanner {
    /// The whole body of a response with this framing.
    pub fn new(framing: ResponseFraming) -> Self {
        Self(match framing {
            ResponseFraming::None | ResponseFraming::Length(0) => Rest::Nothing,
            ResponseFraming::Length(length) => Rest::Length(length),
            ResponseFraming::Chunked => Rest::Chunked(Box::default()),
            ResponseFraming::UntilClose => Rest::UntilClose,
        })
    }

    /// Consumes the longest prefix of `bytes` that is of one kind. Returns kind and length.
    ///
    /// # Errors
    /// [`ResponseHeadError::BadChunk`]
    pub fn part(&mut self, bytes: &[u8]) -> Result<(BodyPart, usize), ResponseHeadError> {
        match &mut self.0 {
            Rest::Nothing => Ok((BodyPart::End, 0)),
            Rest::UntilClose => Ok((BodyPart::Data, bytes.len())),
            Rest::Length(left) => {
                let length = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= u64::try_from(length).unwrap_or(u64::MAX);
                if *left == 0 {
                    self.0 = Rest::Nothing;
                }
                Ok((BodyPart::Data, length))
            }
            Rest::Chunked(rest) if rest.scanner.is_complete() => Ok((BodyPart::End, 0)),
            Rest::Chunked(rest) => rest.part(bytes),
        }
    }

    /// Whether the body is complete.
    pub fn is_complete(&self) -> bool {
        match &self.0 {
            Rest::Nothing => true,
            Rest::Length(_) | Rest::UntilClose => false,
            Rest::Chunked(rest) => rest.scanner.is_complete(),
        }
    }

    /// Whether the body ends with the connection.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.0, Rest::UntilClose)
    }

    /// Whether the rest is in chunks.
    pub fn is_chunked(&self) -> bool {
        matches!(self.0, Rest::Chunked(_))
    }

    /// Number of bytes to come. `None` if it is not known.
    pub fn length(&self) -> Option<u64> {
        match self.0 {
            Rest::Nothing => Some(0),
            Rest::Length(left) => Some(left),
            Rest::Chunked(_) | Rest::UntilClose => None,
        }
    }

    /// Whether exactly these bytes complete a body in chunks.
    pub fn is_completed_by(&self, bytes: &[u8]) -> bool {
        let Rest::Chunked(rest) = &self.0 else {
            return false;
        };
        let mut ahead = rest.scanner.clone();
        ahead.scan(bytes) == Ok(bytes.len()) && ahead.is_complete()
    }

    /// The trailer section of a complete body in chunks, with its final empty line. Otherwise empty.
    pub fn take_trailers(&mut self) -> Vec<u8> {
        match &mut self.0 {
            Rest::Chunked(rest) => std::mem::take(&mut rest.trailers),
            _ => Vec::new(),
        }
    }

    /// Handles the end of the connection.
    ///
    /// # Errors
    /// [`IncompleteBody`] unless the body is complete, or ends with the connection.
    pub fn connection_ended(&mut self) -> Result<(), IncompleteBody> {
        if !self.is_complete() && !self.ends_with_connection() {
            return Err(IncompleteBody);
        }
        self.0 = Rest::Nothing;
        Ok(())
    }
}

impl ChunkedRest {
    fn part(&mut self, bytes: &[u8]) -> Result<(BodyPart, usize), ResponseHeadError> {
        let (kind, length) = self
            .scanner
            .part(bytes)
            .map_err(|_| ResponseHeadError::BadChunk)?;
        Ok(match kind {
            ChunkPart::Framing => (BodyPart::Framing, length),
            ChunkPart::Data => (BodyPart::Data, length),
            ChunkPart::Trailers => {
                self.trailers
                    .extend_from_slice(bytes.get(..length).unwrap_or_default());
                (BodyPart::Trailers, length)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content, length of the body, and whether it is complete.
    fn read(
        framing: ResponseFraming,
        bytes: &[u8],
        piece: usize,
    ) -> Option<(Vec<u8>, usize, bool)> {
        let mut body = ResponseBodyScanner::new(framing);
        let mut content = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..bytes.len().min(at + piece)];
            let (part, length) = body.part(rest).ok()?;
            match part {
                BodyPart::End => break,
                BodyPart::Data => content.extend_from_slice(&rest[..length]),
                BodyPart::Framing | BodyPart::Trailers => {}
            }
            at += length;
        }
        Some((content, at, body.is_complete()))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let chunked = b"3\r\nabc\r\n0\r\nx: y\r\n\r\nrest";
        for piece in [1, 2, 100] {
            let length = |length| read(ResponseFraming::Length(length), b"abcrest", piece);
            assert_eq!(length(3), Some((b"abc".to_vec(), 3, true)));
            assert_eq!(length(0), Some((Vec::new(), 0, true)));
            assert_eq!(length(9), Some((b"abcrest".to_vec(), 7, false)));
            let none = read(ResponseFraming::None, b"abc", piece);
            assert_eq!(none, Some((Vec::new(), 0, true)));
            let all = read(ResponseFraming::UntilClose, b"abc", piece);
            assert_eq!(all, Some((b"abc".to_vec(), 3, false)));
            let chunks = read(ResponseFraming::Chunked, chunked, piece);
            assert_eq!(chunks, Some((b"abc".to_vec(), chunked.len() - 4, true)));
            assert_eq!(read(ResponseFraming::Chunked, b"3\r\nabcd", piece), None);
        }
    }

    #[test]
    fn only_a_body_that_ends_with_the_connection_is_complete_at_its_end() {
        for (framing, bytes, complete) in [
            (ResponseFraming::UntilClose, &b"abc"[..], true),
            (ResponseFraming::UntilClose, b"", true),
            (ResponseFraming::Length(3), b"abc", true),
            (ResponseFraming::Length(4), b"abc", false),
            (ResponseFraming::Chunked, b"3\r\nabc\r\n0\r\n\r\n", true),
            (ResponseFraming::Chunked, b"3\r\nabc\r\n0\r\n", false),
            (ResponseFraming::Chunked, b"", false),
            (ResponseFraming::None, b"", true),
        ] {
            let mut body = ResponseBodyScanner::new(framing);
            let mut rest = bytes;
            while let Ok((_, length @ 1..)) = body.part(rest) {
                rest = &rest[length..];
            }
            assert_eq!(body.connection_ended().is_ok(), complete, "{bytes:?}");
            assert_eq!(body.is_complete(), complete, "{bytes:?}");
        }
    }

    #[test]
    fn trailers_are_kept_with_their_empty_line() {
        let mut body = ResponseBodyScanner::new(ResponseFraming::Chunked);
        let mut rest = &b"1\r\na\r\n0\r\nx: y\r\n\r\n"[..];
        assert!(!body.is_completed_by(b"1\r\na\r\n0\r\n\r\nx") && body.is_completed_by(rest));
        while let Ok((_, length @ 1..)) = body.part(rest) {
            rest = &rest[length..];
        }
        assert_eq!(body.take_trailers(), b"x: y\r\n\r\n");
        assert!(body.take_trailers().is_empty());
    }
}
