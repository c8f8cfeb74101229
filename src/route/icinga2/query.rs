//! Reads the event types in a query as Icinga does. Reads no other parameter and no body.

use super::BadRequest;
use super::body::EventTypes;
use crate::route::path::{decoded, hex_pair};

/// The values of `types` in a query, in order; `None` without `types`.
///
/// Icinga's rules: `&` separates parameters; `[]` after a name is removed; a plus is a plus;
/// repeated names form a list; `types` without a value is one empty string.
pub(super) fn event_types(query: &str) -> Result<Option<EventTypes>, BadRequest> {
    let mut types = EventTypes::default();
    let mut is_present = false;
    for (name, value) in parameters(query) {
        if decoded(name) == b"types" {
            is_present = true;
            types.push(decoded(value))?;
        }
    }
    Ok(is_present.then_some(types))
}

/// Checks that Icinga accepts the query. Icinga rejects others for every user.
pub(super) fn check(query: &str) -> Result<(), BadRequest> {
    let is_valid =
        parameters(query).all(|(name, value)| !name.is_empty() && is_text(name) && is_text(value));
    if is_valid {
        Ok(())
    } else {
        Err(BadRequest::Query)
    }
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (name.strip_suffix("[]").unwrap_or(name), value)
        })
}

/// Whether each byte is allowed in a query, and each `%` has two digits.
fn is_text(text: &str) -> bool {
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = match byte {
            b'%' if hex_pair(rest).is_some() => rest.get(2..).unwrap_or_default(),
            _ if is_query_byte(byte) => rest,
            _ => return false,
        };
    }
    true
}

/// `pchar`, `/` and `?` of RFC 3986. Icinga rejects all other bytes.
fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::super::body::{LONGEST_TYPE, MOST_TYPES};
    use super::*;

    fn listed(query: &str) -> Result<Option<Vec<String>>, BadRequest> {
        let texts = |types: EventTypes| {
            types
                .iter()
                .map(|one| String::from_utf8_lossy(one).into_owned())
                .collect()
        };
        check(query)
            .and_then(|()| event_types(query))
            .map(|found| found.map(texts))
    }

    /// Each row was tested against Icinga 2.13.6.
    #[test]
    fn a_query_is_read_as_icinga_reads_it() {
        for (query, expected) in [
            ("types=a", vec!["a"]),
            ("types[]=a", vec!["a"]),
            ("%74ypes=a", vec!["a"]),
            ("types=a&types[]=b", vec!["a", "b"]),
            ("types", vec![""]),
            ("types=", vec![""]),
            ("types&", vec![""]),
            ("&&types=a", vec!["a"]),
            ("types==a", vec!["=a"]),
            ("a=1&types", vec![""]),
            ("types=%00", vec!["\0"]),
            ("types=a?b", vec!["a?b"]),
            ("types=a/b", vec!["a/b"]),
            ("types=a;b'c", vec!["a;b'c"]),
            ("types=a+b%2Bc%20", vec!["a+b+c "]),
            ("types=a,b", vec!["a,b"]),
        ] {
            assert_eq!(
                listed(query),
                Ok(Some(expected.into_iter().map(str::to_owned).collect())),
                "{query}"
            );
        }
        for query in [
            "",
            "Types=a",
            "types%5B%5D=a",
            "type=a",
            "&",
            "queue=types=a",
        ] {
            assert_eq!(listed(query), Ok(None), "{query}");
        }
        for query in [
            "types[]x=a",
            "=a",
            "[]=a",
            "types=a%",
            "types=a%4",
            "types=a%zz",
            "types=%+1",
            "types=a\"b",
            "types=a{b",
            "ty[pes=1&types=a",
            "types=a[b]",
            "types[][]=a",
            "types=\u{e4}",
            "types=a&b=|",
        ] {
            assert_eq!(listed(query), Err(BadRequest::Query), "{query}");
        }
    }

    #[test]
    fn number_and_length_of_types_are_limited() {
        let many = |count: usize| "types=a&".repeat(count);
        assert!(listed(&many(MOST_TYPES)).is_ok());
        assert_eq!(listed(&many(MOST_TYPES + 1)), Err(BadRequest::TooManyTypes));
        let long = |length: usize| format!("types={}", "a".repeat(length));
        assert!(listed(&long(LONGEST_TYPE)).is_ok());
        assert_eq!(
            listed(&long(LONGEST_TYPE + 1)),
            Err(BadRequest::TooManyTypes)
        );
    }
}
