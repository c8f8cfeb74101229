//! Certificates of every kind, made in a temporary folder.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A folder with a CA and what it has signed.
pub struct Pki {
    pub folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM and as files.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub certificate: String,
    pub key: String,
}

/// What is unusual about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Client,
    /// No extended key usage at all, as Icinga's own certificates.
    ClientWithoutUsage,
    Server,
    Expired,
    NotYetValid,
    /// Valid for a few seconds more.
    ExpiresIn(i64),
    /// May sign certificates itself.
    Authority,
}

impl Identity {
    /// DER of the certificate.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("a certificate")
    }

    /// Its serial number, big-endian.
    pub fn serial(&self) -> Vec<u8> {
        let der = self.der();
        X509Certificate::from_der(&der)
            .expect("a certificate")
            .1
            .raw_serial()
            .to_vec()
    }

    /// The serial number as hexadecimal digits.
    pub fn serial_text(&self) -> String {
        self.serial()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }
}

impl Pki {
    /// A CA named `Test CA`, with a server certificate for localhost, 127.0.0.1 and ::1 in `server.crt`.
    pub fn new() -> Self {
        Self::named("Test CA")
    }

    /// A CA with this common name.
    pub fn named(common_name: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        Self::valid(
            common_name,
            now - Duration::days(1),
            now + Duration::days(300),
        )
    }

    /// A CA whose time is over.
    pub fn expired(common_name: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        Self::valid(
            common_name,
            now - Duration::days(300),
            now - Duration::days(1),
        )
    }

    /// A CA whose time has not begun, with a server certificate that is as early.
    pub fn not_yet_valid(common_name: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        let pki = Self::valid(
            common_name,
            now + Duration::days(1),
            now + Duration::days(300),
        );
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("host names");
        params.distinguished_name = subject(&["server".into()]);
        (params.not_before, params.not_after) = (now + Duration::days(1), now + Duration::days(10));
        pki.sign("server", params);
        pki
    }

    fn valid(common_name: &str, from: OffsetDateTime, until: OffsetDateTime) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        (params.not_before, params.not_after) = (from, until);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).expect("a CA certificate");
        std::fs::write(folder.path().join("ca.crt"), certificate.pem()).expect("a writable folder");
        let pki = Self {
            issuer: Issuer::new(params, key),
            folder,
        };
        pki.server("server", &["localhost", "127.0.0.1", "::1"]);
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn ca_file(&self) -> PathBuf {
        self.path("ca.crt")
    }

    /// The CA's key, as PEM.
    pub fn authority_key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A server certificate for names and addresses, in `NAME.crt` and `NAME.key`.
    pub fn server(&self, name: &str, hosts: &[&str]) -> Identity {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("host names");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(name, params)
    }

    /// An ordinary client certificate, in `NAME.crt` and `NAME.key`.
    pub fn client(&self, common_name: &str) -> Identity {
        self.of_kind(common_name, Kind::Client)
    }

    /// A client certificate with something unusual.
    pub fn of_kind(&self, common_name: &str, kind: Kind) -> Identity {
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, common_name);
        let file = format!(
            "{}-{kind:?}",
            common_name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        );
        let file = if kind == Kind::Client {
            common_name.to_owned()
        } else {
            file
        };
        self.with_subject(&file, subject, kind)
    }

    /// A client certificate with any subject.
    pub fn with_subject(&self, file: &str, subject: DistinguishedName, kind: Kind) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject;
        params.extended_key_usages = match kind {
            Kind::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Kind::ClientWithoutUsage => Vec::new(),
            _ => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        if kind == Kind::Authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = match kind {
            Kind::Expired => (now - Duration::days(10), now - Duration::days(1)),
            Kind::NotYetValid => (now + Duration::days(1), now + Duration::days(10)),
            Kind::ExpiresIn(seconds) => (now - Duration::days(1), now + Duration::seconds(seconds)),
            _ => (now - Duration::days(1), now + Duration::days(300)),
        };
        self.sign(file, params)
    }

    /// A client certificate that only itself verifies.
    pub fn self_signed(&self, common_name: &str) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&[common_name.into()]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        self.store(&format!("{common_name}-self-signed"), certificate, &key)
    }

    /// A certificate with any parameters, in `FILE.crt` and `FILE.key`.
    pub fn sign(&self, file: &str, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate")
            .pem();
        self.store(file, certificate, &key)
    }

    /// A client certificate for a key that there is already: a renewed one.
    pub fn client_with_key(&self, common_name: &str, key: &KeyPair) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&[common_name.into()]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params
            .signed_by(key, &self.issuer)
            .expect("a certificate")
            .pem();
        self.store(common_name, certificate, key)
    }

    /// A revocation list in PEM, fresh for a day.
    pub fn crl(&self, revoked: &[&Identity], number: u64) -> String {
        let now = OffsetDateTime::now_utc();
        self.crl_valid(
            revoked,
            number,
            (now - Duration::hours(1), now + Duration::days(1)),
        )
    }

    /// A revocation list in PEM, from and until.
    pub fn crl_valid(
        &self,
        revoked: &[&Identity],
        number: u64,
        (this_update, next_update): (OffsetDateTime, OffsetDateTime),
    ) -> String {
        let revoked_certs = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: identity.serial().into(),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: number.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params
            .signed_by(&self.issuer)
            .expect("a list")
            .pem()
            .expect("PEM")
    }

    fn store(&self, file: &str, certificate: String, key: &KeyPair) -> Identity {
        let (certificate_file, key_file) = (
            self.path(&format!("{file}.crt")),
            self.path(&format!("{file}.key")),
        );
        let key = key.serialize_pem();
        std::fs::write(&certificate_file, &certificate).expect("a writable folder");
        write_key(&key_file, &key);
        Identity {
            certificate_file,
            key_file,
            certificate,
            key,
        }
    }
}

/// Writes a private key as `portcullis pki` does: nobody but its owner reads it.
pub fn write_key(file: &Path, key: &str) {
    std::fs::write(file, key).expect("a writable folder");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("an own file");
}

/// A subject with several common names, or odd ones.
pub fn subject(common_names: &[DnValue]) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    for (at, name) in common_names.iter().enumerate() {
        // rcgen keeps one value for each type, so further ones are written as custom types with the same OID.
        let kind = if at == 0 {
            DnType::CommonName
        } else {
            DnType::CustomDnType(vec![2, 5, 4, 3])
        };
        subject.push(kind, name.clone());
    }
    subject
}

/// A path as TOML and curl take it.
pub fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
