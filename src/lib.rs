//! Portcullis lets in only those who can prove who they are.
//!
//! The modules below stand in the order of reading, and each imports only from those above it (`tests/` checks that).

// Foundations
pub mod clock;
pub mod error_text;
pub mod here;
pub mod descriptors;
pub mod file_read;
pub mod file_format;
pub mod config;
pub mod telemetry;
pub mod drain;
pub mod worker;
pub mod host;
pub mod head;
pub mod recycled;
pub mod pattern;
pub mod fetch;
pub mod pool;
pub mod endpoint;

// The request's way
pub mod listener;
pub mod tls;
pub mod identity;
pub mod credentials;
pub mod condition;
pub mod limit;
pub mod route;
pub mod authorize;
pub mod forward;
pub mod authorizer;
pub mod upstream;
pub mod respond;

// What holds it together
pub mod snapshot;
pub mod proxy;

// Beside it
pub mod explain;
pub mod admin;
pub mod pki;
pub mod import;

// Top
pub mod gateway;
pub mod cli;
