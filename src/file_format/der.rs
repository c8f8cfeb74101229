//! Recognises formats in DER by the first elements of their structure. Nothing is verified, and the content may be truncated.
//!
//! This parser must stay separate from `tls::der`. It is lenient: it accepts the indefinite lengths of BER, as in PKCS#12 and
//! PKCS#7, and truncated elements, since formats serve hints alone. `tls::der` is strict, since revocation depends on it.

use super::FileFormat;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed.
const CONTEXT_0: u8 = 0xa0;
/// `signedData` of PKCS#7 (RFC 2315 section 14), without tag and length.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const JAVA_KEY_STORE: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];

/// An element. Its content may be truncated.
#[derive(Clone, Copy)]
struct DerPart<'a> {
    tag: u8,
    content: &'a [u8],
}

/// Consecutive elements, up to the end of the content.
struct DerParts<'a>(&'a [u8]);

impl<'a> Iterator for DerParts<'a> {
    type Item = DerPart<'a>;

    fn next(&mut self) -> Option<DerPart<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Indefinite length (BER), as in PKCS#12 and PKCS#7: up to the end.
            0x80 => (usize::MAX, rest),
            0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (
                    length
                        .iter()
                        .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
                    rest,
                )
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        self.0 = rest;
        Some(DerPart { tag, content })
    }
}

pub(super) fn format(content: &[u8]) -> Option<FileFormat> {
    if content.starts_with(JAVA_KEY_STORE) {
        return Some(FileFormat::JavaKeyStore);
    }
    let whole = DerParts(content)
        .next()
        .filter(|whole| whole.tag == SEQUENCE)?;
    let mut elements = DerParts(whole.content);
    let first = elements.next()?;
    let second = elements.next().map(|element| element.tag);
    match (first.tag, first.content, second) {
        (OBJECT_IDENTIFIER, SIGNED_DATA, _) => Some(FileFormat::Pkcs7Der),
        (INTEGER, [3], Some(SEQUENCE)) => Some(FileFormat::Pkcs12),
        (INTEGER, [0 | 1], Some(SEQUENCE | INTEGER)) => Some(FileFormat::PrivateKeyDer),
        (INTEGER, [1], Some(OCTET_STRING)) => Some(FileFormat::PrivateKeyDer),
        (SEQUENCE, _, Some(OCTET_STRING)) => Some(FileFormat::EncryptedKeyDer),
        (SEQUENCE, _, Some(BIT_STRING)) => Some(FileFormat::PublicKeyDer),
        // The second element is missing in a truncated file.
        (SEQUENCE, content, Some(SEQUENCE) | None) => signed(content),
        _ => None,
    }
}

/// A signed structure: certificate, request or revocation list (RFC 5280 sections 4.1 and 5.1, RFC 2986).
fn signed(content: &[u8]) -> Option<FileFormat> {
    let tags: Vec<u8> = DerParts(content)
        .take(7)
        .map(|element| element.tag)
        .collect();
    let without_version = tags.strip_prefix(&[INTEGER]).unwrap_or(&tags);
    match without_version {
        [CONTEXT_0, INTEGER, ..] => Some(FileFormat::CertificateDer),
        [SEQUENCE, SEQUENCE, UTC_TIME | GENERALIZED_TIME, ..] => {
            Some(FileFormat::RevocationListDer)
        }
        [SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, ..] => Some(FileFormat::CertificateDer),
        [SEQUENCE, SEQUENCE, CONTEXT_0, ..] => Some(FileFormat::CertificateRequestDer),
        _ => None,
    }
}
