//! Which of nginx' variables say who the client is, and what a subject in one of its forms says. Reads no directive but
//! maps that take the common name out of the subject.

use super::lexer::Directive;

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The common name.
    CommonName,
    /// The whole subject: `CN=alice,O=Example` or `/O=Example/CN=alice`.
    Subject,
    /// What a map made of one of these.
    Mapped,
    /// Something of the certificate that is no name.
    Other(&'static str),
}

/// The variables that say who the client is.
pub(super) struct Variables {
    known: Vec<(String, Holds)>,
}

const OTHERS: [(&str, &str); 4] = [
    (
        "$ssl_client_fingerprint",
        "a SHA-1 can be forged; write SHA-256 fingerprints as `client_fingerprint`",
    ),
    (
        "$ssl_client_serial",
        "serial numbers are no names; write `client_fingerprint` or `client_cn`",
    ),
    (
        "$ssl_client_i_dn",
        "whoever signed is no user; make a `[trust_domain.NAME]` of that CA, and name it on a route",
    ),
    (
        "$ssl_client_i_dn_legacy",
        "whoever signed is no user; make a `[trust_domain.NAME]` of that CA, and name it on a route",
    ),
];

impl Variables {
    pub(super) fn of(directives: &[&Directive]) -> Self {
        let mut known = vec![
            ("$ssl_client_s_dn".to_owned(), Holds::Subject),
            ("$ssl_client_s_dn_legacy".to_owned(), Holds::Subject),
        ];
        known.extend(OTHERS.map(|(name, why)| (name.to_owned(), Holds::Other(why))));
        let maps = || {
            directives
                .iter()
                .filter(|directive| directive.name() == "map")
        };
        // nginx has no such variable, but its users know it from maps that make it.
        if !maps().any(|map| map.argument(2) == "$ssl_client_s_dn_cn") {
            known.push(("$ssl_client_s_dn_cn".to_owned(), Holds::CommonName));
        }
        let mut variables = Self { known };
        // A map may stand before the one that makes its source.
        loop {
            let before = variables.known.len();
            for map in maps() {
                let holds = match variables.holds(map.argument(1)) {
                    Some(Holds::Subject) if takes_common_name(map) => Holds::CommonName,
                    Some(_) => Holds::Mapped,
                    None => continue,
                };
                if variables.holds(map.argument(2)).is_none() {
                    variables.known.push((map.argument(2).to_owned(), holds));
                }
            }
            if variables.known.len() == before {
                return variables;
            }
        }
    }

    /// What a variable holds. `None` for one that has nothing to do with certificates.
    pub(super) fn holds(&self, variable: &str) -> Option<Holds> {
        let plain = variable.replace(['{', '}'], "");
        self.known
            .iter()
            .find(|(name, _)| *name == plain)
            .map(|(_, holds)| *holds)
    }

    /// Whether a text mentions any of them.
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

/// Whether a map over the subject does no more than take the common name out of it.
pub(super) fn takes_common_name(map: &Directive) -> bool {
    let mut taken = 0;
    map.block
        .iter()
        .all(|entry| match (entry.name(), entry.argument(1)) {
            ("default", "") | ("volatile", _) => true,
            (expression, value) if value.starts_with('$') => {
                taken += 1;
                expression
                    .strip_prefix('~')
                    .is_some_and(|expression| is_about_common_name(expression, value))
            }
            _ => false,
        })
        && taken > 0
}

/// `(^|,)CN=(?<name>[^,]+)` and its like, with the group as value.
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
    const BEHIND: [&str; 8] = ["", "$", ",", "/", "(,|$)", "(?:,|$)", "(,.*)?$", ".*$"];
    const INNER: [&str; 4] = ["[^,]+", "[^,]*", "[^/]+", "[^,/]+"];
    let Some((before, rest)) = expression.split_once("CN=(") else {
        return false;
    };
    let Some((group, behind)) = rest.split_once(')') else {
        return false;
    };
    let named = group
        .strip_prefix("?<")
        .or_else(|| group.strip_prefix("?P<"))
        .and_then(|rest| rest.split_once('>'));
    let (is_value, inner) = match named {
        Some((name, inner)) => (value.strip_prefix('$') == Some(name), inner),
        // With a group before it, it is the second one.
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
    is_value && INNER.contains(&inner) && BEFORE.contains(&before) && BEHIND.contains(&behind)
}

/// What a whole subject says about whom it names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named<'s> {
    /// Nothing but a common name.
    Exactly(&'s str),
    /// A common name, and more that it has to have.
    Among(&'s str),
    /// None, or several.
    Nobody,
}

/// Reads `CN=alice,O=Example` or `/O=Example/CN=alice`.
pub(super) fn named(subject: &str) -> Named<'_> {
    if subject.contains('\\') {
        return Named::Nobody;
    }
    let separator = if subject.starts_with('/') { '/' } else { ',' };
    let parts: Vec<&str> = subject
        .split(separator)
        .filter(|part| !part.is_empty())
        .collect();
    let mut names = parts.iter().filter_map(|part| part.strip_prefix("CN="));
    match (names.next(), names.next(), parts.len()) {
        (Some(name), None, 1) if !name.contains('+') => Named::Exactly(name),
        (Some(name), None, _) => Named::Among(name),
        _ => Named::Nobody,
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
    fn subjects_name_one_or_nobody() {
        assert_eq!(named("CN=alice"), Named::Exactly("alice"));
        assert_eq!(named("/CN=alice"), Named::Exactly("alice"));
        assert_eq!(named("CN=alice,O=Example"), Named::Among("alice"));
        assert_eq!(named("/O=Example/CN=alice"), Named::Among("alice"));
        for nobody in ["", "O=Example", "CN=a,CN=b", "CN=a\\,b", "alice"] {
            assert_eq!(named(nobody), Named::Nobody, "{nobody}");
        }
    }
}
