//! Finds one parameter of a raw query. A query that two servers may read differently is an error.

use std::borrow::Cow;

/// The result of a search for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueryParameter<'q> {
    Absent,
    /// The decoded value; `None` if it is not UTF-8.
    One(Option<Cow<'q, str>>),
    Several,
}

/// The query is ambiguous: it has an invalid escape, or `;`, which some servers treat as `&`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AmbiguousQuery;

/// Finds a parameter in form encoding: `&` separates, `+` is a space, escapes are decoded in names and values. All pairs
/// are checked, so that the result does not depend on their order.
pub(super) fn find<'q>(
    query: &'q str,
    parameter: &str,
) -> Result<QueryParameter<'q>, AmbiguousQuery> {
    if query.contains(';') {
        return Err(AmbiguousQuery);
    }
    let mut result = QueryParameter::Absent;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        if *decoded(name)? == *parameter.as_bytes() {
            result = if result == QueryParameter::Absent {
                QueryParameter::One(as_text(value))
            } else {
                QueryParameter::Several
            };
        }
    }
    Ok(result)
}

fn as_text(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

fn decoded(text: &str) -> Result<Cow<'_, [u8]>, AmbiguousQuery> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => {
                let (digits, after) = rest.split_first_chunk().ok_or(AmbiguousQuery)?;
                rest = after;
                escaped(*digits).ok_or(AmbiguousQuery)?
            }
            b'+' => b' ',
            other => other,
        });
    }
    Ok(Cow::Owned(bytes))
}

fn escaped(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(value: &str) -> Result<QueryParameter<'_>, AmbiguousQuery> {
        Ok(QueryParameter::One(Some(value.into())))
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
            assert_eq!(find(query, "a"), Ok(QueryParameter::Absent), "{query}");
        }
    }

    #[test]
    fn a_query_with_two_readings_has_none() {
        for query in ["a=1&a=1", "a=1&%61=2", "a&b&a"] {
            assert_eq!(find(query, "a"), Ok(QueryParameter::Several), "{query}");
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
            assert_eq!(find(query, "a"), Err(AmbiguousQuery), "{query}");
        }
        assert_eq!(find("a=%ff", "a"), Ok(QueryParameter::One(None)));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_found_again(name in any::<String>(), value in any::<String>()) {
            let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
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
