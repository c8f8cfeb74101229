//! Likely mistakes in values: quotes, commas, brackets, numbers, and literals of other languages.

use super::{is_bare, key_and_value, without_comment};

/// Position of an error in its line.
#[derive(Clone, Copy)]
pub(super) struct ErrorAt<'t> {
    /// Text of the line before the error.
    pub(super) before: &'t str,
    /// Text of the line after the error.
    pub(super) behind: &'t str,
    /// Error message of the TOML library.
    pub(super) message: &'t str,
}

/// The hint for a mistake in the value of a line.
pub(super) fn of_value(line: &str, error: &ErrorAt<'_>) -> Option<String> {
    control_character(error)
        .or_else(|| triple_quotes(error))
        .or_else(|| quote_inside(line, error))
        .or_else(|| of_inline_table(error))
        .or_else(|| comma(error))
        .or_else(|| what_follows(line, error))
        .or_else(|| escape(error))
        .or_else(|| written_otherwise(line, error))
}

fn control_character(error: &ErrorAt<'_>) -> Option<String> {
    let letter = error
        .behind
        .chars()
        .next()
        .filter(|letter| letter.is_control() && !letter.is_whitespace())?;
    Some(format!(
        "remove the control character U+{:04X}, which editors may not show",
        u32::from(letter)
    ))
}

fn triple_quotes(error: &ErrorAt<'_>) -> Option<String> {
    let quotes = match error.message {
        message if message.contains("multi-line basic string") => "\"\"\"",
        message if message.contains("multi-line literal string") => "'''",
        _ => return None,
    };
    Some(format!("the text ends with {quotes} as it begins"))
}

/// A quote inside a string, which ends the string in TOML, or two different quotes around a string.
fn quote_inside(line: &str, error: &ErrorAt<'_>) -> Option<String> {
    let (key, value) = key_and_value(line)?;
    let value = without_comment(value);
    if let Some(text) = mixed_quotes(value) {
        let quote = if text.contains('\'') { '"' } else { '\'' };
        return Some(format!(
            "a text ends with the quote that it begins with: `{key} = {quote}{text}{quote}`"
        ));
    }
    let closing_quote = error
        .before
        .chars()
        .next_back()
        .filter(|letter| matches!(letter, '"' | '\''))?;
    if !error
        .behind
        .starts_with(|letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '/'))
    {
        return None;
    }
    let text = value
        .strip_prefix(closing_quote)
        .and_then(|rest| rest.strip_suffix(closing_quote));
    let example = |quote: char, text: String| format!(": `{key} = {quote}{text}{quote}`");
    Some(match closing_quote {
        '\'' => {
            let plain = text.filter(|text| !text.contains(['"', '\\']));
            let example = plain
                .map(|text| example('"', text.to_owned()))
                .unwrap_or_default();
            format!(
                "a text between single quotes ends at the next `'`: write it between `\"`{example}"
            )
        }
        _ => {
            let example = text
                .map(|text| example('"', text.replace('"', "\\\"")))
                .unwrap_or_default();
            format!("a `\"` inside a text is written `\\\"`{example}")
        }
    })
}

/// The text between two different quotes.
fn mixed_quotes(value: &str) -> Option<&str> {
    let pairs = [('\'', '"'), ('"', '\'')];
    let inner = |(first, last): (char, char)| value.strip_prefix(first)?.strip_suffix(last);
    pairs
        .into_iter()
        .find_map(inner)
        .filter(|text| !text.contains(['"', '\'']))
}

/// Missing or superfluous commas.
fn comma(error: &ErrorAt<'_>) -> Option<String> {
    let message = error.message;
    if ["missing comma", "extra assignment"]
        .iter()
        .any(|text| message.contains(text))
    {
        return Some("put a comma between the two".to_owned());
    }
    if message.contains("extra comma") {
        return Some(match message.contains("expected `=`") {
            true => IN_BRACES.to_owned(),
            false => "there is one comma too many: remove it".to_owned(),
        });
    }
    let rest = error.behind.strip_prefix(',')?;
    match without_comment(rest) {
        rest if rest.is_empty() || rest.starts_with('#') => Some(
            "a line ends without a comma, unless it is an element of a list: remove it".to_owned(),
        ),
        _ => None,
    }
}

const IN_BRACES: &str = "between `{` and `}` stand keys with values, such as `{ key = \"text\" }`; a list stands between `[` and `]`";

