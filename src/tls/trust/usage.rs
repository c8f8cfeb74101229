//! Key usages of client certificates: the extended key usages that a trust domain accepts, and key usages. Reads usages
//! and verifies no chain.

use crate::clock::rfc3339;
use crate::tls::certificate_facts::CertificateFacts;
use rustls::pki_types::CertificateDer;
use webpki::{Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Which extended key usages a client certificate may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedKeyUsagePolicy {
    /// The leaf must contain `clientAuth`.
    Require,
    /// The leaf contains `clientAuth` or has no extended key usage. Most servers do this, and many private CAs need it.
    #[default]
    AllowMissing,
    /// As [`Self::AllowMissing`], and until this second (since 1970) also server-only certificates.
    AllowServerAuthUntil(i64),
}

/// The extended key usage of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathUsage {
    Client,
    /// The leaf has no extended key usage.
    Missing,
    /// The leaf or a CA above it excludes clients.
    ServerOnly,
}

const CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];

/// webpki calls this for each certificate of a path: an extended key usage must include the client's. A CA without the
/// extension may sign for any usage.
impl ExtendedKeyUsageValidator for ExtendedKeyUsagePolicy {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let Self::AllowServerAuthUntil(_) = self else {
            return KeyUsage::client_auth().validate(usages);
        };
        let mut is_empty = true;
        let mut is_accepted = false;
        for usage in usages {
            let usage = usage?;
            is_empty = false;
            is_accepted |= usage == KeyPurposeId::new(CLIENT) || usage == KeyPurposeId::new(SERVER);
        }
        if is_empty || is_accepted {
            Ok(())
        } else {
            Err(Error::EmptyEkuExtension)
        }
    }
}

impl ExtendedKeyUsagePolicy {
    /// The last second, since 1970, in which a path with this usage is accepted; `None` if never.
    pub(super) fn until(self, usage: PathUsage) -> Option<i64> {
        match (self, usage) {
            (_, PathUsage::Client) => Some(i64::MAX),
            (Self::Require, PathUsage::Missing) => None,
            (_, PathUsage::Missing) => Some(i64::MAX),
            (Self::AllowServerAuthUntil(end), PathUsage::ServerOnly) => Some(end),
            (_, PathUsage::ServerOnly) => None,
        }
    }

    /// The last second of a day such as `2027-03-31`, in UTC.
    pub fn end_of_day(text: &str) -> Option<i64> {
        let format = time::macros::format_description!("[year]-[month]-[day]");
        let day = time::Date::parse(text, format).ok()?;
        Some(day.with_hms(23, 59, 59).ok()?.assume_utc().unix_timestamp())
    }

    /// The end of the exception for server-only certificates, as RFC 3339.
    pub(super) fn exception_ends(self) -> String {
        match self {
            Self::AllowServerAuthUntil(end) => rfc3339(end),
            _ => String::new(),
        }
    }
}

impl PathUsage {
    /// The usage of a verified leaf and the CAs above it. `None` if a certificate cannot be read.
    pub(super) fn of<'a>(
        leaf: &CertificateDer<'_>,
        authorities: impl Iterator<Item = CertificateDer<'a>>,
    ) -> Option<Self> {
        let leaf = Self::read(leaf)?;
        for authority in authorities {
            if Self::read(&authority)? == Self::ServerOnly {
                return Some(Self::ServerOnly);
            }
        }
        Some(leaf)
    }

    fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(match certificate.extended_key_usage().ok()? {
            None => Self::Missing,
            Some(usage) if usage.value.client_auth => Self::Client,
            Some(_) => Self::ServerOnly,
        })
    }
}

/// Whether the key usages of a path, where present, allow the signatures: the leaf's key signs handshakes (RFC 5246
/// section 7.4.6), the CA keys sign certificates (RFC 5280 section 6.1.4). webpki does not check them. `None` if a
/// certificate cannot be read.
pub(super) fn keys_may_sign<'a>(
    leaf: &CertificateDer<'_>,
    mut authorities: impl Iterator<Item = &'a CertificateDer<'a>>,
) -> Option<bool> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let usage = certificate.key_usage().ok()?;
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return Some(false);
    }
    authorities.try_fold(true, |may_sign, authority| {
        Some(may_sign && CertificateFacts::read(authority)?.may_sign)
    })
}
