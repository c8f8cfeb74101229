//! Portcullis lets in only those who can prove who they are.
//!
//! The modules below stand in the order of reading, and each imports only from those above it (`tests/` checks that).

// Foundations
pub mod config;
pub mod head;
pub mod host;
pub mod telemetry;
pub mod drain;

// The request's way
pub mod listener;
pub mod tls;
pub mod identity;
pub mod route;
pub mod authorize;
pub mod limit;
pub mod upstream;
pub mod forward;
pub mod respond;

// What holds it together
pub mod snapshot;
