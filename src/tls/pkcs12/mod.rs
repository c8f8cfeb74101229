//! Reads certificates and a private key from PKCS#12 (RFC 7292) with AES and PBKDF2, as OpenSSL 3, Java 16 and Windows write it.
//! Nothing is read before the MAC has verified the passphrase.

mod mac;

use super::der::{
    BadDer, DerElement, DerReader, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE,
};
use super::passphrase::{DecryptionError, DerivationBudget, decrypt, decrypt_private_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
/// Arc of the bag types; the last byte follows.
const BAGS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15];
const KEY_BAG: u8 = 1;
const SHROUDED_KEY_BAG: u8 = 2;
const CERTIFICATE_BAG: u8 = 3;
/// `[0]`, constructed, and primitive.
const EXPLICIT: u8 = 0xa0;
const IMPLICIT: u8 = 0x80;
const SET: u8 = 0x31;
/// Maximum number of bags and of encrypted parts in a file.
const MAX_PARTS: usize = 64;

/// Why PKCS#12 cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs12Error {
    /// It cannot be decrypted, or its MAC does not match.
    #[error("{0}")]
    Decryption(#[from] DecryptionError),
    /// It is not of the expected structure, or in BER with indefinite lengths.
    #[error("it is not PKCS#12 in DER")]
    Malformed,
    /// It has no MAC, so that nothing verifies the passphrase.
    #[error("it has no MAC, or one of an unknown kind")]
    Mac,
    /// It has no certificate, or none that belongs to its key.
    #[error("it holds no certificate for its key")]
    NoCertificate,
    /// It has no private key.
    #[error("it holds no private key")]
    NoKey,
    /// It has more than one private key.
    #[error("it holds several private keys")]
    SeveralKeys,
}

impl From<BadDer> for Pkcs12Error {
    fn from(BadDer: BadDer) -> Self {
        Self::Malformed
    }
}

/// The content of a file.
#[derive(Debug, Default)]
pub(super) struct Pkcs12 {
    certificates: Vec<Bag<CertificateDer<'static>>>,
    keys: Vec<Bag<PrivatePkcs8KeyDer<'static>>>,
}

#[derive(Debug)]
struct Bag<T> {
    content: T,
    /// Equal for a key and its certificate.
    key_id: Option<Vec<u8>>,
}

impl Pkcs12 {
    /// Verifies the MAC, and decrypts the content.
    pub(super) fn read(der: &[u8], passphrase: &str) -> Result<Self, Pkcs12Error> {
        let mut budget = DerivationBudget::default();
        let mut outer = DerReader::new(der);
        let mut fields = outer.expect(SEQUENCE)?.reader();
        outer.finish()?;
        let version = fields.expect(INTEGER)?.content;
        let safe = content_of(&fields.expect(SEQUENCE)?, DATA)?.ok_or(Pkcs12Error::Malformed)?;
        let mac = fields.optional(SEQUENCE)?.ok_or(Pkcs12Error::Mac)?;
        fields.finish()?;
        if version != [3] {
            return Err(Pkcs12Error::Malformed);
        }
        mac::verify(mac, safe, passphrase, &mut budget)?;
        let mut found = Self::default();
        let mut parts = DerReader::new(safe).expect(SEQUENCE)?.reader();
        let mut count = 0;
        while !parts.is_empty() {
            let part = parts.expect(SEQUENCE)?;
            count += 1;
            if count > MAX_PARTS {
                return Err(Pkcs12Error::Malformed);
            }
            match content_of(&part, DATA)? {
                Some(bags) => found.read_bags(bags, passphrase, &mut budget)?,
                None => {
                    let bags = decrypt_part(&part, passphrase, &mut budget)?;
                    found.read_bags(&bags, passphrase, &mut budget)?;
                }
            }
        }
        Ok(found)
    }

