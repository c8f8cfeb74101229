//! Splits an HAProxy configuration into lines and words: two kinds of quotes, backslashes, comments. Knows no keyword.

use super::ConfigLine;
use crate::import::error::{ImportError, Position};
use crate::import::source::ImportFile;

const HINT: &str = "`haproxy -c -f FILE` says whether HAProxy would load it";

pub(super) fn lines(file: &ImportFile) -> Result<Vec<ConfigLine>, ImportError> {
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(file.text().lines()) {
        let words = words(text).map_err(|column| {
            file.malformed(
                Position {
                    line: number,
                    column,
                },
                "this quote or backslash does not end",
                HINT,
            )
        })?;
        if let Some(column) = text
            .find(|letter: char| !letter.is_ascii_whitespace())
            .filter(|_| !words.is_empty())
        {
            lines.push(ConfigLine {
                at: Position {
                    line: number,
                    column: column + 1,
                },
                words,
            });
        }
    }
    Ok(lines)
}

/// The words of a line.
///
/// # Errors
/// The column of a quote or backslash that does not end.
fn words(text: &str) -> Result<Vec<String>, usize> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut letters = (1..).zip(text.chars());
    while let Some((column, letter)) = letters.next() {
        match (letter, quote.map(|(kind, _)| kind)) {
            ('\'', Some('\'')) | ('"', Some('"')) => quote = None,
            (_, Some('\'')) => word.get_or_insert_default().push(letter),
            ('\\', _) => {
                let (_, escaped) = letters.next().ok_or(column)?;
                word.get_or_insert_default()
                    .push(unescaped(escaped, &mut letters));
            }
            (_, Some(_)) => word.get_or_insert_default().push(letter),
            ('\'' | '"', None) => {
                quote = Some((letter, column));
                word.get_or_insert_default();
            }
            ('#', None) => break,
            (_, None) if letter.is_ascii_whitespace() => words.extend(word.take()),
            (_, None) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.map_or(Ok(words), |(_, column)| Err(column))
}

fn unescaped(letter: char, letters: &mut impl Iterator<Item = (usize, char)>) -> char {
    match letter {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'x' => {
            let mut digits = letters.take(2).filter_map(|(_, digit)| digit.to_digit(16));
            let value = digits
                .next()
                .zip(digits.next())
                .and_then(|(high, low)| char::from_u32(high * 16 + low));
            // An invalid escape makes the name unusable.
            value.unwrap_or('\u{fffd}')
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_haproxy_ends_them() {
        assert_eq!(
            words("acl a  b\tc # d"),
            Ok(vec!["acl".into(), "a".into(), "b".into(), "c".into()])
        );
        assert_eq!(
            words(r#""a b" 'c\d' e\ f \# x"y"z"#).unwrap(),
            ["a b", r"c\d", "e f", "#", "xyz"]
        );
        assert_eq!(words(r#""" \x41"#).unwrap(), ["", "A"]);
        assert_eq!(words("  # only"), Ok(vec![]));
        assert_eq!(words("a \"b"), Err(3));
        assert_eq!(words("a\\"), Err(2));
    }
}
