//! One `[api_user.NAME]` as text, with the notes about it. Knows TOML, and not where users come from.

use super::note::{Note, Weight};
use super::text::{comment, commented_out, key, quoted};
use std::fmt::Write;

/// An entry in the making.
pub(super) struct Entry {
    /// The user's name.
    pub(super) name: String,
    standing: Standing,
    notes: Vec<Note>,
    lines: Vec<String>,
    behind: Vec<String>,
}

/// Whether the entry counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Counts,
    /// All of it is a comment.
    IsComment,
}

/// One value of a list: it counts, or is a comment with a reason.
pub(super) enum Item {
    Counts(String),
    IsComment { text: String, why: &'static str },
}

/// Longer lists have a line for each value.
const LINE: usize = 110;

impl Entry {
    pub(super) fn new(name: &str) -> Self {
        let (standing, lines) = (Standing::Counts, Vec::new());
        Self {
            name: name.to_owned(),
            standing,
            notes: Vec::new(),
            lines,
            behind: Vec::new(),
        }
    }

    /// Adds a note, which stands above the entry.
    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(super) fn attention(&mut self, what: impl Into<String>) {
        self.note(Note::attention(&self.name, what));
    }

    pub(super) fn information(&mut self, what: impl Into<String>) {
        self.note(Note::information(&self.name, what));
    }

    /// Makes all of it a comment, for a reason.
    pub(super) fn comment_out(&mut self, why: impl Into<String>) {
        self.standing = Standing::IsComment;
        self.attention(why);
    }

    /// A key that counts, with text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.lines.push(format!("{name} = {}", quoted(value)));
    }

    /// The same as a comment.
    pub(super) fn text_as_comment(&mut self, name: &str, value: &str) {
        self.lines
            .push(commented_out(&format!("{name} = {}", quoted(value))));
    }

    /// A list.
    pub(super) fn list(&mut self, name: &str, items: &[Item]) {
        let plain: Option<Vec<String>> = items
            .iter()
            .map(|item| {
                if let Item::Counts(text) = item {
                    Some(quoted(text))
                } else {
                    None
                }
            })
            .collect();
        if let Some(line) = plain.map(|items| format!("{name} = [{}]", items.join(", ")))
            && line.chars().count() <= LINE
        {
            self.lines.push(line);
            return;
        }
        self.lines.push(format!("{name} = ["));
        for item in items {
            self.lines.push(match item {
                Item::Counts(text) => format!("    {},", quoted(text)),
                Item::IsComment { text, why } => format!("    # {},  # {why}", quoted(text)),
            });
        }
        self.lines.push("]".to_owned());
    }

    /// Lines behind the entry that are comments, to be made to count by hand.
    pub(super) fn table_as_comment(&mut self, table: &str, lines: &[String]) {
        let heading = format!("[api_user.{}.{table}]", key(&self.name));
        self.behind.push(commented_out(&heading));
        self.behind
            .extend(lines.iter().map(|line| commented_out(line)));
    }

    /// Writes it to the end of a config, and its notes to the end of all.
    pub(super) fn write(self, config: &mut String, notes: &mut Vec<Note>) {
        config.push('\n');
        let mut line = |text: &str| {
            let _ = writeln!(config, "{text}");
        };
        for note in &self.notes {
            let word = if note.weight == Weight::Attention {
                "NOTE: "
            } else {
                ""
            };
            let at = note
                .at
                .map(|at| format!("line {}: ", at.line))
                .unwrap_or_default();
            comment(&format!("{word}{at}{}", note.what))
                .iter()
                .for_each(|text| line(text));
        }
        let heading = format!("[api_user.{}]", key(&self.name));
        for text in std::iter::once(&heading).chain(&self.lines) {
            match self.standing {
                Standing::Counts => line(text),
                Standing::IsComment => line(&commented_out(text)),
            }
        }
        self.behind.iter().for_each(|text| line(text));
        notes.extend(self.notes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entry: Entry) -> (String, usize) {
        let (mut config, mut notes) = (String::new(), Vec::new());
        entry.write(&mut config, &mut notes);
        (config, notes.len())
    }

    #[test]
    fn comments_stand_where_they_can_be_made_to_count() {
        let mut entry = Entry::new("a b");
        entry.attention("look\n[api_user.evil]");
        entry.text("client_cn", "x\"y");
        let why = "has a filter";
        entry.list(
            "permissions",
            &[
                Item::Counts("a".into()),
                Item::IsComment {
                    text: "b".into(),
                    why,
                },
            ],
        );
        entry.table_as_comment("upstream.icinga", &["x = 1".to_owned()]);
        let (text, notes) = written(entry);
        assert_eq!(notes, 1);
        assert_eq!(
            text,
            "\n# NOTE: look\\u{a}[api_user.evil]\n[api_user.\"a b\"]\nclient_cn = \"x\\\"y\"\npermissions = [\n    \
             \"a\",\n    # \"b\",  # has a filter\n]\n# [api_user.\"a b\".upstream.icinga]\n# x = 1\n"
        );
    }

    #[test]
    fn an_entry_that_is_a_comment_has_no_line_that_counts() {
        let mut entry = Entry::new("x");
        entry.list("permissions", &[Item::Counts("a".repeat(200))]);
        entry.comment_out("two have its name");
        let (text, _) = written(entry);
        assert!(
            text.lines()
                .all(|line| line.is_empty() || line.starts_with('#')),
            "{text}"
        );
    }
}
