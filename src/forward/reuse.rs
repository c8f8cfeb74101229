//! Whether connections are kept.

/// Whether a connection may carry another request after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Nothing speaks against it.
    Keep,
    /// The upstream says that it closes, or its version does; or a user has logged in on the connection itself.
    Close,
}
