//! What a client may not do with records, and which alert it gets for it.

/// Why a connection with records of its own layer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Changed on the way, or made with another key.
    #[error("a record cannot be decrypted")]
    BadMac,
    /// Longer than RFC 8446 section 5 allows.
    #[error("a record is too long")]
    TooLong,
    /// A content type, or a handshake message, that has no place after the handshake.
    #[error("a record of a kind that may not come after the handshake")]
    Unexpected,
    /// Records without content, one after another.
    #[error("too many records without content in a row")]
    TooManyEmpty,
    /// Key updates that cost more than they protect.
    #[error("too many key updates")]
    TooManyUpdates,
    /// An alert or a key update of the wrong length.
    #[error("a control message is malformed")]
    Malformed,
    /// A key update that neither asks nor does not ask (section 4.6.3).
    #[error("a key update asks for what does not exist")]
    BadUpdate,
    /// The client gave up.
    #[error("the client sent the alert {0}")]
    Alert(u8),
    /// Sequence numbers must not wrap (section 5.3), or there is no new key.
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
