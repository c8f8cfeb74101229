//! Recognizes regular expressions that are only a list of complete names. All others need manual conversion.

/// The names in `^alice$` or `^(alice|bob)$`. `None` for every other expression.
pub(super) fn names(expression: &str) -> Option<Vec<String>> {
    let inner = expression.strip_prefix('^')?.strip_suffix('$')?;
    let group = inner
        .strip_prefix("(?:")
        .or_else(|| inner.strip_prefix('('))
        .and_then(|rest| rest.strip_suffix(')'));
    match group {
        Some(alternatives) => alternatives.split('|').map(literal).collect(),
        None => literal(inner).map(|name| vec![name]),
    }
}

/// The only text that an expression matches. `None` if it has more than literal and escaped characters.
fn literal(expression: &str) -> Option<String> {
    let mut text = String::with_capacity(expression.len());
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(
                characters
                    .next()
                    .filter(|escaped| matches!(escaped, '.' | '-' | '@' | '/'))?,
            ),
            _ if character.is_alphanumeric()
                || matches!(character, '-' | '_' | '@' | ' ' | '=' | ',' | ':') =>
            {
                text.push(character)
            }
            _ => return None,
        }
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_whole_names_are_read_and_nothing_else() {
        assert_eq!(names("^alice$"), Some(vec!["alice".to_owned()]));
        assert_eq!(
            names(r"^(alice|web-1\.example)$"),
            Some(vec!["alice".to_owned(), "web-1.example".to_owned()])
        );
        assert_eq!(names("^(?:a|b)$").map(|names| names.len()), Some(2));
        for other in [
            "alice",
            "^alice",
            "alice$",
            "^a.c$",
            "^a|b$",
            "^(a|b)(c)$",
            "^(a|)$",
            "^a+$",
            "^[ab]$",
            "^a\\d$",
            "^$",
            "^(a|b$",
        ] {
            assert_eq!(names(other), None, "{other}");
        }
    }
}
