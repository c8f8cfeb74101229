//! Why a connection ended after its handshake, where TLS is the reason: the client broke it, or gave up. Ends nothing.

use super::RecordError;
use crate::error_text::error_text;
use rustls::{Error, PeerMisbehaved};
use std::io;

/// What the client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    /// One word for the metric and the log.
    pub reason: TlsFailureReason,
    /// More words for the log.
    pub detail: String,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailureReason {
    /// The client sent a fatal alert.
    ClientAlert,
    /// More key updates than anybody needs.
    KeyUpdates,
    /// A record that may not come, or cannot be decrypted.
    BadRecord,
}

impl TlsFailureReason {
    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::ClientAlert => "client_alert",
            Self::KeyUpdates => "key_updates",
            Self::BadRecord => "bad_record",
        }
    }

    /// Whether the client is told, and so must get the time to read it. A client that sent an alert reads nothing more.
    pub fn is_answered(self) -> bool {
        self != Self::ClientAlert
    }
}

impl TlsFailure {
    /// The failure among an error and its causes.
    pub fn among(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(reason) = reason(error) {
                return Some(Self {
                    reason,
                    detail: error_text(error),
                });
            }
            // An I/O error gives the cause of what it wraps as its own, and not what it wraps.
            let wrapped = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            next = wrapped
                .map(|wrapped| wrapped as &(dyn std::error::Error + 'static))
                .or_else(|| error.source());
        }
        None
    }
}

fn reason(error: &(dyn std::error::Error + 'static)) -> Option<TlsFailureReason> {
    let of_rustls = error.downcast_ref::<Error>().map(|error| match error {
        Error::AlertReceived(_) => TlsFailureReason::ClientAlert,
        Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests) => {
            TlsFailureReason::KeyUpdates
        }
        _ => TlsFailureReason::BadRecord,
    });
    let of_records = error
        .downcast_ref::<RecordError>()
        .map(|error| match error {
            RecordError::Alert(_) => TlsFailureReason::ClientAlert,
            RecordError::TooManyUpdates => TlsFailureReason::KeyUpdates,
            _ => TlsFailureReason::BadRecord,
        });
    of_rustls.or(of_records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layers_use_the_same_words() {
        let wrapped = |error: Error| io::Error::new(io::ErrorKind::InvalidData, error);
        for (error, word) in [
            (
                wrapped(Error::AlertReceived(
                    rustls::AlertDescription::BadCertificate,
                )),
                "client_alert",
            ),
            (
                wrapped(PeerMisbehaved::TooManyKeyUpdateRequests.into()),
                "key_updates",
            ),
            (wrapped(Error::DecryptError), "bad_record"),
            (RecordError::Alert(40).into(), "client_alert"),
            (RecordError::TooManyUpdates.into(), "key_updates"),
            (RecordError::BadMac.into(), "bad_record"),
        ] {
            assert_eq!(
                TlsFailure::among(&error).map(|failure| failure.reason.word()),
                Some(word),
                "{error}"
            );
            let outer = io::Error::other(error);
            assert_eq!(
                TlsFailure::among(&outer).map(|failure| failure.reason.word()),
                Some(word),
                "{outer}"
            );
        }
        assert_eq!(
            TlsFailure::among(&io::Error::from(io::ErrorKind::ConnectionReset)),
            None
        );
    }
}
