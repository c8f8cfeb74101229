//! Metrics and the log line of a handshake, whether it succeeds or fails. Shakes no hands.

use super::connection::ProxyHandler;
use crate::tls::{Established, FailureReason, HandshakeFailure, Resumption};
use std::net::SocketAddr;
use tokio::time::Instant;

impl ProxyHandler {
    pub(super) fn handshake_done(&self, established: &Established, begun: Instant) {
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
        let fields = (
            or_dash(failure.server_name.as_ref()),
            or_dash(certificate.map(|certificate| &certificate.subject)),
            or_dash(certificate.map(|certificate| &certificate.issuer)),
            or_dash(certificate.map(|certificate| &certificate.serial)),
        );
        let (server_name, subject, issuer, serial) = fields;
        let (listener, detail) = (&*self.listener, &failure.detail);
        // Load balancers open and close connections all day to see whether the port is there.
        if failure.reason == FailureReason::Closed && failure.server_name.is_none() {
            tracing::debug!(listener, %client, reason, "handshake failed");
            return;
        }
        tracing::info!(
            listener, %client, reason, server_name, subject, issuer, serial, detail, "handshake failed"
        );
    }
}
