//! What happened to one request: counted and logged exactly once, when the last byte is gone or the client is.

mod attempts;
mod audited;
mod decided;
mod time;

use super::RequestId;
use super::client::ClientView;
use super::connection_facts::ConnectionFacts;
use super::credentials::Checked;
use super::texts::{Text, Texts};
use crate::clock;
use crate::credentials::Proof;
use crate::forward::{AnswerEdit, ContentLength};
use crate::identity::IdentityKind;
use crate::limit::{Meter, UnderWay};
use crate::respond::Withdrawal;
use crate::snapshot::SnapshotVersion;
use crate::telemetry::{AccessEntry, RouteSeries};
use crate::tls::record::take_copied_octets;
use audited::{Audited, AuthorizationWords};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::{milliseconds, timestamp};

/// The status in log and metrics of a client that left before there was an answer; nginx made it known.
const CLIENT_LEFT: u16 = 499;

/// Hears that a request is over.
pub(super) trait RequestEnd {
    /// It is recorded, and nothing of it moves any more.
    fn request_ended(&self);
}

/// The record of one request. Dropping it writes it.
pub(super) struct Record {
    connection: Rc<ConnectionFacts>,
    /// Who the client is; `None` if nobody asked yet.
    client: Option<Rc<ClientView>>,
    protocol: &'static str,
    version: SnapshotVersion,
    request_id: RequestId,
    begun: Instant,
    /// When it was over, if somebody has looked at the clock.
    over: Option<Instant>,
    texts: Texts,
    /// Where this thread counts the route's requests; `None` without a route.
    route: Option<Rc<RouteSeries>>,
    decision: &'static str,
    reason: &'static str,
    /// Of the judgement, whatever happened after it.
    authorization: Option<AuthorizationWords>,
    audited: Audited,
    detail: Option<String>,
    /// Who was proven beside the certificate, and by what.
    proven: Option<Box<Proof>>,
    /// What is to be told of an authorizer that was asked.
    verdict: Option<String>,
    upstream_time: Option<Duration>,
    /// How often it was sent to an upstream.
    attempts: u8,
    status: u16,
    end: &'static str,
    /// What was cut.
    cut: Option<&'static str>,
    /// Count the bodies, where somebody else than the record's owner moves them.
    meters: Option<Meters>,
    /// Bytes that no meter counted.
    request_bytes: u64,
    response_bytes: u64,
    on_end: Option<Rc<dyn RequestEnd>>,
    /// It counts as under way until it is written: of its user and of its route.
    _under_way: [Option<UnderWay>; 2],
}

/// Of both bodies.
#[derive(Default)]
pub(super) struct Meters {
    pub(super) request: Arc<Meter>,
    pub(super) response: Arc<Meter>,
}

impl Record {
    pub(super) fn new(
        connection: Rc<ConnectionFacts>,
        protocol: &'static str,
        version: SnapshotVersion,
        request_id: RequestId,
        (method, target): (&str, &str),
    ) -> Self {
        let audited = if connection.telemetry.audits() {
            Audited::Due
        } else {
            Audited::Unwanted
        };
        let wanted = audited == Audited::Due || connection.telemetry.logs_access();
        let mut texts = if wanted {
            Texts::kept()
        } else {
            Texts::unwanted()
        };
        if texts.are_kept() {
            audited::note_as_sent(&mut texts, method, target);
        }
        Self {
            connection,
            client: None,
            protocol,
            version,
            request_id,
            begun: clock::now(),
            over: None,
            texts,
            route: None,
            decision: "refuse",
            reason: "internal",
            authorization: None,
            audited,
            detail: None,
            proven: None,
            verdict: None,
            upstream_time: None,
            attempts: 0,
            status: CLIENT_LEFT,
            end: "client_gone",
            cut: None,
            meters: None,
            request_bytes: 0,
            response_bytes: 0,
            on_end: None,
            _under_way: [None, None],
        }
    }

