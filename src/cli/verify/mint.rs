//! Client certificates for attempts, good and bad, made in memory and gone with the process. Writes no file.

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

/// The common name of all certificates that are made here. It should be no ApiUser's.
pub(super) const COMMON_NAME: &str = "portcullis-verify";

/// A certificate and its key.
pub(super) struct Identity {
    /// Leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From PEM files.
    ///
    /// # Errors
    /// In words, naming the file.
    pub(super) fn of_files(certificate: &Path, key: &Path) -> Result<Self, String> {
        let chain = given_certificates(certificate)?;
        let key = given_key(key)?;
        Ok(Self { chain, key })
    }

    /// For which nobody vouches but itself.
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

/// What is wrong with a certificate whose issuer is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Nothing.
    None,
    /// It ended long ago, beyond any expiry that a config may tolerate.
    Expired,
    /// It begins tomorrow.
    NotYetValid,
    /// It is for servers.
    ForServers,
    /// It may sign others.
    Authority,
}

/// A CA that signs here.
pub(super) struct Mint {
    issuer: Issuer<'static, KeyPair>,
    /// The CA's own certificate, where it is no root and clients must bring it along.
    intermediate: Option<CertificateDer<'static>>,
}

impl Mint {
    /// A CA whose certificate and key are in PEM files.
    ///
    /// # Errors
    /// In words, naming the file.
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

    /// A CA that nobody has heard of.
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

    /// A CA that says it is `anchor`, but has not its key.
    pub(super) fn namesake(anchor: &CertificateDer<'_>) -> Result<Self, Error> {
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(anchor, KeyPair::generate()?)?,
            intermediate: None,
        })
    }

    /// A new certificate.
    pub(super) fn make(&self, flaw: Flaw) -> Result<Identity, Error> {
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
    (parameters.not_before, parameters.not_after) =
        (now - Duration::minutes(5), now + Duration::hours(1));
    match flaw {
        Flaw::None => {}
        Flaw::Expired => {
            (parameters.not_before, parameters.not_after) =
                (now - LONG_AGO - Duration::hours(1), now - LONG_AGO);
        }
        Flaw::NotYetValid => {
            (parameters.not_before, parameters.not_after) =
                (now + Duration::days(1), now + Duration::days(2));
        }
        Flaw::ForServers => {
            parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
        }
        Flaw::Authority => parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
    }
    parameters
}
