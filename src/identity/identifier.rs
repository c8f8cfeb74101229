//! Identifiers of ApiUsers: one value of one kind, in the normalized form that certificates are compared with.

use crate::tls::{CommonName, CommonNameError, NameError, PeerCertificate, dns_name, email, uri};
use base64::Engine;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, GeneralPurpose};

/// The kind of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// The one common name.
    CommonName,
    /// A DNS name among the subject alternative names.
    Dns,
    /// A URI among the subject alternative names, such as a SPIFFE ID.
    Uri,
    /// An e-mail address among the subject alternative names.
    Email,
    /// The SHA-256 of the certificate.
    Fingerprint,
    /// The SHA-256 of its key.
    Spki,
}

impl IdentityKind {
    /// The word of the kind in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::CommonName => "cn",
            Self::Dns => "dns",
            Self::Uri => "uri",
            Self::Email => "email",
            Self::Fingerprint => "fingerprint",
            Self::Spki => "spki",
        }
    }

    /// The key of an `api_user` with such values.
    pub fn key(self) -> &'static str {
        match self {
            Self::CommonName => "client_cn",
            Self::Dns => "client_dns",
            Self::Uri => "client_uri",
            Self::Email => "client_email",
            Self::Fingerprint => "client_fingerprint",
            Self::Spki => "client_spki",
        }
    }
}

/// A value that is compared with certificates byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identifier {
    kind: IdentityKind,
    value: Box<str>,
}

/// The reason why a text is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Not a common name.
    #[error(transparent)]
    CommonName(#[from] CommonNameError),
    /// Not a name of another kind.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not a SHA-256 in hexadecimal.
    #[error(
        "it is not a SHA-256 in hexadecimal: 64 digits, with or without colons between the bytes"
    )]
    NotAFingerprint,
    /// The length is that of a SHA-1.
    #[error("it is a SHA-1, which can be forged; the SHA-256 is needed")]
    Sha1,
    /// Not a SHA-256 in any form.
    #[error("it is not a SHA-256: 64 hexadecimal digits, or `sha256:` and base64")]
    NotAPin,
}

impl Identifier {
    /// Parses a value from the config.
    ///
    /// # Errors
    /// [`IdentifierError`] if no certificate can have the value.
    pub fn parse(kind: IdentityKind, text: &str) -> Result<Self, IdentifierError> {
        let value = match kind {
            IdentityKind::CommonName => CommonName::new(text)?.as_str().into(),
            IdentityKind::Dns => dns_name(text)?,
            IdentityKind::Uri => uri(text)?,
            IdentityKind::Email => email(text)?,
            IdentityKind::Fingerprint => fingerprint(text)?,
            IdentityKind::Spki => pin(text)?,
        };
        Ok(Self { kind, value })
    }

    /// All identifiers of a certificate.
    pub(super) fn of(peer: &PeerCertificate) -> impl Iterator<Item = Self> {
        let all = |kind, values| std::iter::repeat(kind).zip(values);
        let texts = |values: &'_ [Box<str>]| values.to_vec();
        let common_name = peer
            .common_name
            .iter()
            .map(|name| name.as_str().into())
            .collect();
        all(IdentityKind::CommonName, common_name)
            .chain(all(IdentityKind::Dns, texts(&peer.dns_names)))
            .chain(all(IdentityKind::Uri, texts(&peer.uris)))
            .chain(all(IdentityKind::Email, texts(&peer.emails)))
            .chain(all(
                IdentityKind::Fingerprint,
                vec![peer.fingerprint.as_str().into()],
            ))
            .chain(all(IdentityKind::Spki, vec![peer.spki.as_str().into()]))
            .map(|(kind, value)| Self { kind, value })
    }

    /// The kind.
    pub fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// The normalized value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value, if it is a name and not a digest.
    pub(super) fn name(&self) -> Option<&str> {
        (!matches!(self.kind, IdentityKind::Fingerprint | IdentityKind::Spki))
            .then_some(&self.value)
    }
}

/// Length of a SHA-256 in bytes.
const SHA256_BYTES: usize = 32;
/// Length of a SHA-1 in bytes.
const SHA1_BYTES: usize = 20;

