//! The record of one request: counted and logged exactly once, after the last byte or when the client is gone.

mod attempts;
mod audited;
mod decided;
mod time;

use super::RequestId;
use super::checked_evidence::CheckedEvidence;
use super::client_view::ClientView;
use super::connection_facts::ConnectionFacts;
use super::texts::{RecordField, RecordTexts};
use crate::clock;
use crate::credentials::CredentialProof;
use crate::forward::{ContentLength, ResponseEdit};
use crate::identity::IdentityKind;
use crate::limit::{BodyMeter, ConcurrencyGuard};
use crate::reason::{DecisionReason, EndReason, Reason};
use crate::respond::Withdrawal;
use crate::snapshot::SnapshotVersion;
use crate::telemetry::{AccessEntry, RouteSeries};
use crate::tls::record::take_copied_bytes;
use audited::{AuditState, AuthorizationWords};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::{milliseconds, timestamp};

/// The status in logs and metrics if the client left before the response, as in nginx.
const CLIENT_LEFT: u16 = 499;

/// Receives the end of a request.
pub(super) trait RequestEnd {
    /// The request is recorded and transfers nothing any more.
    fn request_ended(&self);
}

/// The method and the target of a request, as the client sent them.
#[derive(Clone, Copy)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
}

/// The record of one request. Dropping it writes it.
pub(super) struct Record {
    connection: Rc<ConnectionFacts>,
    /// The client; `None` before it is identified.
    client: Option<Rc<ClientView>>,
    protocol: &'static str,
    version: SnapshotVersion,
    request_id: RequestId,
    begun: Instant,
    /// The end of the request, if the owner has set it.
    ended_at: Option<Instant>,
    texts: RecordTexts,
    /// The metrics of the route on this thread; `None` without a route.
    route: Option<Rc<RouteSeries>>,
    decision: &'static str,
    reason: DecisionReason,
    /// The result of authorization, also if the request is denied after it.
    authorization: Option<AuthorizationWords>,
    audited: AuditState,
    detail: Option<String>,
    /// The proof by a password or a token.
    proven: Option<Box<CredentialProof>>,
    /// The detail of the verdict of an external authorizer.
    verdict: Option<String>,
    upstream_time: Option<Duration>,
    /// How often the request was sent to an upstream.
    attempts: u8,
    status: u16,
    end: EndReason,
    /// The kind of what was cut.
    cut: Option<&'static str>,
    /// Count the bodies, if the owner of the record does not transfer them itself.
    meters: Option<Meters>,
    /// Bytes that no meter counted.
    request_bytes: u64,
    response_bytes: u64,
    on_end: Option<Rc<dyn RequestEnd>>,
    /// The slots in the concurrency limits of its user and of its route, held until the record is written.
    _slots: [Option<ConcurrencyGuard>; 2],
}

/// The meters of both bodies.
#[derive(Default)]
pub(super) struct Meters {
    pub(super) request: Arc<BodyMeter>,
    pub(super) response: Arc<BodyMeter>,
}

impl Record {
    pub(super) fn new(
        connection: Rc<ConnectionFacts>,
        protocol: &'static str,
        version: SnapshotVersion,
        request_id: RequestId,
        request_line: RequestLine<'_>,
    ) -> Self {
        let audited = if connection.telemetry.audits() {
            AuditState::Due
        } else {
            AuditState::Off
        };
        let wanted = audited == AuditState::Due || connection.telemetry.logs_access();
        let mut texts = if wanted {
            RecordTexts::kept()
        } else {
            RecordTexts::discarded()
        };
        if texts.are_kept() {
            audited::note_as_sent(&mut texts, request_line);
        }
        Self {
            connection,
            client: None,
            protocol,
            version,
            request_id,
            begun: clock::now(),
            ended_at: None,
            texts,
            route: None,
            decision: "refuse",
            reason: Reason::Internal.into(),
            authorization: None,
            audited,
            detail: None,
            proven: None,
            verdict: None,
            upstream_time: None,
            attempts: 0,
            status: CLIENT_LEFT,
            end: EndReason::ClientGone,
            cut: None,
            meters: None,
            request_bytes: 0,
            response_bytes: 0,
            on_end: None,
            _slots: [None, None],
        }
    }

