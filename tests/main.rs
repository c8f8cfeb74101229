//! All end-to-end tests in one binary. Each module is a capability; each test name is a promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking, and nobody reads their documentation; clippy's own switch does not reach helpers"
)]

mod support;

/// One line for each request.
mod access_log;
/// Metrics and health.
mod admin;
/// The audit log, `portcullis plan` and `portcullis learn`.
mod audit;
/// Modules import only from those above them; each file says its job.
mod architecture;
/// What takes rights away takes effect while the rest of a config is rejected.
mod overlay;
/// What is wrong with a config is said at once, with place and hint.
mod config_errors;
/// What upstreams get, against what an HTTP/1 server of hyper reads in the same bytes.
mod differential;
/// gRPC with a real client and server.
mod grpc;
/// Upstreams that speak HTTP/2.
mod http2_upstream;
/// `portcullis schema`: JSON Schema and reference of the config keys.
mod schema;
/// The end, in order.
mod drain;
/// Signals at the wrong time, or by mistake.
mod signals;
/// File descriptors: who gets how many, and that no flood keeps reloads, revocations and proven clients out.
mod descriptors;
/// Memory of connections that prove nothing, and of sessions.
mod memory;
/// Our own HTTP/1.1 engine, byte by byte.
mod engine;
/// `portcullis explain`.
mod explain;
/// Files in other formats, and the commands that convert them.
mod file_formats;
/// Who is behind a proxy that stands in front of us.
mod front_proxy;
/// Requests up and answers down: fields, bodies, trailers, pools, failures.
mod forwarding;
/// TLS: who gets in, with which alert the others are refused, and what the log says.
mod handshake;
/// Bytes from clients that mean harm, or know no better.
mod hostile_input;
/// In front of the real Icinga 2, and what it says of requests beside what the gateway says.
mod icinga;
/// Certificate to ApiUser.
mod identity;
/// What upstreams are told, and what clients cannot make them believe.
mod identity_headers;
/// What `tests/run` says of its passes.
mod passes;
/// The own log: its level and its colours.
mod own_log;
/// Files in other formats on the command line.
mod given_files;
/// The targets of cargo-fuzz over their seeds and mutations.
mod fuzz_smoke;
/// Who may do what: patterns, requirements, deny, roles.
mod permissions;
/// The user that the gateway becomes.
mod gateway_user;
/// Warnings: how `check` counts them, and where `run` logs them.
mod lint;
/// How much ApiUsers, roles and routes may use.
mod limits;
/// `portcullis pki`, checked by openssl.
mod pki_tools;
/// Whoever loses a right loses what is open by it.
mod recheck;
/// `portcullis quickstart`.
mod quickstart;
/// Every example of README and docs.
mod readme;
/// Real programs as clients: curl and openssl.
mod real_clients;
/// Both ways of opening and sealing TLS records, and key updates of a real client.
mod record_layers;
/// Upstreams with quirks of their own: HEAD, redirects, events, reloads.
mod quirks;
/// Who ApiUsers are at upstreams.
mod accounts;
/// Client certificates by the host of an endpoint.
mod client_certificates;
/// Encrypted keys and PKCS#12, of listeners and for upstreams.
mod encrypted_keys;
/// Users, certificates, routes and listeners change while the gateway runs.
mod reload;
/// Revocation lists and deny lists: who is out, from when on, on open connections and resumed sessions.
mod revocation;
/// Hosts, paths and methods to routes; what has two readings is refused.
mod routing;
/// The sample configs.
mod sample_config;
/// Many users.
mod scale;
/// Nothing waits for the end of a body.
mod streaming;
/// WebSocket tunnels.
mod upgrades;
/// Trust domains side by side, and what each of them takes.
mod trust;
/// Each worker has its share, and nobody sees that there are several.
mod workers;
/// What requests write is not shared between workers.
mod shared_memory;
/// Each upstream is told who the client is in the words that it knows.
mod identity_sets;
/// Certificates whose end is near: who is told, and how.
mod expiry;
/// Post-quantum key exchange, FIPS, and what `--version` says of them.
mod crypto_provider;
/// `portcullis verify --live`: what a running gateway lets in and refuses, beside what the config says.
mod verify_live;
/// Names, digests and keys that make a certificate an ApiUser's; reserved names, roles from O and OU, tolerated expiry.
mod identity_kinds;
/// Passwords and tokens beside certificates.
mod credentials;
/// About two hundred certificates and what becomes of each, beside what nginx makes of it.
mod zoo;
/// `portcullis revoke`, and `/status`.
mod revoke;
/// Revocation lists from URLs.
mod crl_fetch;
/// External authorizers: what they are told, what they can take away, and what happens when they do not answer.
mod authorizer;
/// `portcullis import`: users of Icinga 2, nginx and HAProxy.
mod import;
