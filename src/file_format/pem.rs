//! Formats in PEM, told by their labels (RFC 7468), and other forms of keys that are text.

use super::FileFormat;

/// Labels in the order in which they matter, where a file has several.
const LABELS: [(&str, FileFormat); 14] = [
    ("CERTIFICATE", FileFormat::Certificate),
    ("X509 CERTIFICATE", FileFormat::Certificate),
    ("OPENSSH PRIVATE KEY", FileFormat::OpenSshKey),
    ("ENCRYPTED PRIVATE KEY", FileFormat::EncryptedKey),
    ("PRIVATE KEY", FileFormat::PrivateKey),
    ("RSA PRIVATE KEY", FileFormat::PrivateKey),
    ("EC PRIVATE KEY", FileFormat::PrivateKey),
    ("CERTIFICATE REQUEST", FileFormat::CertificateRequest),
    ("NEW CERTIFICATE REQUEST", FileFormat::CertificateRequest),
    ("X509 CRL", FileFormat::RevocationList),
    ("PKCS7", FileFormat::Pkcs7),
    ("TRUSTED CERTIFICATE", FileFormat::TrustedCertificate),
    ("PUBLIC KEY", FileFormat::PublicKey),
    ("EC PARAMETERS", FileFormat::KeyParameters),
];

pub(super) fn format(text: &str) -> Option<FileFormat> {
    let labels: Vec<&str> = text.lines().filter_map(label).collect();
    let found = LABELS
        .iter()
        .find(|(label, _)| labels.contains(label))
        .map(|(_, format)| *format);
    match found {
        // The older way to encrypt a key (RFC 1421).
        Some(FileFormat::PrivateKey) if text.contains("Proc-Type: 4,ENCRYPTED") => {
            Some(FileFormat::EncryptedKey)
        }
        Some(format) => Some(format),
        None if text.starts_with("PuTTY-User-Key-File-") => Some(FileFormat::PuttyKey),
        None if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") => {
            Some(FileFormat::OpenSshPublicKey)
        }
        None if is_bare_base64(text) => Some(FileFormat::BareBase64),
        None => None,
    }
}

fn label(line: &str) -> Option<&str> {
    line.trim()
        .strip_prefix("-----BEGIN ")?
        .strip_suffix("-----")
}

/// Base64 of a sequence in DER whose length takes two bytes (`MII`) or one (the others).
fn is_bare_base64(text: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["MII", "MIG", "MIH", "MH", "MC4"];
    const LEAST: usize = 60;
    let is_base64 = |octet: u8| {
        octet.is_ascii_alphanumeric()
            || matches!(octet, b'+' | b'/' | b'=')
            || octet.is_ascii_whitespace()
    };
    BEGINNINGS
        .iter()
        .any(|beginning| text.starts_with(beginning))
        && text.len() >= LEAST
        && text.bytes().all(is_base64)
}
