//! The likely mistake behind a syntax error of TOML, by the line that the error is in. Only words for people: whether a
//! file can be read is decided by the TOML library alone.

use std::ops::Range;

/// What is probably wrong, as a hint, and what else follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) hint: String,
    pub(super) explains: Consequences,
    /// The position of the `[` that is not closed, where that is the mistake.
    pub(super) unclosed_list: Option<usize>,
}

/// Which further errors are consequences of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequences {
    /// Those in the same line.
    Line,
    /// Those up to the next table header.
    Table,
    /// All that follow.
    Rest,
}

impl Mistake {
    /// The position up to which errors are consequences of a mistake at `at`.
    pub(super) fn explains_until(&self, text: &str, at: usize) -> usize {
        let end_of_line = line_at(text, at).map_or(at, |line| line.end + 1);
        match self.explains {
            Consequences::Line => end_of_line,
            Consequences::Table => {
                let rest = text.get(end_of_line..).unwrap_or_default();
                rest.find("\n[").map_or(usize::MAX, |header| end_of_line + header + 1)
            }
            Consequences::Rest => usize::MAX,
        }
    }
}

/// Quotes of word processors, and marks that look like quotes.
const TYPOGRAPHIC_QUOTES: [char; 12] = ['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»', '″', '´'];
/// How a comment begins elsewhere.
const FOREIGN_COMMENTS: [&str; 5] = ["//", ";", "/*", "--", "<!--"];
/// Tables of which there may be several without a name.
const LISTED: [&str; 2] = ["route", "expect"];

/// The likely mistake at a position of a text with this error of the library.
pub(super) fn likely(text: &str, at: usize, message: &str) -> Option<Mistake> {
    let range = line_at(text, at)?;
    let line = text.get(range.clone())?;
    let written = line.trim();
    let behind = line.get(at.saturating_sub(range.start)..).unwrap_or_default();
    if message.contains("duplicate key") {
        return duplicate(written);
    }
    if let Some(list) = unclosed_list(text, at, message) {
        let hint = "close the list with `]`".to_owned();
        return Some(Mistake { hint, explains: Consequences::Rest, unclosed_list: Some(list) });
    }
    let hint = comment(written, behind)
        .or_else(|| quotes(written))
        .or_else(|| header(written))
        .or_else(|| lacks_comma(message).then(|| "put a comma between the two".to_owned()))
        .or_else(|| braces(written))
        .or_else(|| without_equals_sign(written))
        .or_else(|| escape(message))
        .or_else(|| value(written, behind))?;
    Some(Mistake { hint, explains: Consequences::Line, unclosed_list: None })
}

/// What to do about an error whose mistake is not known.
pub(super) const GENERAL: &str = "the config is TOML: `[table.NAME]`, below it `key = \"text\"`, `key = 1`, `key = true` or \
                                  `key = [\"a\", \"b\"]`; a comment begins with `#`";

/// The line that a position is in; the one before a line break belongs to the line that ends there.
pub(super) fn line_at(text: &str, at: usize) -> Option<Range<usize>> {
    let at = text.floor_char_boundary(at.min(text.len()));
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let length = text.get(start..)?.find('\n').unwrap_or(text.len() - start);
    Some(start..start + length)
}

/// Where the list begins that is still open at an error: the text ends in it, or the error's line is no element of it.
fn unclosed_list(text: &str, at: usize, message: &str) -> Option<usize> {
    if message.contains("unclosed array") && !message.contains("table") {
        return open_list(text.get(..text.floor_char_boundary(at))?).or_else(|| open_list(text));
    }
    let is_in_list = message.contains("comma between array elements") || message.contains("in array");
    // The library names the end of the line before, or the line itself.
    let from = text.get(text.floor_char_boundary(at)..)?.trim_start();
    let at = text.len() - from.len();
    let range = line_at(text, at)?;
    let line = text.get(range.clone())?;
    let is_whole_line = line.trim_start() == from.lines().next()?;
    if !is_in_list || !is_whole_line || !is_no_element(without_comment(line)) {
        return None;
    }
    open_list(text.get(..range.start)?)
}

/// The position of the first `[` of a value that is not closed in a text.
fn open_list(text: &str) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let is_header = open.is_empty() && line.trim_start().starts_with('[');
        if !is_header {
            brackets_of_line(line, start, &mut open);
        }
        start += line.len();
    }
    open.first().copied()
}

/// Adds the positions of `[` to those that are open, and removes one for each `]`, outside quotes and comments.
fn brackets_of_line(line: &str, start: usize, open: &mut Vec<usize>) {
    let mut quote: Option<char> = None;
    let mut is_escaped = false;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (Some('"'), '\\') if !is_escaped => {
                is_escaped = true;
                continue;
            }
            (Some(begun), _) if begun == letter && !is_escaped => quote = None,
            (Some(_), _) => {}
            (None, '#') => return,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[') => open.push(start + at),
            (None, ']') => drop(open.pop()),
            (None, _) => {}
        }
        is_escaped = false;
    }
}

/// Whether a line can be no element of a list: it begins a table, or gives a key a value.
fn is_no_element(line: &str) -> bool {
    line.starts_with('[') && line.ends_with(']') && !line.contains(['"', ',', '\''])
        || key_and_value(line).is_some_and(|(key, _)| is_bare(key))
}

fn lacks_comma(message: &str) -> bool {
    ["missing comma", "extra assignment"].iter().any(|said| message.contains(said))
}

fn duplicate(line: &str) -> Option<Mistake> {
    let name = line.strip_prefix('[')?.split(']').next()?.trim();
    if name.starts_with('[') {
        return None;
    }
    let is_listed = LISTED.contains(&name) || name.starts_with("listener.") && name.ends_with(".host");
    let hint = match is_listed {
        true => format!("there may be several of these: write `[[{name}]]`, also above"),
        false => format!("`[{name}]` stands above already: put the keys together, or give one another name"),
    };
    Some(Mistake { hint, explains: Consequences::Table, unclosed_list: None })
}

