//! Recognises formats in PEM by their labels (RFC 7468), and other text formats of keys.

use super::FileFormat;

/// Labels in the order of precedence, for a file with several.
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

/// Base64 of a DER sequence with a length of two bytes (`MII`) or one (the others).
fn is_bare_base64(text: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["MII", "MIG", "MIH", "MH", "MC4"];
    const MIN_LENGTH: usize = 60;
    let is_base64 = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'/' | b'=')
            || byte.is_ascii_whitespace()
    };
    BEGINNINGS
        .iter()
        .any(|beginning| text.starts_with(beginning))
        && text.len() >= MIN_LENGTH
        && text.bytes().all(is_base64)
}
