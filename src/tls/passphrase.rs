//! Decryption with a passphrase: PBES2 (RFC 8018) with PBKDF2 and AES-CBC, as OpenSSL writes private keys and PKCS#12. The work
//! of a file is bounded, since the file names the number of rounds.

use super::der::{BadDer, DerReader, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use crate::telemetry::build::{FIPS, Fips};
use aws_lc_rs::cipher::{
    self, AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::pbkdf2;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Maximum number of rounds of key derivation for one file: a few seconds of work.
pub const MAX_DERIVATION_ROUNDS: u32 = 5_000_000;

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const SCRYPT: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];
const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02];
const AES_192_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const TRIPLE_DES_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07];
/// Arc of `hmacWithSHA…`; the last byte follows.
const HMAC_ARC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// Arc of the encryption schemes of PKCS#12 (RFC 7292 appendix C): RC4, RC2 and Triple DES, with SHA-1.
const PKCS12_SCHEMES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];

/// Why something encrypted cannot be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptionError {
    /// The passphrase does not belong to the content.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The key derivation takes too long.
    #[error(
        "deriving the key from the passphrase takes more than {MAX_DERIVATION_ROUNDS} rounds, the most for one file"
    )]
    TooManyRounds,
    /// The encryption scheme is not supported.
    #[error("it is encrypted with {0}, which is not supported")]
    UnsupportedScheme(&'static str),
    /// The structure is malformed.
    #[error("its encrypted content is malformed")]
    Malformed,
}

impl From<BadDer> for DecryptionError {
    fn from(BadDer: BadDer) -> Self {
        Self::Malformed
    }
}

/// The rounds of key derivation that a file may still cause.
#[derive(Debug)]
pub(super) struct DerivationBudget(u32);

impl Default for DerivationBudget {
    fn default() -> Self {
        Self(MAX_DERIVATION_ROUNDS)
    }
}

impl DerivationBudget {
    /// Takes the rounds of an INTEGER from the budget.
    pub(super) fn take(&mut self, rounds: &[u8]) -> Result<NonZeroU32, DecryptionError> {
        let significant = rounds.strip_prefix(&[0]).unwrap_or(rounds);
        if rounds.first().is_none_or(|byte| *byte > 0x7f) {
            return Err(DecryptionError::Malformed);
        }
        if significant.len() > size_of::<u32>() {
            return Err(DecryptionError::TooManyRounds);
        }
        let rounds = significant
            .iter()
            .fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        self.0 = self
            .0
            .checked_sub(rounds)
            .ok_or(DecryptionError::TooManyRounds)?;
        NonZeroU32::new(rounds).ok_or(DecryptionError::Malformed)
    }
}

/// Decrypts an `EncryptedPrivateKeyInfo` (RFC 5958 section 3). Returns a `PrivateKeyInfo` (PKCS#8).
pub(super) fn decrypt_private_key(
    der: &[u8],
    passphrase: &[u8],
    budget: &mut DerivationBudget,
) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    let mut outer = DerReader::new(der);
    let mut fields = outer.expect(SEQUENCE)?.reader();
    outer.finish()?;
    let scheme = fields.expect(SEQUENCE)?.reader();
    let encrypted = fields.expect(OCTET_STRING)?.content;
    let plain = decrypt(scheme, encrypted, passphrase, budget)?;
    // One wrong passphrase in 256 leaves valid padding.
    let is_private_key = || {
        let mut reader = DerReader::new(&plain);
        let mut fields = reader.expect(SEQUENCE)?.reader();
        reader.finish()?;
        fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?;
        fields.expect(OCTET_STRING).map(drop)
    };
    is_private_key().map_err(|BadDer| DecryptionError::WrongPassphrase)?;
    Ok(plain)
}

