//! One parameter of a raw query. Where two servers may read a query in two ways it gives neither.

use std::borrow::Cow;

/// What a query says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<'q> {
    Nothing,
    /// Decoded, if that is text.
    One(Option<Cow<'q, str>>),
    Several,
}

/// The query can be read in more than one way: it has a broken escape, or `;`, which some take for `&`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclear;

/// Looks for a parameter as forms write them: `&` separates, `+` is a space, escapes are decoded in names as in values.
/// All pairs are looked at, so that the outcome does not depend on their order.
pub(super) fn find<'q>(query: &'q str, wanted: &str) -> Result<Found<'q>, Unclear> {
    if query.contains(';') {
        return Err(Unclear);
    }
    let mut found = Found::Nothing;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        if *decoded(name)? == *wanted.as_bytes() {
            found = if found == Found::Nothing {
                Found::One(as_text(value))
            } else {
                Found::Several
            };
        }
    }
    Ok(found)
}

fn as_text(octets: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match octets {
        Cow::Borrowed(octets) => std::str::from_utf8(octets).ok().map(Cow::Borrowed),
        Cow::Owned(octets) => String::from_utf8(octets).ok().map(Cow::Owned),
    }
}

fn decoded(text: &str) -> Result<Cow<'_, [u8]>, Unclear> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        octets.push(match octet {
            b'%' => {
                let (digits, after) = rest.split_first_chunk().ok_or(Unclear)?;
                rest = after;
                escaped(*digits).ok_or(Unclear)?
            }
            b'+' => b' ',
            other => other,
        });
    }
    Ok(Cow::Owned(octets))
}

fn escaped(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(value: &str) -> Result<Found<'_>, Unclear> {
        Ok(Found::One(Some(value.into())))
    }

    #[test]
    fn a_parameter_is_found_decoded() {
        for (query, value) in [
            ("a=1&b=2", "1"),
            ("b=2&a=1", "1"),
            ("a", ""),
            ("a=", ""),
            ("&&a=x=y&", "x=y"),
            ("%61=%2b+%20", "+  "),
            ("a=%C3%A4", "\u{e4}"),
        ] {
            assert_eq!(find(query, "a"), one(value), "{query}");
        }
        for query in ["", "b=a", "A=1", "ab=1", "=a", "&"] {
            assert_eq!(find(query, "a"), Ok(Found::Nothing), "{query}");
        }
    }

    #[test]
    fn a_query_with_two_readings_has_none() {
        for query in ["a=1&a=1", "a=1&%61=2", "a&b&a"] {
            assert_eq!(find(query, "a"), Ok(Found::Several), "{query}");
        }
        for query in [
            "a=1;b=2",
            "a=%",
            "a=%4",
            "a=%zz",
            "b=%zz&a=1",
            "a=1&%zz=1",
            "%+1=",
            "a=%\u{e4}",
        ] {
            assert_eq!(find(query, "a"), Err(Unclear), "{query}");
        }
        assert_eq!(find("a=%ff", "a"), Ok(Found::One(None)));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_found_again(name in any::<String>(), value in any::<String>()) {
            let encoded = |text: &str| text.bytes().map(|octet| format!("%{octet:02X}")).collect::<String>();
            let query = format!("x=1&{}={}&y", encoded(&name), encoded(&value));
            prop_assume!(!["x", "y"].contains(&name.as_str()));
            prop_assert_eq!(find(&query, &name), one(&value));
        }

        #[test]
        fn no_query_makes_it_stop(query in any::<String>(), name in any::<String>()) {
            let _ = find(&query, &name);
        }
    }
}
