//! The MAC of PKCS#12: HMAC with a key by the derivation of RFC 7292 appendix B, or PBMAC1 (RFC 9579).

use super::{Pkcs12Error, SEQUENCE};
use crate::tls::der::{DerElement, DerReader, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING};
use crate::tls::passphrase::{DecryptionError, DerivationBudget, derive_key};
use aws_lc_rs::{digest, hmac};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// Arc of the SHA-2 hashes; the last byte follows.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
const HMAC_ARC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
const NULL: u8 = 0x05;
/// Marks a derivation for a MAC key.
const MAC_KEY: u8 = 3;

/// A hash, its block length, and the HMAC with it.
struct MacHash {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
}

/// Verifies the `MacData` over the content.
pub(super) fn verify(
    mac: DerElement<'_>,
    content: &[u8],
    passphrase: &str,
    budget: &mut DerivationBudget,
) -> Result<(), Pkcs12Error> {
    let mut fields = mac.reader();
    let mut info = fields.expect(SEQUENCE)?.reader();
    let mut algorithm = info.expect(SEQUENCE)?.reader();
    let expected = info.expect(OCTET_STRING)?.content;
    let salt = fields.expect(OCTET_STRING)?.content;
    let rounds = fields
        .optional(INTEGER)?
        .map_or(&[1][..], |rounds| rounds.content);
    info.finish()?;
    fields.finish()?;
    let name = algorithm.expect(OBJECT_IDENTIFIER)?.content;
    let key = if name == PBMAC1 {
        pbmac1_key(algorithm, passphrase, budget)?
    } else {
        let hash = hash(name).ok_or(Pkcs12Error::Mac)?;
        algorithm.optional(NULL)?;
        algorithm.finish()?;
        let rounds = budget.take(rounds)?;
        let key = pkcs12_key(hash.digest, passphrase, salt, rounds);
        hmac::Key::new(hash.hmac, &key)
    };
    hmac::verify(&key, content, expected)
        .map_err(|_| Pkcs12Error::Decryption(DecryptionError::WrongPassphrase))
}

fn hash(name: &[u8]) -> Option<MacHash> {
    if name == SHA1 {
        return Some(MacHash {
            digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
            hmac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        });
    }
    let (digest, hmac) = match name.strip_prefix(SHA2)? {
        [1] => (&digest::SHA256, hmac::HMAC_SHA256),
        [2] => (&digest::SHA384, hmac::HMAC_SHA384),
        [3] => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return None,
    };
    Some(MacHash { digest, hmac })
}

fn pbmac1_key(
    mut algorithm: DerReader<'_>,
    passphrase: &str,
    budget: &mut DerivationBudget,
) -> Result<hmac::Key, Pkcs12Error> {
    let mut parameters = algorithm.expect(SEQUENCE)?.reader();
    let derivation = parameters.expect(SEQUENCE)?.reader();
    let name = parameters
        .expect(SEQUENCE)?
        .reader()
        .expect(OBJECT_IDENTIFIER)?
        .content;
    let algorithm = match name.strip_prefix(HMAC_ARC) {
        Some([0x09]) => hmac::HMAC_SHA256,
        Some([0x0a]) => hmac::HMAC_SHA384,
        Some([0x0b]) => hmac::HMAC_SHA512,
        _ => return Err(Pkcs12Error::Mac),
    };
    let length = algorithm.digest_algorithm().output_len();
    let key = derive_key(derivation, passphrase.as_bytes(), length, budget)?;
    Ok(hmac::Key::new(algorithm, &key))
}

/// The first output of the key derivation of RFC 7292 appendix B.2, which is all of a MAC key.
fn pkcs12_key(
    algorithm: &'static digest::Algorithm,
    passphrase: &str,
    salt: &[u8],
    rounds: NonZeroU32,
) -> Zeroizing<Vec<u8>> {
    let block = algorithm.block_len();
    let utf16 = passphrase
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_be_bytes);
    let passphrase = Zeroizing::new(utf16.collect::<Vec<u8>>());
    let mut input = Zeroizing::new(vec![MAC_KEY; block]);
    for part in [salt, &passphrase] {
        let length = part.len().div_ceil(block) * block;
        input.extend(part.iter().copied().cycle().take(length));
    }
    let mut key = Zeroizing::new(digest::digest(algorithm, &input).as_ref().to_vec());
    for _ in 1..rounds.get() {
        let next = digest::digest(algorithm, &key);
        key.copy_from_slice(next.as_ref());
    }
    key
}
