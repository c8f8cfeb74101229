//! What the judgement needs of the header fields, found in one pass. Judges nothing but the overriding method.

use crate::config::MethodOverride;
use crate::forward::{BadConnection, FieldNames, Singletons, check_connection, is_method_override};
use crate::head::{Fields, Several};
use crate::identity::fold;
use crate::respond::Refusal;
use crate::route::icinga2::effective_method;
use crate::route::{Admission, Route, decoded};
use std::borrow::Cow;

/// What the judgement needs of the header fields, from one pass over them.
pub(super) struct JudgedFields<'h> {
    pub(super) host: Result<Option<&'h [u8]>, Several>,
    connection: Result<(), BadConnection>,
    /// The first field that may stand once and stands twice.
    repeated: Option<&'static str>,
    /// The method that some upstreams would see.
    pub(super) overriding: Result<Option<&'h [u8]>, Several>,
    /// The first of those that Icinga takes from.
    icinga_overriding: Option<&'h [u8]>,
}

impl<'h> JudgedFields<'h> {
    /// `guarded` are the fields that `Connection` may not name, since conditions and authorizers read them.
    pub(super) fn of<F: Fields + ?Sized>(fields: &'h F, guarded: &FieldNames) -> Self {
        let mut judged = Self {
            host: Ok(None),
            connection: Ok(()),
            repeated: None,
            overriding: Ok(None),
            icinga_overriding: None,
        };
        let mut singletons = Singletons::default();
        for (name, value) in fields.pairs() {
            judged.repeated = judged.repeated.or_else(|| singletons.note(name));
            if name.eq_ignore_ascii_case("host") {
                judged.host = one_more(judged.host, value);
            } else if name.eq_ignore_ascii_case("connection") {
                judged.connection = judged
                    .connection
                    .and_then(|()| check_connection(value, guarded));
            } else if is_method_override(name) {
                judged.overriding = one_more(judged.overriding, value);
                if name.eq_ignore_ascii_case("x-http-method-override") {
                    judged.icinga_overriding = judged.icinga_overriding.or(Some(value));
                }
            }
        }
        judged
    }

    /// Rejects fields of which two readers could see different ones.
    pub(super) fn reject_two_readings(&self) -> Result<(), Refusal<'static>> {
        self.connection.map_err(|_| Refusal::BadConnection)?;
        self.repeated
            .map_or(Ok(()), |name| Err(Refusal::RepeatedField(name)))
    }
}

fn one_more<'h>(
    so_far: Result<Option<&'h [u8]>, Several>,
    value: &'h [u8],
) -> Result<Option<&'h [u8]>, Several> {
    match so_far {
        Ok(None) => Ok(Some(value)),
        _ => Err(Several),
    }
}

/// The values of `_method` in a query, by which some frameworks replace the method. Its name is read as PHP does, which
/// takes other characters for an underscore.
fn overriding_in_query(query: Option<&str>) -> Result<Option<&[u8]>, Several> {
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
    /// No name that is meant is longer with all of its characters escaped and some blanks before it.
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
        .take_while(|octet| matches!(octet, b'+') || octet.is_ascii_whitespace())
        .count();
    name.get(blanks..).is_some_and(|name| {
        name.iter()
            .map(|octet| fold(*octet))
            .eq(b"-method".iter().copied())
    })
}

/// The method that is judged and forwarded.
pub(super) fn judged_method<'h>(
    sent: &'h str,
    fields: &JudgedFields<'h>,
    query: Option<&str>,
    route: &Route,
) -> Result<&'h str, Refusal<'static>> {
    /// Icinga takes these and no others; in capitals.
    const KNOWN: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    if has_lower_case(sent) && !route.requirement.names_method(sent) {
        return Err(Refusal::LowerCaseMethod);
    }
    // Where nobody asks for the method, the query is the upstream's own business.
    let is_asked_for = route.admission != Admission::Public || route.condition.is_some();
    let in_query = if is_asked_for {
        overriding_in_query(query)
    } else {
        Ok(None)
    };
    let known = |is: &dyn Fn(&[u8]) -> bool| {
        KNOWN
            .into_iter()
            .find(|method| is(method.as_bytes()))
            .ok_or(Refusal::MethodOverride)
    };
    match (fields.overriding, in_query, route.method_override) {
        (_, _, MethodOverride::AsIcinga) => Ok(effective_method(sent, fields.icinga_overriding)),
        (Ok(None), Ok(None), _) => Ok(sent),
        (Ok(Some(one)), Ok(None), MethodOverride::Judge) => known(&|method| method == one),
        // Frameworks put it in capitals.
        (Ok(None), Ok(Some(one)), MethodOverride::Judge) => {
            known(&|method| method.eq_ignore_ascii_case(one))
        }
        _ => Err(Refusal::MethodOverride),
    }
}

/// Methods are compared with case (RFC 9110 section 9.1), but some upstreams take `get` for GET, and text that was left of
/// a body before it (`helloGET`) for a method.
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
            ("_method=PUT&_method=GET", Err(Several)),
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
            guarded.add_judged("a");
            let judged = JudgedFields::of(fields, &guarded);
            prop_assert_eq!(judged.host, fields.only("host"));
            let mut connection = fields.values("connection");
            prop_assert_eq!(judged.connection, connection.try_for_each(|value| check_connection(value, &guarded)));
            let overriding: Vec<_> =
                fields.iter().filter(|(name, _)| is_method_override(name)).map(|(_, value)| *value).collect();
            let expected = match overriding.as_slice() {
                [] => Ok(None),
                [one] => Ok(Some(*one)),
                _ => Err(Several),
            };
            prop_assert_eq!(judged.overriding, expected);
            prop_assert_eq!(judged.icinga_overriding, fields.first_value("x-http-method-override"));
        }
    }
}
