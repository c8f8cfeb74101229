//! Keys and signatures: good ones, and those that no library makes any more.

use crate::support::der::{bit_string, integer, null, oid, sequence};
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

/// The numbers of the RSAPrivateKey in a PKCS #8 (RFC 8017 appendix A.1.2), without leading zeros: version, modulus,
/// public exponent, private exponent, two primes, their exponents.
fn numbers_of_pkcs8(der: &[u8]) -> Vec<Vec<u8>> {
    let outer = children(content(der));
    let inner = content(outer[2]);
    children(content(inner))
        .into_iter()
        .map(|number| without_zeros(content(number)))
        .collect()
}

pub fn without_zeros(octets: &[u8]) -> Vec<u8> {
    octets
        .iter()
        .copied()
        .skip_while(|octet| *octet == 0)
        .collect()
}

/// Lengths of header and content of the first element.
fn split(octets: &[u8]) -> (usize, usize) {
    match octets[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let digits = usize::from(long & 0x7f);
            let length = octets[2..2 + digits]
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (2 + digits, length)
        }
    }
}

/// Content of the first element.
pub fn content(octets: &[u8]) -> &[u8] {
    let (header, length) = split(octets);
    &octets[header..header + length]
}

/// The elements one after the other.
pub fn children(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !octets.is_empty() {
        let (header, length) = split(octets);
        let (one, rest) = octets.split_at(header + length);
        all.push(one);
        octets = rest;
    }
    all
}

/// RSASSA-PKCS1-v1_5 without asking whether anybody should (RFC 8017 section 8.2.1).
fn raw_signature(modulus: &[u8], exponent: &[u8], digest_info: &[u8]) -> Vec<u8> {
    let padding = vec![0xff; modulus.len() - digest_info.len() - 3];
    let padded = [&[0, 1], &padding[..], &[0], digest_info].concat();
    Montgomery::new(modulus).power(&padded, exponent)
}

/// Arithmetic modulo an odd number, in limbs of 32 bits, the lowest first.
struct Montgomery {
    modulus: Vec<u32>,
    /// -1/modulus modulo 2^32.
    inverse: u32,
}

impl Montgomery {
    fn new(modulus: &[u8]) -> Self {
        let modulus = limbs(modulus, modulus.len().div_ceil(4));
        let mut inverse = 1_u32;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2_u32.wrapping_sub(modulus[0].wrapping_mul(inverse)));
        }
        Self {
            modulus,
            inverse: inverse.wrapping_neg(),
        }
    }

    fn power(&self, base: &[u8], exponent: &[u8]) -> Vec<u8> {
        let size = self.modulus.len();
        // 1 and base, times 2^(32 size), by doubling.
        let (mut one, mut base) = (limbs(&[1], size), limbs(base, size));
        for _ in 0..32 * size {
            one = self.doubled(&one);
            base = self.doubled(&base);
        }
        let mut result = one;
        for bit in exponent
            .iter()
            .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1))
        {
            result = self.product(&result, &result);
            if bit == 1 {
                result = self.product(&result, &base);
            }
        }
        let result = self.product(&result, &limbs(&[1], size));
        result
            .iter()
            .rev()
            .flat_map(|limb| limb.to_be_bytes())
            .collect()
    }

    fn doubled(&self, number: &[u32]) -> Vec<u32> {
        let mut carry = 0;
        let mut twice: Vec<u32> = Vec::with_capacity(number.len() + 1);
        for limb in number {
            twice.push(limb << 1 | carry);
            carry = limb >> 31;
        }
        twice.push(carry);
        self.reduced(twice)
    }

    /// `a b / 2^(32 size)`.
    fn product(&self, a: &[u32], b: &[u32]) -> Vec<u32> {
        let size = self.modulus.len();
        let mut sum = vec![0_u32; size + 2];
        for limb in a {
            add_multiple(&mut sum, b, *limb);
            let factor = sum[0].wrapping_mul(self.inverse);
            add_multiple(&mut sum, &self.modulus, factor);
            sum.remove(0);
            sum.push(0);
        }
        sum.truncate(size + 1);
        self.reduced(sum)
    }

    /// A number below twice the modulus, of one limb more.
    fn reduced(&self, mut number: Vec<u32>) -> Vec<u32> {
        let size = self.modulus.len();
        let is_less =
            number[size] == 0 && number[..size].iter().rev().lt(self.modulus.iter().rev());
        if !is_less {
            let mut borrow = false;
            for (limb, modulus) in number.iter_mut().zip(&self.modulus) {
                let (less, under) = limb.overflowing_sub(*modulus);
                let (less, again) = less.overflowing_sub(u32::from(borrow));
                (*limb, borrow) = (less, under || again);
            }
        }
        number.truncate(size);
        number
    }
}

/// `sum += number * factor`.
fn add_multiple(sum: &mut [u32], number: &[u32], factor: u32) {
    let mut carry = 0_u64;
    for (at, limb) in sum.iter_mut().enumerate() {
        let product = u64::from(number.get(at).copied().unwrap_or(0)) * u64::from(factor)
            + u64::from(*limb)
            + carry;
        *limb = product as u32;
        carry = product >> 32;
    }
}

fn limbs(octets: &[u8], size: usize) -> Vec<u32> {
    let mut limbs: Vec<u32> = octets
        .rchunks(4)
        .map(|chunk| {
            chunk
                .iter()
                .fold(0, |limb, octet| limb << 8 | u32::from(*octet))
        })
        .collect();
    limbs.resize(size, 0);
    limbs
}
