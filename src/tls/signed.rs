//! Whether a signature on something in X.509 form was made by a key. Knows neither what is signed nor who may sign.

use super::der::{BIT_STRING, BadDer, Reader, SEQUENCE};
use super::provider;

/// Whether a certificate or a revocation list (DER) is signed by the owner of a key (DER of `SubjectPublicKeyInfo`).
/// Unknown and weak algorithms and keys: no.
pub fn is_signed_by(der: &[u8], public_key: &[u8]) -> bool {
    Signed::read(der).is_ok_and(|signed| signed.is_by(public_key))
}

/// Something with its signature: a certificate, or a revocation list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// What is signed, tag included.
    pub(super) message: &'a [u8],
    /// Content of the algorithm's identifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, BadDer> {
        let mut outer = Reader::new(der);
        let mut parts = outer.expect(SEQUENCE)?.reader();
        outer.finish()?;
        let message = parts.expect(SEQUENCE)?.whole;
        let algorithm = parts.expect(SEQUENCE)?.content;
        let signature = whole_octets(parts.expect(BIT_STRING)?.content)?;
        parts.finish()?;
        Ok(Self {
            message,
            algorithm,
            signature,
        })
    }

    /// Whether the owner of this key (DER) has signed. Unknown and weak algorithms and keys: no.
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
    let mut parts = Reader::new(der).expect(SEQUENCE)?.reader();
    let algorithm = parts.expect(SEQUENCE)?.content;
    let key = whole_octets(parts.expect(BIT_STRING)?.content)?;
    parts.finish()?;
    Ok((algorithm, key))
}

/// A bit string without unused bits.
fn whole_octets(content: &[u8]) -> Result<&[u8], BadDer> {
    match content.split_first() {
        Some((0, octets)) => Ok(octets),
        _ => Err(BadDer),
    }
}
