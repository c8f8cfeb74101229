//! Issues valid and flawed client certificates for attempts, in memory only.

use super::super::given_file::{given_certificates, given_key};
use crate::tls::random;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The common name of all issued certificates. No ApiUser should have it.
pub(super) const COMMON_NAME: &str = "portcullis-verify";

/// A certificate and its key.
pub(super) struct Identity {
    /// Leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads PEM files.
    ///
    /// # Errors
    /// A message that names the file.
    pub(super) fn of_files(certificate: &Path, key: &Path) -> Result<Self, String> {
        let chain = given_certificates(certificate)?;
        let key = given_key(key)?;
        Ok(Self { chain, key })
    }

    /// A self-signed certificate.
    pub(super) fn self_signed() -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = parameters(Flaw::None).self_signed(&key)?;
        Ok(Self::of(vec![certificate.der().clone()], &key))
    }

    fn of(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        Self {
            chain,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }
}

/// The flaw of an issued certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// No flaw.
    None,
    /// Expired long ago, beyond any tolerance of a config.
    Expired,
    /// Valid from tomorrow.
    NotYetValid,
    /// For servers only.
    ForServers,
    /// A CA certificate.
    Authority,
}

/// A CA that issues client certificates.
pub(super) struct ClientIssuer {
    issuer: Issuer<'static, KeyPair>,
    /// The CA's own certificate if it is an intermediate, which clients must send.
    intermediate: Option<CertificateDer<'static>>,
}

impl ClientIssuer {
    /// Reads certificate and key of a CA from PEM files.
    ///
    /// # Errors
    /// A message that names the file.
    pub(super) fn of_files(certificate: &Path, key: &Path) -> Result<Self, String> {
        let leaf_first = given_certificates(certificate)?;
        let own = leaf_first
            .into_iter()
            .next()
            .ok_or_else(|| format!("{} is empty", certificate.display()))?;
        let key_der = given_key(key)?;
        let pair =
            KeyPair::try_from(&key_der).map_err(|error| format!("{}: {error}", key.display()))?;
        let unusable = |error: String| format!("{}: {error}", certificate.display());
        let (_, parsed) =
            X509Certificate::from_der(&own).map_err(|error| unusable(error.to_string()))?;
        let is_root = parsed.issuer().as_raw() == parsed.subject().as_raw();
        let intermediate = (!is_root).then(|| own.clone());
        let issuer =
            Issuer::from_ca_cert_der(&own, pair).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            issuer,
            intermediate,
        })
    }

    /// A new CA, unknown to any gateway.
    pub(super) fn unknown() -> Result<Self, Error> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name("portcullis verify: an unknown CA");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Self {
            issuer: Issuer::new(parameters, KeyPair::generate()?),
            intermediate: None,
        })
    }

    /// A CA with the name of `anchor`, but another key.
    pub(super) fn namesake(anchor: &CertificateDer<'_>) -> Result<Self, Error> {
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(anchor, KeyPair::generate()?)?,
            intermediate: None,
        })
    }

    /// Issues a certificate.
    pub(super) fn issue(&self, flaw: Flaw) -> Result<Identity, Error> {
        let key = KeyPair::generate()?;
        let leaf = parameters(flaw).signed_by(&key, &self.issuer)?;
        let chain = std::iter::once(leaf.der().clone())
            .chain(self.intermediate.clone())
            .collect();
        Ok(Identity::of(chain, &key))
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn parameters(flaw: Flaw) -> CertificateParams {
    const LONG_AGO: Duration = Duration::days(3650);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(COMMON_NAME);
    // The top bits make the number positive and of full length (RFC 5280 section 4.1.2.2).
    let number = u128::from_be_bytes(random::<16>()) & !(1 << 127) | (1 << 126);
    parameters.serial_number = Some(SerialNumber::from_slice(&number.to_be_bytes()));
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - Duration::minutes(5);
    parameters.not_after = now + Duration::hours(1);
    match flaw {
        Flaw::None => {}
        Flaw::Expired => {
            parameters.not_before = now - LONG_AGO - Duration::hours(1);
            parameters.not_after = now - LONG_AGO;
        }
        Flaw::NotYetValid => {
            parameters.not_before = now + Duration::days(1);
            parameters.not_after = now + Duration::days(2);
        }
        Flaw::ForServers => {
            parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
        }
        Flaw::Authority => parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
    }
    parameters
}
