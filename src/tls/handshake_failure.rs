//! A failed handshake: its reason, and what is known of the client, for the log. Sends nothing.

use super::failure_reason::FailureReason;
use super::rejected_certificate::PresentedCertificate;
use tokio::net::TcpStream;

/// A failed handshake.
#[derive(Debug)]
pub struct HandshakeFailure {
    /// The reason.
    pub reason: FailureReason,
    /// A longer text for the log.
    pub detail: String,
    /// The server name (SNI) that the client requested.
    pub server_name: Option<String>,
    /// The rejected certificate, if the client sent one.
    pub certificate: Option<PresentedCertificate>,
    /// The connection, if an alert or response was sent that the client may not have read yet.
    pub(super) stream: Option<TcpStream>,
}

impl HandshakeFailure {
    /// A connection that ended outside the handshake itself. Nothing is sent to the client.
    pub fn beside(reason: FailureReason, detail: String) -> Self {
        Self {
            reason,
            detail,
            server_name: None,
            certificate: None,
            stream: None,
        }
    }
}