    /// The private key, which must be the only one.
    pub(super) fn private_key(&self) -> Result<&PrivatePkcs8KeyDer<'static>, Pkcs12Error> {
        match self.keys.as_slice() {
            [] => Err(Pkcs12Error::NoKey),
            [key] => Ok(&key.content),
            _ => Err(Pkcs12Error::SeveralKeys),
        }
    }

    /// The chain of the key: its certificate, then the issuers that the file has, without the self-signed root. Without a key, the
    /// first certificate begins.
    pub(super) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, Pkcs12Error> {
        let key_id = self.keys.first().and_then(|key| key.key_id.as_ref());
        let of_key =
            |bag: &&Bag<CertificateDer<'static>>| key_id.is_none() || bag.key_id.as_ref() == key_id;
        let leaf = self.certificates.iter().find(of_key);
        let mut chain = vec![leaf.ok_or(Pkcs12Error::NoCertificate)?.content.clone()];
        while let Some(issuer) = chain.last().and_then(|last| self.issuer_of(last)) {
            // Two CAs that certify each other.
            if chain.contains(issuer) {
                break;
            }
            chain.push(issuer.clone());
        }
        Ok(chain)
    }

    /// The issuer of a certificate, unless one of the two is self-signed.
    fn issuer_of(&self, der: &CertificateDer<'static>) -> Option<&CertificateDer<'static>> {
        let names = IssuerAndSubject::of(der).filter(|names| names.issuer != names.subject)?;
        let is_issuer = |other: &IssuerAndSubject| {
            other.subject == names.issuer && other.issuer != other.subject
        };
        let mut certificates = self.certificates.iter().map(|bag| &bag.content);
        certificates
            .find(|other| IssuerAndSubject::of(other).is_some_and(|names| is_issuer(&names)))
    }

    fn read_bags(
        &mut self,
        bags: &[u8],
        passphrase: &str,
        budget: &mut DerivationBudget,
    ) -> Result<(), Pkcs12Error> {
        let mut bags = DerReader::new(bags).expect(SEQUENCE)?.reader();
        while !bags.is_empty() {
            let mut bag = bags.expect(SEQUENCE)?.reader();
            let name = bag.expect(OBJECT_IDENTIFIER)?.content;
            let value = bag.expect(EXPLICIT)?;
            let key_id = key_id(&mut bag)?;
            if self.certificates.len() + self.keys.len() >= MAX_PARTS {
                return Err(Pkcs12Error::Malformed);
            }
            match name.strip_prefix(BAGS) {
                Some([KEY_BAG]) => self.add_key(value.content.to_vec(), key_id),
                Some([SHROUDED_KEY_BAG]) => {
                    let key = decrypt_private_key(value.content, passphrase.as_bytes(), budget)?;
                    self.add_key(key.to_vec(), key_id);
                }
                Some([CERTIFICATE_BAG]) => self.add_certificate(&value, key_id)?,
                // Revocation lists and secrets.
                _ => {}
            }
        }
        Ok(())
    }

    fn add_key(&mut self, der: Vec<u8>, key_id: Option<Vec<u8>>) {
        self.keys.push(Bag {
            content: der.into(),
            key_id,
        });
    }

    fn add_certificate(
        &mut self,
        value: &DerElement<'_>,
        key_id: Option<Vec<u8>>,
    ) -> Result<(), Pkcs12Error> {
        let mut fields = value.reader().expect(SEQUENCE)?.reader();
        if fields.expect(OBJECT_IDENTIFIER)?.content == X509_CERTIFICATE {
            let der = fields.expect(EXPLICIT)?.reader().expect(OCTET_STRING)?;
            self.certificates.push(Bag {
                content: CertificateDer::from(der.content.to_vec()),
                key_id,
            });
        }
        Ok(())
    }
}

/// Two names of a certificate, in DER.
struct IssuerAndSubject {
    issuer: Box<[u8]>,
    subject: Box<[u8]>,
}

impl IssuerAndSubject {
    fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = X509Certificate::from_der(der).ok()?.1;
        Some(Self {
            issuer: certificate.issuer().as_raw().into(),
            subject: certificate.subject().as_raw().into(),
        })
    }
}

/// The OCTET STRING of a `ContentInfo` of this type; `None` for another type.
fn content_of<'a>(info: &DerElement<'a>, kind: &[u8]) -> Result<Option<&'a [u8]>, BadDer> {
    let mut fields = info.reader();
    if fields.expect(OBJECT_IDENTIFIER)?.content != kind {
        return Ok(None);
    }
    let content = fields.expect(EXPLICIT)?.reader().expect(OCTET_STRING)?;
    Ok(Some(content.content))
}

/// Decrypts an `EncryptedData` (RFC 2315 section 13).
fn decrypt_part(
    info: &DerElement<'_>,
    passphrase: &str,
    budget: &mut DerivationBudget,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let mut fields = info.reader();
    if fields.expect(OBJECT_IDENTIFIER)?.content != ENCRYPTED_DATA {
        return Err(Pkcs12Error::Malformed);
    }
    let mut data = fields.expect(EXPLICIT)?.reader().expect(SEQUENCE)?.reader();
    data.expect(INTEGER)?;
    let mut content = data.expect(SEQUENCE)?.reader();
    content.expect(OBJECT_IDENTIFIER)?;
    let scheme = content.expect(SEQUENCE)?.reader();
    let encrypted = content.expect(IMPLICIT)?.content;
    Ok(decrypt(scheme, encrypted, passphrase.as_bytes(), budget)?)
}

/// The `localKeyId` among the attributes of a bag.
fn key_id(bag: &mut DerReader<'_>) -> Result<Option<Vec<u8>>, BadDer> {
    let Some(attributes) = bag.optional(SET)? else {
        return Ok(None);
    };
    let mut attributes = attributes.reader();
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(SEQUENCE)?.reader();
        if attribute.expect(OBJECT_IDENTIFIER)?.content == LOCAL_KEY_ID {
            let value = attribute.expect(SET)?.reader().expect(OCTET_STRING)?;
            return Ok(Some(value.content.to_vec()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
