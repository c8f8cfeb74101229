//! The types of events that a body lists. Knows no other key, and no query.

use super::BadRequest;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;

/// Icinga knows 15 types of events.
pub(super) const MOST_TYPES: usize = 64;

/// Icinga's longest has 22 octets.
pub(super) const LONGEST_TYPE: usize = 1024;

/// Types of events, in the order of a request, as octets. Icinga compares them as texts that end at a NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTypes(Vec<Box<[u8]>>);

impl EventTypes {
    /// Reads the body of a subscription: a JSON object, or nothing. Other readers than Icinga take the first of two equal
    /// keys, and Icinga makes texts of numbers and the like in `types`; here both are refused.
    ///
    /// # Errors
    /// [`BadRequest`] for a body that is no such object, or has no `types`.
    pub fn from_body(body: &[u8]) -> Result<Self, BadRequest> {
        if body.is_empty() {
            return Err(BadRequest::NoTypes);
        }
        // Values that are skipped are not looked at in full, and a text that is none could end elsewhere for others.
        let text = std::str::from_utf8(body).map_err(|_| BadRequest::Body)?;
        match serde_json::from_str(text) {
            Ok(Parameters(Some(types))) => Self::from_value(types),
            Ok(Parameters(None)) => Err(BadRequest::NoTypes),
            Err(_) => Err(BadRequest::Body),
        }
    }

    fn from_value(value: Value) -> Result<Self, BadRequest> {
        let list = match value {
            Value::Null => return Err(BadRequest::NoTypes),
            Value::Array(list) => list,
            _ => return Err(BadRequest::TypesNotAList),
        };
        let mut types = Self::default();
        for one in list {
            let Value::String(one) = one else {
                return Err(BadRequest::TypesNotAList);
            };
            types.push(one.into_bytes())?;
        }
        Ok(types)
    }

    pub(super) fn push(&mut self, one: Vec<u8>) -> Result<(), BadRequest> {
        if self.0.len() >= MOST_TYPES || one.len() > LONGEST_TYPE {
            return Err(BadRequest::TooManyTypes);
        }
        self.0.push(one.into());
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// A subscription has about five keys.
const MOST_KEYS: usize = 256;

/// What `types` is in a JSON object, or in `null`, which Icinga takes for an empty one.
struct Parameters(Option<Value>);

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParametersVisitor)
    }
}

struct ParametersVisitor;

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = Parameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object in which no key stands twice")
    }

    fn visit_unit<E: Error>(self) -> Result<Parameters, E> {
        Ok(Parameters(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Parameters, A::Error> {
        let mut types = None;
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key == "types" {
                types = Some(entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
            if !keys.insert(key) || keys.len() > MOST_KEYS {
                return Err(A::Error::custom(
                    "a key stands twice, or there are too many",
                ));
            }
        }
        Ok(Parameters(types))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(body: &str) -> Result<Vec<String>, BadRequest> {
        let texts = |types: EventTypes| {
            types
                .iter()
                .map(|one| String::from_utf8_lossy(one).into_owned())
                .collect()
        };
        EventTypes::from_body(body.as_bytes()).map(texts)
    }

    #[test]
    fn a_body_lists_types_as_texts_in_a_list() {
        let two = Ok(vec!["CheckResult".to_owned(), "a".to_owned()]);
        assert_eq!(listed(r#"{"types":["CheckResult","a"],"queue":"x"}"#), two);
        assert_eq!(
            listed(r#" {"filter":{"types":["b"]},"\u0074ypes":["CheckResult","\u0061"]} "#),
            two
        );
        assert_eq!(listed(r#"{"types":[]}"#), Ok(vec![]));
        assert_eq!(
            listed(r#"{"types":["a\u0000b"]}"#),
            Ok(vec!["a\0b".to_owned()])
        );
        for body in ["", "null", "{}", r#"{"types":null}"#, r#"{"Types":["a"]}"#] {
            assert_eq!(listed(body), Err(BadRequest::NoTypes), "{body}");
        }
        for body in [
            r#"{"types":"a"}"#,
            r#"{"types":{}}"#,
            r#"{"types":["a",1]}"#,
            r#"{"types":[["a"]]}"#,
        ] {
            assert_eq!(listed(body), Err(BadRequest::TypesNotAList), "{body}");
        }
    }

    #[test]
    fn a_body_that_others_could_read_otherwise_is_refused() {
        for body in [
            "[]",
            "{",
            "1",
            r#""types""#,
            r#"{"types":["a"]} x"#,
            r#"{"types":["a"],"types":["a"]}"#,
            r#"{"types":["a"],"\u0074ypes":["b"]}"#,
            r#"{"a":1,"a":1,"types":["a"]}"#,
            r#"{"types":["\ud800"]}"#,
            r#"{"types":["a"],}"#,
            r#"{types:["a"]}"#,
            r#"{"types":["a"]}{}"#,
            " ",
            "\u{feff}{\"types\":[\"a\"]}",
        ] {
            assert_eq!(listed(body), Err(BadRequest::Body), "{body}");
        }
        assert_eq!(
            EventTypes::from_body(b"{\"types\":[\"a\"],\"b\":\"\xff\"}"),
            Err(BadRequest::Body)
        );
        let keys = |count: usize| {
            let others: String = (1..count).map(|at| format!("\"k{at}\":1,")).collect();
            format!("{{{others}\"types\":[\"a\"]}}")
        };
        assert!(listed(&keys(MOST_KEYS)).is_ok());
        assert_eq!(listed(&keys(MOST_KEYS + 1)), Err(BadRequest::Body));
        let deep = format!(
            "{{\"types\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(listed(&deep), Err(BadRequest::Body));
    }

    proptest! {
        #[test]
        fn what_is_listed_is_what_a_json_reader_sees(types in proptest::collection::vec("\\PC{0,8}", 0..5), other in "\\PC{0,8}") {
            let body = serde_json::json!({ "x": { "types": [other] }, "types": types }).to_string();
            prop_assert_eq!(listed(&body), Ok(types));
        }
    }
}
