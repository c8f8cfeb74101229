//! The certificate that the verifier rejected in a handshake, and how the handshake learns of it. Verifies nothing.

use super::failure_reason::FailureReason;
use super::hexadecimal::hexadecimal;
use super::name::rfc4514;
use rustls::pki_types::CertificateDer;
use std::cell::RefCell;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The claims of a rejected certificate. Unverified, so for the log only.
#[derive(Clone, Debug)]
pub struct PresentedCertificate {
    /// RFC 4514.
    pub subject: String,
    /// RFC 4514.
    pub issuer: String,
    /// Hexadecimal.
    pub serial: String,
}

impl PresentedCertificate {
    /// Reads the claims of a certificate; `None` if it cannot be read.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            subject: rfc4514(certificate.subject()),
            issuer: rfc4514(certificate.issuer()),
            serial: hexadecimal(certificate.raw_serial()),
        })
    }
}

tokio::task_local! {
    /// All connections share the verifier. It reports the certificate that it rejected in this handshake here.
    static REJECTED: RefCell<Option<RejectedCertificate>>;
}

/// A certificate that the verifier has rejected, with a more precise reason than the alert's.
pub(super) struct RejectedCertificate {
    pub(super) reason: FailureReason,
    pub(super) detail: String,
    pub(super) certificate: Option<PresentedCertificate>,
}

pub(super) fn report_rejected(certificate: RejectedCertificate) {
    // Outside a handshake (a chain verified again after a reload) no handshake waits for the report.
    let _ = REJECTED.try_with(|slot| *slot.borrow_mut() = Some(certificate));
}

/// Runs a handshake. Returns its outcome and the certificate that was rejected in it, if any.
pub(super) async fn with_rejected_certificate<T>(
    handshake: impl Future<Output = T>,
) -> (T, Option<RejectedCertificate>) {
    REJECTED
        .scope(RefCell::new(None), async {
            let outcome = handshake.await;
            (outcome, REJECTED.with(RefCell::take))
        })
        .await
}
