//! Names of a certificate besides the common name: DNS names, URIs, e-mail addresses, organizations. Each has one
//! canonical form, which is compared byte by byte. Does not know users and verifies nothing.

mod other_names;

pub(super) use other_names::readings;

use super::common_name::{CommonName, CommonNameError, text_of};
use other_names::other_readings;
use std::fmt;
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Kinds of names of which a certificate may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// `dNSName` of the subject alternative names.
    Dns,
    /// `uniformResourceIdentifier` of the subject alternative names.
    Uri,
    /// `rfc822Name` of the subject alternative names.
    Email,
    /// `O` of the subject.
    Organization,
    /// `OU` of the subject.
    OrganizationalUnit,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "DNS names",
            Self::Uri => "URIs",
            Self::Email => "e-mail addresses",
            Self::Organization => "organizations",
            Self::OrganizationalUnit => "organizational units",
        })
    }
}

/// Why a name cannot identify a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, too long, a control character, or a string type that programs decode differently.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Not dot-separated labels of letters, digits, `-` and `_`.
    #[error("it is not a DNS name")]
    NotDns,
    /// It matches many hosts, so it identifies none.
    #[error("it is a wildcard")]
    Wildcard,
    /// No scheme, or characters that a URI must not contain.
    #[error("it is not a URI")]
    NotUri,
    /// A violation of the rules for SPIFFE IDs.
    #[error(
        "it is not a SPIFFE ID: `spiffe://trust-domain/path` in the characters that SPIFFE allows"
    )]
    NotSpiffe,
    /// A SPIFFE ID beside another URI (X.509-SVID, section 2).
    #[error("there is a SPIFFE ID and another URI")]
    SpiffeNotAlone,
    /// Not `local@domain`, or with quotes or comments.
    #[error("it is not an e-mail address in its plain form")]
    NotEmail,
    /// The extension occurs twice or cannot be read.
    #[error("the subject alternative names cannot be read")]
    Unreadable,
}

/// Why the names of a certificate cannot identify a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableName {
    /// There is no usable common name, and no other name.
    #[error(transparent)]
    CommonName(#[from] CommonNameError),
    /// Names of this kind, which could have matched a user or a role, cannot be read.
    #[error("the {0} cannot be used: {1}")]
    Names(NameKind, NameError),
}

/// Why a text cannot be used as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// An empty string.
    #[error("it is empty")]
    Empty,
    /// More bytes than the limit for this kind of name.
    #[error("it is too long")]
    TooLong,
    /// NUL, line feed or another control character.
    #[error("it has a control character")]
    ControlCharacter,
    /// T61String, BMPString and others.
    #[error("it is not a UTF8String, PrintableString or IA5String")]
    StringType,
    /// Bytes that are not text.
    #[error("it is not valid text")]
    Encoding,
}

/// The canonical form of a DNS name: lower case. Labels of letters, digits, `-` and `_`, no wildcard.
///
/// # Errors
/// [`NameError`] for any other text.
pub fn dns_name(text: &str) -> Result<Box<str>, NameError> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    match text.strip_prefix("*.") {
        Some(rest) if rest.split('.').all(label) => Err(NameError::Wildcard),
        _ if text.is_empty() => Err(TextError::Empty.into()),
        _ if text.len() > 253 => Err(TextError::TooLong.into()),
        _ if text.split('.').all(label) => Ok(text.to_ascii_lowercase().into()),
        _ => Err(NameError::NotDns),
    }
}

/// The canonical form of a URI: unchanged, since parts of it are case-sensitive. With the scheme `spiffe`, it must be a
/// SPIFFE ID.
///
/// # Errors
/// [`NameError`] for a text that is not a URI.
pub fn uri(text: &str) -> Result<Box<str>, NameError> {
    let (scheme, rest) = text.split_once(':').ok_or(NameError::NotUri)?;
    let is_first_valid = scheme
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_scheme_valid = scheme
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    // RFC 3986 section 2: all other characters are percent-encoded.
    let is_rest_valid = rest
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if !is_first_valid || !is_scheme_valid || !is_rest_valid || rest.is_empty() {
        return Err(NameError::NotUri);
    }
    if text.len() > 2048 {
        return Err(TextError::TooLong.into());
    }
    if is_spiffe(text) && !is_spiffe_id(text) {
        return Err(NameError::NotSpiffe);
    }
    Ok(text.into())
}

