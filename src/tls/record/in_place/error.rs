//! Protocol violations of clients in records, and the alert for each.

/// Why the in-place record layer ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A record was modified, or encrypted with another key.
    #[error("a record cannot be decrypted")]
    BadMac,
    /// A record is longer than RFC 8446 section 5 allows.
    #[error("a record is too long")]
    TooLong,
    /// A content type or handshake message that is not allowed after the handshake.
    #[error("a record of a kind that may not come after the handshake")]
    Unexpected,
    /// Too many consecutive records without content.
    #[error("too many records without content in a row")]
    TooManyEmpty,
    /// Too many key updates without content.
    #[error("too many key updates")]
    TooManyUpdates,
    /// An alert or a key update of the wrong length.
    #[error("a control message is malformed")]
    Malformed,
    /// A key update with an undefined `request_update` (section 4.6.3).
    #[error("a key update asks for what does not exist")]
    BadUpdate,
    /// The client sent a fatal alert.
    #[error("the client sent the alert {0}")]
    Alert(u8),
    /// The sequence number would wrap (section 5.3), or no new key is available.
    #[error("no key is left for further records")]
    NoKey,
}

impl RecordError {
    /// The alert for the client (RFC 8446 section 6.2). `None` if it sent one itself.
    pub(super) fn alert(self) -> Option<u8> {
        match self {
            Self::BadMac => Some(20),
            Self::TooLong => Some(22),
            Self::Unexpected | Self::TooManyEmpty | Self::TooManyUpdates => Some(10),
            Self::Malformed => Some(50),
            Self::BadUpdate => Some(47),
            Self::NoKey => Some(80),
            Self::Alert(_) => None,
        }
    }
}

impl From<RecordError> for std::io::Error {
    fn from(error: RecordError) -> Self {
        let kind = match error {
            RecordError::Alert(_) => std::io::ErrorKind::ConnectionAborted,
            _ => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
