//! Choice of the TLS record layer, per listener.

/// Implementation of the TLS 1.3 record layer for HTTP/1 connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordLayer {
    /// rustls.
    Rustls,
    /// The gateway, in place in its buffers, with keys that rustls has negotiated.
    InPlace,
}
