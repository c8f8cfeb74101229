//! TLS failures after the handshake: a protocol violation or an alert of the client. Closes nothing.

use super::RecordError;
use crate::error_text::error_text;
use crate::reason::FailureReason;
use rustls::{Error, PeerMisbehaved};
use std::io;

/// A TLS failure caused by the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    /// The reason, for metrics and logs.
    pub reason: TlsFailureReason,
    /// A longer text for the log.
    pub detail: String,
}

/// The kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailureReason {
    /// The client sent a fatal alert.
    ClientAlert,
    /// Too many key updates.
    KeyUpdates,
    /// A record that is not allowed, or cannot be decrypted.
    BadRecord,
}

impl TlsFailureReason {
    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::ClientAlert => FailureReason::ClientAlert.word(),
            Self::KeyUpdates => "key_updates",
            Self::BadRecord => "bad_record",
        }
    }

    /// Whether an alert is sent, which the client needs time to read. A client that sent an alert reads nothing more.
    pub fn is_answered(self) -> bool {
        self != Self::ClientAlert
    }
}

impl TlsFailure {
    /// Finds the failure in an error and its sources.
    pub fn among(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(reason) = reason(error) {
                return Some(Self {
                    reason,
                    detail: error_text(error),
                });
            }
            // `io::Error::source` skips the wrapped error and returns the source of that.
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
