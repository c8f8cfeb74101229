//! Lines of the audit log to decisions. What is no such line is an error with its place; only what a crash has cut is
//! passed over, and told.

use super::{Certificate, Decision, Decisions, Seen};
use serde::Deserialize;
use serde_json::error::Category;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;

/// The gateway writes none that is nearly so long.
const LONGEST_LINE: u64 = 4 * 1024 * 1024;

/// What a line may be.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    Decision(Box<Entry>),
    Snapshot {
        cause: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Entry {
    time: String,
    sample: Option<String>,
    #[serde(flatten)]
    decision: Decision,
}

/// Reads one file after another.
pub(super) struct Reader<K> {
    decisions: Decisions,
    keep: K,
    /// Each once, however many decisions there were with it.
    certificates: HashSet<Rc<Certificate>>,
    samples: BTreeSet<String>,
}

impl<K: FnMut(&mut Decision)> Reader<K> {
    pub(super) fn new(keep: K) -> Self {
        Self {
            decisions: Decisions::default(),
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
        let (mut line, mut number) = (Vec::new(), 0_u64);
        // A line that ends too early, until it is known what follows.
        let mut cut: Option<(u64, String)> = None;
        loop {
            line.clear();
            let read = lines
                .by_ref()
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line);
            if read.map_err(|error| format!("cannot read {name}: {error}"))? == 0 {
                break;
            }
            number += 1;
            let parsed = serde_json::from_slice::<Line>(&line);
            // The gateway ends such a line when it starts, and then says that it starts.
            let starts = matches!(&parsed, Ok(Line::Snapshot { cause }) if cause == "start");
            if let Some((at, error)) = cut.take() {
                if !starts {
                    return Err(no_line(name, at, &error));
                }
                self.decisions.notes.push(format!(
                    "line {at} of {name} is cut, as by a crash, and passed over"
                ));
            }
            match parsed {
                Ok(Line::Decision(entry)) => self.take(*entry),
                Ok(Line::Snapshot { .. } | Line::Other) => {}
                Err(error) if error.classify() == Category::Eof => {
                    cut = Some((number, error.to_string()))
                }
                Err(error) => return Err(no_line(name, number, &error.to_string())),
            }
        }
        if let Some((at, _)) = cut {
            self.decisions.notes.push(format!(
                "the last line ({at}) of {name} is cut, and passed over"
            ));
        }
        Ok(())
    }

    fn take(
        &mut self,
        Entry {
            time,
            sample,
            mut decision,
        }: Entry,
    ) {
        self.samples.extend(sample);
        (self.keep)(&mut decision);
        if let Some(certificate) = &mut decision.certificate {
            match self.certificates.get(certificate) {
                Some(known) => *certificate = known.clone(),
                None => drop(self.certificates.insert(certificate.clone())),
            }
        }
        Seen::count_in(&mut self.decisions.distinct, decision, &Seen::once(&time));
    }

    pub(super) fn finish(mut self) -> Decisions {
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
    use crate::cli::decisions::Outcome;

    const START: &str = r#"{"kind":"snapshot","time":"t","generation":1,"cause":"start"}"#;

    fn decision(time: &str, path: &str) -> String {
        format!(
            r#"{{"kind":"decision","time":"{time}","generation":1,"id":"x","listener":"main","client":"127.0.0.1:5","protocol":"HTTP/1.1","method_sent":"GET","method":"GET","path":"{path}","decision":"permit","reason":"permission","status":200,"new_field":1}}"#
        )
    }

    fn read(text: &str) -> Result<Decisions, String> {
        let mut reader = Reader::new(|decision: &mut Decision| decision.client = None);
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
            Seen {
                count: 3,
                first: "1".to_owned(),
                last: "3".to_owned()
            }
        );
        assert_eq!(decision.decision, Outcome::Permit);
        assert_eq!(decisions.seen().unwrap().count, 4);
    }

    #[test]
    fn what_a_crash_has_cut_is_passed_over_and_told() {
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
