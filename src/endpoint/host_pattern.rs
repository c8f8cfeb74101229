//! Patterns of endpoint hosts: labels, of which `*` stands for exactly one.

use std::cmp::Ordering;
use std::net::IpAddr;

/// A pattern of endpoint hosts, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointHostPattern(Box<str>);

/// Why a pattern matches no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointHostPatternError {
    /// It has a scheme, a port, a path or other characters that no host has.
    #[error("it is not a host name or an IP address")]
    NotAHost,
    /// A label has a `*` beside other characters.
    #[error("a `*` stands for a whole label")]
    PartOfLabel,
    /// A label or the name is empty or too long.
    #[error("a label has 1 to 63 characters, and a name at most 253")]
    Length,
    /// An IP address has a `*`.
    #[error("an IP address has no `*`")]
    Address,
}

impl EndpointHostPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`EndpointHostPatternError`] for a pattern that matches no host.
    pub fn parse(text: &str) -> Result<Self, EndpointHostPatternError> {
        use EndpointHostPatternError as Error;
        let text = normal(text);
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self(text.into()));
        }
        let is_allowed = |letter: char| {
            letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '*')
        };
        if !text.chars().all(is_allowed) {
            return Err(Error::NotAHost);
        }
        let mut labels = text.split('.');
        if labels.clone().any(|label| !(1..=63).contains(&label.len())) || text.len() > 253 {
            return Err(Error::Length);
        }
        if labels.any(|label| label.contains('*') && label != "*") {
            return Err(Error::PartOfLabel);
        }
        // A host with a number as its last label is an address (WHATWG URL section 3.5), and this is none.
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        let mut literals = text.rsplit('.').filter(|label| *label != "*").peekable();
        let ends_in_number = text.rsplit('.').next().is_some_and(is_number);
        let is_like_address = literals.peek().is_some() && literals.all(is_number);
        match (ends_in_number || is_like_address, text.contains('*')) {
            (true, true) => Err(Error::Address),
            (true, false) => Err(Error::NotAHost),
            (false, _) => Ok(Self(text.into())),
        }
    }

    /// Whether the pattern matches the host of an endpoint, without brackets.
    pub fn matches(&self, host: &str) -> bool {
        let host = normal(host);
        if host.parse::<IpAddr>().is_ok() {
            return self.0.parse() == host.parse::<IpAddr>();
        }
        let mut labels = host.split('.');
        self.0.split('.').all(|label| {
            labels
                .next()
                .is_some_and(|other| label == "*" || label == other)
        }) && labels.next().is_none()
    }

    /// Compares two patterns that match the same host: the more specific one is greater. More literal labels are more specific;
    /// of as many, the pattern with the first literal label from the right where the other one has `*`.
    pub fn specificity(&self, other: &Self) -> Ordering {
        let literals = |pattern: &Self| pattern.0.split('.').filter(|label| *label != "*").count();
        let from_right = |pattern: &Self| {
            pattern
                .0
                .rsplit('.')
                .map(|label| label != "*")
                .collect::<Vec<_>>()
        };
        literals(self)
            .cmp(&literals(other))
            .then_with(|| from_right(self).cmp(&from_right(other)))
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower case, without the dot that marks a name as fully qualified.
fn normal(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use EndpointHostPatternError as Error;
    use proptest::prelude::*;

    fn pattern(text: &str) -> EndpointHostPattern {
        EndpointHostPattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_star_is_exactly_one_label() {
        for (text, good, bad) in [
            (
                "api.acme.com",
                &["api.acme.com", "API.acme.com."][..],
                &["acme.com", "x.api.acme.com"][..],
            ),
            (
                "*.acme.com",
                &["api.acme.com", "a-b.ACME.com"],
                &["acme.com", "x.api.acme.com", "api.acme.org"],
            ),
            (
                "api.*.acme.com",
                &["api.eu.acme.com"],
                &["api.acme.com", "api.eu.west.acme.com"],
            ),
            ("*.*.acme.com", &["a.b.acme.com"], &["a.acme.com"]),
            ("*", &["localhost"], &["a.b", "127.0.0.1", "::1"]),
            ("*.*.*.com", &["a.b.c.com"], &["1.2.3.4"]),
            ("10.0.0.5", &["10.0.0.5"], &["10.0.0.6"]),
            ("::1", &["::1", "0:0:0:0:0:0:0:1"], &["::2", "localhost"]),
        ] {
            for host in good {
                assert!(pattern(text).matches(host), "{text} {host}");
            }
            for host in bad {
                assert!(!pattern(text).matches(host), "{text} {host}");
            }
        }
    }

    #[test]
    fn a_pattern_that_matches_no_host_is_an_error() {
        for (text, error) in [
            ("", Error::Length),
            (".", Error::Length),
            ("a..b", Error::Length),
            ("https://a.b", Error::NotAHost),
            ("a.b:443", Error::NotAHost),
            ("[::1]", Error::NotAHost),
            ("a b", Error::NotAHost),
            ("münchen.de", Error::NotAHost),
            ("api*.acme.com", Error::PartOfLabel),
            ("**.acme.com", Error::PartOfLabel),
            ("10.0.0.*", Error::Address),
            ("10.0.*.5", Error::Address),
            ("10.0.0.300", Error::NotAHost),
        ] {
            assert_eq!(EndpointHostPattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_most_specific_pattern_is_the_greatest() {
        let ordered = ["*.*.*", "*.*.com", "a.*.com", "*.b.com", "a.b.com"];
        for pair in ordered.windows(2) {
            let [less, more] = [pattern(pair[0]), pattern(pair[1])];
            assert_eq!(less.specificity(&more), Ordering::Less, "{pair:?}");
            assert_eq!(more.specificity(&less), Ordering::Greater, "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn of_two_different_patterns_for_a_host_one_is_more_specific(
            labels in proptest::collection::vec("[a-c]", 1..5),
            stars in proptest::collection::vec(any::<(bool, bool)>(), 5),
        ) {
            let made = |second: bool| {
                let labels = labels.iter().zip(&stars).map(|(label, (one, two))| {
                    if if second { *two } else { *one } { "*" } else { label.as_str() }
                });
                pattern(&labels.collect::<Vec<_>>().join("."))
            };
            let [one, two] = [made(false), made(true)];
            let host = labels.join(".");
            prop_assert!(one.matches(&host) && two.matches(&host));
            prop_assert_eq!(one.specificity(&two) == Ordering::Equal, one == two);
        }
    }
}
