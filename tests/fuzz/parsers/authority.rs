//! A CA with an Ed25519 key, made once in a process: it signs what must have a valid signature to be read.

use portcullis::tls::{Authorities, Revocation, TrustDomain, TrustDomainId, TrustSettings};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SigningKey,
};
use rustls::pki_types::CertificateDer;
use std::sync::{Arc, OnceLock};

/// The CA.
pub struct Authority {
    key: KeyPair,
    issuer: Issuer<'static, KeyPair>,
    pub authorities: Arc<Authorities>,
    pub trust_domain: Arc<TrustDomain>,
}

/// The name of the CA in DER: `CN=fuzz`.
pub const NAME: &[u8] = b"\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04fuzz";
/// The algorithm identifier of Ed25519 in DER.
pub const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";

impl Authority {
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Authority> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let key = || KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let signing = key();
        let copy = KeyPair::try_from(signing.serialize_der().as_slice()).expect("the same key");
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "fuzz");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&signing).expect("a certificate");
        let anchors = [certificate.der().clone()];
        let authorities = Arc::new(Authorities::new(&anchors, &[]).expect("a CA"));
        let trust_domain = TrustDomain::new(
            TrustDomainId(0),
            "fuzz",
            &authorities,
            Revocation::default(),
            TrustSettings::default(),
            None,
        );
        Self {
            key: copy,
            issuer: Issuer::new(params, signing),
            authorities,
            trust_domain: Arc::new(trust_domain.expect("a trust domain")),
        }
    }

    /// The Ed25519 signature.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).expect("a signature")
    }

    /// The public key, 32 bytes.
    pub fn public_key(&self) -> &[u8] {
        self.key.der_bytes()
    }

    /// A certificate whose subject alternative names have this DER.
    pub fn certificate_with_names(&self, names: &[u8]) -> CertificateDer<'static> {
        const SUBJECT_ALTERNATIVE_NAME: [u64; 4] = [2, 5, 29, 17];
        let mut params = CertificateParams::default();
        let names = CustomExtension::from_oid_content(&SUBJECT_ALTERNATIVE_NAME, names.to_vec());
        params.custom_extensions.push(names);
        let certificate = params.signed_by(&self.key, &self.issuer);
        certificate.expect("a certificate").der().clone()
    }
}

/// An element of DER.
pub fn der_element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let digits: Vec<u8> = length
        .to_be_bytes()
        .into_iter()
        .skip_while(|digit| *digit == 0)
        .collect();
    let mut element = vec![tag];
    if length < 0x80 {
        element.push(u8::try_from(length).expect("a short length"));
    } else {
        element.push(0x80 | u8::try_from(digits.len()).expect("few digits"));
        element.extend(digits);
    }
    element.extend_from_slice(content);
    element
}
