//! Scans chunked bodies (RFC 9112 section 7.1) strictly, across any split over reads. Copies
//! nothing.

use super::framing::FramingError;

/// Finds the end of a chunked body that arrives in any number of reads.
#[derive(Clone, Debug, Default)]
pub struct ChunkScanner {
    state: State,
    /// Data bytes that remain in this chunk. While a size is read: the size so far.
    remaining: u64,
    /// Bytes of the current line (size, extension or trailer section), to limit it.
    line: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// After a semicolon: bad whitespace, then the extension name.
    ExtensionStart,
    ExtensionName,
    /// Bad whitespace after a name; `=` or another extension must follow.
    AfterName,
    /// After `=`: bad whitespace, then a token or a quoted string.
    ValueStart,
    ValueToken,
    Quoted,
    QuotedPair,
    /// After the quotation mark that ends a value.
    AfterQuoted,
    /// Bad whitespace after a value; another extension must follow.
    AfterValue,
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

/// The kind of a run of bytes in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkPart {
    /// Sizes, extensions and line ends.
    Framing,
    /// Body data.
    Data,
    /// Everything after the last chunk: trailer fields and the empty line.
    Trailers,
}

impl State {
    fn part(self) -> ChunkPart {
        match self {
            Self::Data => ChunkPart::Data,
            Self::TrailerStart
            | Self::Trailer
            | Self::TrailerLineFeed
            | Self::EndLineFeed
            | Self::End => ChunkPart::Trailers,
            _ => ChunkPart::Framing,
        }
    }
}

impl State {
    /// The next state in a `chunk-ext` (RFC 9112 section 7.1.1). Whitespace directly after the size
    /// is rejected: some parsers end the size there, others do not.
    fn in_extension(self, byte: u8) -> Option<Self> {
        let blank = matches!(byte, b' ' | b'\t');
        match self {
            Self::ExtensionStart if blank => Some(self),
            Self::ExtensionStart | Self::ExtensionName if is_token_byte(byte) => {
                Some(Self::ExtensionName)
            }
            Self::ExtensionName | Self::AfterName if blank => Some(Self::AfterName),
            Self::ExtensionName | Self::AfterName if byte == b'=' => Some(Self::ValueStart),
            Self::ValueStart if blank => Some(self),
            Self::ValueStart if byte == b'"' => Some(Self::Quoted),
            Self::ValueStart | Self::ValueToken if is_token_byte(byte) => Some(Self::ValueToken),
            Self::Quoted => match byte {
                b'"' => Some(Self::AfterQuoted),
                b'\\' => Some(Self::QuotedPair),
                b'\t' | b' '..=b'~' => Some(Self::Quoted),
                _ => None,
            },
            Self::QuotedPair => matches!(byte, b'\t' | b' '..=b'~').then_some(Self::Quoted),
            Self::ValueToken | Self::AfterQuoted | Self::AfterValue if blank => {
                Some(Self::AfterValue)
            }
            _ if byte == b';' && self.may_end() => Some(Self::ExtensionStart),
            Self::AfterName | Self::AfterValue if byte == b';' => Some(Self::ExtensionStart),
            _ if byte == b'\r' && self.may_end() => Some(Self::SizeLineFeed),
            _ => None,
        }
    }

    /// Whether an extension may end in this state.
    fn may_end(self) -> bool {
        matches!(
            self,
            Self::ExtensionName | Self::ValueToken | Self::AfterQuoted
        )
    }
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Maximum number of digits of a size. Prevents overflow.
const MAX_SIZE_DIGITS: usize = 15;
/// Maximum bytes of the extensions of one chunk. They are ignored.
const MAX_EXTENSION: usize = 256;
/// Maximum bytes of all trailer fields together.
const MAX_TRAILERS: usize = 16 * 1024;

impl ChunkScanner {
    /// Scans `bytes` and returns how many of them belong to this body.
    ///
    /// # Errors
    /// [`FramingError::BadChunk`].
    pub fn scan(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        let mut at = 0;
        while self.state != State::End
            && let Some(byte) = bytes.get(at)
        {
            if self.state == State::Data {
                let data = u64::try_from(bytes.len() - at)
                    .unwrap_or(u64::MAX)
                    .min(self.remaining);
                self.remaining -= data;
                at += usize::try_from(data).unwrap_or(usize::MAX);
                if self.remaining == 0 {
                    self.state = State::DataCarriageReturn;
                }
                continue;
            }
            self.state = self.step(*byte).ok_or(FramingError::BadChunk)?;
            at += 1;
        }
        Ok(at)
    }

