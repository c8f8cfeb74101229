//! Verifies the signature of a request, and restricts its key and algorithms.
//!
//! rcgen cannot do this: it derives the curve of a key from the *signature algorithm*. OpenSSL signs with SHA-256 for every
//! curve, so the key of a P-384 request would be wrong.

use aws_lc_rs::signature::{self as accepted, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::der_parser::Oid;
use x509_parser::oid_registry as oid;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::PkiError;

/// The accepted kinds of public keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

/// Checks that the request is signed by its own key, and that this key is accepted.
pub(super) fn verify(request: &X509CertificationRequest<'_>) -> Result<(), PkiError> {
    let key = &request.certification_request_info.subject_pki;
    let kind = key_kind(key)?;
    let method = &request.signature_algorithm.algorithm;
    let algorithm = algorithm(kind, method)
        .ok_or_else(|| PkiError::RequestSignatureMethod(method.to_id_string()))?;
    UnparsedPublicKey::new(algorithm, &key.subject_public_key.data)
        .verify(
            request.certification_request_info.raw,
            &request.signature_value.data,
        )
        .map_err(|_| PkiError::RequestSignature)
}

fn key_kind(key: &SubjectPublicKeyInfo<'_>) -> Result<KeyKind, PkiError> {
    let kind = &key.algorithm.algorithm;
    if *kind == oid::OID_SIG_ED25519 {
        return Ok(KeyKind::Ed25519);
    }
    match key
        .parsed()
        .map_err(|_| PkiError::Malformed("public key"))?
    {
        PublicKey::RSA(rsa) if *kind == oid::OID_PKCS1_RSAENCRYPTION => match bits(rsa.modulus) {
            2048..=8192 => Ok(KeyKind::Rsa),
            size => Err(PkiError::RequestKeySize(size)),
        },
        // 4 marks an uncompressed point, the only form in TLS 1.3 (RFC 8446 section 4.2.8.2).
        PublicKey::EC(point) if point.data().first() == Some(&4) => {
            curve(key).ok_or(PkiError::RequestKey)
        }
        _ => Err(PkiError::RequestKey),
    }
}

fn curve(key: &SubjectPublicKeyInfo<'_>) -> Option<KeyKind> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    [
        (oid::OID_EC_P256, KeyKind::P256),
        (oid::OID_NIST_EC_P384, KeyKind::P384),
        (oid::OID_NIST_EC_P521, KeyKind::P521),
    ]
    .into_iter()
    .find_map(|(known, kind)| (known == curve).then_some(kind))
}

/// The number of bits of a big-endian number, without leading zeros.
fn bits(number: &[u8]) -> usize {
    let mut digits = number.iter().skip_while(|byte| **byte == 0);
    let first = digits
        .next()
        .map_or(0, |byte| 8 - byte.leading_zeros() as usize);
    first + 8 * digits.count()
}

/// The accepted algorithms. SHA-1 is not accepted, nor is PSS (not a default of OpenSSL).
const ALGORITHMS: [(KeyKind, Oid<'static>, &dyn VerificationAlgorithm); 13] = [
    (
        KeyKind::Rsa,
        oid::OID_PKCS1_SHA256WITHRSA,
        &accepted::RSA_PKCS1_2048_8192_SHA256,
    ),
    (
        KeyKind::Rsa,
        oid::OID_PKCS1_SHA384WITHRSA,
        &accepted::RSA_PKCS1_2048_8192_SHA384,
    ),
    (
        KeyKind::Rsa,
        oid::OID_PKCS1_SHA512WITHRSA,
        &accepted::RSA_PKCS1_2048_8192_SHA512,
    ),
    (
        KeyKind::P256,
        oid::OID_SIG_ECDSA_WITH_SHA256,
        &accepted::ECDSA_P256_SHA256_ASN1,
    ),
    (
        KeyKind::P256,
        oid::OID_SIG_ECDSA_WITH_SHA384,
        &accepted::ECDSA_P256_SHA384_ASN1,
    ),
    (
        KeyKind::P256,
        oid::OID_SIG_ECDSA_WITH_SHA512,
        &accepted::ECDSA_P256_SHA512_ASN1,
    ),
    (
        KeyKind::P384,
        oid::OID_SIG_ECDSA_WITH_SHA256,
        &accepted::ECDSA_P384_SHA256_ASN1,
    ),
    (
        KeyKind::P384,
        oid::OID_SIG_ECDSA_WITH_SHA384,
        &accepted::ECDSA_P384_SHA384_ASN1,
    ),
    (
        KeyKind::P384,
        oid::OID_SIG_ECDSA_WITH_SHA512,
        &accepted::ECDSA_P384_SHA512_ASN1,
    ),
    (
        KeyKind::P521,
        oid::OID_SIG_ECDSA_WITH_SHA256,
        &accepted::ECDSA_P521_SHA256_ASN1,
    ),
    (
        KeyKind::P521,
        oid::OID_SIG_ECDSA_WITH_SHA384,
        &accepted::ECDSA_P521_SHA384_ASN1,
    ),
    (
        KeyKind::P521,
        oid::OID_SIG_ECDSA_WITH_SHA512,
        &accepted::ECDSA_P521_SHA512_ASN1,
    ),
    (KeyKind::Ed25519, oid::OID_SIG_ED25519, &accepted::ED25519),
];

fn algorithm(kind: KeyKind, method: &Oid<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    ALGORITHMS
        .into_iter()
        .find(|(key, name, _)| *key == kind && name == method)
        .map(|(_, _, algorithm)| algorithm)
}
