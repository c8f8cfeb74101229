//! A CA of a trust domain, anchor or intermediate, as it is needed to tell who issued what. Verifies nothing.

use super::name::rfc4514;
use super::verified::Validity;
use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Who signs: a name together with a key, since several may have the name. SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AuthorityKey([u8; 32]);

/// What a CA's certificate says.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    pub(super) key: AuthorityKey,
    /// DER of the name.
    pub(super) subject: Box<[u8]>,
    /// DER of the key.
    pub(super) public_key: Box<[u8]>,
    /// RFC 4514.
    pub(super) name: String,
    pub(super) validity: Validity,
    /// Most CAs between it and a leaf, if its basic constraints say so.
    pub(super) most_below: Option<usize>,
    /// Whether it is a CA, and its key usage, if there, allows to sign certificates (RFC 5280 section 4.2.1.3).
    pub(super) may_sign_certificates: bool,
    /// The same for revocation lists.
    pub(super) may_sign_crls: bool,
}

impl Authority {
    /// Reads a certificate; `None` if it is none.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let usage = certificate.key_usage().ok()?;
        let constraints = certificate.basic_constraints().ok()?;
        let (subject, public_key) = (certificate.subject().as_raw(), certificate.public_key().raw);
        Some(Self {
            key: AuthorityKey::of(subject, public_key)?,
            subject: subject.into(),
            public_key: public_key.into(),
            name: rfc4514(certificate.subject()),
            validity: Validity {
                not_before: certificate.validity().not_before.timestamp(),
                not_after: certificate.validity().not_after.timestamp(),
            },
            most_below: constraints
                .and_then(|constraints| constraints.value.path_len_constraint)
                .map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
            may_sign_certificates: certificate.is_ca()
                && usage
                    .as_ref()
                    .is_none_or(|usage| usage.value.key_cert_sign()),
            may_sign_crls: certificate.is_ca() && usage.is_none_or(|usage| usage.value.crl_sign()),
        })
    }

    /// The name of who issued a certificate, in DER.
    pub(super) fn issuer_of(der: &CertificateDer<'_>) -> Option<Box<[u8]>> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(certificate.issuer().as_raw().into())
    }
}

impl AuthorityKey {
    /// In lower case, for names of files.
    pub(super) fn hexadecimal(self) -> String {
        crate::tls::hexadecimal(&self.0)
    }

    fn of(subject: &[u8], public_key: &[u8]) -> Option<Self> {
        let mut context = Context::new(&SHA256);
        // Both are DER, which carries its own length, so that no two run together to the same octets.
        context.update(subject);
        context.update(public_key);
        context.finish().as_ref().try_into().ok().map(Self)
    }
}
