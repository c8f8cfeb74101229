//! Lenient reading of config files with syntax errors, section by section. Only for commands that need a name or a
//! path: the result must not grant rights.

use super::keys::listed_names;
use std::fmt;
use std::path::PathBuf;
use toml::de::DeTable;

/// Keys that are read from a section with a syntax error, since they lead to a deny list or to the admin listener.
pub(super) const KEPT_KEYS: [&str; 5] = ["include", "deny_list", "trust_domain", "path", "address"];

/// Lines of a config file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadSection {
    /// The file.
    pub path: PathBuf,
    /// First line, from 1.
    pub first_line: usize,
    /// Last line, from 1.
    pub last_line: usize,
    /// The heading as written; `None` above the first heading.
    pub heading: Option<String>,
    /// Whether the table of the heading is known.
    pub table: TableName,
}

/// Whether the heading of a section could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableName {
    /// The heading names a table.
    Known,
    /// The heading is unreadable.
    Unknown,
}

impl fmt::Display for UnreadSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            first_line,
            last_line,
            ..
        } = self;
        match first_line == last_line {
            true => write!(f, "line {first_line}")?,
            false => write!(f, "lines {first_line} to {last_line}")?,
        }
        let heading = self.heading.as_deref().unwrap_or("above the first table");
        write!(f, " ({heading}) of {}", self.path.display())
    }
}

/// The readable part of a file.
#[derive(Debug, Default)]
pub(super) struct ReadableText {
    /// Well-formed TOML. Its places differ from those in the file.
    pub(super) text: String,
    /// The skipped sections, without paths.
    pub(super) unread: Vec<UnreadSection>,
}

impl ReadableText {
    /// Extracts the readable part of a text.
    pub(super) fn of(text: &str) -> Self {
        let mut readable = Self::default();
        for section in sections(
            &Section {
                text,
                first_line: 1,
            },
            MultiLine::Respected,
        ) {
            // An unclosed string hides the headings after it.
            let inner = match is_toml(section.text) {
                true => vec![section],
                false => sections(&section, MultiLine::Ignored),
            };
            inner.iter().for_each(|section| readable.add(section));
        }
        readable
    }

    fn add(&mut self, section: &Section<'_>) {
        if is_toml(section.text) {
            return self.push(section.text);
        }
        let first = section.text.lines().next().unwrap_or_default();
        let lines = section.text.trim_end().lines().count().max(1);
        let unread = |heading: Option<&str>, lines: usize, table: TableName| UnreadSection {
            path: PathBuf::new(),
            first_line: section.first_line,
            last_line: section.first_line + lines - 1,
            heading: heading.map(|line| line.trim().to_owned()),
            table,
        };
        if !begins_section(first) {
            self.unread.push(unread(None, lines, TableName::Known));
            return self.push(&kept_lines(section.text));
        }
        let Some(heading) = heading(first) else {
            // The table of its keys is unknown.
            return self
                .unread
                .push(unread(Some(first), lines, TableName::Unknown));
        };
        let body = section.text.split_once('\n').map_or("", |(_, body)| body);
        let corrected = format!("{heading}\n{body}");
        if is_toml(&corrected) {
            self.unread.push(unread(Some(first), 1, TableName::Known));
            return self.push(&corrected);
        }
        self.unread
            .push(unread(Some(first), lines, TableName::Known));
        self.push(&format!("{heading}\n{}", kept_lines(body)));
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        if !text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

/// A heading with the lines below it, or the lines above the first heading.
struct Section<'t> {
    text: &'t str,
    first_line: usize,
}

/// How lines inside multi-line strings are treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MultiLine {
    /// They are never headings.
    Respected,
    /// They are treated like other lines.
    Ignored,
}

fn sections<'t>(whole: &Section<'t>, multi_line: MultiLine) -> Vec<Section<'t>> {
    let mut sections = Vec::new();
    let mut rest = whole.text;
    let mut first_line = whole.first_line;
    while !rest.is_empty() {
        let mut open = None;
        let mut length = 0;
        let mut lines = 0;
        for line in rest.split_inclusive('\n') {
            if length > 0 && open.is_none() && begins_section(line) {
                break;
            }
            if multi_line == MultiLine::Respected {
                open = string_left_open(line, open);
            }
            length += line.len();
            lines += 1;
        }
        let Some((text, behind)) = rest.split_at_checked(length) else {
            break;
        };
        sections.push(Section { text, first_line });
        first_line += lines;
        rest = behind;
    }
    sections
}

/// Whether a line begins a table, with a readable heading or not.
fn begins_section(line: &str) -> bool {
    line.trim_start().starts_with('[') || heading(line).is_some()
}

