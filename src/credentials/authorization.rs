//! Parses the `Authorization` field strictly: one field, one scheme, no ambiguity. Verifies neither password nor token.

use super::CredentialRule;
use crate::config::CredentialKind;
use crate::head::Fields;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Longest accepted `Basic` value, in characters of Base64.
const LONGEST_BASIC: usize = 2048;
/// Longest accepted token, in bytes.
const LONGEST_TOKEN: usize = 8192;

/// The credential in `Authorization`, of a kind that the route accepts.
#[derive(Debug)]
pub enum PresentedCredential {
    /// No field, or a scheme that the route does not accept. Such a field is forwarded to the upstream unchanged.
    Nothing,
    /// Several fields, or a malformed one. Another parser might read an accepted scheme from it, so it is never forwarded to
    /// an upstream.
    Malformed,
    /// User and password (RFC 7617).
    Password(BasicCredentials),
    /// A bearer token (RFC 6750), not yet parsed.
    Token(Box<str>),
}

/// A user name and a password. The password is zeroized on drop, and never printed.
pub struct BasicCredentials {
    /// The claimed user name.
    pub user: Box<str>,
    /// The password; may be empty.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicCredentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl PresentedCredential {
    /// The credential in these fields, for a route with this rule.
    pub fn of<F: Fields + ?Sized>(fields: &F, rule: CredentialRule) -> Self {
        let value = match fields.only("authorization") {
            Ok(Some(value)) => value,
            Ok(None) => return Self::Nothing,
            Err(_) => return Self::Malformed,
        };
        let Ok(value) = std::str::from_utf8(value) else {
            return Self::Malformed;
        };
        let schemes = [
            ("basic", CredentialKind::Password),
            ("bearer", CredentialKind::Token),
        ];
        let mut accepted = schemes
            .into_iter()
            .filter(|(_, kind)| rule.accepts(*kind))
            .peekable();
        if accepted.peek().is_none() {
            return Self::Nothing;
        }
        let Some((scheme, rest)) = split_scheme(value) else {
            return Self::Malformed;
        };
        // Some parsers compare only the first letters, and read `Basic.YTpi` as Basic.
        match accepted.find(|(name, _)| begins_with(scheme, name)) {
            None => Self::Nothing,
            Some((name, _)) if name.len() != scheme.len() => Self::Malformed,
            Some((_, CredentialKind::Token)) => read_token(rest),
            Some(_) => BasicCredentials::read(rest).map_or(Self::Malformed, Self::Password),
        }
    }
}

/// The scheme and the text after the space (RFC 9110 section 11.4). `None` if the value does not begin with a token that
/// ends at a space.
fn split_scheme(value: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    (!scheme.is_empty() && scheme.bytes().all(is_tchar)).then_some((scheme, rest))
}

/// Whether a byte is a `tchar` (RFC 9110 section 5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a scheme begins with a name, ignoring case.
fn begins_with(scheme: &str, name: &str) -> bool {
    scheme
        .get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn read_token(text: &str) -> PresentedCredential {
    let is_token = !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(is_jwt_byte);
    if is_token {
        PresentedCredential::Token(text.into())
    } else {
        PresentedCredential::Malformed
    }
}

/// Whether a byte can occur in a JWT: base64url and dots.
fn is_jwt_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

impl BasicCredentials {
    /// Parses the value after `Basic `. The first colon ends the user name, so user names contain no colon.
    fn read(encoded: &str) -> Option<Self> {
        if encoded.len() > LONGEST_BASIC {
            return None;
        }
        let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        let text = std::str::from_utf8(&bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        if user.is_empty() || text.chars().any(char::is_control) {
            return None;
        }
        Some(Self {
            user: user.into(),
            password: Zeroizing::new(password.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CredentialsRequired;
    use proptest::prelude::*;

    fn shown(values: &[&str]) -> PresentedCredential {
        let rule = CredentialRule::new(
            [CredentialKind::Password, CredentialKind::Token],
            CredentialsRequired::Any,
        );
        let fields: Vec<(&str, &[u8])> = values
            .iter()
            .map(|value| ("Authorization", value.as_bytes()))
            .collect();
        PresentedCredential::of(fields.as_slice(), rule.unwrap())
    }

    #[test]
    fn only_one_unambiguous_field_is_accepted() {
        for bad in [
            &["Basic YTpi", "Basic YTpi"][..],
            &["Basic"],
            &["Basic "],
            &["Basic  YTpi"],
            &["Basic YTpi="],
            &["Basic YTpj\tx"],
            &["Basic YTo"],
            &["Basic YQ=="],
            &["Basic OmI="],
            &["Basic YTpiAA=="],
            &["Basic YTr/"],
            &["Bearer"],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Basic\tYTpi"],
            &["Basic,"],
            &["Basic,YTpi"],
            &["Basic=YTpi"],
            &["bAsIc.YTpi"],
            &["Basic\u{a0}YTpi"],
            &["BasicYTpi"],
            &["\"Basic\" YTpi"],
            &["bearer\ta.b.c"],
            &["Bearer:a.b.c"],
            &[""],
            &[" Basic YTpi"],
            &[",Basic YTpi"],
            &["Negotiate,abc"],
        ] {
            assert!(
                matches!(shown(bad), PresentedCredential::Malformed),
                "{bad:?}"
            );
        }
        assert!(matches!(shown(&[]), PresentedCredential::Nothing));
        for other in [
            "Negotiate abc",
            "Negotiate",
            "Digest username=\"a\", realm=\"b\"",
            "Bas YTpi",
        ] {
            assert!(
                matches!(shown(&[other]), PresentedCredential::Nothing),
                "{other}"
            );
        }
        assert!(
            matches!(shown(&["bearer a.b-c_D"]), PresentedCredential::Token(token) if &*token == "a.b-c_D")
        );
        let PresentedCredential::Password(read) = shown(&["bAsIc YTpiOmM="]) else {
            panic!("credentials")
        };
        assert_eq!((&*read.user, read.password.as_str()), ("a", "b:c"));
        assert!(!format!("{read:?}").contains("b:c"));
    }

    #[test]
    fn a_scheme_that_the_route_does_not_accept_is_ignored() {
        let fields: &[(&str, &[u8])] = &[("authorization", b"Basic !")];
        assert!(matches!(
            PresentedCredential::of(fields, CredentialRule::default()),
            PresentedCredential::Nothing
        ));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(user in "[^:\\pC]{1,20}", password in "[^\\pC]{0,20}") {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            let PresentedCredential::Password(read) = shown(&[&value]) else { panic!("credentials") };
            prop_assert_eq!((&*read.user, read.password.as_str()), (&*user, &*password));
        }

        #[test]
        fn nothing_makes_it_stumble(value in "(Basic|Bearer|) ?[ -~]{0,40}") {
            let _ = shown(&[&value]);
        }
    }
}
