//! The body of a request on its way up: what is left of it, and the chunk that is being sent. Sends nothing.

use crate::forward::ChunkScanner;
use crate::recycled::Recycled;
use std::io::Write;

/// The body of a request, as far as it does not stand behind its head.
pub(super) struct Unsent {
    pub(super) body: Body,
    pub(super) tail: Recycled,
    pub(super) taken: u64,
}

pub(super) enum Body {
    /// So many bytes are left.
    Length(u64),
    Chunked(Box<Chunked>),
    /// Only the tail is left.
    Tail,
}

/// A chunked body is read strictly and written in chunks of our own: no extension goes on.
#[derive(Default)]
pub(super) struct Chunked {
    pub(super) scanner: ChunkScanner,
    pub(super) chunk: Option<Chunk>,
    pub(super) trailers: Vec<u8>,
}

/// A chunk on its way.
pub(super) struct Chunk {
    /// Size line.
    pub(super) line: [u8; 18],
    pub(super) line_length: usize,
    pub(super) line_sent: usize,
    /// Bytes of data left; they lie in one piece at the front of the input.
    pub(super) data: usize,
    pub(super) end_sent: usize,
}

pub(super) const LINE_END: &[u8] = b"\r\n";

impl Chunk {
    pub(super) fn new(data: usize) -> Self {
        let mut line = [0; 18];
        let mut space = line.as_mut_slice();
        // Sixteen digits at most, so there is room.
        let _ = write!(space, "{data:x}\r\n");
        let line_length = 18 - space.len();
        Self {
            line,
            line_length,
            line_sent: 0,
            data,
            end_sent: 0,
        }
    }

    pub(super) fn line(&self) -> &[u8] {
        self.line
            .get(self.line_sent..self.line_length)
            .unwrap_or_default()
    }

    pub(super) fn end(&self) -> &[u8] {
        LINE_END.get(self.end_sent..).unwrap_or_default()
    }
}
