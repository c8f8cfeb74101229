//! Validates common names and DNS names for certificates.

use std::fmt;
use std::str::FromStr;

use super::PkiError;

/// RFC 5280, appendix A.1: `ub-common-name`.
const LONGEST_COMMON_NAME: usize = 64;

/// Rejects a common name that other programs would interpret differently or truncate.
pub(super) fn check_common_name(name: &str) -> Result<(), PkiError> {
    let problem = if name.is_empty() {
        "it is empty"
    } else if name.chars().any(char::is_control) {
        // Icinga 2 compared C strings: `admin\0.evil` was `admin` there.
        "it has control characters"
    } else if name.chars().count() > LONGEST_COMMON_NAME {
        "it is longer than 64 characters"
    } else {
        return Ok(());
    };
    Err(PkiError::CommonName {
        name: quoted(name),
        problem,
    })
}

/// A name escaped for the terminal, since a request may hold escape sequences.
pub(super) fn quoted(name: &str) -> String {
    format!("{name:?}")
}

/// A DNS name for a certificate, in lower case; its first label may be `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsName(String);

impl DnsName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the first label is `*`.
    pub(super) fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for DnsName {
    type Err = PkiError;

    /// Parses a host name (RFC 1123), without a final dot. Fails with [`PkiError::DnsName`].
    fn from_str(text: &str) -> Result<Self, PkiError> {
        match dns_problem(text) {
            Some(problem) => Err(PkiError::DnsName {
                name: quoted(text),
                problem,
            }),
            None => Ok(Self(text.to_ascii_lowercase())),
        }
    }
}

fn dns_problem(text: &str) -> Option<&'static str> {
    let labels = text.strip_prefix("*.").unwrap_or(text);
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > 253 {
        Some("it is longer than 253 characters")
    } else if text.parse::<std::net::IpAddr>().is_ok() {
        Some("it is an address: give it as --ip")
    } else if !labels.split('.').all(is_label) {
        Some(
            "its labels must be 1 to 63 letters, digits or inner hyphens (and `*` alone in the first)",
        )
    } else if labels
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
    {
        // Some programs parse such a name as an address (`127.1`).
        Some("its last label must not be a number")
    } else {
        None
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_and_wildcards_are_dns_names() {
        for name in [
            "localhost",
            "my-api-client",
            "api.example.org",
            "*.example.org",
            "4.example",
            "xn--bcher-kva.de",
        ] {
            assert!(name.parse::<DnsName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn other_texts_are_not_dns_names() {
        for name in [
            "", "*", "*.", "a b", "a..b", "a.", "-a", "a-", "a_b", "10.0.0.1", "127.1", "::1",
            "ä.de", "a.*.b",
        ] {
            assert!(name.parse::<DnsName>().is_err(), "{name}");
        }
        assert!(
            format!("{}.org", "a".repeat(64))
                .parse::<DnsName>()
                .is_err()
        );
        assert!(["a"; 128].join(".").parse::<DnsName>().is_err());
    }

    #[test]
    fn a_common_name_is_counted_in_characters_not_bytes() {
        assert!(check_common_name(&"ä".repeat(64)).is_ok());
        assert!(check_common_name(&"a".repeat(65)).is_err());
        assert!(check_common_name("").is_err());
        assert!(check_common_name("admin\0.evil").is_err());
    }
}