/// Mistakes in inline tables.
fn of_inline_table(error: &ErrorAt<'_>) -> Option<String> {
    let inner = error
        .before
        .rsplit_once('{')
        .map(|(_, inner)| inner)
        .filter(|inner| !inner.contains('}'))?;
    if error.behind.trim_start().starts_with(':') || error.before.trim_end().ends_with(':') {
        return Some("write `=` in place of `:`".to_owned());
    }
    if error.message.contains("missing assignment") {
        return Some("put `=` between key and value".to_owned());
    }
    if !error.behind.trim_start().starts_with(['}', ',']) {
        return None;
    }
    let last = inner.rsplit(',').next().unwrap_or(inner).trim();
    match last
        .strip_suffix('=')
        .map(str::trim)
        .filter(|key| is_bare(key))
    {
        Some(key) => Some(format!("the value is missing: `{key} = …`")),
        None if error.message.contains("extra comma") => None,
        None => Some(IN_BRACES.to_owned()),
    }
}

/// Text after a complete value.
fn what_follows(line: &str, error: &ErrorAt<'_>) -> Option<String> {
    let (key, value) = key_and_value(line)?;
    let behind = error.behind.trim_start();
    if let Some(bracket) = behind
        .chars()
        .next()
        .filter(|letter| matches!(letter, ']' | '}'))
        && error.message.contains("unexpected key or value")
    {
        return Some(format!("there is one `{bracket}` too many: remove it"));
    }
    let second_key = |text: &str| {
        text.split_once('=')
            .is_some_and(|(key, _)| is_bare(key.trim()))
    };
    if second_key(behind)
        || value
            .split_once(' ')
            .is_some_and(|(_, rest)| second_key(rest) && !value.starts_with(QUOTES))
    {
        return Some("each key stands in a line of its own".to_owned());
    }
    if !value.starts_with(QUOTES) || error.before.trim_end().ends_with('=') {
        return None;
    }
    if behind.starts_with('+') {
        return Some(format!(
            "texts are not joined: write all of it in one text, `{key} = \"…\"`"
        ));
    }
    behind
        .starts_with(QUOTES)
        .then(|| format!("several texts are a list: `{key} = [\"a\", \"b\"]`"))
}

const QUOTES: [char; 2] = ['"', '\''];

fn escape(error: &ErrorAt<'_>) -> Option<String> {
    let is_about_escapes = error.message.contains("escape") || error.message.contains("unicode");
    is_about_escapes.then(|| {
        "between `\"`, a `\\` begins an escape: write `\\\\`, or the text between single quotes"
            .to_owned()
    })
}

/// A value without quotes, or with quotes of another language.
fn written_otherwise(line: &str, error: &ErrorAt<'_>) -> Option<String> {
    let (key, value) = key_and_value(line)?;
    let value = without_comment(value);
    if value.is_empty() {
        return Some(format!("the value is missing: `{key} = …`"));
    }
    if value.starts_with(['[', '{']) {
        return element(error.behind);
    }
    for quote in QUOTES {
        if value.contains(quote) {
            let text = value.trim_matches(quote);
            let is_whole = !text.contains(QUOTES);
            return is_whole.then(|| format!("a quote is missing: `{key} = {quote}{text}{quote}`"));
        }
    }
    if let Some(text) = value
        .strip_prefix('`')
        .and_then(|text| text.strip_suffix('`'))
    {
        return Some(format!(
            "write straight quotes (`\"`) in place of backticks: `{key} = \"{text}\"`"
        ));
    }
    if value.starts_with('$') {
        return Some(format!(
            "variables of the environment are not replaced: write the text itself, `{key} = \"…\"`"
        ));
    }
    if let Some(number) = number(value) {
        return Some(format!("write the number as `{key} = {number}`"));
    }
    Some(match word(value) {
        Some(word) => format!("write {word}: `{key} = {}`", meant(value)),
        None => format!("write the text in quotes: `{key} = \"{value}\"`"),
    })
}

/// A mistake in an element of a list or inline table.
fn element(behind: &str) -> Option<String> {
    let end = behind.find([',', ']', '}']).unwrap_or(behind.len());
    let element = behind.get(..end).unwrap_or_default().trim();
    word(element)
        .map(|word| format!("write {word}"))
        .or_else(|| {
            let is_text = !element.is_empty() && !element.contains('"');
            is_text.then(|| format!("write the text in quotes: \"{element}\""))
        })
}

/// A whole number in TOML syntax: without leading zeros, commas and misplaced `_`.
fn number(value: &str) -> Option<String> {
    let is_number = value.starts_with(|letter: char| letter.is_ascii_digit())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'_'));
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    is_number.then(|| {
        if digits.is_empty() {
            "0".to_owned()
        } else {
            digits.to_owned()
        }
    })
}

/// Replacement for literals of other languages for true, false and null.
fn word(value: &str) -> Option<&'static str> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => Some("`true`, in these letters and without quotes"),
        "no" | "false" => Some("`false`, in these letters and without quotes"),
        "off" => Some("\"off\" in quotes where the key takes it, or `false`"),
        "null" | "nil" | "none" | "undefined" | "~" => {
            Some("no line at all for a key without a value")
        }
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
