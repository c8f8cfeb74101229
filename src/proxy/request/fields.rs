//! The header fields that a decision needs, collected in one pass. Also decides which method applies.

use crate::config::MethodOverride;
use crate::forward::{BadConnection, FieldNames, Singletons, check_connection, is_method_override};
use crate::head::{DuplicateField, Fields};
use crate::identity::fold;
use crate::respond::Rejection;
use crate::route::icinga2::effective_method;
use crate::route::{Admission, Route, decoded};
use std::borrow::Cow;

/// The header fields that a decision needs, from one pass over them.
pub(super) struct DecisionFields<'h> {
    pub(super) host: Result<Option<&'h [u8]>, DuplicateField>,
    connection: Result<(), BadConnection>,
    /// The first repeated field of those that must not be repeated.
    repeated: Option<&'static str>,
    /// The overriding method that some upstreams would use.
    pub(super) overriding: Result<Option<&'h [u8]>, DuplicateField>,
    /// The first value of the field that Icinga reads.
    icinga_overriding: Option<&'h [u8]>,
}

impl<'h> DecisionFields<'h> {
    /// `guarded` are the fields that `Connection` must not name, since conditions and authorizers read them.
    pub(super) fn of<F: Fields + ?Sized>(fields: &'h F, guarded: &FieldNames) -> Self {
        let mut collected = Self {
            host: Ok(None),
            connection: Ok(()),
            repeated: None,
            overriding: Ok(None),
            icinga_overriding: None,
        };
        let mut singletons = Singletons::default();
        for (name, value) in fields.pairs() {
            collected.repeated = collected.repeated.or_else(|| singletons.note(name));
            if name.eq_ignore_ascii_case("host") {
                collected.host = one_more(collected.host, value);
            } else if name.eq_ignore_ascii_case("connection") {
                collected.connection = collected
                    .connection
                    .and_then(|()| check_connection(value, guarded));
            } else if is_method_override(name) {
                collected.overriding = one_more(collected.overriding, value);
                if name.eq_ignore_ascii_case("x-http-method-override") {
                    collected.icinga_overriding = collected.icinga_overriding.or(Some(value));
                }
            }
        }
        collected
    }

    /// Rejects fields that two readers could interpret in different ways.
    pub(super) fn reject_two_readings(&self) -> Result<(), Rejection<'static>> {
        self.connection.map_err(|_| Rejection::BadConnection)?;
        self.repeated
            .map_or(Ok(()), |name| Err(Rejection::RepeatedField(name)))
    }
}

fn one_more<'h>(
    so_far: Result<Option<&'h [u8]>, DuplicateField>,
    value: &'h [u8],
) -> Result<Option<&'h [u8]>, DuplicateField> {
    match so_far {
        Ok(None) => Ok(Some(value)),
        _ => Err(DuplicateField),
    }
}

/// The value of `_method` in a query, by which some frameworks replace the method. The name is decoded like in PHP, which
/// reads other characters as an underscore.
fn overriding_in_query(query: Option<&str>) -> Result<Option<&[u8]>, DuplicateField> {
    let Some(query) = query.filter(|query| {
        memchr::memmem::find(query.as_bytes(), b"ethod").is_some() || query.contains('%')
    }) else {
        return Ok(None);
    };
    let mut found = Ok(None);
    for parameter in query.split(['&', ';']) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if is_method_parameter(name) {
            found = one_more(found, value.as_bytes());
        }
    }
    found
}

fn is_method_parameter(name: &str) -> bool {
    /// No relevant name is longer, even with all characters escaped and some blanks before it.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return false;
    }
    let name = if name.contains('%') {
        Cow::Owned(decoded(name))
    } else {
        Cow::Borrowed(name.as_bytes())
    };
    let blanks = name
        .iter()
        .take_while(|byte| matches!(byte, b'+') || byte.is_ascii_whitespace())
        .count();
    name.get(blanks..).is_some_and(|name| {
        name.iter()
            .map(|byte| fold(*byte))
            .eq(b"-method".iter().copied())
    })
}

