//! Certificates for a run: a CA, the proxies' own, a client that is an ApiUser and one that is not. ECDSA P-256.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::error::Error;
use std::fs::write;
use std::path::Path;

/// The common name of the client that is let in.
pub const CLIENT: &str = "client";
/// The common name of a client whom nobody knows.
pub const STRANGER: &str = "stranger";

/// Writes them to a folder, as `NAME.crt` and `NAME.key`; `server.pem` is both, as HAProxy wants it.
pub fn write_all(folder: &Path) -> Result<(), Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name = common_name("Benchmark CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    write(folder.join("ca.crt"), authority.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(authority, key);
    for (name, usage, addresses) in [
        (
            "server",
            ExtendedKeyUsagePurpose::ServerAuth,
            vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        ),
        (CLIENT, ExtendedKeyUsagePurpose::ClientAuth, vec![]),
        (STRANGER, ExtendedKeyUsagePurpose::ClientAuth, vec![]),
    ] {
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(addresses)?;
        leaf.distinguished_name = common_name(name);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![usage];
        let certificate = leaf.signed_by(&key, &issuer)?.pem();
        write(folder.join(format!("{name}.key")), key.serialize_pem())?;
        write(
            folder.join(format!("{name}.pem")),
            certificate.clone() + &key.serialize_pem(),
        )?;
        write(folder.join(format!("{name}.crt")), certificate)?;
    }
    Ok(())
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
