//! Revocation lists: a new one keeps the entries of the last one. Files are read and written elsewhere.

use std::collections::BTreeMap;
use std::str::FromStr;

use rcgen::{CertificateRevocationListParams, Error, Issuer, KeyIdMethod, RevokedCertParams};
use time::{Date, OffsetDateTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer, ParsedExtension, X509Certificate};

use super::validity::CertificateValidity;
use super::{Authority, PkiError, pem};
use crate::tls::is_signed_by;

/// A serial number as tools print it: hexadecimal digits, with or without colons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialNumberText(Vec<u8>);

impl FromStr for SerialNumberText {
    type Err = PkiError;

    fn from_str(text: &str) -> Result<Self, PkiError> {
        let invalid = || PkiError::SerialNumber(format!("{text:?}"));
        let digits = text.replace(':', "");
        let number = digits.trim_start_matches('0');
        if digits.is_empty()
            || number.len() > 40
            || !digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        {
            return Err(invalid());
        }
        let even = if number.len() % 2 == 1 {
            format!("0{number}")
        } else {
            number.to_owned()
        };
        let pairs = even
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok());
        let bytes = pairs.map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        bytes.collect::<Option<_>>().map(Self).ok_or_else(invalid)
    }
}

/// Revoked serial numbers, without leading zeros, with the time of revocation.
#[derive(Debug, Default)]
pub struct RevocationList {
    revoked: BTreeMap<Vec<u8>, OffsetDateTime>,
    /// The CRL number of the last list.
    number: u128,
}

/// A signed list.
#[derive(Clone, Debug)]
pub struct SignedList {
    /// The list, as PEM.
    pub pem: String,
    /// The last day of its validity.
    pub next_update: Date,
    /// Number of revoked certificates.
    pub entries: usize,
}

impl RevocationList {
    /// Continues the last list of this authority (PEM).
    ///
    /// # Errors
    /// [`PkiError::NoPemBlock`], [`PkiError::Malformed`], or [`PkiError::ListOfAnotherAuthority`] if it is not signed by
    /// this authority.
    pub fn from_last(text: &[u8], authority: &Authority) -> Result<Self, PkiError> {
        let damaged = || PkiError::Malformed("revocation list");
        let der = pem::blocks(text, pem::REVOCATION_LIST, "a revocation list")?
            .into_iter()
            .next()
            .unwrap_or_default();
        let Ok(([], last)) = CertificateRevocationList::from_der(&der) else {
            return Err(damaged());
        };
        if !authority.has_signed(&der, last.issuer().as_raw())? {
            return Err(PkiError::ListOfAnotherAuthority);
        }
        let mut list = Self::default();
        for entry in last.iter_revoked_certificates() {
            let time = entry.revocation_date.to_datetime();
            list.revoked
                .insert(significant(entry.raw_serial()).to_vec(), time);
        }
        if let Some(number) = last.crl_number() {
            let bytes = number.to_bytes_be();
            let wide = bytes.iter().try_fold(0_u128, |sum, byte| {
                sum.checked_mul(256)?.checked_add(u128::from(*byte))
            });
            list.number = wide.ok_or_else(damaged)?;
        }
        Ok(list)
    }

    /// Revokes a serial number as of now. An existing entry keeps its time.
    pub fn revoke(&mut self, serial: &SerialNumberText) {
        self.revoked
            .entry(significant(&serial.0).to_vec())
            .or_insert_with(now);
    }

