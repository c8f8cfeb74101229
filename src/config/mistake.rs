//! Guesses the mistake behind a TOML syntax error from its line, for hints. The TOML library alone decides whether a
//! file is valid.

mod bracket;
mod value;

use super::keys::{is_list_of_tables, is_named_table};
use bracket::{Bracket, first_open};
use std::ops::Range;
use value::{ErrorAt, of_value};

/// A likely mistake: a hint, and the errors that follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) hint: String,
    pub(super) explains: Consequences,
    /// The unclosed bracket, if that is the mistake.
    pub(super) unclosed: Option<Unclosed>,
}

/// An unclosed bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// Offset of the bracket.
    pub(super) at: usize,
    /// Error message.
    pub(super) message: &'static str,
}

/// Range of further errors that are consequences of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequences {
    /// The same line.
    Line,
    /// Up to the next table header.
    Table,
    /// The rest of the file.
    Rest,
}

impl Mistake {
    /// Offset up to which errors are consequences of a mistake at `at`.
    pub(super) fn explains_until(&self, text: &str, at: usize) -> usize {
        let end_of_line = line_at(text, at).map_or(at, |line| line.end + 1);
        match self.explains {
            Consequences::Line => end_of_line,
            Consequences::Table => {
                let rest = text.get(end_of_line..).unwrap_or_default();
                rest.find("\n[")
                    .map_or(usize::MAX, |header| end_of_line + header + 1)
            }
            Consequences::Rest => usize::MAX,
        }
    }
}

/// Typographic quotes, and marks that look like quotes.
const TYPOGRAPHIC_QUOTES: [char; 12] = ['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»', '″', '´'];
/// Comment markers of other languages.
const FOREIGN_COMMENTS: [&str; 5] = ["//", ";", "/*", "--", "<!--"];

/// The likely mistake at an offset, for an error message of the TOML library.
pub(super) fn likely(text: &str, at: usize, message: &str) -> Option<Mistake> {
    let range = line_at(text, at)?;
    let line = text.get(range.clone())?;
    let written = line.trim();
    if message.contains("duplicate key") {
        return duplicate(written);
    }
    if let Some(unclosed) = unclosed(text, at, message) {
        return Some(unclosed);
    }
    let column = at.saturating_sub(range.start);
    let error = ErrorAt {
        before: line.get(..column).unwrap_or(line),
        behind: line.get(column..).unwrap_or_default(),
        message,
    };
    let hint = comment(written, error.behind)
        .or_else(|| quotes(written))
        .or_else(|| header(written))
        .or_else(|| braces(written))
        .or_else(|| of_key(written, message))
        .or_else(|| of_value(written, &error))?;
    Some(Mistake {
        hint,
        explains: Consequences::Line,
        unclosed: None,
    })
}

/// Hint for an error without a known mistake.
pub(super) const GENERAL: &str = "the config is TOML: `[table.NAME]`, below it `key = \"text\"`, `key = 1`, `key = true` or \
                                  `key = [\"a\", \"b\"]`; a comment begins with `#`";

/// The line that contains an offset. A line break belongs to the line that it ends.
pub(super) fn line_at(text: &str, at: usize) -> Option<Range<usize>> {
    let at = text.floor_char_boundary(at.min(text.len()));
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let length = text.get(start..)?.find('\n').unwrap_or(text.len() - start);
    Some(start..start + length)
}

/// An unclosed list or inline table at an error.
fn unclosed(text: &str, at: usize, message: &str) -> Option<Mistake> {
    let (bracket, open) = match open_list_at(text, at, message) {
        Some(open) => (Bracket::Square, open),
        None if message.contains("unclosed inline table") => {
            (Bracket::Curly, first_open(text, Bracket::Curly)?)
        }
        None => return None,
    };
    let line = text.get(line_at(text, open)?)?;
    let is_without_quote = ['"', '\'']
        .iter()
        .any(|quote| without_comment(line).matches(*quote).count() % 2 == 1);
    let (message, hint) = match bracket {
        _ if is_without_quote => (
            "a text that begins here is not closed",
            "a quote is missing in this line",
        ),
        Bracket::Square => ("this list is not closed", "close the list with `]`"),
        Bracket::Curly => ("this table is not closed", "close the table with `}`"),
    };
    let unclosed = Some(Unclosed { at: open, message });
    Some(Mistake {
        hint: hint.to_owned(),
        explains: Consequences::Rest,
        unclosed,
    })
}

