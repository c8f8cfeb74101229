//! Reads the event types that a request body lists. Reads no other key and no query.

use super::BadRequest;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;

/// Maximum number of event types. Icinga has 15.
pub(super) const MOST_TYPES: usize = 64;

/// Maximum bytes of an event type. Icinga's longest has 22.
pub(super) const LONGEST_TYPE: usize = 1024;

/// Event types as bytes, in the order of a request. Icinga compares them as strings that end at a
/// NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTypes(Vec<Box<[u8]>>);

impl EventTypes {
    /// Parses the body of a subscription: a JSON object, or empty. Repeated keys are rejected,
    /// since other parsers than Icinga take the first. In `types`, numbers and other values that
    /// Icinga converts to strings are rejected.
    ///
    /// # Errors
    /// [`BadRequest`] for a body that is not such an object, or has no `types`.
    pub fn from_body(body: &[u8]) -> Result<Self, BadRequest> {
        if body.is_empty() {
            return Err(BadRequest::NoTypes);
        }
        // The JSON parser does not check skipped values in full. Other parsers could end an invalid
        // UTF-8 string elsewhere.
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
        for value in list {
            let Value::String(event_type) = value else {
                return Err(BadRequest::TypesNotAList);
            };
            types.push(event_type.into_bytes())?;
        }
        Ok(types)
    }

    pub(super) fn push(&mut self, event_type: Vec<u8>) -> Result<(), BadRequest> {
        if self.0.len() >= MOST_TYPES || event_type.len() > LONGEST_TYPE {
            return Err(BadRequest::TooManyTypes);
        }
        self.0.push(event_type.into());
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// Maximum number of keys. A subscription has about five.
const MOST_KEYS: usize = 256;

/// The value of `types` in a JSON object. `null` is an empty object, as in Icinga.
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
    fn a_body_that_others_could_read_otherwise_is_rejected() {
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
