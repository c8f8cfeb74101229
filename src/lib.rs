//! Portcullis lets in only those who can prove who they are.
//!
//! The modules below stand in the order of reading, and each imports only from those above it (`tests/` checks that).

// Foundations
pub mod config;
pub mod drain;
pub mod head;
pub mod host;
pub mod telemetry;

// The request's way
pub mod authorize;
pub mod forward;
pub mod identity;
pub mod limit;
pub mod listener;
pub mod respond;
pub mod route;
pub mod tls;
pub mod upstream;

// What holds it together
pub mod proxy;
pub mod snapshot;

// Beside it
pub mod admin;
pub mod pki;

// Top
pub mod cli;
pub mod gateway;
