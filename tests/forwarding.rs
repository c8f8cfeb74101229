//! Requests up and answers down: fields, bodies, trailers, pools, failures.

/// 1xx answers, and answers that come before the request is whole.
mod early;
/// Upstreams that break at every octet of an answer.
mod faults;
/// Upstreams that cannot be reached, are silent, or break off.
mod failures;
/// Endpoints that fail beside others that work.
mod health;
/// Upstreams that authenticate a connection in place of each request.
mod logins;
/// What a request and an answer carry.
mod messages;
/// Connections that are kept, and which request may go again.
mod pools;
/// Upstreams behind TLS, and what the gateway shows them.
mod secured;
