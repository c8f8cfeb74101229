//! Metrics and the log line of a handshake, whether it succeeds or fails.

use super::connection::ProxyHandler;
use crate::tls::{FailureReason, HandshakeFailure, Resumption, TlsConnection};
use std::net::SocketAddr;
use tokio::time::Instant;

impl ProxyHandler {
    pub(super) fn handshake_done(&self, established: &TlsConnection, begun: Instant) {
        let metrics = &self.shared.telemetry.metrics;
        let resumption = match established.facts.resumption {
            Resumption::Full => "full",
            Resumption::Resumed => "resumed",
        };
        metrics
            .handshakes
            .with_label_values(&[&*self.listener, established.facts.version, resumption])
            .inc();
        metrics
            .handshake_duration
            .observe(begun.elapsed().as_secs_f64());
    }

    /// One line, always with the same fields.
    pub(super) fn handshake_failed(&self, failure: &HandshakeFailure, client: SocketAddr) {
        let reason = failure.reason.word();
        let metrics = &self.shared.telemetry.metrics;
        metrics
            .handshake_failures
            .with_label_values(&[&*self.listener, reason])
            .inc();
        let certificate = failure.certificate.as_ref();
        let or_dash = |text: Option<&String>| text.map_or("-", String::as_str).to_owned();
        let server_name = or_dash(failure.server_name.as_ref());
        let subject = or_dash(certificate.map(|certificate| &certificate.subject));
        let issuer = or_dash(certificate.map(|certificate| &certificate.issuer));
        let serial = or_dash(certificate.map(|certificate| &certificate.serial));
        let listener = &*self.listener;
        let detail = &failure.detail;
        // Health checks of load balancers open and close connections all day.
        if failure.reason == FailureReason::Closed && failure.server_name.is_none() {
            tracing::debug!(listener, %client, reason, "handshake failed");
            return;
        }
        tracing::info!(
            listener, %client, reason, server_name, subject, issuer, serial, detail, "handshake failed"
        );
    }
}
