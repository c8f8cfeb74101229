//! Signs certificates. Everything but the common name and the public key is chosen here, never by the requester.

use std::net::IpAddr;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType};
use time::Date;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::check_common_name;
use super::request::{dns_entry, own_dns_name, subject};
use super::validity::{CertificateValidity, random_serial};
use super::{Authority, CertificateRequest, DnsName, PkiError, PrivateKey};

/// The purpose of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Identifies a client, by its common name alone.
    Client,
    /// Identifies a server by these names; at least one is required.
    Server {
        /// DNS names.
        dns: Vec<DnsName>,
        /// Addresses.
        ip: Vec<IpAddr>,
    },
}

/// Whether a certificate has the requested lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As requested.
    AsRequested,
    /// Shortened to the end of its authority.
    CutToAuthority,
}

/// A signed certificate with facts for the report.
#[derive(Clone, Debug)]
pub struct SignedCertificate {
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// The last day on which it is valid.
    pub valid_until: Date,
    /// Whether the lifetime was shortened.
    pub lifetime: Lifetime,
    /// Requested names that the certificate does not have, such as `DNS:api.example.org`.
    pub left_out: Vec<String>,
}

impl Authority {
    /// Signs `request` for `days`, but not beyond the authority's own end.
    ///
    /// # Errors
    /// [`PkiError::ServerWithoutNames`], [`PkiError::Days`], or [`PkiError::AuthorityName`] if the authority's name cannot be
    /// written unchanged.
    pub fn sign(
        &self,
        request: &CertificateRequest,
        profile: &Profile,
        days: u32,
    ) -> Result<SignedCertificate, PkiError> {
        let requested = CertificateValidity::from_now(days)?;
        let not_after = requested.not_after.min(self.not_after());
        let names = profile_names(profile)?;
        let left_out = left_out(request, profile, &names);
        let mut parameters = leaf(
            request.common_name(),
            CertificateValidity {
                not_after,
                ..requested
            },
        )?;
        parameters.use_authority_key_identifier_extension = true;
        parameters.extended_key_usages = vec![match profile {
            Profile::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Profile::Server { .. } => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        parameters.subject_alt_names = names;
        let issuer = Issuer::from_ca_cert_der(&self.certificate().into(), self.key().pair())
            .map_err(|_| PkiError::AuthorityName)?;
        let certificate = parameters
            .signed_by(request.public_key(), &issuer)
            .map_err(PkiError::Library)?;
        check_issuer(certificate.der(), self.certificate())?;
        let lifetime = if not_after < requested.not_after {
            Lifetime::CutToAuthority
        } else {
            Lifetime::AsRequested
        };
        Ok(SignedCertificate {
            certificate_pem: certificate.pem(),
            valid_until: not_after.date(),
            lifetime,
            left_out,
        })
    }
}

/// A self-signed certificate for `common_name`, as from `icinga2 pki new-cert --cert`: for client and server, with the name as
/// DNS name if it is one.
///
/// # Errors
/// [`PkiError::CommonName`] or [`PkiError::Days`].
pub fn self_signed(
    common_name: &str,
    key: &PrivateKey,
    days: u32,
) -> Result<SignedCertificate, PkiError> {
    check_common_name(common_name)?;
    let validity = CertificateValidity::from_now(days)?;
    let mut parameters = leaf(common_name, validity)?;
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    parameters.subject_alt_names = own_dns_name(common_name)?;
    let certificate = parameters
        .self_signed(key.pair())
        .map_err(PkiError::Library)?;
    Ok(SignedCertificate {
        certificate_pem: certificate.pem(),
        valid_until: validity.not_after.date(),
        lifetime: Lifetime::AsRequested,
        left_out: Vec::new(),
    })
}

/// The common parameters of all certificates but those of authorities.
fn leaf(common_name: &str, validity: CertificateValidity) -> Result<CertificateParams, PkiError> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = subject(common_name);
    parameters.serial_number = Some(random_serial()?);
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.not_before = validity.not_before;
    parameters.not_after = validity.not_after;
    Ok(parameters)
}

fn profile_names(profile: &Profile) -> Result<Vec<SanType>, PkiError> {
    match profile {
        Profile::Client => Ok(Vec::new()),
        Profile::Server { dns, ip } if dns.is_empty() && ip.is_empty() => {
            Err(PkiError::ServerWithoutNames)
        }
        Profile::Server { dns, ip } => {
            let addresses = ip.iter().map(|address| Ok(SanType::IpAddress(*address)));
            dns.iter().map(dns_entry).chain(addresses).collect()
        }
    }
}

/// Requested names that the certificate does not have. `new-cert` also requests the common name as a DNS name, for other CAs.
/// That name is reported only for a server with a common name that has a dot.
fn left_out(request: &CertificateRequest, profile: &Profile, granted: &[SanType]) -> Vec<String> {
    let granted: Vec<String> = granted
        .iter()
        .filter_map(|name| match name {
            SanType::DnsName(name) => Some(format!("DNS:{}", name.as_str())),
            SanType::IpAddress(address) => Some(format!("IP:{address}")),
            _ => None,
        })
        .collect();
    let is_granted = |name: &String| granted.iter().any(|other| other.eq_ignore_ascii_case(name));
    let common_name = request.common_name();
    let is_a_host = *profile != Profile::Client && common_name.contains('.');
    let own = format!("DNS:{common_name}");
    let is_reported = |name: &String| is_a_host || !own.eq_ignore_ascii_case(name);
    request
        .requested_names()
        .iter()
        .filter(|name| !is_granted(name) && is_reported(name))
        .cloned()
        .collect()
}

/// Checks the issuer of a new certificate. rcgen keeps one attribute of each kind, so `DC=example, DC=org` would be written as
/// another name, and the chain could not be built.
fn check_issuer(certificate: &[u8], authority: &[u8]) -> Result<(), PkiError> {
    let parse = |der| {
        X509Certificate::from_der(der)
            .map(|(_, parsed)| parsed)
            .map_err(|_| PkiError::AuthorityName)
    };
    let certificate = parse(certificate)?;
    let authority = parse(authority)?;
    if certificate.issuer().as_raw() == authority.subject().as_raw() {
        Ok(())
    } else {
        Err(PkiError::AuthorityName)
    }
}
