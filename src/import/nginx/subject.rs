//! Finds the nginx variables that identify the client, and reads the common name of a subject. Reads no directive but maps
//! that extract the common name from the subject.

use super::lexer::Directive;

/// The content of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VariableContent {
    /// The common name.
    CommonName,
    /// The whole subject: `CN=alice,O=Example` or `/O=Example/CN=alice`.
    Subject,
    /// The result of a map over a variable about the client.
    Mapped,
    /// A part of the certificate other than a name, with the action to take.
    Other(&'static str),
}

/// The variables about the client certificate.
pub(super) struct Variables {
    known: Vec<(String, VariableContent)>,
}

/// Variables about the client certificate other than names, with the action to take.
const OTHER_VARIABLES: [(&str, &str); 4] = [
    (
        "$ssl_client_fingerprint",
        "a SHA-1 can be forged; write SHA-256 fingerprints as `client_fingerprint`",
    ),
    (
        "$ssl_client_serial",
        "serial numbers are not names; write `client_fingerprint` or `client_cn`",
    ),
    (
        "$ssl_client_i_dn",
        "an issuer is not a user; write a `[trust_domain.NAME]` for that CA, and name it on a route",
    ),
    (
        "$ssl_client_i_dn_legacy",
        "an issuer is not a user; write a `[trust_domain.NAME]` for that CA, and name it on a route",
    ),
];

impl Variables {
    pub(super) fn of(directives: &[&Directive]) -> Self {
        let mut known = vec![
            ("$ssl_client_s_dn".to_owned(), VariableContent::Subject),
            (
                "$ssl_client_s_dn_legacy".to_owned(),
                VariableContent::Subject,
            ),
        ];
        known.extend(
            OTHER_VARIABLES.map(|(name, action)| (name.to_owned(), VariableContent::Other(action))),
        );
        let maps = || {
            directives
                .iter()
                .filter(|directive| directive.name() == "map")
        };
        // nginx has no such variable, but many configurations define it by a map.
        if !maps().any(|map| map.argument(2) == "$ssl_client_s_dn_cn") {
            known.push((
                "$ssl_client_s_dn_cn".to_owned(),
                VariableContent::CommonName,
            ));
        }
        let mut variables = Self { known };
        // A map may precede the map that defines its source.
        loop {
            let before = variables.known.len();
            for map in maps() {
                let content = match variables.content(map.argument(1)) {
                    Some(VariableContent::Subject) if takes_common_name(map) => {
                        VariableContent::CommonName
                    }
                    Some(_) => VariableContent::Mapped,
                    None => continue,
                };
                if variables.content(map.argument(2)).is_none() {
                    variables.known.push((map.argument(2).to_owned(), content));
                }
            }
            if variables.known.len() == before {
                return variables;
            }
        }
    }

    /// The content of a variable. `None` if it does not depend on the client certificate.
    pub(super) fn content(&self, variable: &str) -> Option<VariableContent> {
        let plain = variable.replace(['{', '}'], "");
        self.known
            .iter()
            .find(|(name, _)| *name == plain)
            .map(|(_, content)| *content)
    }

    /// Whether a text contains any of these variables.
    pub(super) fn any_in(&self, text: &str) -> bool {
        let plain = text.replace(['{', '}'], "");
        plain.split('$').skip(1).any(|part| {
            let end = part
                .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
                .unwrap_or(part.len());
            let name = part.get(..end).unwrap_or_default();
            self.known
                .iter()
                .any(|(known, _)| known.strip_prefix('$') == Some(name))
        })
    }
}

/// Whether a map over the subject only extracts the common name.
pub(super) fn takes_common_name(map: &Directive) -> bool {
    let mut extracted = 0;
    map.block
        .iter()
        .all(|entry| match (entry.name(), entry.argument(1)) {
            ("default", "") | ("volatile", _) => true,
            (expression, value) if value.starts_with('$') => {
                extracted += 1;
                expression
                    .strip_prefix('~')
                    .is_some_and(|expression| is_about_common_name(expression, value))
            }
            _ => false,
        })
        && extracted > 0
}

