//! The digest by which equal chains are recognized. Verifies nothing.

use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;

/// SHA-256 over a chain as presented, each certificate prefixed with its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainDigest([u8; 32]);

impl ChainDigest {
    pub(super) fn of<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> Option<Self> {
        let mut context = Context::new(&SHA256);
        for certificate in chain {
            // The length makes the concatenation unambiguous.
            context.update(&(certificate.len() as u64).to_be_bytes());
            context.update(certificate);
        }
        context.finish().as_ref().try_into().ok().map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
