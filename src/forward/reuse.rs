//! Whether an upstream connection is reused.

/// Whether a connection may carry another request after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// The connection may be reused.
    Keep,
    /// The upstream announces the close or speaks HTTP/1.0 without keep-alive, or a user is
    /// authenticated on the connection itself.
    Close,
}
