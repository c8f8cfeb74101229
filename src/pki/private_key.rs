//! A private key in memory. `files` writes it to disk.

use std::fmt;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use zeroize::Zeroizing;

use super::{PkiError, pem};

/// A private key. Its memory is zeroed on drop.
pub struct PrivateKey(Zeroizing<KeyPair>);

impl PrivateKey {
    /// Generates a new ECDSA P-256 key.
    ///
    /// # Errors
    /// [`PkiError::Library`] if the system gives no random numbers.
    pub fn generate() -> Result<Self, PkiError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(|pair| Self(Zeroizing::new(pair)))
            .map_err(PkiError::Library)
    }

    /// The key in PKCS#8 form, as PEM.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }

    /// Reads a key that is not encrypted.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, PkiError> {
        let blocks =
            pem::blocks(text, pem::PRIVATE_KEY, "a private key").map_err(
                |error| match is_encrypted(text) {
                    true => PkiError::EncryptedKey,
                    false => error,
                },
            )?;
        let block = blocks
            .into_iter()
            .next()
            .map(Zeroizing::new)
            .unwrap_or_default();
        KeyPair::try_from(block.as_slice())
            .map(|pair| Self(Zeroizing::new(pair)))
            .map_err(PkiError::UnusableKey)
    }

    /// The key pair for rcgen.
    pub(super) fn pair(&self) -> &KeyPair {
        &self.0
    }

    /// The public key, as in the bit string of a certificate.
    pub(super) fn public_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(secret)")
    }
}

/// PKCS#8 marks encryption in the label, the older form in a header (`Proc-Type: 4,ENCRYPTED`).
fn is_encrypted(text: &[u8]) -> bool {
    text.windows(9).any(|part| part == b"ENCRYPTED")
}
