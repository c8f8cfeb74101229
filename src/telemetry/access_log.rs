//! The access log: one line per request, written by a separate thread. A line that does not fit
//! into its queue or cannot be written is dropped and counted.

mod writer;

use super::line_queues::LineQueues;
use crate::config::LogFormat;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use writer::AccessLogWriter;

/// Target and format of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogConfig {
    /// The line format.
    pub format: LogFormat,
    /// The file to append to; standard output if `None`.
    pub path: Option<PathBuf>,
}

/// The fields of one request. Absent values are left out of JSON and are `-` in text.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccessEntry<'a> {
    /// Time when the head was complete (RFC 3339).
    pub time: String,
    /// Request id, also the decision id.
    pub id: &'a str,
    /// The snapshot of the decision.
    pub generation: u64,
    /// The overlay on the snapshot; 0, and left out, if there is none.
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
    /// The authorized method.
    pub method: &'a str,
    /// The requested host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    /// Canonical path, or the sent path if it has none. No query: it may hold secrets.
    pub path: &'a str,
    /// ApiUser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// The certificate field that identified the user: `cn`, `dns`, `uri`, `email`, `fingerprint`
    /// or `spki`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identified_by: Option<&'a str>,
    /// The kind of credential: `certificate`, `password` or `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'a str>,
    /// The front proxy that forwarded the client's identity.
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
    /// The reason word.
    pub reason: &'a str,
    /// Details of a denial or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// The requirement of the route.
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
    /// Status sent to the client; 499 if it disconnected before.
    pub status: u16,
    /// Bytes of the request body that were received.
    pub request_bytes: u64,
    /// Bytes of the response body that were passed to the client's connection.
    pub response_bytes: u64,
    /// Milliseconds from the complete head to the end of the response.
    pub duration_ms: f64,
    /// Milliseconds from the complete head to the upstream's response head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_ms: Option<f64>,
    /// Number of attempts, if more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u8>,
    /// `complete`, or the reason why the response ended early.
    pub end: &'a str,
    /// The kind of exchange that was closed because its permission was withdrawn: `tunnel` or
    /// `stream`. The reason is the one at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An open access log. After it is dropped, its thread writes the remaining lines and ends.
pub struct AccessLog {
    config: AccessLogConfig,
    queues: LineQueues,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens the log and starts its thread.
    pub(super) fn open(config: &AccessLogConfig) -> io::Result<Self> {
        let target = match &config.path {
            Some(path) => std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?,
            // Bypasses the buffer of the standard library, so that the written bytes are known.
            None => File::from(io::stdout().as_fd().try_clone_to_owned()?),
        };
        let dropped = Arc::<AtomicU64>::default();
        let writer = AccessLogWriter::new(target, dropped.clone())?;
        let queues = LineQueues::start("access-log", move |reader| writer.run(reader))?;
        Ok(Self {
            config: config.clone(),
            queues,
            dropped,
        })
    }

    pub(super) fn config(&self) -> &AccessLogConfig {
        &self.config
    }

    pub(super) fn dropped_lines(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A channel that disconnects after the last line is written. `None` if it was taken before.
    pub(super) fn ended(&self) -> Option<Receiver<()>> {
        self.queues.ended()
    }

    pub(super) fn write(&self, entry: &AccessEntry<'_>) {
        let format = self.config.format;
        if format != LogFormat::Off
            && self
                .queues
                .push(|lines| append_line(lines, entry, format))
                .is_err()
        {
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

/// The text format: common fields in a fixed order, then named ones.
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
        if entry.overlay > 0 {
            format!(" overlay={}", entry.overlay)
        } else {
            String::new()
        },
        entry
            .forwarded_by
            .map(|by| format!(" forwarded_by={}", quoted(by)))
            .unwrap_or_default(),
        entry
            .attempts
            .map(|attempts| format!(" attempts={attempts}"))
            .unwrap_or_default(),
        entry
            .cut
            .map(|cut| format!(" cut={cut}"))
            .unwrap_or_default(),
        entry
            .detail
            .map(|detail| format!(" detail={detail:?}"))
            .unwrap_or_default(),
    )
}

/// Quotes text from clients: escapes what could end the line or the field.
fn quoted(text: &str) -> String {
    if text.chars().all(|c| c.is_ascii_graphic() && c != '"') {
        text.to_owned()
    } else {
        format!("{text:?}")
    }
}
