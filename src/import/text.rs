//! Writes TOML strings, keys and comments from untrusted text.

use std::fmt::Write;

/// A basic string in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A TOML key: bare if the syntax allows it, quoted otherwise.
pub(super) fn key(text: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !text.is_empty() && text.bytes().all(is_bare) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text on one line, with control characters escaped. Untrusted text can neither end a comment nor control a
/// terminal.
pub(super) fn printable(text: &str) -> String {
    let escaped = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .fold(String::with_capacity(text.len()), |mut line, letter| {
            if escaped(letter) {
                line.extend(letter.escape_unicode())
            } else {
                line.push(letter)
            }
            line
        })
}

/// A comment, wrapped into as many lines as needed.
pub(super) fn comment(text: &str) -> Vec<String> {
    const WIDTH: usize = 116;
    let mut lines = Vec::new();
    let mut line = String::from("#");
    for word in printable(text).split(' ') {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, String::from("#")));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// A line as a comment.
pub(super) fn commented_out(line: &str) -> String {
    if line.is_empty() {
        "#".to_owned()
    } else {
        format!("# {line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_survives_as_value_and_as_key(text in "(\\PC|[\\x00-\\x20\"\\\\\x7f]){0,12}") {
            let table: toml::Table = format!("{} = {}\n", key(&text), quoted(&text)).parse().unwrap();
            prop_assert_eq!(table.get(&text).and_then(|value| value.as_str()), Some(text.as_str()));
        }

        #[test]
        fn no_text_ends_its_comment(text in "(\\PC|[\\x00-\\x20\u{85}\u{2028}\x7f]|\n\\[x\\]\n){0,40}") {
            let lines = comment(&text).join("\n");
            prop_assert!(lines.parse::<toml::Table>().unwrap().is_empty());
            prop_assert!(lines.lines().all(|line| line.starts_with('#')));
        }
    }

    #[test]
    fn keys_are_bare_only_where_that_is_allowed() {
        assert_eq!(key("my-api_client1"), "my-api_client1");
        assert_eq!(key("a.b"), "\"a.b\"");
        assert_eq!(key(""), "\"\"");
    }
}