fn is_spiffe(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

/// Whether the text is the SPIFFE ID of a workload: lower case except for the path, a non-empty path, and no query.
fn is_spiffe_id(text: &str) -> bool {
    let Some((domain, path)) = text
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let in_domain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let in_segment = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let segment = |text: &str| {
        !text.is_empty() && text != "." && text != ".." && text.bytes().all(in_segment)
    };
    (1..=255).contains(&domain.len())
        && domain.bytes().all(in_domain)
        && path.split('/').all(segment)
}

/// The canonical form of an e-mail address: the domain in lower case, the local part unchanged.
///
/// # Errors
/// [`NameError`] for a text that is not an address, or one with quotes, comments or a literal address.
pub fn email(text: &str) -> Result<Box<str>, NameError> {
    let (local, domain) = text.split_once('@').ok_or(NameError::NotEmail)?;
    // RFC 5321 section 4.1.2: Dot-string.
    let atom = |atom: &str| {
        let mut bytes = atom.bytes();
        !atom.is_empty()
            && bytes
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    if local.len() > 64 || !local.split('.').all(atom) {
        return Err(NameError::NotEmail);
    }
    let domain = dns_name(domain).map_err(|_| NameError::NotEmail)?;
    Ok(format!("{local}@{domain}").into())
}

/// The canonical form of an organization or organizational unit: unchanged.
///
/// # Errors
/// [`NameError`] for a text that also cannot be a common name.
pub fn organization(text: &str) -> Result<Box<str>, NameError> {
    CommonName::new(text)
        .map(|name| name.as_str().into())
        .map_err(|error| text_error(error).into())
}

fn text_error(error: CommonNameError) -> TextError {
    match error {
        CommonNameError::Missing | CommonNameError::Empty => TextError::Empty,
        CommonNameError::ControlCharacter => TextError::ControlCharacter,
        CommonNameError::StringType => TextError::StringType,
        CommonNameError::Several | CommonNameError::Encoding => TextError::Encoding,
        CommonNameError::TooLong => TextError::TooLong,
    }
}

/// All names of a certificate besides the common name. An unusable name makes all names of its kind unusable, since they
/// may have the same error. A wildcard is dropped alone.
#[derive(Debug, Default)]
pub(super) struct SubjectNames {
    pub(super) dns_names: Vec<Box<str>>,
    pub(super) uris: Vec<Box<str>>,
    pub(super) emails: Vec<Box<str>>,
    pub(super) organizations: Vec<Box<str>>,
    pub(super) organizational_units: Vec<Box<str>>,
    pub(super) unusable: Vec<(NameKind, NameError)>,
    /// Names that are no identity, decoded as other programs might.
    pub(super) other: Vec<Box<str>>,
}

impl SubjectNames {
    pub(super) fn read(certificate: &X509Certificate<'_>) -> Self {
        let mut names = Self::default();
        let subject = certificate.subject();
        names.organizations = names.attributes(NameKind::Organization, subject.iter_organization());
        names.organizational_units = names.attributes(
            NameKind::OrganizationalUnit,
            subject.iter_organizational_unit(),
        );
        names.other_common_names(subject);
        match certificate.subject_alternative_name() {
            Ok(None) => {}
            Ok(Some(extension)) => names.alternative(&extension.value.general_names),
            Err(_) => names.unusable.extend(
                [NameKind::Dns, NameKind::Uri, NameKind::Email]
                    .map(|kind| (kind, NameError::Unreadable)),
            ),
        }
        names
    }

    /// Collects common names that are not the one usable common name.
    fn other_common_names(&mut self, subject: &X509Name<'_>) {
        if CommonName::of_subject(subject).is_err() {
            self.other.extend(
                subject
                    .iter_common_name()
                    .flat_map(|name| readings(name.attr_value())),
            );
        }
    }

    fn attributes<'a>(
        &mut self,
        kind: NameKind,
        attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>,
    ) -> Vec<Box<str>> {
        let values: Result<Vec<_>, NameError> = attributes
            .map(|attribute| organization(text_of(attribute.attr_value()).map_err(text_error)?))
            .collect();
        values.unwrap_or_else(|error| {
            self.unusable.push((kind, error));
            Vec::new()
        })
    }

    fn alternative(&mut self, names: &[GeneralName<'_>]) {
        let with_tag = |tag: Tag| {
            names.iter().filter_map(move |name| {
                tag_and_bytes(name).filter(|(name_tag, _)| *name_tag == tag)
            })
        };
        let texts = |tag| with_tag(tag).map(|(_, bytes)| bytes).collect::<Vec<_>>();
        self.emails = self.values(NameKind::Email, &texts(Tag(1)), email);
        self.dns_names = self.values(NameKind::Dns, &texts(Tag(2)), dns_name);
        self.other.extend(names.iter().flat_map(other_readings));
        let uris = texts(Tag(6));
        self.uris = self.values(NameKind::Uri, &uris, uri);
        if self.uris.len() > 1 && self.uris.iter().any(|uri| is_spiffe(uri)) {
            self.unusable
                .push((NameKind::Uri, NameError::SpiffeNotAlone));
            self.other.append(&mut self.uris);
        }
    }

    fn values(
        &mut self,
        kind: NameKind,
        values: &[&[u8]],
        canonical: fn(&str) -> Result<Box<str>, NameError>,
    ) -> Vec<Box<str>> {
        let lossy = |bytes: &[u8]| -> Box<str> { String::from_utf8_lossy(bytes).into() };
        let mut usable = Vec::new();
        for value in values {
            let text = std::str::from_utf8(value).map_err(|_| NameError::Text(TextError::Encoding));
            match text.and_then(canonical) {
                Ok(name) => usable.push(name),
                Err(NameError::Wildcard) => self.other.push(lossy(value)),
                Err(error) => {
                    self.unusable.push((kind, error));
                    self.other.extend(values.iter().map(|value| lossy(value)));
                    return Vec::new();
                }
            }
        }
        usable
    }
}

/// Tag and bytes of a name that consists of text.
fn tag_and_bytes<'a>(name: &'a GeneralName<'_>) -> Option<(Tag, &'a [u8])> {
    match name {
        GeneralName::RFC822Name(text) => Some((Tag(1), text.as_bytes())),
        GeneralName::DNSName(text) => Some((Tag(2), text.as_bytes())),
        GeneralName::URI(text) => Some((Tag(6), text.as_bytes())),
        GeneralName::Invalid(tag, bytes) => Some((*tag, bytes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
