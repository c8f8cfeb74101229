//! Host names: parsing a Host field, names with a leading `*.`, and lookup tables by host name.

use std::borrow::Cow;
use std::collections::HashMap;

/// The host of a request: lower case, without port. Borrowed if the request has it in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName<'a>(Cow<'a, str>);

impl<'a> HostName<'a> {
    /// Parses `host[:port]` as in a Host field or `:authority`. `None` if it is neither name nor address.
    pub fn parse_authority(text: &'a str) -> Option<Self> {
        let host = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                address.parse::<std::net::Ipv6Addr>().ok()?;
                valid_port(port.strip_prefix(':').or(port.is_empty().then_some("0"))?)?;
                let bracketed = text.strip_suffix(port).unwrap_or(text);
                return Some(Self::lower_case(
                    bracketed,
                    bracketed.bytes().any(|byte| byte.is_ascii_uppercase()),
                ));
            }
            None => match text.split_once(':') {
                Some((host, port)) => {
                    valid_port(port)?;
                    host
                }
                None => text,
            },
        };
        Self::parse(host)
    }

    /// Parses a bare name, as in SNI.
    pub fn parse(host: &'a str) -> Option<Self> {
        // A trailing dot only marks the name as fully qualified.
        let host = host.strip_suffix('.').unwrap_or(host);
        let mut label = 0;
        let mut has_capitals = false;
        for byte in host.bytes() {
            has_capitals |= byte.is_ascii_uppercase();
            match byte {
                b'.' if label > 0 => label = 0,
                b'-' | b'_' => label += 1,
                _ if byte.is_ascii_alphanumeric() => label += 1,
                _ => return None,
            }
            if label > 63 {
                return None;
            }
        }
        (label > 0 && host.len() <= 253).then(|| Self::lower_case(host, has_capitals))
    }

    fn lower_case(host: &'a str, has_capitals: bool) -> Self {
        Self(if has_capitals {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        })
    }

    /// The same name, owned.
    pub fn into_owned(self) -> HostName<'static> {
        HostName(Cow::Owned(self.0.into_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn valid_port(port: &str) -> Option<()> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (digits && port.parse::<u16>().is_ok()).then_some(())
}

/// A host name of the config.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(String),
    /// `*.rest`: exactly one label before `rest`, as in certificates.
    Wildcard(String),
}

impl HostPattern {
    /// Parses a name, or `*.name`. `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(rest) => HostName::parse(rest).map(|name| Self::Wildcard(name.0.into_owned())),
            None => HostName::parse(text).map(|name| Self::Exact(name.0.into_owned())),
        }
    }
}

/// A table by host name: exact names take precedence over wildcards, wildcards over the default.
#[derive(Clone, Debug)]
pub struct HostTable<T> {
    exact: NameMap<T>,
    wildcard: NameMap<T>,
    default: Option<T>,
}

/// The keys come from the config alone, so a client cannot cause hash collisions.
type NameMap<T> = HashMap<String, T, foldhash::fast::RandomState>;

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::default(),
            wildcard: HashMap::default(),
            default: None,
        }
    }
}

impl<T> HostTable<T> {
    /// Adds an entry; `None` is the default.
    ///
    /// # Errors
    /// Returns the value if the pattern has an entry already.
    pub fn insert(&mut self, pattern: Option<&HostPattern>, value: T) -> Result<(), T> {
        use std::collections::hash_map::Entry;
        let (map, name) = match pattern {
            Some(HostPattern::Exact(name)) => (&mut self.exact, name),
            Some(HostPattern::Wildcard(rest)) => (&mut self.wildcard, rest),
            None if self.default.is_some() => return Err(value),
            None => {
                self.default = Some(value);
                return Ok(());
            }
        };
        match map.entry(name.clone()) {
            Entry::Occupied(_) => Err(value),
            Entry::Vacant(vacant) => {
                vacant.insert(value);
                Ok(())
            }
        }
    }

    /// The entry for exactly this pattern.
    pub fn get_mut(&mut self, pattern: Option<&HostPattern>) -> Option<&mut T> {
        match pattern {
            Some(HostPattern::Exact(name)) => self.exact.get_mut(name),
            Some(HostPattern::Wildcard(rest)) => self.wildcard.get_mut(rest),
            None => self.default.as_mut(),
        }
    }

