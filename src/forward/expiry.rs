//! The response field that tells a client when its certificate expires: its configured name and its
//! value. Does not decide when it is sent.

use super::fields::{ResponseKind, response_kind};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// A name for the expiry field, in lower case. No other response field has this meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryFieldName(Arc<str>);

/// Errors of a name for the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExpiryFieldName {
    /// Not a token (RFC 9110 section 5.1).
    #[error("it is no name of a header field")]
    NoName,
    /// The name has another meaning. Removing an upstream's field of this name would affect clients
    /// or caches.
    #[error("answers have a field of this name already, with another meaning")]
    HasMeaning,
}

/// Names that have a meaning in responses.
const MEANINGFUL: [&str; 25] = [
    "accept-ranges",
    "age",
    "allow",
    "alt-svc",
    "authentication-info",
    "cache-control",
    "clear-site-data",
    "date",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "pragma",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "vary",
    "warning",
    "www-authenticate",
    "x-frame-options",
];
/// Prefixes of names that have a meaning in responses.
const MEANINGFUL_FAMILIES: [&str; 4] = ["access-control-", "content-", "cross-origin-", "sec-"];

impl ExpiryFieldName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`BadExpiryFieldName`]
    pub fn parse(text: &str) -> Result<Self, BadExpiryFieldName> {
        let name = http::HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| BadExpiryFieldName::NoName)?;
        let name = name.as_str();
        let has_meaning = response_kind(name) != ResponseKind::EndToEnd
            || MEANINGFUL.contains(&name)
            || MEANINGFUL_FAMILIES
                .iter()
                .any(|family| name.starts_with(family));
        if has_meaning {
            Err(BadExpiryFieldName::HasMeaning)
        } else {
            Ok(Self(name.into()))
        }
    }

    /// Whether a client may read `name` as this name: in any case, and with `_` for `-`.
    fn is(&self, name: &str) -> bool {
        let matches = |ours: u8, theirs: u8| {
            ours == theirs.to_ascii_lowercase() || ours == b'-' && theirs == b'_'
        };
        name.len() == self.0.len()
            && self
                .0
                .bytes()
                .zip(name.bytes())
                .all(|(ours, theirs)| matches(ours, theirs))
    }
}

/// The field on one connection. Upstreams cannot send a field of this name, even while it has no
/// value.
#[derive(Clone, Debug)]
pub struct ExpiryField {
    name: ExpiryFieldName,
    value: Option<Box<str>>,
}

impl ExpiryField {
    /// A field without a value.
    pub fn silent(name: &ExpiryFieldName) -> Self {
        Self {
            name: name.clone(),
            value: None,
        }
    }

    /// A field with the last second of validity as an HTTP date (RFC 9110 section 5.6.7).
    /// `not_after` is in seconds since 1970.
    pub fn saying(name: &ExpiryFieldName, not_after: i64) -> Self {
        // An HTTP date has a year of four digits.
        const LAST: u64 = 253_402_300_799;
        let seconds = u64::try_from(not_after)
            .ok()
            .filter(|seconds| *seconds <= LAST);
        let value = seconds.map(|seconds| {
            httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)).into()
        });
        Self {
            name: name.clone(),
            value,
        }
    }

    /// Whether the name is reserved for the gateway.
    pub(super) fn owns(&self, name: &str) -> bool {
        self.name.is(name)
    }

    /// Name and value, if there is a value.
    pub(super) fn field(&self) -> Option<(&str, &str)> {
        Some((&self.name.0, self.value.as_deref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_its_own_is_taken_and_one_with_a_meaning_is_not() {
        for good in [
            "Client-Cert-Expires",
            "x-certificate-expiry",
            "portcullis-expires",
        ] {
            assert_eq!(
                ExpiryFieldName::parse(good).map(|name| name.0.to_string()),
                Ok(good.to_ascii_lowercase())
            );
        }
        for bad in ["", "a b", "a:", "a\r\nb", "\u{e9}"] {
            assert_eq!(
                ExpiryFieldName::parse(bad),
                Err(BadExpiryFieldName::NoName),
                "{bad}"
            );
        }
        for bad in [
            "Expires",
            "date",
            "Content-Type",
            "Via",
            "connection",
            "X-Request-Id",
            "Set-Cookie",
            "keep-alive",
        ] {
            assert_eq!(
                ExpiryFieldName::parse(bad),
                Err(BadExpiryFieldName::HasMeaning),
                "{bad}"
            );
        }
    }

    #[test]
    fn it_owns_its_name_in_every_spelling() {
        let name = ExpiryFieldName::parse("Client-Cert-Expires").unwrap();
        let field = ExpiryField::silent(&name);
        for ours in [
            "client-cert-expires",
            "Client-Cert-EXPIRES",
            "client_cert_expires",
        ] {
            assert!(field.owns(ours), "{ours}");
        }
        for other in [
            "client-cert-expire",
            "client-cert-expires-",
            "clientxcert-expires",
        ] {
            assert!(!field.owns(other), "{other}");
        }
        assert_eq!(field.field(), None);
    }

    #[test]
    fn the_value_is_an_http_date_or_nothing() {
        let name = ExpiryFieldName::parse("x-expires").unwrap();
        let value = |at| {
            ExpiryField::saying(&name, at)
                .field()
                .map(|(_, value)| value.to_owned())
        };
        assert_eq!(
            value(784_111_777).as_deref(),
            Some("Sun, 06 Nov 1994 08:49:37 GMT")
        );
        assert_eq!(
            value(253_402_300_799).as_deref(),
            Some("Fri, 31 Dec 9999 23:59:59 GMT")
        );
        assert_eq!((value(253_402_300_800), value(-1)), (None, None));
    }
}