fn fingerprint(text: &str) -> Result<Box<str>, IdentifierError> {
    match hexadecimal(text) {
        Some(digits) if digits.len() == 2 * SHA256_BYTES => Ok(digits.into()),
        Some(digits) if digits.len() == 2 * SHA1_BYTES => Err(IdentifierError::Sha1),
        _ => Err(IdentifierError::NotAFingerprint),
    }
}

/// Normalizes hexadecimal bytes to lower case without colons. `None` for other texts.
fn hexadecimal(text: &str) -> Option<String> {
    let digits = match text.contains(':') {
        true if text.split(':').all(|byte| byte.len() == 2) => text.replace(':', ""),
        true => return None,
        false => text.to_owned(),
    };
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| digits.to_ascii_lowercase())
}

/// Parses a SHA-256 in hexadecimal, or in base64 as from `openssl dgst | base64`, also after `sha256:` or, as curl writes
/// it, `sha256//`.
fn pin(text: &str) -> Result<Box<str>, IdentifierError> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let (is_marked, value) = match text
        .strip_prefix("sha256:")
        .or_else(|| text.strip_prefix("sha256//"))
    {
        Some(value) => (true, value),
        None => (false, text),
    };
    if !is_marked && hexadecimal(value).is_some_and(|digits| digits.len() == 2 * SHA256_BYTES) {
        return fingerprint(value);
    }
    let bytes = BASE64.decode(value).map_err(|_| IdentifierError::NotAPin)?;
    if bytes.len() != SHA256_BYTES {
        return Err(IdentifierError::NotAPin);
    }
    Ok(crate::tls::hexadecimal(&bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: IdentityKind, text: &str) -> Result<Box<str>, IdentifierError> {
        Identifier::parse(kind, text).map(|identifier| identifier.value)
    }

    #[test]
    fn digests_have_one_form_however_they_are_written() {
        let digits = "ab".repeat(32);
        let colons = vec!["Ab"; 32].join(":");
        for text in [digits.as_str(), &digits.to_uppercase(), &colons] {
            assert_eq!(&*parse(IdentityKind::Fingerprint, text).unwrap(), digits);
            assert_eq!(&*parse(IdentityKind::Spki, text).unwrap(), digits);
        }
        let base64 = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
        for text in [
            base64,
            &format!("sha256:{base64}"),
            &format!("sha256//{base64}"),
            base64.trim_end_matches('='),
        ] {
            assert_eq!(&*parse(IdentityKind::Spki, text).unwrap(), digits, "{text}");
        }
    }

    #[test]
    fn what_is_no_digest_is_rejected() {
        let digits = "ab".repeat(32);
        for bad in [
            "",
            "ab",
            &digits[1..],
            &format!("{digits}ab"),
            &digits.replace('a', "g"),
            &format!("{digits}:"),
            &vec!["a"; 64].join(":"),
            &format!(" {digits}"),
        ] {
            assert_eq!(
                parse(IdentityKind::Fingerprint, bad),
                Err(IdentifierError::NotAFingerprint),
                "{bad}"
            );
            assert_eq!(
                parse(IdentityKind::Spki, bad),
                Err(IdentifierError::NotAPin),
                "{bad}"
            );
        }
        assert_eq!(
            parse(IdentityKind::Fingerprint, &"ab".repeat(20)),
            Err(IdentifierError::Sha1)
        );
        // Base64 of another length, and with bits that belong to no byte.
        for bad in [
            "q6s=",
            "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6t=",
            "sha1:q6s=",
        ] {
            assert_eq!(
                parse(IdentityKind::Spki, bad),
                Err(IdentifierError::NotAPin),
                "{bad}"
            );
        }
    }

    #[test]
    fn names_have_the_form_of_certificates() {
        assert_eq!(
            &*parse(IdentityKind::Dns, "Web.Example.ORG").unwrap(),
            "web.example.org"
        );
        assert_eq!(
            parse(IdentityKind::Dns, "*.example.org"),
            Err(NameError::Wildcard.into())
        );
        assert_eq!(
            &*parse(IdentityKind::Email, "A.b@Example.ORG").unwrap(),
            "A.b@example.org"
        );
        assert_eq!(
            parse(IdentityKind::Uri, "example.org"),
            Err(NameError::NotUri.into())
        );
        assert_eq!(&*parse(IdentityKind::CommonName, "*").unwrap(), "*");
    }
}
