//! The types of events that a query lists, read as Icinga reads it. Knows no other parameter, and no body.

use super::BadRequest;
use super::body::EventTypes;
use crate::route::path::{decoded, hex_pair};

/// What stands as `types` in a query, in order; `None` if nothing does.
///
/// Parameters stand between `&`; `[]` behind a name is left out; a plus is a plus; each name that is repeated makes a
/// list; `types` alone is one empty text.
pub(super) fn event_types(query: &str) -> Result<Option<EventTypes>, BadRequest> {
    let mut found = EventTypes::default();
    let mut stands = false;
    for (name, value) in parameters(query) {
        if decoded(name) == b"types" {
            stands = true;
            found.push(decoded(value))?;
        }
    }
    Ok(stands.then_some(found))
}

/// Whether Icinga takes a query for one. It answers all others with an error, whoever asks.
pub(super) fn check(query: &str) -> Result<(), BadRequest> {
    let is_right =
        parameters(query).all(|(name, value)| !name.is_empty() && is_text(name) && is_text(value));
    if is_right {
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

/// Whether each octet may stand in a query, and each `%` has its digits.
fn is_text(text: &str) -> bool {
    let mut octets = text.as_bytes();
    while let Some((&octet, rest)) = octets.split_first() {
        octets = match octet {
            b'%' if hex_pair(rest).is_some() => rest.get(2..).unwrap_or_default(),
            _ if may_stand(octet) => rest,
            _ => return false,
        };
    }
    true
}

/// `pchar`, `/` and `?` of RFC 3986; Icinga answers everything else with an error.
fn may_stand(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&octet)
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

    /// Each was asked of Icinga 2.13.6.
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
    fn nobody_makes_us_compare_without_end() {
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
