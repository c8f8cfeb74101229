//! Creates certificate authorities, certificate requests, certificates and revocation lists, for the command line alone. It is
//! independent of the config, and TLS never calls it.
//!
//! A client certificate is created as in Icinga 2: [`CertificateRequest::create`] makes a key and a request on the client;
//! [`Authority::load`] and [`Authority::sign`] turn the request into a certificate on the authority; [`write_files`] writes
//! the results to disk, all of them or none.
//!
//! The content of a request is not trusted. Only one common name and the public key are taken from it; everything else comes
//! from the [`Profile`].

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
#[cfg(test)]
pub(crate) mod test_certificates;
mod validity;

pub use authority::Authority;
pub use error::PkiError;
pub use files::{Overwrite, create_folder, reject_shared_paths, write_files};
pub use names::DnsName;
pub use output::OutputFile;
pub use private_key::PrivateKey;
pub use request::CertificateRequest;
pub use revocation_list::{RevocationList, SerialNumberText, SignedList};
pub use sign::{Lifetime, Profile, SignedCertificate, self_signed};
