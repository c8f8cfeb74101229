//! The audit log file: writes whole lines or none, and rotates. Knows neither queues nor the
//! meaning of lines.

use super::AuditLogConfig;
use crate::telemetry::write_counted::write_counted;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of lines that are buffered before a write.
const BUFFERED: usize = 64 * 1024;
/// Bytes written before a failed rotation is tried again.
const RETRY_AFTER: u64 = 1024 * 1024;

/// An open file with its buffered lines.
pub(super) struct AuditFile {
    config: AuditLogConfig,
    file: File,
    /// Whether it has a length and can be renamed.
    kind: AuditFileKind,
    length: u64,
    rotate_at: u64,
    buffer: Vec<u8>,
    /// Lines in the buffer.
    waiting: u64,
    /// Whether an incomplete line is at the end and could not be removed.
    torn: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AuditFileKind {
    Regular,
    /// A pipe or a device.
    Other,
}

/// The result of writes.
#[derive(Debug, Default)]
pub(super) struct WriteOutcome {
    pub(super) written: u64,
    pub(super) lost: u64,
    pub(super) write_error: Option<io::Error>,
    pub(super) rotate_error: Option<io::Error>,
}

impl AuditFile {
    /// Opens or creates the file with mode 0600. Terminates a line that a crash cut off.
    pub(super) fn open(config: &AuditLogConfig) -> io::Result<Self> {
        let mut file = open(&config.path)?;
        let metadata = file.metadata()?;
        let (kind, length) = if metadata.is_file() {
            (AuditFileKind::Regular, metadata.len())
        } else {
            (AuditFileKind::Other, 0)
        };
        let torn = kind == AuditFileKind::Regular && length > 0 && !ends_with_line(&mut file)?;
        let rotate_at = config.size_limit.unwrap_or(u64::MAX);
        Ok(Self {
            config: config.clone(),
            file,
            kind,
            length,
            rotate_at,
            buffer: Vec::new(),
            waiting: 0,
            torn,
        })
    }

    /// Replaces `old`, after flushing its buffered lines.
    pub(super) fn replacing(mut self, mut old: Self, outcome: &mut WriteOutcome) -> Self {
        old.flush(outcome);
        // Both may be the same file, which has just grown.
        if let (AuditFileKind::Regular, Ok(metadata)) = (self.kind, self.file.metadata()) {
            self.length = metadata.len();
        }
        self
    }

    /// Buffers a line.
    pub(super) fn append(&mut self, line: &[u8], outcome: &mut WriteOutcome) {
        let size = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let reached = self.length.saturating_add(size(self.buffer.len()));
        if reached > 0 && reached.saturating_add(size(line.len())) > self.rotate_at {
            self.flush(outcome);
            self.rotate(outcome);
        }
        self.buffer.extend_from_slice(line);
        self.waiting += 1;
        if self.buffer.len() >= BUFFERED {
            self.flush(outcome);
        }
    }

    /// Writes the buffered lines. An incompletely written line is removed and counted as lost.
    pub(super) fn flush(&mut self, outcome: &mut WriteOutcome) {
        if self.buffer.is_empty() {
            return;
        }
        if self.torn && self.file.write_all(b"\n").is_ok() {
            self.torn = false;
            self.length = self.length.saturating_add(1);
        }
        let (written, result) = write_counted(&mut self.file, &self.buffer);
        let whole = self.buffer.get(..written).unwrap_or_default();
        let whole = whole
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines = self
            .buffer
            .get(..whole)
            .unwrap_or_default()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        let size = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let half = size(written - whole);
        let is_removed = half == 0 || self.truncate_end(half).is_ok();
        self.length = self
            .length
            .saturating_add(size(if is_removed { whole } else { written }));
        self.torn |= !is_removed;
        outcome.written += lines;
        outcome.lost += self.waiting.saturating_sub(lines);
        outcome.write_error = result.err().or(outcome.write_error.take());
        self.buffer.clear();
        self.waiting = 0;
    }

