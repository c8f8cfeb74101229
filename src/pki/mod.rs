//! Makes a certificate authority, certificate requests, certificates and revocation lists. It does not decide who may enter: that is
//! `identity` and `authorize`; it knows nothing of the config, and TLS never calls it.
//!
//! The way of a client certificate, as in Icinga 2: [`CertificateRequest::create`] makes a key and a request on the
//! client's side; [`Authority::load`] and [`Authority::sign`] turn the request into a certificate on the authority's
//! side; [`write_files`] puts results on disk, all of them or none.
//!
//! Failure direction: whatever the requester wrote is distrusted. Only one common name and the public key are taken
//! from a request; everything else comes from the [`Profile`].

mod authority;
mod error;
mod files;
mod names;
mod output;
mod pem;
mod private_key;
mod request;
mod revocation_list;
mod sign;
mod signature;
mod validity;

pub use authority::Authority;
pub use error::PkiError;
pub use files::{Overwrite, create_folder, refuse_shared_paths, write_files};
pub use names::DnsName;
pub use output::OutputFile;
pub use private_key::PrivateKey;
pub use request::CertificateRequest;
pub use revocation_list::{RevocationList, SerialNumberText, SignedList};
pub use sign::{Lifetime, Profile, Signed, self_signed};