/// Whether an expression is like `(^|,)CN=(?<name>[^,]+)`, and the value is its group.
fn is_about_common_name(expression: &str, value: &str) -> bool {
    const BEFORE: [&str; 10] = [
        "",
        "^",
        ",",
        "/",
        "^/",
        "(^|,)",
        "(?:^|,)",
        "(?:^|,\\s*)",
        "(?:^|/)",
        "(,|^)",
    ];
    const AFTER: [&str; 8] = ["", "$", ",", "/", "(,|$)", "(?:,|$)", "(,.*)?$", ".*$"];
    const INNER: [&str; 4] = ["[^,]+", "[^,]*", "[^/]+", "[^,/]+"];
    let Some((before, rest)) = expression.split_once("CN=(") else {
        return false;
    };
    let Some((group, after)) = rest.split_once(')') else {
        return false;
    };
    let named = group
        .strip_prefix("?<")
        .or_else(|| group.strip_prefix("?P<"))
        .and_then(|rest| rest.split_once('>'));
    let (is_value, inner) = match named {
        Some((name, inner)) => (value.strip_prefix('$') == Some(name), inner),
        // A group before it makes it the second group.
        None => (
            value
                == if before.contains('(') && !before.contains("(?:") {
                    "$2"
                } else {
                    "$1"
                },
            group,
        ),
    };
    is_value && INNER.contains(&inner) && BEFORE.contains(&before) && AFTER.contains(&after)
}

/// The common name of a complete subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SubjectName<'s> {
    /// The subject is only this common name.
    Alone(&'s str),
    /// This common name and other attributes.
    WithMore(&'s str),
    /// No common name, or several.
    None,
}

/// Reads `CN=alice,O=Example` or `/O=Example/CN=alice`.
pub(super) fn subject_name(subject: &str) -> SubjectName<'_> {
    if subject.contains('\\') {
        return SubjectName::None;
    }
    let separator = if subject.starts_with('/') { '/' } else { ',' };
    let parts: Vec<&str> = subject
        .split(separator)
        .filter(|part| !part.is_empty())
        .collect();
    let mut names = parts.iter().filter_map(|part| part.strip_prefix("CN="));
    match (names.next(), names.next(), parts.len()) {
        (Some(name), None, 1) if !name.contains('+') => SubjectName::Alone(name),
        (Some(name), None, _) => SubjectName::WithMore(name),
        _ => SubjectName::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_that_take_the_common_name_are_known() {
        for (expression, value) in [
            ("(^|,)CN=(?<cn>[^,]+)", "$cn"),
            ("CN=([^,]+)", "$1"),
            ("(^|,)CN=([^,]+)", "$2"),
            (",CN=(?P<CN>[^,]+)", "$CN"),
            ("/CN=(?<CN>[^/]+)", "$CN"),
        ] {
            assert!(is_about_common_name(expression, value), "{expression}");
        }
        for (expression, value) in [
            ("O=([^,]+)", "$1"),
            ("CN=(?<cn>.*)", "$cn"),
            ("CN=(?<cn>[^,]+)", "$other"),
            ("CN=adm-([^,]+)", "$1"),
        ] {
            assert!(!is_about_common_name(expression, value), "{expression}");
        }
    }

    #[test]
    fn a_subject_has_one_common_name_or_none() {
        assert_eq!(subject_name("CN=alice"), SubjectName::Alone("alice"));
        assert_eq!(subject_name("/CN=alice"), SubjectName::Alone("alice"));
        assert_eq!(
            subject_name("CN=alice,O=Example"),
            SubjectName::WithMore("alice")
        );
        assert_eq!(
            subject_name("/O=Example/CN=alice"),
            SubjectName::WithMore("alice")
        );
        for other in ["", "O=Example", "CN=a,CN=b", "CN=a\\,b", "alice"] {
            assert_eq!(subject_name(other), SubjectName::None, "{other}");
        }
    }
}
