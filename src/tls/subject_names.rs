//! What a certificate calls its subject besides the common name: DNS names, URIs, e-mail addresses, organizations. Each
//! has one form, in which it is compared octet by octet. Does not know users, and believes nobody.

mod other_names;

pub(super) use other_names::readings;

use super::common_name::{CommonName, CommonNameError, text_of};
use other_names::other_readings;
use std::fmt;
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Kinds of names that a certificate may have several of.
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

/// Why a name cannot stand for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No character, too many, a control character, a string type that is read in different ways.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Not letters, digits, `-` and `_` in labels with dots between.
    #[error("it is not a DNS name")]
    NotDns,
    /// It stands for many hosts, so it is nobody's.
    #[error("it is a wildcard")]
    Wildcard,
    /// No scheme, or characters that no URI has.
    #[error("it is not a URI")]
    NotUri,
    /// Against the rules of SPIFFE IDs.
    #[error(
        "it is not a SPIFFE ID: `spiffe://trust-domain/path` in the characters that SPIFFE allows"
    )]
    NotSpiffe,
    /// A SPIFFE ID beside another URI (X.509-SVID, section 2).
    #[error("a SPIFFE ID stands beside another URI")]
    SpiffeNotAlone,
    /// Not `local@domain`, or with quotes or comments.
    #[error("it is not an e-mail address in its plain form")]
    NotEmail,
    /// The extension occurs twice or cannot be read.
    #[error("the subject alternative names cannot be read")]
    Unreadable,
}

/// Why what a certificate says of itself names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableName {
    /// It has no usable common name, and no other name.
    #[error(transparent)]
    CommonName(#[from] CommonNameError),
    /// Names of this kind, which might have been somebody's or bring a role, cannot be read.
    #[error("the {0} cannot be used: {1}")]
    Names(NameKind, NameError),
}

/// Why a text cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// No character.
    #[error("it is empty")]
    Empty,
    /// More octets than any honest name has.
    #[error("it is too long")]
    TooLong,
    /// NUL, line feed and the like.
    #[error("it has a control character")]
    ControlCharacter,
    /// T61String, BMPString and others.
    #[error("it is not a UTF8String, PrintableString or IA5String")]
    StringType,
    /// Octets that are not text.
    #[error("it is not valid text")]
    Encoding,
}

/// The form of a DNS name in which it is compared: lower case. Labels of letters, digits, `-` and `_`, no wildcard.
///
/// # Errors
/// [`NameError`] for what is no such name.
pub fn dns_name(text: &str) -> Result<Box<str>, NameError> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    match text.strip_prefix("*.") {
        Some(rest) if rest.split('.').all(label) => Err(NameError::Wildcard),
        _ if text.is_empty() => Err(TextError::Empty.into()),
        _ if text.len() > 253 => Err(TextError::TooLong.into()),
        _ if text.split('.').all(label) => Ok(text.to_ascii_lowercase().into()),
        _ => Err(NameError::NotDns),
    }
}

/// The form of a URI in which it is compared: as it stands, since parts of it may differ by case. One with the scheme
/// `spiffe` must be a SPIFFE ID.
///
/// # Errors
/// [`NameError`] for what is no URI.
pub fn uri(text: &str) -> Result<Box<str>, NameError> {
    let (scheme, rest) = text.split_once(':').ok_or(NameError::NotUri)?;
    let first = scheme
        .bytes()
        .next()
        .is_some_and(|octet| octet.is_ascii_alphabetic());
    let others = scheme
        .bytes()
        .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'));
    // RFC 3986 section 2: everything else is percent-encoded.
    let plain = rest
        .bytes()
        .all(|octet| octet.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&octet));
    if !first || !others || !plain || rest.is_empty() {
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

/// A SPIFFE ID of a workload: in lower case but for the path, which is not empty, and nothing behind it.
fn is_spiffe_id(text: &str) -> bool {
    let Some((domain, path)) = text
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let in_domain =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"._-".contains(&octet);
    let in_segment = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
    let segment = |text: &str| {
        !text.is_empty() && text != "." && text != ".." && text.bytes().all(in_segment)
    };
    (1..=255).contains(&domain.len())
        && domain.bytes().all(in_domain)
        && path.split('/').all(segment)
}

/// The form of an e-mail address in which it is compared: the domain in lower case, the rest as it stands.
///
/// # Errors
/// [`NameError`] for what is no address, or one with quotes, comments or a literal address.
pub fn email(text: &str) -> Result<Box<str>, NameError> {
    let (local, domain) = text.split_once('@').ok_or(NameError::NotEmail)?;
    // RFC 5321 section 4.1.2: Dot-string.
    let atom = |atom: &str| {
        let mut octets = atom.bytes();
        !atom.is_empty()
            && octets.all(|octet| {
                octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
            })
    };
    if local.len() > 64 || !local.split('.').all(atom) {
        return Err(NameError::NotEmail);
    }
    let domain = dns_name(domain).map_err(|_| NameError::NotEmail)?;
    Ok(format!("{local}@{domain}").into())
}

/// The form of an organization or organizational unit in which it is compared: as it stands.
///
/// # Errors
/// [`NameError`] for a text that may not be a common name either.
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

/// All such names of a certificate. One that cannot be used takes the others of its kind with it, since what else is
/// wrong with them nobody knows; a wildcard goes alone.
#[derive(Debug, Default)]
pub(super) struct SubjectNames {
    pub(super) dns_names: Vec<Box<str>>,
    pub(super) uris: Vec<Box<str>>,
    pub(super) emails: Vec<Box<str>>,
    pub(super) organizations: Vec<Box<str>>,
    pub(super) organizational_units: Vec<Box<str>>,
    pub(super) unusable: Vec<(NameKind, NameError)>,
    /// What the certificate calls itself, but is no identity, as somebody might read it.
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
        names.common_names(subject);
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

    /// Those that are not the one common name.
    fn common_names(&mut self, subject: &X509Name<'_>) {
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
        let read = attributes
            .map(|attribute| organization(text_of(attribute.attr_value()).map_err(text_error)?));
        let read: Result<Vec<_>, NameError> = read.collect();
        read.unwrap_or_else(|error| {
            self.unusable.push((kind, error));
            Vec::new()
        })
    }

    fn alternative(&mut self, names: &[GeneralName<'_>]) {
        let of_kind = |wanted: Tag| {
            names
                .iter()
                .filter_map(move |name| octets(name).filter(|(tag, _)| *tag == wanted))
        };
        let texts = |tag| of_kind(tag).map(|(_, octets)| octets).collect::<Vec<_>>();
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
        form: fn(&str) -> Result<Box<str>, NameError>,
    ) -> Vec<Box<str>> {
        let lossy = |octets: &[u8]| -> Box<str> { String::from_utf8_lossy(octets).into() };
        let mut usable = Vec::new();
        for value in values {
            let text = std::str::from_utf8(value).map_err(|_| NameError::Text(TextError::Encoding));
            match text.and_then(form) {
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

/// Tag and octets of a name that is a text.
fn octets<'a>(name: &'a GeneralName<'_>) -> Option<(Tag, &'a [u8])> {
    match name {
        GeneralName::RFC822Name(text) => Some((Tag(1), text.as_bytes())),
        GeneralName::DNSName(text) => Some((Tag(2), text.as_bytes())),
        GeneralName::URI(text) => Some((Tag(6), text.as_bytes())),
        GeneralName::Invalid(tag, octets) => Some((*tag, octets)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