fn comment(line: &str, behind: &str) -> Option<String> {
    let is_number_before = behind.split_once(" //").is_some_and(|(number, _)| !number.contains(['"', '\'', '/']));
    if is_number_before {
        return Some("a comment begins with `#`".to_owned());
    }
    if FOREIGN_COMMENTS.iter().any(|mark| line.starts_with(mark) || behind.starts_with(mark) && *mark != ";") {
        return Some("a comment begins with `#`".to_owned());
    }
    behind.starts_with(';').then(|| "a line ends without `;`, and a comment begins with `#`".to_owned())
}

fn quotes(line: &str) -> Option<String> {
    let found = line.chars().find(|letter| TYPOGRAPHIC_QUOTES.contains(letter))?;
    Some(format!("write straight quotes (`\"`) in place of `{found}`"))
}

fn header(line: &str) -> Option<String> {
    let inner = line.strip_prefix('[')?;
    let (open, inner) = match inner.strip_prefix('[') {
        Some(inner) => (2, inner),
        None => (1, inner),
    };
    let name = inner.split([']', '#']).next()?.trim();
    let close = inner.matches(']').count();
    let (left, right) = if open == 2 || close >= 2 { ("[[", "]]") } else { ("[", "]") };
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

/// The name of a header with its last part in quotes, if that is not written as a bare key.
fn quoted_name(name: &str) -> String {
    match name.split_once('.') {
        Some((table, rest)) if !rest.contains(['"', '\'']) && !rest.split('.').all(is_bare) => {
            format!("{table}.\"{}\"", rest.trim())
        }
        _ => name.to_owned(),
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'))
}

fn braces(line: &str) -> Option<String> {
    let opens = line.ends_with('{') && key_and_value(line).is_none();
    (opens || line == "}" || line == "};").then(|| {
        "a table begins with a header such as `[listener.main]`, and ends where the next one begins; it has no braces"
            .to_owned()
    })
}

fn without_equals_sign(line: &str) -> Option<String> {
    if key_and_value(line).is_some() {
        return None;
    }
    let end = line.find(|letter: char| letter.is_whitespace() || letter == ':').unwrap_or(line.len());
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

fn escape(message: &str) -> Option<String> {
    let is_about_escapes = message.contains("escape") || message.contains("unicode");
    is_about_escapes
        .then(|| "between `\"`, a `\\` begins an escape: write `\\\\`, or the text between single quotes".to_owned())
}

/// What is wrong with the value of a line, or with the element of a list at the error.
fn value(line: &str, behind: &str) -> Option<String> {
    let (key, value) = key_and_value(line)?;
    let value = without_comment(value);
    if value.is_empty() {
        return Some(format!("the value is missing: `{key} = …`"));
    }
    if value.starts_with(['[', '{']) {
        let end = behind.find([',', ']', '}']).unwrap_or(behind.len());
        let element = behind.get(..end).unwrap_or_default().trim();
        return word(element).map(|word| format!("write {word}")).or_else(|| {
            let is_text = !element.is_empty() && !element.contains('"');
            is_text.then(|| format!("write the text in quotes: \"{element}\""))
        });
    }
    if value.starts_with("\"\"\"") || value.starts_with("'''") {
        return Some(format!("the text ends with {} as it begins", value.get(..3)?));
    }
    for quote in ['"', '\''] {
        if value.contains(quote) {
            let text = value.trim_matches(quote);
            let is_whole = !text.contains(['"', '\'']);
            return is_whole.then(|| format!("a quote is missing: `{key} = {quote}{text}{quote}`"));
        }
    }
    Some(match word(value) {
        Some(word) => format!("write {word}: `{key} = {}`", meant(value)),
        None => format!("write the text in quotes: `{key} = \"{value}\"`"),
    })
}

/// What stands for true, false and nothing elsewhere.
fn word(value: &str) -> Option<&'static str> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => Some("`true`, in these letters and without quotes"),
        "no" | "false" => Some("`false`, in these letters and without quotes"),
        "off" => Some("\"off\" in quotes where the key takes it, or `false`"),
        "null" | "nil" | "none" | "~" => Some("no line at all for a key without a value"),
        _ => None,
    }
}

fn meant(value: &str) -> &'static str {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => "true",
        "no" | "false" => "false",
        "off" => "\"off\"",
        _ => "…",
    }
}

/// The parts of `key = value`. `None` if the first `=` stands inside quotes, or there is none.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let is_key = !key.is_empty() && !key.contains(['"', '\'', ' ', '\t', ':', '{', '[']);
    is_key.then(|| (key, value.trim()))
}

fn without_comment(value: &str) -> &str {
    value.split_once(" #").map_or(value, |(value, _)| value).trim()
}

/// The header of a table as it would be with its name in quotes, where dots in the name made tables in tables:
/// `[api_user.host1.example.org]`. `at` is a position in the header.
pub(super) fn header_with_quotes(text: &str, at: usize) -> Option<String> {
    const NAMED: [&str; 7] = ["api_user", "role", "listener", "upstream", "trust_domain", "token_issuer", "authorizer"];
    let line = text.get(line_at(text, at)?)?.trim();
    let name = line.strip_prefix('[')?.split(']').next()?.trim();
    let (table, rest) = name.split_once('.')?;
    let is_dotted = NAMED.contains(&table) && rest.contains('.') && rest.split('.').all(is_bare);
    is_dotted.then(|| format!("[{table}.\"{rest}\"]"))
}

#[cfg(test)]
mod tests;