    pub(super) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The changes to the head of the upstream's response.
    pub(super) fn response_edit(&self, length: ContentLength) -> ResponseEdit<'_> {
        let expiry = self
            .client
            .as_deref()
            .and_then(|client| client.expiry.field());
        ResponseEdit {
            length,
            request_id: &self.request_id,
            expiry,
        }
    }

    /// Sets the begin of the request, which the owner has read from the clock.
    pub(super) fn begun_at(mut self, begun: Instant) -> Self {
        self.begun = begun;
        self
    }

    /// The begin of the request.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Holds the slots of the request in the concurrency limits of its user and of its route.
    pub(super) fn hold_slots(&mut self, slots: [Option<ConcurrencyGuard>; 2]) {
        self._slots = slots;
    }

    /// Sets the end of the request.
    pub(super) fn ended_at(&mut self, end: Instant) {
        self.ended_at = Some(end);
    }

    /// The meters of both bodies, made when they are first used.
    pub(super) fn meters(&mut self) -> &Meters {
        self.meters.get_or_insert_default()
    }

    /// Sets the listener for the end of the request.
    pub(super) fn on_end(&mut self, listener: Rc<dyn RequestEnd>) {
        self.on_end = Some(listener);
    }

    pub(super) fn set_client(&mut self, client: Rc<ClientView>) {
        self.client = Some(client);
    }

    /// Takes over the evidence of the request.
    pub(super) fn set_evidence(&mut self, checked: &CheckedEvidence) {
        self.proven = checked.proof().map(|proof| Box::new(proof.clone()));
        self.note_verdict(checked.verdict());
    }

    pub(super) fn status(&mut self, status: u16) {
        self.status = status;
        self.tell_decision();
    }

    /// Sets how the response ended.
    pub(super) fn ended(&mut self, end: EndReason) {
        self.end = end;
    }

    /// The permit was withdrawn, and the request was cut.
    pub(super) fn cut(&mut self, kind: &'static str, withdrawal: &Withdrawal) {
        let reason = withdrawal.reason();
        self.reason = reason.into();
        self.end = EndReason::Cut;
        self.cut = Some(kind);
        self.connection.series.withdrawn(kind, reason);
        self.tell_cut(kind, reason);
    }

    /// The gateway sent a response of its own, with a body of this length in bytes.
    pub(super) fn gateway_response(&mut self, length: usize) {
        self.response_bytes = u64::try_from(length).unwrap_or(u64::MAX);
        self.end = EndReason::Complete;
    }

    /// Sets the transferred bytes of the bodies or of the tunnel.
    pub(super) fn moved(&mut self, sent: u64, received: u64) {
        self.request_bytes = sent;
        self.response_bytes = received;
    }

    fn write(&self) {
        let ConnectionFacts {
            telemetry,
            listener,
            series,
            ..
        } = &*self.connection;
        let duration = self
            .ended_at
            .unwrap_or_else(clock::now)
            .saturating_duration_since(self.begun);
        let metered = |which: fn(&Meters) -> &BodyMeter| {
            self.meters
                .as_ref()
                .map_or(0, |meters| which(meters).bytes())
        };
        let sent = self.request_bytes + metered(|meters| &meters.request);
        let received = self.response_bytes + metered(|meters| &meters.response);
        match &self.route {
            Some(route) => route.answered(self.status, duration.as_secs_f64()),
            None => telemetry
                .route(listener, "-")
                .answered(self.status, duration.as_secs_f64()),
        }
        series.moved(sent, received);
        let copied = take_copied_bytes();
        if copied > 0 {
            series.copied(copied);
        }
        if self.end != EndReason::Complete {
            series.cut(self.end);
        }
        if telemetry.logs_access() && self.texts.are_kept() {
            self.log(duration, sent, received);
        }
    }

    fn log(&self, duration: Duration, request_bytes: u64, response_bytes: u64) {
        let connection = &*self.connection;
        let client = self.client.as_deref();
        let peer = client.and_then(|client| client.peer.as_ref());
        let refused = client.and_then(|client| client.refused.as_ref());
        let refused_detail = refused.map(|certificate| {
            format!(
                "subject \"{}\", issuer \"{}\"",
                certificate.subject, certificate.issuer
            )
        });
        let proven = self.proven_user();
        connection.telemetry.log_access(&AccessEntry {
            time: timestamp(std::time::SystemTime::now() - self.begun.elapsed()),
            id: &self.request_id,
            generation: self.version.generation,
            overlay: self.version.overlay,
            listener: &connection.listener,
            client: connection.client.to_string(),
            server_name: connection.server_name.as_deref(),
            tls: connection.tls,
            protocol: self.protocol,
            method: self.texts.get(RecordField::Method).unwrap_or("-"),
            host: self.texts.get(RecordField::Host),
            path: self.texts.get(RecordField::Path).unwrap_or("-"),
            user: proven.map(|(_, user)| user),
            credential: proven.map(|(kind, _)| kind),
            identified_by: client
                .and_then(ClientView::principal)
                .and_then(|user| user.identified_by)
                .map(IdentityKind::word),
            forwarded_by: client.and_then(ClientView::forwarded_by),
            cn: peer
                .and_then(|peer| peer.common_name.as_ref().ok())
                .map(|name| name.as_str()),
            serial: peer
                .map(|peer| &peer.serial)
                .or_else(|| refused.map(|certificate| &certificate.serial))
                .map(String::as_str),
            fingerprint: peer.map(|peer| peer.fingerprint.as_str()),
            decision: self.decision,
            reason: self.reason.word(),
            detail: self
                .detail
                .as_deref()
                .or(self.verdict.as_deref())
                .or(refused_detail.as_deref()),
            requirement: self.texts.get(RecordField::Requirement),
            permission: self.texts.get(RecordField::Permission),
            route: self.texts.get(RecordField::Route),
            upstream: self.texts.get(RecordField::Upstream),
            endpoint: self.texts.get(RecordField::Endpoint),
            status: self.status,
            request_bytes,
            response_bytes,
            duration_ms: milliseconds(duration),
            upstream_ms: self.upstream_time.map(milliseconds),
            attempts: self.repeated_attempts(),
            end: self.end.word(),
            cut: self.cut,
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.tell_decision();
        self.write();
        if let Some(listener) = &self.on_end {
            listener.request_ended();
        }
    }
}
