//! One line for each request, written by a thread of its own. A line that does not fit into its queue, or that cannot be
//! written, is dropped and counted.

use super::line_queues::{LineQueues, LineReader};
use super::rare_line::RareLine;
use super::write_counted::write_counted;
use crate::config::LogFormat;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

/// Where the access log goes and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// File to append to; standard output if `None`.
    pub path: Option<PathBuf>,
}

/// What is told about one request. Absent values are left out of JSON and are `-` in text.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccessEntry<'a> {
    /// RFC 3339, when the head was complete.
    pub time: String,
    /// Request id, also the decision id.
    pub id: &'a str,
    /// The snapshot that judged.
    pub generation: u64,
    /// The overlay on it; 0, and left out, if there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub overlay: u64,
    /// Listener.
    pub listener: &'a str,
    /// Client address and port.
    pub client: String,
    /// TLS server name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<&'a str>,
    /// TLS version.
    pub tls: &'a str,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: &'a str,
    /// The method that was judged.
    pub method: &'a str,
    /// The host asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    /// Canonical path, or what was sent if it has none. No query: it may hold secrets.
    pub path: &'a str,
    /// ApiUser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// By what its certificate was found: `cn`, `dns`, `uri`, `email`, `fingerprint` or `spki`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identified_by: Option<&'a str>,
    /// What proved that: `certificate`, `password` or `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'a str>,
    /// The front proxy that says who the client is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_by: Option<&'a str>,
    /// Common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cn: Option<&'a str>,
    /// Serial of the client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<&'a str>,
    /// SHA-256 of the client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<&'a str>,
    /// `permit` or `refuse`.
    pub decision: &'a str,
    /// Why, in one word.
    pub reason: &'a str,
    /// More words about a refusal or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// What the route asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requirement: Option<&'a str>,
    /// The permission that granted or denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<&'a str>,
    /// Route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    /// Upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<&'a str>,
    /// Address of the upstream's endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<&'a str>,
    /// Status that the client saw; 499 if it left before there was one.
    pub status: u16,
    /// Bytes of the request body that were taken.
    pub request_bytes: u64,
    /// Bytes of the response body that were handed to the client.
    pub response_bytes: u64,
    /// Head complete until all was answered, in milliseconds.
    pub duration_ms: f64,
    /// Head complete until the upstream's response head, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_ms: Option<f64>,
    /// How often it was sent to the upstream, where that is more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u8>,
    /// `complete`, or why the answer ended early.
    pub end: &'a str,
    /// What was cut because its right was withdrawn: `tunnel` or `stream`. The reason is the one that it has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An open access log. Its thread ends when it is dropped, after the last line.
pub struct AccessLog {
    config: AccessLogConfig,
    queues: LineQueues,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens the log and starts its thread.
    pub(super) fn open(config: &AccessLogConfig) -> io::Result<Self> {
        let target = match &config.path {
            Some(path) => std::fs::OpenOptions::new().create(true).append(true).open(path)?,
            // Without the buffer of the standard library, so that what is written is known.
            None => File::from(io::stdout().as_fd().try_clone_to_owned()?),
        };
        let dropped = Arc::<AtomicU64>::default();
        let writer = Writer { piece_size: piece_size(&target)?, target, is_torn: false, dropped: dropped.clone() };
        let queues = LineQueues::start("access-log", move |reader| writer.run(reader))?;
        Ok(Self { config: config.clone(), queues, dropped })
    }

    pub(super) fn config(&self) -> &AccessLogConfig {
        &self.config
    }