/// The heading in a line, with missing brackets added.
fn heading(line: &str) -> Option<String> {
    let content = line.split('#').next()?.trim();
    let behind = content.trim_start_matches('[');
    let key = behind.trim_end_matches(']');
    let opening = content.len() - behind.len();
    let closing = behind.len() - key.len();
    let key = key.trim();
    // The last line of a list also ends with a bracket.
    let is_heading =
        opening > 0 || closing > 0 && key.starts_with(|letter: char| letter.is_ascii_alphabetic());
    if !is_heading || key.is_empty() {
        return None;
    }
    let last_name = key.rsplit('.').next().unwrap_or(key);
    let is_listed = if opening == closing {
        opening == 2
    } else {
        listed_names().contains(&last_name)
    };
    let heading = if is_listed {
        format!("[[{key}]]")
    } else {
        format!("[{key}]")
    };
    is_toml(&heading).then_some(heading)
}

/// The well-formed lines with a needed key. A key that occurs twice is ambiguous and skipped.
fn kept_lines(text: &str) -> String {
    let lines: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| Some((kept_key(line)?, line)))
        .collect();
    let is_single = |key: &str| lines.iter().filter(|(other, _)| *other == key).count() == 1;
    lines
        .iter()
        .filter(|(key, _)| is_single(key))
        .map(|(_, line)| format!("{line}\n"))
        .collect()
}

fn kept_key(line: &str) -> Option<&'static str> {
    let (root, errors) = DeTable::parse_recoverable(line);
    let key = root.get_ref().keys().next()?.get_ref().as_ref();
    KEPT_KEYS
        .into_iter()
        .find(|kept| errors.is_empty() && *kept == key)
}

fn is_toml(text: &str) -> bool {
    DeTable::parse_recoverable(text).1.is_empty()
}

/// The quotes of the multi-line string that is open after this line.
fn string_left_open(line: &str, open: Option<&'static str>) -> Option<&'static str> {
    let mut rest = line;
    let mut open = open;
    loop {
        if let Some(quotes) = open {
            match rest.split_once(quotes) {
                Some((_, behind)) => rest = behind,
                None => return open,
            }
        }
        rest = rest.find(['#', '"', '\'']).and_then(|at| rest.get(at..))?;
        open = ["\"\"\"", "'''"]
            .into_iter()
            .find(|quotes| rest.starts_with(quotes));
        if let Some(quotes) = open {
            rest = rest.strip_prefix(quotes)?;
            continue;
        }
        // A comment and an unclosed string have no closing quote.
        rest = behind_string(rest)?;
    }
}

/// The text after the string at the beginning.
fn behind_string(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|letter| *letter != '#')?;
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            return text.get(at + 1..);
        }
        if letter == '\\' && quote == '"' {
            letters.next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unread(text: &str) -> Vec<String> {
        ReadableText::of(text)
            .unread
            .iter()
            .map(|section| section.to_string().trim_end_matches(" of ").to_owned())
            .collect()
    }

    #[test]
    fn sections_around_a_broken_one_are_read_and_keys_in_it_that_are_needed() {
        let text = "workers 2\ninclude = [\"a\"]\n\n[a.b]\nx: 1\ndeny_list = \"d\"\nother = 1\n\n[[route]\npath = \"/\"\nadmin]\npath = \"s\"\n[c d]\npath = 1\n[e]\ny = 1\n";
        let readable = ReadableText::of(text);
        let expected = "include = [\"a\"]\n[a.b]\ndeny_list = \"d\"\n[[route]]\npath = \"/\"\n[admin]\npath = \"s\"\n[e]\ny = 1\n";
        assert_eq!(readable.text, expected);
        assert_eq!(
            unread(text),
            [
                "lines 1 to 2 (above the first table)",
                "lines 4 to 7 ([a.b])",
                "line 9 ([[route])",
                "line 11 (admin])",
                "lines 13 to 14 ([c d])"
            ]
        );
    }

    #[test]
    fn a_heading_in_a_string_or_the_end_of_a_list_begins_no_section() {
        let text =
            "[a]\nx = '''\n[b]\n''' # '''\ny = [\n  \"GET /\\\"a\"\n  ]\nz = [\n\"u\"]\n[c]\n= 1\n";
        assert_eq!(unread(text), ["lines 10 to 11 ([c])"]);
        let unclosed = "[a]\nx = \"\"\"\n[b]\ny = 1\n";
        assert_eq!(ReadableText::of(unclosed).text, "[a]\n[b]\ny = 1\n");
    }

    #[test]
    fn a_key_that_is_written_twice_in_a_broken_section_is_not_taken() {
        assert_eq!(
            ReadableText::of("[a]\ndeny_list = \"x\"\ndeny_list = \"y\"\npath = \"p\"\n").text,
            "[a]\npath = \"p\"\n"
        );
    }

    proptest! {
        #[test]
        fn what_is_left_of_any_text_is_toml_except_for_what_it_says_twice(text in "([\\[\\]a=\"'#.\\\\ \u{e4}1]|\n){0,60}") {
            let readable = ReadableText::of(&text);
            let (_, errors) = DeTable::parse_recoverable(&readable.text);
            let others: Vec<_> = errors.iter().filter(|error| !error.message().contains("duplicate key")).collect();
            prop_assert!(others.is_empty(), "{:?}: {:?}", readable.text, others);
            if is_toml(&text) {
                prop_assert!(readable.unread.is_empty(), "{:?}", readable.unread);
            }
        }
    }
}