    /// Revokes a certificate (PEM; the first in the text).
    ///
    /// # Errors
    /// [`PkiError::OfAnotherAuthority`] if the authority has not signed it; [`PkiError::NoPemBlock`] or [`PkiError::Malformed`].
    pub fn revoke_certificate(
        &mut self,
        text: &[u8],
        authority: &Authority,
    ) -> Result<(), PkiError> {
        let der = pem::blocks(text, pem::CERTIFICATE, "a certificate")?
            .into_iter()
            .next()
            .unwrap_or_default();
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|_| PkiError::Malformed("certificate"))?;
        if !authority.has_signed(&der, certificate.issuer().as_raw())? {
            return Err(PkiError::OfAnotherAuthority);
        }
        self.revoke(&SerialNumberText(certificate.raw_serial().to_vec()));
        Ok(())
    }

    /// Signs the list, valid for `days`. Its number exceeds that of the last list. It is at least the time in seconds, so it also
    /// exceeds that of an earlier list that was lost.
    ///
    /// # Errors
    /// [`PkiError::Days`], [`PkiError::NotAuthority`] if the authority may not sign lists, or [`PkiError::AuthorityName`].
    pub fn sign(&self, authority: &Authority, days: u32) -> Result<SignedList, PkiError> {
        let validity = CertificateValidity::from_now(days)?;
        let entry = |(serial, time): (&Vec<u8>, &OffsetDateTime)| RevokedCertParams {
            serial_number: if serial.is_empty() {
                vec![0].into()
            } else {
                serial.clone().into()
            },
            revocation_time: *time,
            reason_code: None,
            invalidity_date: None,
        };
        let seconds = u128::try_from(now().unix_timestamp()).unwrap_or_default();
        let number = self.number.saturating_add(1).max(seconds);
        let parameters = CertificateRevocationListParams {
            this_update: validity.not_before,
            next_update: validity.not_after,
            crl_number: significant(&number.to_be_bytes()).to_vec().into(),
            issuing_distribution_point: None,
            revoked_certs: self.revoked.iter().map(entry).collect(),
            key_identifier_method: authority.key_identifier()?,
        };
        let issuer =
            Issuer::from_ca_cert_der(&authority.certificate().into(), authority.key().pair())
                .map_err(|_| PkiError::AuthorityName)?;
        let signed = parameters.signed_by(&issuer).map_err(|error| match error {
            Error::IssuerNotCrlSigner => PkiError::NotAuthority("key usage without cRLSign"),
            other => PkiError::Library(other),
        })?;
        let read = CertificateRevocationList::from_der(signed.der())
            .map_err(|_| PkiError::AuthorityName)?
            .1;
        if !authority.has_signed(signed.der(), read.issuer().as_raw())? {
            return Err(PkiError::AuthorityName);
        }
        let pem = signed.pem().map_err(PkiError::Library)?;
        Ok(SignedList {
            pem,
            next_update: validity.not_after.date(),
            entries: self.revoked.len(),
        })
    }
}

impl Authority {
    /// Whether a structure with this issuer is signed by this authority.
    fn has_signed(&self, der: &[u8], issuer: &[u8]) -> Result<bool, PkiError> {
        let own = X509Certificate::from_der(self.certificate())
            .map_err(|_| PkiError::Malformed("certificate"))?
            .1;
        Ok(own.subject().as_raw() == issuer && is_signed_by(der, own.public_key().raw))
    }

    /// The subject key identifier of its certificate, so that verifiers find the authority by it.
    fn key_identifier(&self) -> Result<KeyIdMethod, PkiError> {
        let own = X509Certificate::from_der(self.certificate())
            .map_err(|_| PkiError::Malformed("certificate"))?
            .1;
        let own =
            own.extensions()
                .iter()
                .find_map(|extension| match extension.parsed_extension() {
                    ParsedExtension::SubjectKeyIdentifier(identifier) => {
                        Some(identifier.0.to_vec())
                    }
                    _ => None,
                });
        Ok(own.map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified))
    }
}

/// A big-endian number without leading zeros.
fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_in_the_forms_that_tools_print() {
        for (text, bytes) in [
            ("0A:ff", vec![0x0a, 0xff]),
            ("aff", vec![0x0a, 0xff]),
            ("00", vec![]),
        ] {
            assert_eq!(text.parse::<SerialNumberText>().unwrap().0, bytes, "{text}");
        }
        for bad in ["", ":", "4g", "0x4a", "-1", &"a".repeat(41)] {
            assert!(bad.parse::<SerialNumberText>().is_err(), "{bad}");
        }
    }
}