/// Start of the list that is unclosed at an error: the text ends in it, or the line of the error is no element.
fn open_list_at(text: &str, at: usize, message: &str) -> Option<usize> {
    if message.contains("unclosed array") && !message.contains("table") {
        let before = text.get(..text.floor_char_boundary(at))?;
        return first_open(before, Bracket::Square).or_else(|| first_open(text, Bracket::Square));
    }
    let is_in_list =
        message.contains("comma between array elements") || message.contains("in array");
    // The library reports the end of the previous line, or the line itself.
    let from = text.get(text.floor_char_boundary(at)..)?.trim_start();
    let at = text.len() - from.len();
    let range = line_at(text, at)?;
    let line = text.get(range.clone())?;
    let is_whole_line = line.trim_start() == from.lines().next()?;
    if !is_in_list || !is_whole_line || !is_no_element(without_comment(line)) {
        return None;
    }
    first_open(text.get(..range.start)?, Bracket::Square)
}

/// Whether a line cannot be an element of a list: it is a table header, or sets a key.
fn is_no_element(line: &str) -> bool {
    line.starts_with('[') && line.ends_with(']') && !line.contains(['"', ',', '\''])
        || key_and_value(line).is_some_and(|(key, _)| is_bare(key))
}

fn duplicate(line: &str) -> Option<Mistake> {
    let name = line.strip_prefix('[')?.split(']').next()?.trim();
    if name.starts_with('[') {
        return None;
    }
    let hint = match is_list_of_tables(name) {
        true => format!("there may be several of these: write `[[{name}]]`, also above"),
        false => format!(
            "`[{name}]` stands above already: put the keys together, or give one another name"
        ),
    };
    Some(Mistake {
        hint,
        explains: Consequences::Table,
        unclosed: None,
    })
}

fn comment(line: &str, behind: &str) -> Option<String> {
    let is_number_before = behind
        .split_once(" //")
        .is_some_and(|(number, _)| !number.contains(['"', '\'', '/']));
    if is_number_before {
        return Some("a comment begins with `#`".to_owned());
    }
    if FOREIGN_COMMENTS
        .iter()
        .any(|mark| line.starts_with(mark) || behind.starts_with(mark) && *mark != ";")
    {
        return Some("a comment begins with `#`".to_owned());
    }
    behind
        .starts_with(';')
        .then(|| "a line ends without `;`, and a comment begins with `#`".to_owned())
}

fn quotes(line: &str) -> Option<String> {
    let quote = line
        .chars()
        .find(|letter| TYPOGRAPHIC_QUOTES.contains(letter))?;
    Some(format!(
        "write straight quotes (`\"`) in place of `{quote}`"
    ))
}

fn header(line: &str) -> Option<String> {
    let inner = line.strip_prefix('[')?;
    let (open, inner) = match inner.strip_prefix('[') {
        Some(inner) => (2, inner),
        None => (1, inner),
    };
    let name = inner.split([']', '#']).next()?.trim();
    if let Some((_, rest)) = inner.rsplit_once(']')
        && !without_comment(rest).is_empty()
        && !rest.trim_start().starts_with('#')
    {
        return Some(
            "a header stands in a line of its own, and its keys in the lines below".to_owned(),
        );
    }
    if name.is_empty() || name.split('.').any(|part| part.trim().is_empty()) {
        return Some(
            "a header names a table, such as `[listener.main]`, with something on both sides of a dot".to_owned(),
        );
    }
    if name.matches('"').count() % 2 == 1 || name.matches('\'').count() % 2 == 1 {
        return Some("a quote is missing in the header".to_owned());
    }
    let close = inner.matches(']').count();
    let (left, right) = if open == 2 || close >= 2 {
        ("[[", "]]")
    } else {
        ("[", "]")
    };
    let quoted = quoted_name(name);
    if close == open && quoted == name {
        return None;
    }
    match quoted == name {
        true => Some(format!("write the header `{left}{name}{right}`")),
        false => Some(format!(
            "a name with other characters than letters, digits, `-` and `_` stands in quotes: `{left}{quoted}{right}`"
        )),
    }
}

