//! Keys and signatures: good ones, and those that no library makes any more.

mod arithmetic;

pub use arithmetic::{children, content, without_zeros};

use crate::support::der::{bit_string, integer, null, oid, sequence};
use arithmetic::{numbers_of_pkcs8, raw_signature};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256K1_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rcgen::{KeyPair, PublicKeyData, SigningKey as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;
use rustls::{SignatureAlgorithm, SignatureScheme};
use std::fmt;
use std::sync::Arc;

/// Signs octets.
type Sign = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// A key that signs certificates and handshakes.
#[derive(Clone)]
pub struct Key {
    /// SubjectPublicKeyInfo in DER.
    pub public: Vec<u8>,
    /// AlgorithmIdentifier of what `sign` makes, in DER.
    pub algorithm: Vec<u8>,
    sign: Sign,
    /// With which it signs handshakes.
    pub handshake: Arc<dyn SigningKey>,
}

const ECDSA_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
const ECDSA_SHA384: &[u64] = &[1, 2, 840, 10045, 4, 3, 3];
const ECDSA_SHA512: &[u64] = &[1, 2, 840, 10045, 4, 3, 4];
const ED25519: &[u64] = &[1, 3, 101, 112];
const RSA: &[u64] = &[1, 2, 840, 113549, 1, 1, 1];
const RSA_SHA1: &[u64] = &[1, 2, 840, 113549, 1, 1, 5];
const RSA_SHA256: &[u64] = &[1, 2, 840, 113549, 1, 1, 11];
const RSA_SHA384: &[u64] = &[1, 2, 840, 113549, 1, 1, 12];
const EC: &[u64] = &[1, 2, 840, 10045, 2, 1];
const SECP256K1: &[u64] = &[1, 3, 132, 0, 10];

impl Key {
    pub fn p256() -> Self {
        Self::of(
            &rcgen::PKCS_ECDSA_P256_SHA256,
            sequence(&[oid(ECDSA_SHA256)]),
        )
    }

    pub fn p384() -> Self {
        Self::of(
            &rcgen::PKCS_ECDSA_P384_SHA384,
            sequence(&[oid(ECDSA_SHA384)]),
        )
    }

    pub fn p521() -> Self {
        Self::of(
            &rcgen::PKCS_ECDSA_P521_SHA512,
            sequence(&[oid(ECDSA_SHA512)]),
        )
    }

    pub fn ed25519() -> Self {
        Self::of(&rcgen::PKCS_ED25519, sequence(&[oid(ED25519)]))
    }

    fn of(kind: &'static rcgen::SignatureAlgorithm, algorithm: Vec<u8>) -> Self {
        Self::from_pair(KeyPair::generate_for(kind).expect("a key"), algorithm)
    }

    fn from_pair(pair: KeyPair, algorithm: Vec<u8>) -> Self {
        let pkcs8 = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        Self {
            public: pair.subject_public_key_info(),
            algorithm,
            handshake: rustls::crypto::aws_lc_rs::sign::any_supported_type(&pkcs8).expect("a key"),
            sign: Arc::new(move |message| pair.sign(message).expect("a signature")),
        }
    }

    /// RSA of 2048 bits that signs with SHA-256, and the same key in other forms.
    pub fn rsa_2048() -> Rsa {
        Rsa::of(rcgen::RsaKeySize::_2048)
    }

    pub fn rsa_3072() -> Self {
        Rsa::of(rcgen::RsaKeySize::_3072).key
    }

    /// The curve of Bitcoin, which TLS does not know.
    pub fn secp256k1() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256K1_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256K1_SHA256_ASN1_SIGNING,
            pkcs8.expect("a key").as_ref(),
        );
        let pair = Arc::new(pair.expect("a key"));
        let sign: Sign = {
            let pair = pair.clone();
            Arc::new(move |message| {
                pair.sign(&SystemRandom::new(), message)
                    .expect("a signature")
                    .as_ref()
                    .to_vec()
            })
        };
        let algorithm = sequence(&[oid(EC), oid(SECP256K1)]);
        Self {
            public: sequence(&[algorithm, bit_string(0, pair.public_key().as_ref())]),
            algorithm: sequence(&[oid(ECDSA_SHA256)]),
            handshake: by_hand(SignatureScheme::ECDSA_NISTP256_SHA256, sign.clone()),
            sign,
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        (self.sign)(message)
    }

    /// The same key, whose handshakes are signed with nonsense.
    pub fn that_signs_nonsense(&self) -> Self {
        let sign: Sign = Arc::new(|_| vec![0x30, 0x06, 2, 1, 1, 2, 1, 1]);
        Self {
            handshake: by_hand(SignatureScheme::ECDSA_NISTP256_SHA256, sign),
            ..self.clone()
        }
    }

    /// The same key, whose handshakes another one signs.
    pub fn signing_with(&self, other: &Self) -> Self {
        Self {
            handshake: other.handshake.clone(),
            ..self.clone()
        }
    }
}

