//! Portcullis lets in only those who can prove who they are.
//!
//! The modules below stand in the order of reading, and each imports only from those above it (`tests/` checks that).

// Foundations
pub mod config;
pub mod head;
pub mod host;

// The request's way
pub mod tls;
pub mod identity;
pub mod route;
pub mod authorize;