    /// Scans the longest prefix of `bytes` that is of one kind. Returns the kind and the length.
    /// The length is 0 only at the end of the body.
    ///
    /// # Errors
    /// [`FramingError::BadChunk`].
    pub fn part(&mut self, bytes: &[u8]) -> Result<(ChunkPart, usize), FramingError> {
        let kind = self.state.part();
        let mut at = 0;
        if kind == ChunkPart::Data {
            let data = u64::try_from(bytes.len())
                .unwrap_or(u64::MAX)
                .min(self.remaining);
            let data = usize::try_from(data).unwrap_or(usize::MAX);
            return Ok((kind, self.scan(bytes.get(..data).unwrap_or_default())?));
        }
        while self.state != State::End
            && self.state.part() == kind
            && let Some(byte) = bytes.get(at)
        {
            self.state = self.step(*byte).ok_or(FramingError::BadChunk)?;
            at += 1;
        }
        Ok((kind, at))
    }

    /// Whether the end of the body was reached.
    pub fn is_complete(&self) -> bool {
        self.state == State::End
    }

    fn step(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size, _) if char::from(byte).is_ascii_hexdigit() => {
                self.line += 1;
                self.remaining = self.remaining * 16 + u64::from(char::from(byte).to_digit(16)?);
                (self.line <= MAX_SIZE_DIGITS).then_some(State::Size)
            }
            (State::Size, b';') if self.line > 0 => {
                self.line = 0;
                Some(State::ExtensionStart)
            }
            (State::Size, b'\r') if self.line > 0 => Some(State::SizeLineFeed),
            (
                State::ExtensionStart
                | State::ExtensionName
                | State::AfterName
                | State::ValueStart
                | State::ValueToken
                | State::Quoted
                | State::QuotedPair
                | State::AfterQuoted
                | State::AfterValue,
                _,
            ) => {
                let next = self.state.in_extension(byte)?;
                self.grow(MAX_EXTENSION, next)
            }
            (State::SizeLineFeed, b'\n') => {
                self.line = 0;
                Some(if self.remaining == 0 {
                    State::TrailerStart
                } else {
                    State::Data
                })
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
        let body =
            b"5\r\nhello\r\n0a;x=\"y\"\r\n0123456789\r\n1; a\t= \"\\\";\" ;b;c=d\r\nx\r\n0;e\r\nX-Sum: 1\r\n\r\nGET";
        for piece in 1..body.len() {
            assert_eq!(
                scan_in_pieces(body, piece),
                Ok((body.len() - 3, true)),
                "pieces of {piece}"
            );
        }
        assert_eq!(scan_in_pieces(b"0\r\n\r\n", 64), Ok((5, true)));
        assert_eq!(scan_in_pieces(b"5\r\nhel", 64), Ok((6, false)));
    }

    #[test]
    fn chunks_with_two_readings_are_rejected() {
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
            "5;\r\nhello\r\n",
            "5; \r\nhello\r\n",
            "5;a;\r\nhello\r\n",
            "5;a \r\nhello\r\n",
            "5;a=\r\nhello\r\n",
            "5;=b\r\nhello\r\n",
            "5;a=b \r\nhello\r\n",
            "5;a=b c\r\nhello\r\n",
            "5;a b\r\nhello\r\n",
            "5;a=b=c\r\nhello\r\n",
            "5;bad[=x\r\nhello\r\n",
            "5;a={b}\r\nhello\r\n",
            "5;a=\"b\r\nhello\r\n",
            "5;a=\"b\\\"\r\nhello\r\n",
            "5;a=\"b\"c\r\nhello\r\n",
            "5;\"a\"\r\nhello\r\n",
            "5;a=\"b\u{7f}\"\r\nhello\r\n",
            "5 ;a\r\nhello\r\n",
        ] {
            assert_eq!(
                scan_in_pieces(body.as_bytes(), 64),
                Err(FramingError::BadChunk),
                "{body:?}"
            );
        }
        let endless = format!("5;{}\r\n", "a".repeat(300));
        assert_eq!(
            scan_in_pieces(endless.as_bytes(), 64),
            Err(FramingError::BadChunk)
        );
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
        fn the_parts_of_a_body_are_the_whole_and_its_data_is_what_was_sent(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            trailers in proptest::collection::vec("[a-z]{1,8}: [a-z]{0,8}\r\n", 0..3),
            piece in 1usize..20,
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:x};e=\"f\"\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            let section = format!("{}\r\n", trailers.concat());
            body.extend_from_slice(format!("0\r\n{section}").as_bytes());
            let mut scanner = ChunkScanner::default();
            let mut data = Vec::new();
            let mut end = Vec::new();
            for mut part in body.chunks(piece) {
                while !part.is_empty() {
                    let (kind, length) = scanner.part(part).unwrap();
                    prop_assert!(length > 0);
                    match kind {
                        ChunkPart::Data => data.extend_from_slice(&part[..length]),
                        ChunkPart::Trailers => end.extend_from_slice(&part[..length]),
                        ChunkPart::Framing => {}
                    }
                    part = &part[length..];
                }
            }
            prop_assert!(scanner.is_complete());
            prop_assert_eq!((data, end), (chunks.concat(), section.into_bytes()));
        }

        #[test]
        fn scanning_never_panics_and_never_takes_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut scanner = ChunkScanner::default();
            if let Ok(taken) = scanner.scan(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
        }
    }
}
