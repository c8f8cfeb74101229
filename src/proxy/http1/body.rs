//! State of a request body that is sent to the upstream: the part that is left, and the current chunk. Sends nothing.

use crate::buffer_pool::PooledBuffer;
use crate::forward::ChunkScanner;
use std::io::Write;

/// State of a request body that a retry continues from.
pub(super) struct UnsentBody {
    pub(super) body: UploadBody,
    pub(super) tail: PooledBuffer,
    /// Bytes of the body that were read from the client.
    pub(super) body_bytes: u64,
}

/// The part of a request body that is to be sent.
pub(super) enum UploadBody {
    /// Number of bytes left.
    Length(u64),
    Chunked(Box<ChunkedUpload>),
    /// Only the tail is left.
    Tail,
}

/// A chunked body. It is parsed strictly and written in new chunks, without extensions.
#[derive(Default)]
pub(super) struct ChunkedUpload {
    pub(super) scanner: ChunkScanner,
    pub(super) chunk: Option<Chunk>,
    pub(super) trailers: Vec<u8>,
}

/// A chunk that is being sent.
pub(super) struct Chunk {
    /// Size line of the chunk.
    pub(super) line: [u8; 18],
    pub(super) line_length: usize,
    pub(super) line_sent: usize,
    /// Bytes of data left. They are contiguous at the front of the input.
    pub(super) data: usize,
    pub(super) end_sent: usize,
}

pub(super) const LINE_END: &[u8] = b"\r\n";

impl Chunk {
    pub(super) fn new(data: usize) -> Self {
        let mut line = [0; 18];
        let mut space = line.as_mut_slice();
        // A size has at most sixteen hexadecimal digits, so the line fits.
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
