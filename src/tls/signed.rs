//! Signatures on X.509 structures: whether a key made a signature. Knows neither the content nor who may sign.

use super::der::{BIT_STRING, BadDer, DerReader, SEQUENCE};
use super::provider;

/// Whether a certificate or a revocation list (DER) is signed with a key (DER of `SubjectPublicKeyInfo`). `false` for
/// unknown and weak algorithms and keys.
pub fn is_signed_by(der: &[u8], public_key: &[u8]) -> bool {
    SignedDer::read(der).is_ok_and(|signed| signed.is_by(public_key))
}

/// A certificate or a revocation list, split into content and signature.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedDer<'a> {
    /// The signed content, tag included.
    pub(super) message: &'a [u8],
    /// The content of the algorithm identifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> SignedDer<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, BadDer> {
        let mut outer = DerReader::new(der);
        let mut parts = outer.expect(SEQUENCE)?.reader();
        outer.finish()?;
        let message = parts.expect(SEQUENCE)?.whole;
        let algorithm = parts.expect(SEQUENCE)?.content;
        let signature = whole_bytes(parts.expect(BIT_STRING)?.content)?;
        parts.finish()?;
        Ok(Self {
            message,
            algorithm,
            signature,
        })
    }

    /// Whether it is signed with this key (DER). `false` for unknown and weak algorithms and keys.
    pub(super) fn is_by(&self, public_key: &[u8]) -> bool {
        let Ok((key_algorithm, key)) = public_key_parts(public_key) else {
            return false;
        };
        provider()
            .signature_verification_algorithms
            .all
            .iter()
            .any(|algorithm| {
                algorithm.signature_alg_id().as_ref() == self.algorithm
                    && algorithm.public_key_alg_id().as_ref() == key_algorithm
                    && algorithm
                        .verify_signature(key, self.message, self.signature)
                        .is_ok()
            })
    }
}

fn public_key_parts(der: &[u8]) -> Result<(&[u8], &[u8]), BadDer> {
    let mut parts = DerReader::new(der).expect(SEQUENCE)?.reader();
    let algorithm = parts.expect(SEQUENCE)?.content;
    let key = whole_bytes(parts.expect(BIT_STRING)?.content)?;
    parts.finish()?;
    Ok((algorithm, key))
}

/// A bit string without unused bits.
fn whole_bytes(content: &[u8]) -> Result<&[u8], BadDer> {
    match content.split_first() {
        Some((0, bytes)) => Ok(bytes),
        _ => Err(BadDer),
    }
}