/// The method that is authorized and forwarded.
pub(super) fn effective_request_method<'h>(
    sent: &'h str,
    fields: &DecisionFields<'h>,
    query: Option<&str>,
    route: &Route,
) -> Result<&'h str, Rejection<'static>> {
    /// The methods that Icinga accepts; in capitals.
    const KNOWN: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    if has_lower_case(sent) && !route.requirement.names_method(sent) {
        return Err(Rejection::LowerCaseMethod);
    }
    // If nothing depends on the method, the query is not checked.
    let is_method_relevant = route.admission != Admission::Public || route.condition.is_some();
    let in_query = if is_method_relevant {
        overriding_in_query(query)
    } else {
        Ok(None)
    };
    let known = |is: &dyn Fn(&[u8]) -> bool| {
        KNOWN
            .into_iter()
            .find(|method| is(method.as_bytes()))
            .ok_or(Rejection::MethodOverride)
    };
    match (fields.overriding, in_query, route.method_override) {
        (_, _, MethodOverride::AsIcinga) => Ok(effective_method(sent, fields.icinga_overriding)),
        (Ok(None), Ok(None), _) => Ok(sent),
        (Ok(Some(one)), Ok(None), MethodOverride::Judge) => known(&|method| method == one),
        // Frameworks convert it to capitals.
        (Ok(None), Ok(Some(one)), MethodOverride::Judge) => {
            known(&|method| method.eq_ignore_ascii_case(one))
        }
        _ => Err(Rejection::MethodOverride),
    }
}

/// Methods are case-sensitive (RFC 9110 section 9.1), but some upstreams accept `get` as GET, or a method behind the rest
/// of a body (`helloGET`).
fn has_lower_case(method: &str) -> bool {
    method.bytes().any(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_method_in_the_query_is_found_however_it_is_written() {
        for (query, expected) in [
            ("_method=DELETE", Ok(Some("DELETE"))),
            ("a=b&_method=put;x", Ok(Some("put"))),
            ("%5Fmethod=PUT", Ok(Some("PUT"))),
            ("_%6dethod=PUT", Ok(Some("PUT"))),
            (".method=PUT", Ok(Some("PUT"))),
            ("+_method=PUT", Ok(Some("PUT"))),
            ("_method", Ok(Some(""))),
            ("_method=PUT&_method=GET", Err(DuplicateField)),
            ("method=PUT&the_method=GET&x=_method=1&_methods=2", Ok(None)),
            ("a=%", Ok(None)),
        ] {
            let found = overriding_in_query(Some(query))
                .map(|found| found.map(|value| std::str::from_utf8(value).unwrap()));
            assert_eq!(found, expected, "{query}");
        }
        assert_eq!(overriding_in_query(None), Ok(None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn one_pass_finds_what_three_would(
            fields in proptest::collection::vec(
                ("(host|Host|hosts|connection|Connection|X-HTTP-Method|x_method_override|x-http-Method-override|accept)", "(close|host|a|[, ]){0,3}"),
                0..6,
            ),
        ) {
            let fields: Vec<(&str, &[u8])> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let fields = fields.as_slice();
            let mut guarded = FieldNames::default();
            guarded.add_decision_field("a");
            let read = DecisionFields::of(fields, &guarded);
            prop_assert_eq!(read.host, fields.only("host"));
            let mut connection = fields.values("connection");
            prop_assert_eq!(read.connection, connection.try_for_each(|value| check_connection(value, &guarded)));
            let overriding: Vec<_> =
                fields.iter().filter(|(name, _)| is_method_override(name)).map(|(_, value)| *value).collect();
            let expected = match overriding.as_slice() {
                [] => Ok(None),
                [one] => Ok(Some(*one)),
                _ => Err(DuplicateField),
            };
            prop_assert_eq!(read.overriding, expected);
            prop_assert_eq!(read.icinga_overriding, fields.first_value("x-http-method-override"));
        }
    }
}
