//! The number of a trust domain.

/// Identifies a trust domain within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrustDomainId(pub u16);
