//! Extracts PEM blocks by label.

use x509_parser::pem::Pem;

use super::PkiError;

/// The labels of a certificate request; the second is from older programs.
pub(super) const REQUEST: &[&str] = &["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
/// The label of a certificate.
pub(super) const CERTIFICATE: &[&str] = &["CERTIFICATE"];
/// The label of a revocation list.
pub(super) const REVOCATION_LIST: &[&str] = &["X509 CRL"];
/// The labels of private keys in plain text: PKCS#8, SEC1, PKCS#1.
pub(super) const PRIVATE_KEY: &[&str] = &["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/// The contents of all blocks with one of `labels`, at least one; other blocks and text between them are skipped.
pub(super) fn blocks(
    text: &[u8],
    labels: &[&str],
    wanted: &'static str,
) -> Result<Vec<Vec<u8>>, PkiError> {
    let all: Vec<Pem> = Pem::iter_from_buffer(text)
        .collect::<Result<_, _>>()
        .map_err(|_| PkiError::Malformed("PEM file"))?;
    let other = all
        .iter()
        .find(|block| !labels.contains(&block.label.as_str()));
    let found = match other {
        Some(block) => format!("a block of kind {:?}", block.label),
        None => "no PEM block".to_owned(),
    };
    let matching: Vec<_> = all
        .into_iter()
        .filter(|block| labels.contains(&block.label.as_str()))
        .map(|block| block.contents)
        .collect();
    if matching.is_empty() {
        Err(PkiError::NoPemBlock { wanted, found })
    } else {
        Ok(matching)
    }
}
