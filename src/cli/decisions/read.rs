//! Parses lines of the audit log. Any other line is an error with its place; only a line truncated by a crash is skipped, with
//! a note.

use super::{LoggedCertificate, LoggedDecision, LoggedDecisions, Occurrences};
use serde::Deserialize;
use serde_json::error::Category;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;

/// Limit on a line in bytes. The lines of the gateway are far shorter.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// A line of the audit log.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum AuditLine {
    Decision(Box<DecisionLine>),
    Snapshot {
        cause: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct DecisionLine {
    time: String,
    sample: Option<String>,
    #[serde(flatten)]
    decision: LoggedDecision,
}

/// Reads decisions from files, one after the other.
pub(super) struct DecisionReader<K> {
    decisions: LoggedDecisions,
    keep: K,
    /// Interned certificates, shared by their decisions.
    certificates: HashSet<Rc<LoggedCertificate>>,
    samples: BTreeSet<String>,
}

impl<K: FnMut(&mut LoggedDecision)> DecisionReader<K> {
    pub(super) fn new(keep: K) -> Self {
        Self {
            decisions: LoggedDecisions::default(),
            keep,
            certificates: HashSet::new(),
            samples: BTreeSet::new(),
        }
    }

    pub(super) fn read_files(&mut self, files: &[PathBuf]) -> Result<(), String> {
        let mut known = HashSet::new();
        for path in files {
            let unreadable =
                |error: std::io::Error| format!("cannot read {}: {error}", path.display());
            let file = File::open(path).map_err(unreadable)?;
            let metadata = file.metadata().map_err(unreadable)?;
            if metadata.is_dir() {
                return Err(format!(
                    "{} is a folder; name the files in it",
                    path.display()
                ));
            }
            if known.insert((metadata.dev(), metadata.ino())) {
                self.read(
                    &path.display().to_string(),
                    &mut BufReader::with_capacity(256 * 1024, file),
                )?;
            } else {
                self.decisions
                    .notes
                    .push(format!("{} is named twice and read once", path.display()));
            }
        }
        Ok(())
    }

    pub(super) fn read(&mut self, name: &str, lines: &mut impl BufRead) -> Result<(), String> {
        let mut line = Vec::new();
        let mut number = 0_u64;
        // A truncated line, until the next line is parsed.
        let mut truncated: Option<(u64, String)> = None;
        loop {
            line.clear();
            let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            if read.map_err(|error| format!("cannot read {name}: {error}"))? == 0 {
                break;
            }
            number += 1;
            let parsed = serde_json::from_slice::<AuditLine>(&line);
            // At its start the gateway terminates a truncated line, and then writes a start entry.
            let is_start = matches!(&parsed, Ok(AuditLine::Snapshot { cause }) if cause == "start");
            if let Some((at, error)) = truncated.take() {
                if !is_start {
                    return Err(no_line(name, at, &error));
                }
                self.decisions.notes.push(format!(
                    "line {at} of {name} is cut, as by a crash, and passed over"
                ));
            }
            match parsed {
                Ok(AuditLine::Decision(line)) => self.add(*line),
                Ok(AuditLine::Snapshot { .. } | AuditLine::Other) => {}
                Err(error) if error.classify() == Category::Eof => {
                    truncated = Some((number, error.to_string()))
                }
                Err(error) => return Err(no_line(name, number, &error.to_string())),
            }
        }
        if let Some((at, _)) = truncated {
            self.decisions.notes.push(format!(
                "the last line ({at}) of {name} is cut, and passed over"
            ));
        }
        Ok(())
    }

    fn add(&mut self, line: DecisionLine) {
        let DecisionLine {
            time,
            sample,
            mut decision,
        } = line;
        self.samples.extend(sample);
        (self.keep)(&mut decision);
        if let Some(certificate) = &mut decision.certificate {
            match self.certificates.get(certificate) {
                Some(known) => *certificate = known.clone(),
                None => drop(self.certificates.insert(certificate.clone())),
            }
        }
        Occurrences::count_in(
            &mut self.decisions.distinct,
            decision,
            &Occurrences::once(&time),
        );
    }

    pub(super) fn finish(mut self) -> LoggedDecisions {
        for share in self.samples {
            let note = format!(
                "of what was permitted, only {share} was written in part of this: rare things may be missing"
            );
            self.decisions.notes.push(note);
        }
        self.decisions
    }
}

fn no_line(name: &str, number: u64, error: &str) -> String {
    let hint = match error.contains("missing field `kind`") {
        true => "is it the access log? Name files of `[audit_log]`",
        false => "name files of `[audit_log]`, as the gateway has written them",
    };
    format!("{name}:{number}: this is no line of an audit log: {error}\n  help: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::decisions::LoggedOutcome;

    const START: &str = r#"{"kind":"snapshot","time":"t","generation":1,"cause":"start"}"#;

    fn decision(time: &str, path: &str) -> String {
        format!(
            r#"{{"kind":"decision","time":"{time}","generation":1,"id":"x","listener":"main","client":"127.0.0.1:5","protocol":"HTTP/1.1","method_sent":"GET","method":"GET","path":"{path}","decision":"permit","reason":"permission","status":200,"new_field":1}}"#
        )
    }

    fn read(text: &str) -> Result<LoggedDecisions, String> {
        let mut reader =
            DecisionReader::new(|decision: &mut LoggedDecision| decision.client = None);
        reader.read("audit.log", &mut text.as_bytes())?;
        Ok(reader.finish())
    }

    #[test]
    fn the_same_decision_is_one_thing_with_a_count_and_two_times() {
        let text = [
            START,
            &decision("2", "/a"),
            &decision("3", "/a"),
            &decision("1", "/a"),
            &decision("2", "/b"),
        ]
        .join("\n");
        let decisions = read(&text).unwrap();
        assert_eq!((decisions.distinct.len(), decisions.notes.len()), (2, 0));
        let (decision, seen) = decisions
            .distinct
            .iter()
            .find(|(decision, _)| decision.path == "/a")
            .unwrap();
        assert_eq!(
            *seen,
            Occurrences {
                count: 3,
                first: "1".to_owned(),
                last: "3".to_owned()
            }
        );
        assert_eq!(decision.decision, LoggedOutcome::Permit);
        assert_eq!(decisions.seen().unwrap().count, 4);
    }

    #[test]
    fn a_line_truncated_by_a_crash_is_skipped_and_reported() {
        let whole = decision("1", "/a");
        let half = &whole[..whole.len() / 2];
        for text in [
            format!("{whole}\n{half}"),
            format!("{half}\n{START}\n{whole}\n"),
            format!("{whole}\n{half}\n"),
        ] {
            let decisions = read(&text).unwrap();
            assert_eq!(
                (decisions.distinct.len(), decisions.notes.len()),
                (1, 1),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_line_of_an_audit_log_is_an_error_with_its_place() {
        let whole = decision("1", "/a");
        let half = &whole[..whole.len() / 2];
        for (text, place) in [
            (format!("{whole}\n{half}\n{whole}\n"), "audit.log:2: "),
            (format!("{whole}\nnonsense\n"), "audit.log:2: "),
            (format!("{whole}\n\n{whole}\n"), "audit.log:2: "),
            (
                "{\"time\":\"x\",\"decision\":\"permit\"}\n".to_owned(),
                "audit.log:1: ",
            ),
            (whole.replace("\"permit\"", "\"maybe\""), "audit.log:1: "),
        ] {
            let error = read(&text).unwrap_err();
            assert!(
                error.starts_with(place) && error.contains("help: "),
                "{error}"
            );
        }
        assert!(
            read("{\"time\":\"x\"}\n")
                .unwrap_err()
                .contains("access log")
        );
    }
}