    pub(super) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// What we say in an answer that comes down.
    pub(super) fn answer_edit(&self, length: ContentLength) -> AnswerEdit<'_> {
        let expiry = self
            .client
            .as_deref()
            .and_then(|client| client.expiry.field());
        AnswerEdit {
            length,
            request_id: &self.request_id,
            expiry,
        }
    }

    /// It began at this moment, which its owner has read from the clock.
    pub(super) fn begun_at(mut self, begun: Instant) -> Self {
        self.begun = begun;
        self
    }

    /// When it began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// It holds a place of its user and of its route, where these are limited.
    pub(super) fn is_under_way(&mut self, places: [Option<UnderWay>; 2]) {
        self._under_way = places;
    }

    /// It was over at this moment.
    pub(super) fn over_at(&mut self, over: Instant) {
        self.over = Some(over);
    }

    /// The meters of both bodies, made when first asked for.
    pub(super) fn meters(&mut self) -> &Meters {
        self.meters.get_or_insert_default()
    }

    /// Hears when the record is written.
    pub(super) fn on_end(&mut self, listener: Rc<dyn RequestEnd>) {
        self.on_end = Some(listener);
    }

    pub(super) fn client_is(&mut self, client: Rc<ClientView>) {
        self.client = Some(client);
    }

    /// What was found out about the request beside its head and certificate.
    pub(super) fn showed(&mut self, checked: &Checked) {
        self.proven = checked.proof().map(|proof| Box::new(proof.clone()));
        self.note_verdict(checked.verdict());
    }

    pub(super) fn status(&mut self, status: u16) {
        self.status = status;
        self.tell_decision();
    }

    /// How the answer ended, unless the client is told otherwise later.
    pub(super) fn ended(&mut self, end: &'static str) {
        self.end = end;
    }

    /// It was permitted, and cut because it is so no more.
    pub(super) fn cut(&mut self, kind: &'static str, withdrawal: &Withdrawal) {
        (self.reason, self.end, self.cut) = (withdrawal.word(), "cut", Some(kind));
        self.connection.series.withdrawn(kind, self.reason);
        self.tell_cut(kind);
    }

    /// An answer of our own, whose length is known.
    pub(super) fn own_answer(&mut self, length: usize) {
        self.response_bytes = u64::try_from(length).unwrap_or(u64::MAX);
        self.end = "complete";
    }

    /// Bytes of bodies, or of a tunnel.
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
            .over
            .unwrap_or_else(clock::now)
            .saturating_duration_since(self.begun);
        let metered = |which: fn(&Meters) -> &Meter| {
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
        let copied = take_copied_octets();
        if copied > 0 {
            series.copied(copied);
        }
        if self.end != "complete" {
            series.cut(self.end);
        }
        if telemetry.logs_access() && self.texts.are_kept() {
            self.log(duration, sent, received);
        }
    }

    fn log(&self, duration: Duration, request_bytes: u64, response_bytes: u64) {
        let about = &*self.connection;
        let client = self.client.as_deref();
        let peer = client.and_then(|client| client.peer.as_ref());
        let refused = client.and_then(|client| client.refused.as_ref());
        let refused_detail =
            refused.map(|it| format!("subject \"{}\", issuer \"{}\"", it.subject, it.issuer));
        let proven = self.proven_user();
        about.telemetry.log_access(&AccessEntry {
            time: timestamp(std::time::SystemTime::now() - self.begun.elapsed()),
            id: &self.request_id,
            generation: self.version.generation,
            overlay: self.version.overlay,
            listener: &about.listener,
            client: about.client.to_string(),
            server_name: about.server_name.as_deref(),
            tls: about.tls,
            protocol: self.protocol,
            method: self.texts.get(Text::Method).unwrap_or("-"),
            host: self.texts.get(Text::Host),
            path: self.texts.get(Text::Path).unwrap_or("-"),
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
                .or_else(|| refused.map(|it| &it.serial))
                .map(String::as_str),
            fingerprint: peer.map(|peer| peer.fingerprint.as_str()),
            decision: self.decision,
            reason: self.reason,
            detail: self
                .detail
                .as_deref()
                .or(self.verdict.as_deref())
                .or(refused_detail.as_deref()),
            requirement: self.texts.get(Text::Requirement),
            permission: self.texts.get(Text::Permission),
            route: self.texts.get(Text::Route),
            upstream: self.texts.get(Text::Upstream),
            endpoint: self.texts.get(Text::Endpoint),
            status: self.status,
            request_bytes,
            response_bytes,
            duration_ms: milliseconds(duration),
            upstream_ms: self.upstream_time.map(milliseconds),
            attempts: self.repeated_attempts(),
            end: self.end,
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
