//! Portcullis: a reverse proxy that admits only authenticated clients.
//!
//! The modules are in reading order. Each imports only from those above it, which `tests/` checks.

// Foundations
pub mod clock;
pub mod error_text;
pub mod thread_state;
pub mod descriptors;
pub mod file_read;
pub mod file_format;
pub mod config;
pub mod reason;
pub mod telemetry;
pub mod drain;
pub mod worker;
pub mod host;
pub mod head;
pub mod buffer_pool;
pub mod pattern;
pub mod fetch;
pub mod pool;
pub mod endpoint;

// The path of a request
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

// Snapshot and proxy
pub mod snapshot;
pub mod proxy;

// Tools around the proxy
pub mod explain;
pub mod admin;
pub mod pki;
pub mod import;

// Process and command line
pub mod gateway;
pub mod cli;
