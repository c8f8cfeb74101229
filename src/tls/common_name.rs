//! The common name of a subject: exactly one, with one unambiguous reading. Does not know users.

use std::fmt;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::X509Name;

/// A name that may identify an ApiUser: not empty, no control characters, at most 255 bytes. Compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommonName(Box<str>);

/// Why a subject has no usable common name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommonNameError {
    /// No CN attribute.
    #[error("the subject has no common name")]
    Missing,
    /// More than one CN attribute, of which programs pick different ones.
    #[error("the subject has more than one common name")]
    Several,
    /// An empty string.
    #[error("the common name is empty")]
    Empty,
    /// NUL, line feed and other control characters, at which other software may cut the name.
    #[error("the common name has a control character")]
    ControlCharacter,
    /// T61String, BMPString and others, which programs decode differently.
    #[error("the common name is not a UTF8String, PrintableString or IA5String")]
    StringType,
    /// Bytes that the string type does not allow.
    #[error("the common name is not valid text")]
    Encoding,
    /// More than 255 bytes.
    #[error("the common name is longer than 255 bytes")]
    TooLong,
}

impl CommonName {
    const MAX_BYTES: usize = 255;

    /// Checks a name from a config or a certificate.
    ///
    /// # Errors
    /// [`CommonNameError`] for a name that may not identify a user.
    pub fn new(text: &str) -> Result<Self, CommonNameError> {
        if text.is_empty() {
            return Err(CommonNameError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(CommonNameError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(CommonNameError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }

    /// Reads the one common name of a subject from its DER, never from a printed form.
    pub(super) fn of_subject(subject: &X509Name<'_>) -> Result<Self, CommonNameError> {
        let mut names = subject.iter_common_name();
        let first = names.next().ok_or(CommonNameError::Missing)?;
        if names.next().is_some() {
            return Err(CommonNameError::Several);
        }
        Self::new(text_of(first.attr_value())?)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of an attribute in one of the string types with one unambiguous decoding.
pub(super) fn text_of<'a>(value: &'a Any<'_>) -> Result<&'a str, CommonNameError> {
    let is_ascii = match value.tag() {
        Tag::Utf8String => true,
        Tag::PrintableString | Tag::Ia5String => value.data.is_ascii(),
        _ => return Err(CommonNameError::StringType),
    };
    let text = std::str::from_utf8(value.data).map_err(|_| CommonNameError::Encoding)?;
    if is_ascii {
        Ok(text)
    } else {
        Err(CommonNameError::Encoding)
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
