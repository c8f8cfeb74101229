//! Regular expressions that are nothing but a list of whole names. All others are for people to read.

/// The names of `^alice$` or `^(alice|bob)$`, if it is no more than that.
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

/// The one text that an expression matches, if it has no more than escaped dots and minus signs.
fn literal(expression: &str) -> Option<String> {
    let mut text = String::with_capacity(expression.len());
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.push(
                letters
                    .next()
                    .filter(|escaped| matches!(escaped, '.' | '-' | '@' | '/'))?,
            ),
            _ if letter.is_alphanumeric()
                || matches!(letter, '-' | '_' | '@' | ' ' | '=' | ',' | ':') =>
            {
                text.push(letter)
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