/// The name of a header with its last part in quotes, if that is no bare key.
fn quoted_name(name: &str) -> String {
    match name.split_once('.') {
        None if !name.contains(['"', '\'']) && !is_bare(name) => format!("\"{name}\""),
        Some((table, rest)) if !rest.contains(['"', '\'']) && !rest.split('.').all(is_bare) => {
            format!("{table}.\"{}\"", rest.trim())
        }
        _ => name.to_owned(),
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn braces(line: &str) -> Option<String> {
    let opens = line.ends_with('{') && key_and_value(line).is_none();
    (opens || line == "}" || line == "};").then(|| {
        "a table begins with a header such as `[listener.main]`, and ends where the next one begins; it has no braces"
            .to_owned()
    })
}

/// A mistake in a key, or between the key and its value.
fn of_key(line: &str, message: &str) -> Option<String> {
    if line.starts_with('=') {
        return Some("the key is missing in front of `=`".to_owned());
    }
    if message.contains("cannot extend value") {
        return Some(
            "a key with a value has no keys below it: give one of the two another name".to_owned(),
        );
    }
    let is_open = |quote| {
        line.strip_prefix(quote)
            .is_some_and(|rest: &str| !rest.contains(quote))
    };
    if is_open('"') || is_open('\'') {
        return Some(
            "a quote is missing behind the key; most keys stand without quotes".to_owned(),
        );
    }
    if let Some((key, value)) = other_assignment(line) {
        return Some(format!(
            "write one `=` between key and value: `{key} = {value}`"
        ));
    }
    if let Some((key, value)) = line.split_once('=')
        && key.trim().contains(' ')
        && key.split_whitespace().all(is_bare)
    {
        let key: Vec<&str> = key.split_whitespace().collect();
        return Some(format!(
            "a key has no blanks: `{} = {}`",
            key.join("_"),
            value.trim()
        ));
    }
    without_equals_sign(line)
}

/// Key and value of foreign assignments such as `key := value`.
fn other_assignment(line: &str) -> Option<(&str, &str)> {
    let end = line.find(|letter: char| {
        !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.')
    })?;
    let (key, rest) = line.split_at_checked(end)?;
    let signs = [":=", "+=", "=>", "==", "?=", "->"];
    let value = signs
        .iter()
        .find_map(|sign| rest.trim_start().strip_prefix(sign))?;
    is_bare(key).then(|| (key, value.trim()))
}

fn without_equals_sign(line: &str) -> Option<String> {
    if key_and_value(line).is_some() {
        return None;
    }
    let end = line
        .find(|letter: char| letter.is_whitespace() || letter == ':')
        .unwrap_or(line.len());
    let (key, rest) = line.split_at_checked(end)?;
    if !is_bare(key) {
        return None;
    }
    let rest = rest.trim_start();
    if let Some(value) = rest.strip_prefix(':') {
        let value = value.trim();
        return Some(match value.is_empty() {
            true => format!("write `=` in place of `:`, and a table as `[{key}]`"),
            false => format!("write `=` in place of `:`: `{key} = {value}`"),
        });
    }
    Some(match rest.is_empty() {
        true => format!("the value is missing: `{key} = …`"),
        false => format!("`=` is missing: `{key} = {rest}`"),
    })
}

/// The parts of `key = value`. `None` without `=`, or if the first `=` is inside quotes.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let is_key = !key.is_empty() && !key.contains(['"', '\'', ' ', '\t', ':', '{', '[']);
    is_key.then(|| (key, value.trim()))
}

fn without_comment(value: &str) -> &str {
    value
        .split_once(" #")
        .map_or(value, |(value, _)| value)
        .trim()
}

/// A table header with its name in quotes, for a name with dots that created nested tables, such as
/// `[api_user.host1.example.org]`. `at` is an offset in the header.
pub(super) fn header_with_quotes(text: &str, at: usize) -> Option<String> {
    let line = text.get(line_at(text, at)?)?.trim();
    let name = line.strip_prefix('[')?.split(']').next()?.trim();
    let (table, rest) = name.split_once('.')?;
    let is_dotted = is_named_table(table) && rest.contains('.') && rest.split('.').all(is_bare);
    is_dotted.then(|| format!("[{table}.\"{rest}\"]"))
}

#[cfg(test)]
mod tests;