    /// Removes `length` bytes from the end.
    fn truncate_end(&self, length: u64) -> io::Result<()> {
        match self.kind {
            AuditFileKind::Regular => self
                .file
                .set_len(self.file.metadata()?.len().saturating_sub(length)),
            AuditFileKind::Other => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Waits until the written data is on the disk.
    pub(super) fn sync(&self) {
        // Some targets do not support it.
        let _ = self.file.sync_data();
    }

    /// Renames `audit.log` to `audit.log.1`, and so on; deletes the oldest. On failure, the file
    /// grows further.
    fn rotate(&mut self, outcome: &mut WriteOutcome) {
        if self.kind == AuditFileKind::Other {
            self.rotate_at = u64::MAX;
            return;
        }
        match self.try_rotate() {
            Ok(file) => {
                self.sync();
                self.file = file;
                self.length = 0;
                self.torn = false;
                self.rotate_at = self.config.size_limit.unwrap_or(u64::MAX);
            }
            Err(error) => {
                self.rotate_at = self.length.saturating_add(RETRY_AFTER);
                outcome.rotate_error = Some(error);
            }
        }
    }

    fn try_rotate(&self) -> io::Result<File> {
        for number in (1..self.config.keep).rev() {
            match std::fs::rename(self.rotated(number), self.rotated(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match std::fs::rename(&self.config.path, self.rotated(1)) {
            // Another process has moved it already.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        open(&self.config.path)
    }

    fn rotated(&self, number: u32) -> PathBuf {
        let mut name = self.config.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(path)
}

fn ends_with_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AuditedDecisions;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(path: &Path, size_limit: Option<u64>, keep: u32) -> AuditLogConfig {
        AuditLogConfig {
            path: path.to_owned(),
            decisions: AuditedDecisions::All,
            size_limit,
            keep,
        }
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rotation_loses_no_line_and_no_file_is_too_long(
            lengths in proptest::collection::vec((0usize..60, any::<bool>()), 1..80),
            limit in 1u64..200,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("audit.log");
            let mut file = AuditFile::open(&config(&path, Some(limit), 1000)).unwrap();
            let mut outcome = WriteOutcome::default();
            let lines: Vec<String> = lengths.iter().enumerate().map(|(at, (length, _))| format!("{at} {}\n", "x".repeat(*length))).collect();
            for (line, (_, flush)) in lines.iter().zip(&lengths) {
                file.append(line.as_bytes(), &mut outcome);
                if *flush {
                    file.flush(&mut outcome);
                }
            }
            file.flush(&mut outcome);
            prop_assert_eq!((outcome.written as usize, outcome.lost), (lines.len(), 0));
            let rotated = (1..1000).rev().map(|number| file.rotated(number)).filter(|path| path.exists());
            let all: Vec<String> = rotated.chain([path.clone()]).map(|path| text(&path)).collect();
            prop_assert_eq!(all.concat(), lines.concat());
            for text in all {
                prop_assert!(text.len() as u64 <= limit || text.lines().count() == 1, "{}", text.len());
            }
        }
    }

    #[test]
    fn rotated_files_are_limited_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut file = AuditFile::open(&config(&path, Some(1), 2)).unwrap();
        let mut outcome = WriteOutcome::default();
        for number in 0..5 {
            file.append(format!("{number}\n").as_bytes(), &mut outcome);
        }
        file.flush(&mut outcome);
        let of = |name: &str| text(&folder.path().join(name));
        assert_eq!(
            [
                of("audit.log"),
                of("audit.log.1"),
                of("audit.log.2"),
                of("audit.log.3")
            ],
            ["4\n", "3\n", "2\n", ""]
        );
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            assert_eq!(
                entry.unwrap().metadata().unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn a_line_that_a_crash_has_cut_does_not_take_the_next_one_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        std::fs::write(&path, "{\"whole\":1}\n{\"cu").unwrap();
        let mut outcome = WriteOutcome::default();
        let mut file = AuditFile::open(&config(&path, None, 1)).unwrap();
        file.append(b"{}\n", &mut outcome);
        file.flush(&mut outcome);
        assert_eq!(text(&path), "{\"whole\":1}\n{\"cu\n{}\n");
    }

    #[test]
    fn a_full_disk_is_counted_and_a_failed_rotation_loses_nothing() {
        let mut outcome = WriteOutcome::default();
        let mut file = AuditFile::open(&config(Path::new("/dev/full"), Some(1), 1)).unwrap();
        file.append(b"1\n", &mut outcome);
        file.append(b"2\n", &mut outcome);
        file.flush(&mut outcome);
        assert_eq!((outcome.written, outcome.lost), (0, 2));
        assert!(outcome.write_error.is_some());

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        // A folder that is not empty cannot be replaced.
        std::fs::create_dir_all(folder.path().join("audit.log.1/x")).unwrap();
        let mut outcome = WriteOutcome::default();
        let mut file = AuditFile::open(&config(&path, Some(3), 1)).unwrap();
        ["1\n", "2\n", "3\n"]
            .iter()
            .for_each(|line| file.append(line.as_bytes(), &mut outcome));
        file.flush(&mut outcome);
        assert_eq!(
            (text(&path).as_str(), outcome.written, outcome.lost),
            ("1\n2\n3\n", 3, 0)
        );
        assert!(outcome.rotate_error.is_some());
    }
}
