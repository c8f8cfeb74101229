//! Writes one `[api_user.NAME]` table as TOML text, with its notes. Independent of the imported format.

use super::note::{ImportNote, Weight};
use super::text::{comment, commented_out, key, quoted};
use std::fmt::Write;

/// An `[api_user.NAME]` table under construction.
pub(super) struct UserEntry {
    /// The user's name.
    pub(super) name: String,
    state: EntryState,
    notes: Vec<ImportNote>,
    lines: Vec<String>,
    /// Lines that follow the table.
    trailer: Vec<String>,
}

/// Whether the entry is active or commented out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryState {
    Active,
    /// Every line is a comment.
    CommentedOut,
}

/// One value of a list: active, or a comment with a reason.
pub(super) enum ListItem {
    Active(String),
    CommentedOut { text: String, reason: &'static str },
}

/// Longest list in characters that is written on one line. A longer list gets one line per value.
const MAX_LINE: usize = 110;

impl UserEntry {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: EntryState::Active,
            notes: Vec::new(),
            lines: Vec::new(),
            trailer: Vec::new(),
        }
    }

    /// Adds a note. Notes are written above the entry.
    pub(super) fn note(&mut self, note: ImportNote) {
        self.notes.push(note);
    }

    pub(super) fn attention(&mut self, text: impl Into<String>) {
        self.note(ImportNote::attention(&self.name, text));
    }

    pub(super) fn information(&mut self, text: impl Into<String>) {
        self.note(ImportNote::information(&self.name, text));
    }

    /// Comments out the entire entry and adds the reason as a note.
    pub(super) fn comment_out(&mut self, reason: impl Into<String>) {
        self.state = EntryState::CommentedOut;
        self.attention(reason);
    }

    /// Adds a key with a string value.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.lines.push(format!("{name} = {}", quoted(value)));
    }

    /// Adds a key with a string value as a comment.
    pub(super) fn text_as_comment(&mut self, name: &str, value: &str) {
        self.lines
            .push(commented_out(&format!("{name} = {}", quoted(value))));
    }

    /// Adds a key with a list of strings.
    pub(super) fn list(&mut self, name: &str, items: &[ListItem]) {
        let plain: Option<Vec<String>> = items
            .iter()
            .map(|item| {
                if let ListItem::Active(text) = item {
                    Some(quoted(text))
                } else {
                    None
                }
            })
            .collect();
        if let Some(line) = plain.map(|items| format!("{name} = [{}]", items.join(", ")))
            && line.chars().count() <= MAX_LINE
        {
            self.lines.push(line);
            return;
        }
        self.lines.push(format!("{name} = ["));
        for item in items {
            self.lines.push(match item {
                ListItem::Active(text) => format!("    {},", quoted(text)),
                ListItem::CommentedOut { text, reason } => {
                    format!("    # {},  # {reason}", quoted(text))
                }
            });
        }
        self.lines.push("]".to_owned());
    }

    /// Adds a commented-out sub-table after the entry, for the operator to activate.
    pub(super) fn table_as_comment(&mut self, table: &str, lines: &[String]) {
        let heading = format!("[api_user.{}.{table}]", key(&self.name));
        self.trailer.push(commented_out(&heading));
        self.trailer
            .extend(lines.iter().map(|line| commented_out(line)));
    }

    /// Appends the entry to the config text and its notes to the list of all notes.
    pub(super) fn write(self, config: &mut String, notes: &mut Vec<ImportNote>) {
        config.push('\n');
        let mut line = |text: &str| {
            let _ = writeln!(config, "{text}");
        };
        for note in &self.notes {
            let prefix = if note.weight == Weight::Attention {
                "NOTE: "
            } else {
                ""
            };
            let at = note
                .at
                .map(|at| format!("line {}: ", at.line))
                .unwrap_or_default();
            comment(&format!("{prefix}{at}{}", note.text))
                .iter()
                .for_each(|text| line(text));
        }
        let heading = format!("[api_user.{}]", key(&self.name));
        for text in std::iter::once(&heading).chain(&self.lines) {
            match self.state {
                EntryState::Active => line(text),
                EntryState::CommentedOut => line(&commented_out(text)),
            }
        }
        self.trailer.iter().for_each(|text| line(text));
        notes.extend(self.notes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entry: UserEntry) -> (String, usize) {
        let mut config = String::new();
        let mut notes = Vec::new();
        entry.write(&mut config, &mut notes);
        (config, notes.len())
    }

    #[test]
    fn comments_are_placed_where_they_can_be_activated() {
        let mut entry = UserEntry::new("a b");
        entry.attention("look\n[api_user.evil]");
        entry.text("client_cn", "x\"y");
        let reason = "has a filter";
        entry.list(
            "permissions",
            &[
                ListItem::Active("a".into()),
                ListItem::CommentedOut {
                    text: "b".into(),
                    reason,
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
    fn a_commented_out_entry_has_only_comment_lines() {
        let mut entry = UserEntry::new("x");
        entry.list("permissions", &[ListItem::Active("a".repeat(200))]);
        entry.comment_out("two have its name");
        let (text, _) = written(entry);
        assert!(
            text.lines()
                .all(|line| line.is_empty() || line.starts_with('#')),
            "{text}"
        );
    }
}
