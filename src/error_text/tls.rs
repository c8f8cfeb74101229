//! Texts for errors of TLS connections. The gateway is the server for clients and the client of upstreams, so the peer is
//! called "the other side".

use super::certificate::certificate_error_text;
use super::{error_text, separated, words};
use rustls::{AlertDescription, Error, InconsistentKeys, InvalidMessage};
use std::fmt::Debug;

/// The name of an alert in RFC 8446: `UnknownCA` is `unknown_ca`.
pub fn alert_name(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnrecognisedName => "unrecognized_name".to_owned(),
        AlertDescription::Unknown(code) => format!("unknown_{code}"),
        known => separated(&format!("{known:?}"), '_'),
    }
}

/// The text for an error of the TLS library.
pub fn tls_error_text(error: &Error) -> String {
    let fixed = match error {
        Error::InappropriateMessage {
            expect_types,
            got_type,
        } => {
            return out_of_order("record", got_type, expect_types);
        }
        Error::InappropriateHandshakeMessage {
            expect_types,
            got_type,
        } => {
            return out_of_order("handshake message", got_type, expect_types);
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what the other side sent is not TLS"
        }
        Error::InvalidMessage(why) => {
            return format!("a TLS message cannot be read: {}", words(why));
        }
        Error::PeerIncompatible(why) => {
            return format!("the two sides of TLS do not go together: {}", words(why));
        }
        Error::PeerMisbehaved(why) => {
            return format!("the other side broke the TLS protocol: {}", words(why));
        }
        Error::AlertReceived(alert) => {
            return format!("the other side sent the TLS alert {}", alert_name(*alert));
        }
        Error::InvalidCertificate(error) => return certificate_error_text(error),
        Error::InvalidCertRevocationList(why) => {
            return format!("the revocation list is not valid: {}", words(why));
        }
        Error::InvalidEncryptedClientHello(why) => {
            return format!("the encrypted ClientHello is not valid: {}", words(why));
        }
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key does not belong to the certificate"
        }
        Error::InconsistentKeys(_) => {
            "whether the private key belongs to the certificate cannot be found out"
        }
        Error::NoCertificatesPresented => "the other side sent no certificate",
        Error::UnsupportedNameType => "the name of the server is of a kind that is not supported",
        Error::DecryptError => "a TLS record cannot be decrypted",
        Error::EncryptError => "a TLS record cannot be encrypted",
        Error::PeerSentOversizedRecord => "the other side sent a TLS record that is too long",
        Error::HandshakeNotComplete => "the TLS handshake is not complete",
        Error::NoApplicationProtocol => "the two sides have no application protocol in common",
        Error::FailedToGetCurrentTime => "the time of this machine cannot be read",
        Error::FailedToGetRandomBytes => "the system gives no random bytes",
        Error::BadMaxFragmentSize => "the longest TLS record is set too short or too long",
        Error::General(why) => return format!("TLS failed: {why}"),
        Error::Other(other) => return error_text(&*other.0),
        other => return format!("TLS failed: {}", words(other)),
    };
    fixed.to_owned()
}

fn out_of_order(what: &str, got: &impl Debug, expected: &[impl Debug]) -> String {
    let expected: Vec<String> = expected.iter().map(words).collect();
    let got = words(got);
    match expected.is_empty() {
        true => format!("the other side sent a TLS {what} that may not come now: {got}"),
        false => format!(
            "the other side sent a TLS {what} out of order: {got} in place of {}",
            expected.join(" or ")
        ),
    }
}