    pub(super) fn dropped_lines(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Disconnects after the last line is written. `None` if it was taken before.
    pub(super) fn ended(&self) -> Option<Receiver<()>> {
        self.queues.ended()
    }

    pub(super) fn write(&self, entry: &AccessEntry<'_>) {
        let format = self.config.format;
        if format != LogFormat::Off && self.queues.push(|lines| append_line(lines, entry, format)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn append_line(lines: &mut Vec<u8>, entry: &AccessEntry<'_>, format: LogFormat) {
    let start = lines.len();
    let written = match format {
        LogFormat::Off => return,
        LogFormat::Json => serde_json::to_writer(&mut *lines, entry).is_ok(),
        LogFormat::Text => write_text(lines, entry).is_ok(),
    };
    if written {
        lines.push(b'\n');
    } else {
        lines.truncate(start);
    }
}

/// The thread that writes.
struct Writer {
    target: File,
    piece_size: usize,
    /// Half a line is at the end of the target.
    is_torn: bool,
    dropped: Arc<AtomicU64>,
}

/// How many bytes are written at once. A pipe takes 4 KiB as one piece (`PIPE_BUF`), so that nothing that others write to it
/// comes between.
fn piece_size(target: &File) -> io::Result<usize> {
    Ok(if target.metadata()?.is_file() { 64 * 1024 } else { 4096 })
}

impl Writer {
    fn run(mut self, reader: LineReader) {
        reader.take_all(|batch| self.write(batch));
    }

    fn write(&mut self, batch: &[u8]) {
        let mut rest = batch;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(end_of_piece(rest, self.piece_size));
            self.write_piece(piece);
            rest = behind;
        }
    }

    /// Writes whole lines. What cannot be written is counted.
    fn write_piece(&mut self, piece: &[u8]) {
        static FAILED: RareLine = RareLine::new();
        let (written, result) = match self.end_torn_line() {
            Ok(()) => write_counted(&mut self.target, piece),
            Err(error) => (0, Err(error)),
        };
        let Err(error) = result else { return };
        self.is_torn |= written > 0 && piece.get(..written).is_some_and(|part| !part.ends_with(b"\n"));
        let lost = piece.get(written..).unwrap_or_default();
        let lost = lost.iter().filter(|byte| **byte == b'\n').count();
        self.dropped.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
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

/// Where the last line ends that fits into a piece; a longer line is a piece of its own.
fn end_of_piece(lines: &[u8], size: usize) -> usize {
    if lines.len() <= size {
        return lines.len();
    }
    let is_end = |byte: &u8| *byte == b'\n';
    let last_that_fits = lines.get(..size).and_then(|part| part.iter().rposition(is_end));
    last_that_fits.or_else(|| lines.iter().position(is_end)).map_or(lines.len(), |at| at + 1)
}

/// For people: the common facts in a fixed order, then named ones.
fn write_text(lines: &mut Vec<u8>, entry: &AccessEntry<'_>) -> io::Result<()> {
    let or_dash = |value: Option<&str>| quoted(value.unwrap_or("-"));
    write!(
        lines,
        "{} {} {} {} {} {} \"{} {}\" {} {} {} {}B {:.1}ms user={} cn={} route={} requirement={} upstream={} id={} gen={}{}{}{}{}{}",
        entry.time,
        entry.client,
        entry.listener,
        entry.decision,
        entry.reason,
        entry.protocol,
        quoted(entry.method),
        quoted(entry.path),
        entry.status,
        entry.end,
        or_dash(entry.endpoint),
        entry.response_bytes,
        entry.duration_ms,
        or_dash(entry.user),
        or_dash(entry.cn),
        or_dash(entry.route),
        or_dash(entry.requirement),
        or_dash(entry.upstream),
        entry.id,
        entry.generation,
        if entry.overlay > 0 { format!(" overlay={}", entry.overlay) } else { String::new() },
        entry.forwarded_by.map(|by| format!(" forwarded_by={}", quoted(by))).unwrap_or_default(),
        entry.attempts.map(|attempts| format!(" attempts={attempts}")).unwrap_or_default(),
        entry.cut.map(|cut| format!(" cut={cut}")).unwrap_or_default(),
        entry.detail.map(|detail| format!(" detail={detail:?}")).unwrap_or_default(),
    )
}

/// Client-chosen text in a log line: what could end the line or the field is escaped.
fn quoted(text: &str) -> String {
    if text.chars().all(|c| c.is_ascii_graphic() && c != '"') { text.to_owned() } else { format!("{text:?}") }
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
            options.clone().custom_flags(nix::libc::O_NONBLOCK).open(&path).unwrap()
        };
        let mut pipe = open();
        let dropped = Arc::<AtomicU64>::default();
        let mut writer = Writer { target: open(), piece_size: 1 << 20, is_torn: false, dropped: dropped.clone() };
        // Longer than the pipe, whose room is no multiple of a line.
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
        assert!(writer.is_torn && !first.ends_with('\n'), "the test needs half a line");
        writer.write(b"next\n");
        assert_eq!(drain(), "\nnext\n");
        assert_eq!(dropped.load(Ordering::Relaxed), lost);
    }
}
