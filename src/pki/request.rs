//! Certificate requests (PKCS#10): creates them, and reads untrusted ones.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, SanType};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::names::check_common_name;
use super::{DnsName, PkiError, PrivateKey, pem, signature};
use crate::file_read::FileKind;

/// A certificate request with a valid signature and exactly one acceptable common name.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    pem: String,
    common_name: String,
    requested_names: Vec<String>,
    public_key: rcgen::SubjectPublicKeyInfo,
}

impl CertificateRequest {
    /// Creates a key and a request for `common_name`. If the name is also a DNS name, the request has it as DNS name, as in
    /// Icinga.
    ///
    /// # Errors
    /// [`PkiError::CommonName`] if the name is not allowed in a certificate.
    pub fn create(common_name: &str) -> Result<(Self, PrivateKey), PkiError> {
        check_common_name(common_name)?;
        let key = PrivateKey::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = subject(common_name);
        parameters.subject_alt_names = own_dns_name(common_name)?;
        let request = parameters
            .serialize_request(key.pair())
            .map_err(PkiError::Library)?;
        let text = request.pem().map_err(PkiError::Library)?;
        Ok((Self::from_pem(text.as_bytes())?, key))
    }

    /// Reads and checks the request in a file.
    ///
    /// # Errors
    /// [`PkiError::Read`], or [`PkiError::File`] with an error of [`CertificateRequest::from_pem`] as its source.
    pub fn load(path: &Path) -> Result<Self, PkiError> {
        let text = fs::read(path).map_err(|source| PkiError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_pem(&text).map_err(|error| error.in_file(path, FileKind::CertificateRequest))
    }

    /// Reads and checks a request in PEM form.
    ///
    /// # Errors
    /// The request is malformed, not signed by its own key, its key is too weak, or it does not have exactly one common name of
    /// 1 to 64 characters without control characters.
    pub fn from_pem(text: &[u8]) -> Result<Self, PkiError> {
        let blocks = pem::blocks(text, pem::REQUEST, "a certificate request")?;
        let [der] = blocks.as_slice() else {
            return Err(PkiError::SeveralRequests(blocks.len()));
        };
        let (rest, request) = X509CertificationRequest::from_der(der)
            .map_err(|_| PkiError::Malformed("certificate request"))?;
        if !rest.is_empty() {
            return Err(PkiError::Malformed("certificate request"));
        }
        signature::verify(&request)?;
        let info = &request.certification_request_info;
        let public_key = rcgen::SubjectPublicKeyInfo::from_der(info.subject_pki.raw)
            .map_err(|_| PkiError::RequestKey)?;
        Ok(Self {
            pem: String::from_utf8_lossy(text).into_owned(),
            common_name: only_common_name(&info.subject)?,
            requested_names: requested_names(&request),
            public_key,
        })
    }

    /// The request in PEM form.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The common name of its subject.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The requested subject alternative names, such as `DNS:api.example.org`; escaped, since they are untrusted.
    pub fn requested_names(&self) -> &[String] {
        &self.requested_names
    }

    /// The key to certify.
    pub(super) fn public_key(&self) -> &rcgen::SubjectPublicKeyInfo {
        &self.public_key
    }
}

/// A subject with one common name.
pub(super) fn subject(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// The common name as DNS name, if it is one.
pub(super) fn own_dns_name(common_name: &str) -> Result<Vec<SanType>, PkiError> {
    match common_name.parse::<DnsName>() {
        Ok(name) if !name.is_wildcard() => Ok(vec![dns_entry(&name)?]),
        _ => Ok(Vec::new()),
    }
}

/// A DNS name for rcgen.
pub(super) fn dns_entry(name: &DnsName) -> Result<SanType, PkiError> {
    name.as_str()
        .try_into()
        .map(SanType::DnsName)
        .map_err(PkiError::Library)
}

fn only_common_name(subject: &X509Name<'_>) -> Result<String, PkiError> {
    let names: Vec<_> = subject.iter_common_name().collect();
    let [name] = names.as_slice() else {
        return Err(if names.is_empty() {
            PkiError::NoCommonName
        } else {
            PkiError::SeveralCommonNames(names.len())
        });
    };
    let name = name.as_str().map_err(|_| PkiError::CommonNameEncoding)?;
    check_common_name(name)?;
    Ok(name.to_owned())
}

fn requested_names(request: &X509CertificationRequest<'_>) -> Vec<String> {
    request
        .certification_request_info
        .iter_attributes()
        .filter_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(requested) => Some(&requested.extensions),
            _ => None,
        })
        .flatten()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        })
        .flatten()
        .map(describe)
        .collect()
}

fn describe(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(text) => format!("DNS:{}", text.escape_debug()),
        GeneralName::RFC822Name(text) => format!("email:{}", text.escape_debug()),
        GeneralName::URI(text) => format!("URI:{}", text.escape_debug()),
        GeneralName::IPAddress(bytes) => match address(bytes) {
            Some(address) => format!("IP:{address}"),
            None => "a malformed address".to_owned(),
        },
        _ => "a name of another kind".to_owned(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}
