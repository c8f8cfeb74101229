//! HTTP/2 to upstreams: multiplexed connections of a worker, and streams that read and write like an HTTP/1.1 connection, so
//! that attempts, retries, framing checks and timeouts exist once for both versions.

mod connection;
mod connections;
mod request;
mod response;
mod stream;

pub(super) use connection::UpstreamConnection;
pub(super) use connections::{ConnectionSet, StreamAdmission};
pub(super) use stream::Http2Stream;