/// Decrypts a content. `scheme` has the elements of the `AlgorithmIdentifier`.
pub(super) fn decrypt(
    mut scheme: DerReader<'_>,
    encrypted: &[u8],
    passphrase: &[u8],
    budget: &mut DerivationBudget,
) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    let name = scheme.expect(OBJECT_IDENTIFIER)?.content;
    if name.starts_with(PKCS12_SCHEMES) {
        return Err(DecryptionError::UnsupportedScheme("RC2, RC4 or Triple DES"));
    }
    if name != PBES2 {
        return Err(DecryptionError::UnsupportedScheme("an unknown scheme"));
    }
    let mut parameters = scheme.expect(SEQUENCE)?.reader();
    let derivation = parameters.expect(SEQUENCE)?.reader();
    let mut encryption = parameters.expect(SEQUENCE)?.reader();
    let algorithm = match encryption.expect(OBJECT_IDENTIFIER)?.content {
        AES_128_CBC => &AES_128,
        AES_192_CBC => &AES_192,
        AES_256_CBC => &AES_256,
        TRIPLE_DES_CBC => return Err(DecryptionError::UnsupportedScheme("Triple DES")),
        _ => return Err(DecryptionError::UnsupportedScheme("an unknown cipher")),
    };
    let vector: [u8; 16] = encryption
        .expect(OCTET_STRING)?
        .content
        .try_into()
        .map_err(|_| DecryptionError::Malformed)?;
    let key_length = match algorithm {
        _ if *algorithm == AES_128 => 16,
        _ if *algorithm == AES_192 => 24,
        _ => 32,
    };
    let key = derive_key(derivation, passphrase, key_length, budget)?;
    cbc_decrypt(algorithm, &key, vector, encrypted)
}

fn cbc_decrypt(
    algorithm: &'static cipher::Algorithm,
    key: &[u8],
    vector: [u8; 16],
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    let key = UnboundCipherKey::new(algorithm, key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
    let key = key.map_err(|_| DecryptionError::Malformed)?;
    let mut content = Zeroizing::new(encrypted.to_vec());
    let length = key
        .decrypt(&mut content, DecryptionContext::Iv128(vector.into()))
        .map_err(|_| DecryptionError::WrongPassphrase)?
        .len();
    content.truncate(length);
    Ok(content)
}

/// Derives a key by PBKDF2. `derivation` has the elements of its `AlgorithmIdentifier`.
pub(super) fn derive_key(
    mut derivation: DerReader<'_>,
    passphrase: &[u8],
    length: usize,
    budget: &mut DerivationBudget,
) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    match derivation.expect(OBJECT_IDENTIFIER)?.content {
        PBKDF2 => {}
        SCRYPT => {
            return Err(DecryptionError::UnsupportedScheme(
                "a key derived by scrypt",
            ));
        }
        _ => {
            return Err(DecryptionError::UnsupportedScheme(
                "an unknown key derivation",
            ));
        }
    }
    let mut parameters = derivation.expect(SEQUENCE)?.reader();
    let salt = parameters.expect(OCTET_STRING)?.content;
    let rounds = budget.take(parameters.expect(INTEGER)?.content)?;
    parameters.optional(INTEGER)?;
    let function = match parameters.optional(SEQUENCE)? {
        None => pbkdf2::PBKDF2_HMAC_SHA1,
        Some(function) => {
            let name = function.reader().expect(OBJECT_IDENTIFIER)?.content;
            match name.strip_prefix(HMAC_ARC) {
                Some([0x07]) => pbkdf2::PBKDF2_HMAC_SHA1,
                Some([0x09]) => pbkdf2::PBKDF2_HMAC_SHA256,
                Some([0x0a]) => pbkdf2::PBKDF2_HMAC_SHA384,
                Some([0x0b]) => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => {
                    return Err(DecryptionError::UnsupportedScheme(
                        "an unknown hash in its key derivation",
                    ));
                }
            }
        }
    };
    // The FIPS module panics where PBKDF2 is not approved.
    if FIPS == Fips::Only && (salt.len() < 16 || passphrase.len() < 14 || rounds.get() < 1000) {
        return Err(DecryptionError::UnsupportedScheme(
            "a passphrase below 14 bytes, a salt below 16 bytes or less than 1000 rounds, in a FIPS build",
        ));
    }
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(function, rounds, salt, passphrase, &mut key);
    Ok(key)
}
