//! Choice between the gateway's own implementations and libraries, per listener.

/// Implementation of the TLS 1.3 record layer for HTTP/1 connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordLayer {
    /// rustls.
    Rustls,
    /// The gateway, in place in its buffers, with keys that rustls has negotiated.
    InPlace,
}

/// HTTP/1.1 implementation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http1Engine {
    /// The gateway's own engine. hyper handles requests that it does not support.
    #[default]
    Own,
    /// hyper alone.
    Hyper,
}
