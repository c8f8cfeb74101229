//! Texts for certificate errors of the TLS library, and of the library that verifies chains.

use super::{error_text, words};
use crate::clock::rfc3339;
use rustls::CertificateError;
use rustls::pki_types::{ServerName, UnixTime};

/// The text for a certificate error of the TLS library.
pub fn certificate_error_text(error: &CertificateError) -> String {
    let fixed = match error {
        CertificateError::BadEncoding => "the certificate cannot be read: its encoding is wrong",
        CertificateError::Expired => "the certificate has expired",
        CertificateError::ExpiredContext { not_after, .. } => return expired(*not_after),
        CertificateError::NotValidYet => "the certificate is not valid yet",
        CertificateError::NotValidYetContext { not_before, .. } => {
            return not_valid_yet(*not_before);
        }
        CertificateError::Revoked => "the certificate is revoked",
        CertificateError::UnhandledCriticalExtension => {
            "the certificate has a critical extension that is not supported"
        }
        CertificateError::UnknownIssuer => "the chain of the certificate leads to no trust anchor",
        CertificateError::UnknownRevocationStatus => {
            "no revocation list says whether the certificate is revoked"
        }
        CertificateError::ExpiredRevocationList => "the revocation list of the issuer is too old",
        CertificateError::ExpiredRevocationListContext { next_update, .. } => {
            return too_old(*next_update);
        }
        CertificateError::BadSignature => {
            "the signature is not by the key of the certificate that should have made it"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => UNSUPPORTED_ALGORITHM,
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            UNFITTING_ALGORITHM
        }
        CertificateError::NotValidForName => "the certificate is for another name",
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => return other_name(expected, presented),
        CertificateError::InvalidPurpose => WRONG_USAGE,
        CertificateError::InvalidPurposeContext { required, .. } => {
            return format!(
                "the certificate is not for {required}: its extended key usage lacks that"
            );
        }
        CertificateError::InvalidOcspResponse => {
            "the OCSP response for the certificate is not valid"
        }
        CertificateError::ApplicationVerificationFailure => "the certificate is not accepted",
        CertificateError::Other(other) => return error_text(&*other.0),
        other => return format!("the certificate is not accepted: {}", words(other)),
    };
    fixed.to_owned()
}

const UNSUPPORTED_ALGORITHM: &str =
    "the certificate is signed with an algorithm that is not supported";
const UNFITTING_ALGORITHM: &str = "the certificate is signed with an algorithm that does not fit the public key of its issuer, or a key that is not supported";
const WRONG_USAGE: &str = "the certificate is not for this use: its extended key usage lacks it";

/// The text for an error of chain verification.
pub fn chain_error_text(error: &webpki::Error) -> String {
    use webpki::Error;
    if let Some(malformed) = malformed_text(error) {
        return malformed.to_owned();
    }
    let fixed = match error {
        Error::CaUsedAsEndEntity => {
            "this is the certificate of a CA, not that of a client or server"
        }
        Error::EndEntityUsedAsCa => {
            "a certificate of the chain is signed by a certificate that is not a CA's"
        }
        Error::CertDistrusted => "the public key of a certificate is distrusted",
        Error::CertExpired { not_after, .. } => return expired(*not_after),
        Error::CertNotValidYet { not_before, .. } => return not_valid_yet(*not_before),
        Error::CertNotValidForName(context) => {
            return other_name(&context.expected, &context.presented);
        }
        Error::CertRevoked => "a certificate of the chain is revoked",
        Error::CrlExpired { next_update, .. } => return too_old(*next_update),
        Error::RequiredEkuNotFoundContext(_) => WRONG_USAGE,
        Error::NameConstraintViolation => {
            "a name in the certificate is not one that its CA may sign (name constraints)"
        }
        Error::PathLenConstraintViolated => {
            "more CAs stand below a CA of the chain than its path length allows"
        }
        Error::MaximumPathDepthExceeded => "the chain of the certificate is too long",
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => {
            "the chain of the certificate has too many paths to try them all"
        }
        Error::UnknownIssuer => "the chain of the certificate leads to no trust anchor",
        Error::InvalidSignatureForPublicKey => {
            "the signature of a certificate is not by the key of its issuer"
        }
        Error::SignatureAlgorithmMismatch => {
            "a certificate names two different algorithms for its signature"
        }
        Error::UnsupportedSignatureAlgorithmContext(_) => UNSUPPORTED_ALGORITHM,
        Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => UNFITTING_ALGORITHM,
        Error::UnsupportedNameType => "the name of the server is of a kind that is not supported",
        Error::UnknownRevocationStatus => {
            "no revocation list says whether a certificate is revoked"
        }
        Error::InvalidCrlSignatureForPublicKey => {
            "the signature of the revocation list is not by the key of its issuer"
        }
        Error::IssuerNotCrlSigner => "the issuer of the revocation list may not sign such lists",
        other => {
            return format!(
                "the chain of the certificate is not accepted: {}",
                words(other)
            );
        }
    };
    fixed.to_owned()
}

/// The text for a malformed certificate; `None` for other errors.
fn malformed_text(error: &webpki::Error) -> Option<&'static str> {
    use webpki::Error;
    Some(match error {
        Error::BadDer => "a certificate cannot be read: it is not DER",
        Error::BadDerTime => "a certificate cannot be read: a time in it is not DER",
        Error::TrailingData(_) => "a certificate cannot be read: bytes follow where it should end",
        Error::InvalidCertValidity => "the validity of a certificate ends before it begins",
        Error::EmptyEkuExtension => "the extended key usage of a certificate is empty",
        Error::ExtensionValueInvalid | Error::MalformedExtensions => {
            "an extension of a certificate cannot be read"
        }
        Error::UnsupportedCriticalExtension => {
            "a certificate has a critical extension that is not supported"
        }
        Error::UnsupportedCertVersion => "a certificate is not of version 3",
        Error::InvalidSerialNumber => {
            "the serial number of a certificate is negative, too long or wrongly encoded"
        }
        Error::MalformedDnsIdentifier => "a DNS name in a certificate is malformed",
        Error::MalformedNameConstraint => "a name constraint of a CA is malformed",
        Error::InvalidNetworkMaskConstraint => {
            "a network in a name constraint of a CA is malformed"
        }
        _ => return None,
    })
}

fn expired(not_after: UnixTime) -> String {
    format!("the certificate expired at {}", moment(not_after))
}

fn not_valid_yet(not_before: UnixTime) -> String {
    format!("the certificate is not valid before {}", moment(not_before))
}

fn too_old(next_update: UnixTime) -> String {
    format!(
        "the revocation list of the issuer is too old: a newer one was due at {}",
        moment(next_update)
    )
}

fn moment(time: UnixTime) -> String {
    rfc3339(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

fn other_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    let expected = expected.to_str();
    match presented {
        [] => {
            format!("the certificate is not for {expected}: it has no DNS name and no IP address")
        }
        names => {
            let names: Vec<&str> = names.iter().map(|name| bare_name(name)).collect();
            format!(
                "the certificate is not for {expected}, but for {}",
                names.join(", ")
            )
        }
    }
}

/// The name without the type that the library prints: `DnsName("example.org")`, `IpAddress(127.0.0.1)`.
fn bare_name(presented: &str) -> &str {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}
