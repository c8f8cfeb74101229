//! Signature algorithms of tokens. All of them use public keys.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaParameters, VerificationAlgorithm,
};

/// A signature algorithm of tokens. `none` and HMAC are not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA PKCS#1 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// All algorithms, by their names in tokens and config.
    pub const ALL: [(&'static str, Self); 5] = [
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
        ("PS256", Self::Ps256),
        ("RS256", Self::Rs256),
    ];

    /// The default algorithms of an issuer.
    pub const USUAL: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Ps256, Self::Rs256];

    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, algorithm)| *algorithm)
    }

    /// The verification algorithm for an elliptic curve key. `None` for RSA.
    pub(super) fn of_plain_keys(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
            Self::EdDsa => Some(&ED25519),
            Self::Ps256 | Self::Rs256 => None,
        }
    }

    /// The verification parameters for an RSA key. `None` for elliptic curves.
    pub(super) fn of_rsa_keys(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }
}
