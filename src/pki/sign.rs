//! What stands in a certificate: everything but the common name and the public key is chosen here, never by the
//! requester. It does not read or write files.

use std::net::IpAddr;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType};
use time::Date;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::check_common_name;
use super::request::{dns_entry, own_dns_name, subject};
use super::validity::{Validity, random_serial};
use super::{Authority, CertificateRequest, DnsName, PkiError, PrivateKey};

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Proves who a client is, by its common name alone.
    Client,
    /// Proves that a server is the owner of these names; at least one is needed.
    Server {
        /// DNS names.
        dns: Vec<DnsName>,
        /// Addresses.
        ip: Vec<IpAddr>,
    },
}

/// Whether a certificate lives as long as was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It does.
    AsAsked,
    /// It ends earlier, together with its authority.
    CutToAuthority,
}

/// A signed certificate and what is worth telling about it.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// The last day on which it is valid.
    pub valid_until: Date,
    /// Whether it had to be cut short.
    pub lifetime: Lifetime,
    /// Names that the request asks for and the certificate does not have, like `DNS:api.example.org`.
    pub left_out: Vec<String>,
}

impl Authority {
    /// Signs `request` for `days`, but not beyond the authority's own end.
    ///
    /// # Errors
    /// [`PkiError::ServerWithoutNames`], [`PkiError::Days`], or [`PkiError::AuthorityName`] if the authority's name
    /// cannot be written as it stands.
    pub fn sign(
        &self,
        request: &CertificateRequest,
        profile: &Profile,
        days: u32,
    ) -> Result<Signed, PkiError> {
        let asked = Validity::from_now(days)?;
        let not_after = asked.not_after.min(self.not_after());
        let names = profile_names(profile)?;
        let left_out = left_out(request, profile, &names);
        let mut parameters = leaf(request.common_name(), Validity { not_after, ..asked })?;
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
        let lifetime = if not_after < asked.not_after {
            Lifetime::CutToAuthority
        } else {
            Lifetime::AsAsked
        };
        Ok(Signed {
            certificate_pem: certificate.pem(),
            valid_until: not_after.date(),
            lifetime,
            left_out,
        })
    }
}

/// A certificate for `common_name` that vouches for itself, as `icinga2 pki new-cert --cert` makes it: for client and
/// server, with the name as DNS name if it is one.
///
/// # Errors
/// [`PkiError::CommonName`] or [`PkiError::Days`].
pub fn self_signed(common_name: &str, key: &PrivateKey, days: u32) -> Result<Signed, PkiError> {
    check_common_name(common_name)?;
    let validity = Validity::from_now(days)?;
    let mut parameters = leaf(common_name, validity)?;
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    parameters.subject_alt_names = own_dns_name(common_name)?;
    let certificate = parameters
        .self_signed(key.pair())
        .map_err(PkiError::Library)?;
    Ok(Signed {
        certificate_pem: certificate.pem(),
        valid_until: validity.not_after.date(),
        lifetime: Lifetime::AsAsked,
        left_out: Vec::new(),
    })
}

/// What all certificates but those of authorities have in common.
fn leaf(common_name: &str, validity: Validity) -> Result<CertificateParams, PkiError> {
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

/// Names that the request asks for and the certificate does not have. `new-cert` also asks for the common name as a DNS name,
/// for other CAs: that counts only for a server whose common name is a host in a domain.
fn left_out(request: &CertificateRequest, profile: &Profile, granted: &[SanType]) -> Vec<String> {
    let granted: Vec<String> = granted
        .iter()
        .filter_map(|name| match name {
            SanType::DnsName(name) => Some(format!("DNS:{}", name.as_str())),
            SanType::IpAddress(address) => Some(format!("IP:{address}")),
            _ => None,
        })
        .collect();
    let is_granted = |asked: &String| granted.iter().any(|name| name.eq_ignore_ascii_case(asked));
    let common_name = request.common_name();
    let is_a_host = *profile != Profile::Client && common_name.contains('.');
    let own = format!("DNS:{common_name}");
    let counts = |asked: &String| is_a_host || !own.eq_ignore_ascii_case(asked);
    request
        .requested_names()
        .iter()
        .filter(|asked| !is_granted(asked) && counts(asked))
        .cloned()
        .collect()
}

/// rcgen keeps one attribute of each kind, so `DC=example, DC=org` would come out as another name, and no one would
/// find the chain: better no certificate than a useless one.
fn check_issuer(certificate: &[u8], authority: &[u8]) -> Result<(), PkiError> {
    let parse = |der| {
        X509Certificate::from_der(der)
            .map(|(_, parsed)| parsed)
            .map_err(|_| PkiError::AuthorityName)
    };
    let (certificate, authority) = (parse(certificate)?, parse(authority)?);
    let same = certificate.issuer().as_raw() == authority.subject().as_raw();
    if same {
        Ok(())
    } else {
        Err(PkiError::AuthorityName)
    }
}
