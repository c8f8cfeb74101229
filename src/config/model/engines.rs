//! What of a listener is done by the gateway itself, and what by a library. Does none of it.

/// Who opens and seals the records of TLS 1.3 connections with HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordLayer {
    /// The TLS library.
    Rustls,
    /// The gateway, where they lie, with keys that the TLS library has negotiated.
    InPlace,
}

/// Who serves HTTP/1.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http1Engine {
    /// The gateway's own engine; what it does not take goes to hyper.
    #[default]
    Own,
    /// hyper alone.
    Hyper,
}
