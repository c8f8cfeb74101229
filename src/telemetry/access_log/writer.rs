//! The thread that writes the access log in pieces of whole lines.

use crate::telemetry::line_queues::LineReader;
use crate::telemetry::rare_line::RareLine;
use crate::telemetry::write_counted::write_counted;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The state of the thread.
pub(super) struct AccessLogWriter {
    target: File,
    piece_size: usize,
    /// Whether the target ends with an incomplete line.
    is_torn: bool,
    dropped: Arc<AtomicU64>,
}

/// Maximum bytes per write. A pipe takes 4 KiB atomically (`PIPE_BUF`), so that other writers'
/// output does not interleave.
fn piece_size(target: &File) -> io::Result<usize> {
    Ok(if target.metadata()?.is_file() {
        64 * 1024
    } else {
        4096
    })
}

impl AccessLogWriter {
    pub(super) fn new(target: File, dropped: Arc<AtomicU64>) -> io::Result<Self> {
        Ok(Self {
            piece_size: piece_size(&target)?,
            target,
            is_torn: false,
            dropped,
        })
    }

    pub(super) fn run(mut self, reader: LineReader) {
        reader.take_all(|batch| self.write(batch));
    }

    fn write(&mut self, batch: &[u8]) {
        let mut rest = batch;
        while !rest.is_empty() {
            let (piece, remaining) = rest.split_at(end_of_piece(rest, self.piece_size));
            self.write_piece(piece);
            rest = remaining;
        }
    }

    /// Writes whole lines. Counts lines that cannot be written.
    fn write_piece(&mut self, piece: &[u8]) {
        static FAILED: RareLine = RareLine::new();
        let (written, result) = match self.end_torn_line() {
            Ok(()) => write_counted(&mut self.target, piece),
            Err(error) => (0, Err(error)),
        };
        let Err(error) = result else { return };
        self.is_torn |= written > 0
            && piece
                .get(..written)
                .is_some_and(|part| !part.ends_with(b"\n"));
        let lost = piece.get(written..).unwrap_or_default();
        let lost = lost.iter().filter(|byte| **byte == b'\n').count();
        self.dropped
            .fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(failures) = FAILED.due() {
            tracing::error!(%error, failures, "the access log cannot be written; lines are lost");
        }
    }

    fn end_torn_line(&mut self) -> io::Result<()> {
        if self.is_torn {
            write_counted(&mut self.target, b"\n").1?;
            self.is_torn = false;
        }
        Ok(())
    }
}

/// The end of the last line that fits into a piece. A longer line is its own piece.
fn end_of_piece(lines: &[u8], size: usize) -> usize {
    if lines.len() <= size {
        return lines.len();
    }
    let is_end = |byte: &u8| *byte == b'\n';
    let last_that_fits = lines
        .get(..size)
        .and_then(|part| part.iter().rposition(is_end));
    last_that_fits
        .or_else(|| lines.iter().position(is_end))
        .map_or(lines.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_with_lines() {
        for (lines, size, pieces) in [
            ("a\nb\n", 9, vec!["a\nb\n"]),
            ("a\nb\n", 3, vec!["a\n", "b\n"]),
            ("ab\ncd\ne\n", 5, vec!["ab\n", "cd\ne\n"]),
            ("longer\nb\n", 3, vec!["longer\n", "b\n"]),
        ] {
            let mut rest = lines.as_bytes();
            let mut found = Vec::new();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(end_of_piece(rest, size));
                found.push(std::str::from_utf8(piece).unwrap());
                rest = behind;
            }
            assert_eq!(found, pieces);
        }
    }

    /// A pipe that takes no more than it has room for, as a disk does.
    #[test]
    fn half_a_line_is_ended_before_the_next_one_and_counted_once() {
        use std::io::Read;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let options = std::fs::OpenOptions::new().read(true).write(true).clone();
        let open = || {
            use std::os::unix::fs::OpenOptionsExt;
            options
                .clone()
                .custom_flags(nix::libc::O_NONBLOCK)
                .open(&path)
                .unwrap()
        };
        let mut pipe = open();
        let dropped = Arc::<AtomicU64>::default();
        let mut writer = AccessLogWriter {
            target: open(),
            piece_size: 1 << 20,
            is_torn: false,
            dropped: dropped.clone(),
        };
        // Longer than the pipe. The room of the pipe is no multiple of a line.
        writer.write("0123456789ab\n".repeat(20_000).as_bytes());
        let lost = dropped.load(Ordering::Relaxed);
        assert!((1..20_000).contains(&lost), "{lost}");
        let mut drain = || {
            let mut text = vec![0; 1 << 20];
            let mut length = 0;
            while let Ok(read) = pipe.read(&mut text[length..]) {
                length += read;
            }
            String::from_utf8(text[..length].to_vec()).unwrap()
        };
        let first = drain();
        let whole = first.matches('\n').count();
        assert_eq!(u64::try_from(whole).unwrap() + lost, 20_000);
        assert!(
            writer.is_torn && !first.ends_with('\n'),
            "the test needs half a line"
        );
        writer.write(b"next\n");
        assert_eq!(drain(), "\nnext\n");
        assert_eq!(dropped.load(Ordering::Relaxed), lost);
    }
}
