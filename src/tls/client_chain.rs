//! Client chains, stored once per thread and shared by its connections. Verifies none.

use super::chain_digest::ChainDigest;
use crate::buffer_pool::SharedValues;
use rustls::pki_types::CertificateDer;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

/// A chain as a client presented it, leaf first; empty if it presented none.
#[derive(Clone, Debug)]
pub struct ClientChain {
    certificates: Rc<[CertificateDer<'static>]>,
    digest: Option<ChainDigest>,
}

thread_local! {
    static CHAINS: RefCell<SharedValues<ChainDigest, [CertificateDer<'static>]>> = RefCell::default();
}

impl ClientChain {
    /// A chain with these certificates.
    pub fn of(certificates: &[CertificateDer<'static>]) -> Self {
        let Some(digest) = ChainDigest::of(certificates.iter()) else {
            return Self {
                certificates: certificates.into(),
                digest: None,
            };
        };
        let certificates = CHAINS.with_borrow_mut(|chains| {
            chains.get(&digest).unwrap_or_else(|| {
                let chain = Rc::from(certificates);
                chains.insert(digest, &chain);
                chain
            })
        });
        Self {
            certificates,
            digest: Some(digest),
        }
    }

    /// SHA-256 over the chain. `None` if it cannot be computed: the chain then equals no other.
    pub fn digest(&self) -> Option<ChainDigest> {
        self.digest
    }
}

impl Deref for ClientChain {
    type Target = [CertificateDer<'static>];

    fn deref(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_chains_are_one_and_others_are_not() {
        let chain = |certificates: &[&[u8]]| {
            let certificates: Vec<_> = certificates
                .iter()
                .map(|der| CertificateDer::from(der.to_vec()))
                .collect();
            ClientChain::of(&certificates)
        };
        let one = chain(&[b"leaf", b"issuer"]);
        let same = chain(&[b"leaf", b"issuer"]);
        assert!(Rc::ptr_eq(&one.certificates, &same.certificates));
        for other in [
            chain(&[b"leaf"]),
            chain(&[b"issuer", b"leaf"]),
            chain(&[b"leafissuer"]),
            chain(&[]),
        ] {
            assert_ne!(one.digest(), other.digest());
            assert_ne!(*one, *other);
        }
        assert!(chain(&[]).is_empty());
    }
}