    /// Whether a name that the pattern matches has an entry.
    pub fn could_serve(&self, pattern: &HostPattern) -> bool {
        let served_by_wildcard = |name: &str| {
            name.split_once('.')
                .is_some_and(|(_, rest)| self.wildcard.contains_key(rest))
        };
        self.default.is_some()
            || match pattern {
                HostPattern::Exact(name) => {
                    self.exact.contains_key(name) || served_by_wildcard(name)
                }
                HostPattern::Wildcard(rest) => {
                    let below = |name: &String| {
                        name.split_once('.')
                            .is_some_and(|(_, parent)| parent == rest)
                    };
                    self.wildcard.contains_key(rest) || self.exact.keys().any(below)
                }
            }
    }

    /// Maps the values, keeping the names.
    ///
    /// # Errors
    /// The first error of `value`.
    pub fn try_map<U, E>(
        &self,
        mut value: impl FnMut(&T) -> Result<U, E>,
    ) -> Result<HostTable<U>, E> {
        let mut mapped = HostTable::default();
        for (name, old) in &self.exact {
            mapped.exact.insert(name.clone(), value(old)?);
        }
        for (rest, old) in &self.wildcard {
            mapped.wildcard.insert(rest.clone(), value(old)?);
        }
        mapped.default = self.default.as_ref().map(value).transpose()?;
        Ok(mapped)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.exact
            .values()
            .chain(self.wildcard.values())
            .chain(self.default.as_ref())
    }

    /// Names with an entry of their own; for a wildcard, a name that it matches.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.exact
            .keys()
            .cloned()
            .chain(self.wildcard.keys().map(|rest| format!("any.{rest}")))
    }

    /// The entries that match a name, most specific first.
    pub fn covering(&self, name: Option<&HostName<'_>>) -> impl Iterator<Item = &T> {
        let exact = name.and_then(|name| self.exact.get(name.as_str()));
        let wildcard = name
            .and_then(|name| name.as_str().split_once('.'))
            .and_then(|(_, rest)| self.wildcard.get(rest));
        exact
            .into_iter()
            .chain(wildcard)
            .chain(self.default.as_ref())
    }

    /// The most specific entry that matches a name.
    pub fn find(&self, name: Option<&HostName<'_>>) -> Option<&T> {
        self.covering(name).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules for a name, one after the other.
    fn parse_by_labels(host: &str) -> Option<String> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let valid = !host.is_empty()
            && host.len() <= 253
            && host
                .split('.')
                .all(|label| !label.is_empty() && label.len() <= 63)
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        valid.then(|| host.to_ascii_lowercase())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn one_pass_agrees_with_the_rules(host in "([a-cX0_.-]{0,12}|[a.]{0,4}\\PC[a.]{0,2}|(a{1,3}|[b-d]{62,64})(\\.([e-h]{60,64}|i)){0,4}\\.?)") {
            let name = HostName::parse(&host);
            prop_assert_eq!(name.as_ref().map(|name| name.as_str().to_owned()), parse_by_labels(&host));
            if let Some(name) = name {
                prop_assert_eq!(matches!(name.0, Cow::Borrowed(_)), !host.bytes().any(|byte| byte.is_ascii_uppercase()));
            }
        }
    }

    #[test]
    fn authorities_lose_port_case_and_final_dot() {
        for (text, expected) in [
            ("Api.Example.org:8443", "api.example.org"),
            ("api.example.org.", "api.example.org"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:443", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(HostName::parse_authority(text).unwrap().as_str(), expected);
        }
        for text in [
            "",
            "a b",
            "user@host",
            "host:",
            "host:99999",
            "host:8a",
            "a..b",
            "[::1",
            "[x]",
            "[::1]x",
            "a/b",
            "é",
        ] {
            assert_eq!(HostName::parse_authority(text), None, "{text}");
        }
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        let mut table = HostTable::default();
        table
            .insert(HostPattern::parse("*.example.org").as_ref(), "wildcard")
            .unwrap();
        table
            .insert(HostPattern::parse("api.example.org").as_ref(), "exact")
            .unwrap();
        let find = |name: &str| table.find(HostName::parse(name).as_ref()).copied();
        assert_eq!(find("api.example.org"), Some("exact"));
        assert_eq!(find("www.example.org"), Some("wildcard"));
        assert_eq!(find("a.b.example.org"), None);
        assert_eq!(find("example.org"), None);
        assert_eq!(table.find(None), None);
    }
}