/// An RSA key, and what can be made of it.
pub struct Rsa {
    /// Signs with SHA-256.
    pub key: Key,
    modulus: Vec<u8>,
    private_exponent: Vec<u8>,
    prime: Vec<u8>,
    exponent_of_prime: Vec<u8>,
}

impl Rsa {
    fn of(size: rcgen::RsaKeySize) -> Self {
        let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).expect("a key");
        let numbers = numbers_of_pkcs8(pair.serialized_der());
        let [
            _,
            modulus,
            _,
            private_exponent,
            prime,
            _,
            exponent_of_prime,
            ..,
        ] = &numbers[..]
        else {
            panic!("an RSA key");
        };
        let (modulus, private_exponent) = (modulus.clone(), private_exponent.clone());
        let (prime, exponent_of_prime) = (prime.clone(), exponent_of_prime.clone());
        let key = Key::from_pair(pair, sequence(&[oid(RSA_SHA256), null()]));
        Self {
            key,
            modulus,
            private_exponent,
            prime,
            exponent_of_prime,
        }
    }

    /// Signs with SHA-1.
    pub fn with_sha1(&self) -> Key {
        const PREFIX: &[u8] = &[
            0x30, 0x21, 0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 0x14,
        ];
        let (modulus, exponent) = (self.modulus.clone(), self.private_exponent.clone());
        let sign = move |message: &[u8]| {
            let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            digest.update(message);
            raw_signature(
                &modulus,
                &exponent,
                &[PREFIX, digest.finish().as_ref()].concat(),
            )
        };
        Key {
            algorithm: sequence(&[oid(RSA_SHA1), null()]),
            sign: Arc::new(sign),
            ..self.key.clone()
        }
    }

    /// Says that it signs with SHA-384, but does not.
    pub fn with_wrong_label(&self) -> Key {
        Key {
            algorithm: sequence(&[oid(RSA_SHA384), null()]),
            ..self.key.clone()
        }
    }

    /// A key of 1024 bits. Its modulus is a prime, which nobody can tell from its signatures, and which is half of this key.
    pub fn of_1024_bits(&self) -> Key {
        const PREFIX: &[u8] = &[
            0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20,
        ];
        let (modulus, exponent) = (self.prime.clone(), self.exponent_of_prime.clone());
        let sign: Sign = Arc::new(move |message: &[u8]| {
            let mut digest = Context::new(&SHA256);
            digest.update(message);
            raw_signature(
                &modulus,
                &exponent,
                &[PREFIX, digest.finish().as_ref()].concat(),
            )
        });
        let numbers = sequence(&[
            integer(&[&[0], &self.prime[..]].concat()),
            integer(&[1, 0, 1]),
        ]);
        Key {
            public: sequence(&[sequence(&[oid(RSA), null()]), bit_string(0, &numbers)]),
            algorithm: sequence(&[oid(RSA_SHA256), null()]),
            handshake: by_hand(SignatureScheme::RSA_PKCS1_SHA256, sign.clone()),
            sign,
        }
    }
}

/// What signs a handshake by a function of ours.
fn by_hand(scheme: SignatureScheme, sign: Sign) -> Arc<dyn SigningKey> {
    Arc::new(ByHand { scheme, sign })
}

#[derive(Clone)]
struct ByHand {
    scheme: SignatureScheme,
    sign: Sign,
}

impl fmt::Debug for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} by hand", self.scheme)
    }
}

impl SigningKey for ByHand {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        offered
            .contains(&self.scheme)
            .then(|| Box::new(self.clone()) as Box<dyn rustls::sign::Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.scheme {
            SignatureScheme::RSA_PKCS1_SHA256 => SignatureAlgorithm::RSA,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl rustls::sign::Signer for ByHand {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok((self.sign)(message))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
