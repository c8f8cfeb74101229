//! What a client certificate must be for: the extended key usages that a trust domain takes, and key usages. Reads usages,
//! judges no chain.

use crate::clock::rfc3339;
use crate::tls::peer_certificate::CertificateFacts;
use rustls::pki_types::CertificateDer;
use webpki::{Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Which extended key usages make a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedKeyUsage {
    /// The leaf must say `clientAuth`.
    Require,
    /// The leaf says `clientAuth`, or nothing at all about usages. What most servers do, and many private CAs need.
    #[default]
    AllowMissing,
    /// As before, and until this second (since 1970) also certificates that are for servers only.
    AllowServerAuthUntil(i64),
}

/// What a path was found to be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundUsage {
    Client,
    /// No usage at all on the leaf.
    Missing,
    /// Of the leaf or of a CA above it.
    ServerOnly,
}

const CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];

/// For all certificates of a path, as the library asks it: usages that are there must include ours. A CA that says
/// nothing may sign for any usage.
impl ExtendedKeyUsageValidator for ExtendedKeyUsage {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let Self::AllowServerAuthUntil(_) = self else {
            return KeyUsage::client_auth().validate(usages);
        };
        let (mut is_empty, mut is_ours) = (true, false);
        for usage in usages {
            let usage = usage?;
            is_empty = false;
            is_ours |= usage == KeyPurposeId::new(CLIENT) || usage == KeyPurposeId::new(SERVER);
        }
        if is_empty || is_ours {
            Ok(())
        } else {
            Err(Error::EmptyEkuExtension)
        }
    }
}

impl ExtendedKeyUsage {
    /// Until when a path with this usage counts, seconds since 1970; `None` if never.
    pub(super) fn until(self, found: FoundUsage) -> Option<i64> {
        match (self, found) {
            (_, FoundUsage::Client) => Some(i64::MAX),
            (Self::Require, FoundUsage::Missing) => None,
            (_, FoundUsage::Missing) => Some(i64::MAX),
            (Self::AllowServerAuthUntil(end), FoundUsage::ServerOnly) => Some(end),
            (_, FoundUsage::ServerOnly) => None,
        }
    }

    /// The last second of a day such as `2027-03-31`, in UTC.
    pub fn end_of_day(text: &str) -> Option<i64> {
        let format = time::macros::format_description!("[year]-[month]-[day]");
        let day = time::Date::parse(text, format).ok()?;
        Some(day.with_hms(23, 59, 59).ok()?.assume_utc().unix_timestamp())
    }

    /// The end of the exception for servers' certificates as text.
    pub(super) fn exception_ends(self) -> String {
        match self {
            Self::AllowServerAuthUntil(end) => rfc3339(end),
            _ => String::new(),
        }
    }
}

impl FoundUsage {
    /// What a verified leaf, and the CAs above it, are for.
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

/// Whether the key usages of a path, where there are any, allow what its keys are used for: the leaf's signs handshakes
/// (RFC 5246 section 7.4.6), those above sign certificates (RFC 5280 section 6.1.4). The library does not look at them.
/// `None` if one cannot be read.
pub(super) fn keys_may_sign<'a>(
    leaf: &CertificateDer<'_>,
    mut authorities: impl Iterator<Item = &'a CertificateDer<'a>>,
) -> Option<bool> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let usage = certificate.key_usage().ok()?;
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return Some(false);
    }
    authorities.try_fold(true, |may, authority| {
        Some(may && CertificateFacts::read(authority)?.may_sign)
    })
}
