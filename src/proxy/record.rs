//! What happened to one request: counted and logged exactly once, when the last byte is gone or the client is.

use super::RequestId;
use super::request::Judgement;
use crate::authorize::{Denied, Grant};
use crate::limit::Meter;
use crate::respond::Refusal;
use crate::route::Target;
use crate::telemetry::{AccessEntry, Telemetry};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// What is known before a request is judged.
pub(super) struct Circumstances {
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) listener: Arc<str>,
    pub(super) client: SocketAddr,
    pub(super) server_name: Option<String>,
    pub(super) tls: &'static str,
    pub(super) protocol: &'static str,
    pub(super) generation: u64,
    pub(super) request_id: RequestId,
}

/// The status in log and metrics of a client that left before there was an answer; nginx made it known.
const CLIENT_LEFT: u16 = 499;

/// The record of one request. Dropping it writes it.
pub(super) struct Record {
    circumstances: Circumstances,
    begun: Instant,
    time: std::time::SystemTime,
    method: String,
    host: Option<String>,
    path: String,
    peer: Option<PeerNames>,
    user: Option<Arc<str>>,
    decision: &'static str,
    reason: &'static str,
    detail: Option<String>,
    requirement: Option<String>,
    permission: Option<String>,
    route: Option<String>,
    upstream: Option<Arc<str>>,
    endpoint: Option<String>,
    upstream_ms: Option<f64>,
    status: u16,
    end: &'static str,
    /// The request body.
    pub(super) request: Arc<Meter>,
    /// The response body.
    pub(super) response: Arc<Meter>,
    /// Bytes that no meter counted.
    request_bytes: u64,
    response_bytes: u64,
    on_end: Option<Box<dyn FnOnce() + Send>>,
}

/// What a client's certificate says, for the log.
pub(super) struct PeerNames {
    pub(super) common_name: Option<String>,
    pub(super) serial: String,
    pub(super) fingerprint: String,
}

impl Record {
    pub(super) fn new(circumstances: Circumstances, method: &str, path: &str) -> Self {
        Self {
            circumstances,
            begun: Instant::now(),
            time: std::time::SystemTime::now(),
            method: method.to_owned(),
            host: None,
            path: path.to_owned(),
            peer: None,
            user: None,
            decision: "refuse",
            reason: "internal",
            detail: None,
            requirement: None,
            permission: None,
            route: None,
            upstream: None,
            endpoint: None,
            upstream_ms: None,
            status: CLIENT_LEFT,
            end: "client_gone",
            request: Arc::default(),
            response: Arc::default(),
            request_bytes: 0,
            response_bytes: 0,
            on_end: None,
        }
    }

    pub(super) fn request_id(&self) -> &str {
        &self.circumstances.request_id
    }

    /// Runs when the record is written.
    pub(super) fn on_end(&mut self, action: impl FnOnce() + Send + 'static) {
        self.on_end = Some(Box::new(action));
    }

    pub(super) fn client_is(&mut self, peer: Option<PeerNames>, user: Option<Arc<str>>) {
        self.peer = peer;
        self.user = user;
    }

    /// Takes over what the judgement found, whatever the outcome.
    pub(super) fn judged(&mut self, judgement: &Judgement<'_>) {
        self.method.clone_from(&judgement.method);
        self.host = judgement.host.as_ref().map(|host| host.as_str().to_owned());
        if let Some(target) = &judgement.target {
            self.path.clone_from(&target.path);
        }
        self.requirement = judgement.requirement.as_ref().map(ToString::to_string);
        if let Some(route) = judgement.route {
            self.route = Some(route.name.clone());
            if let Target::Upstream(name) = &route.target {
                self.upstream = Some(name.clone());
            }
        }
        match &judgement.outcome {
            Ok(permit) => {
                self.decision = "permit";
                self.reason = match permit.grant() {
                    Grant::Permission(matched) => {
                        self.permission = Some(matched.permission.text().to_owned());
                        "permission"
                    }
                    Grant::AnyApiUser => "any_api_user",
                    Grant::PublicRoute => "public_route",
                };
            }
            Err(refusal) => self.refused(refusal),
        }
        self.count_decision();
    }

    fn count_decision(&self) {
        let Circumstances { telemetry, listener, .. } = &self.circumstances;
        telemetry.listener(listener).decided(self.decision, self.reason);
    }

    fn refused(&mut self, refusal: &Refusal<'_>) {
        self.reason = refusal.word();
        self.detail = refusal.detail();
        if let Refusal::Denied(Denied::DeniedBy(matched)) = refusal {
            self.permission = Some(matched.permission.text().to_owned());
        }
    }

    /// The request was permitted, but could not be answered by its upstream.
    pub(super) fn failed(&mut self, refusal: &Refusal<'_>) {
        self.reason = refusal.word();
        self.detail = refusal.detail();
    }

    /// What came was no request, and was refused before any judgement.
    pub(super) fn refused_unread(&mut self, refusal: &Refusal<'_>) {
        self.refused(refusal);
        self.status = refusal.status().as_u16();
        self.end = "complete";
        self.count_decision();
    }

    pub(super) fn answered_by(&mut self, endpoint: String) {
        self.endpoint = Some(endpoint);
        self.upstream_ms = Some(self.begun.elapsed().as_secs_f64() * 1000.0);
    }

    pub(super) fn status(&mut self, status: u16) {
        self.status = status;
    }

    /// How the answer ended, unless the client is told otherwise later.
    pub(super) fn ended(&mut self, end: &'static str) {
        self.end = end;
    }

    /// An answer of our own, whose length is known.
    pub(super) fn own_answer(&mut self, length: usize) {
        self.response_bytes = u64::try_from(length).unwrap_or(u64::MAX);
        self.end = "complete";
    }

    /// Bytes of a tunnel.
    pub(super) fn tunnelled(&mut self, sent: u64, received: u64) {
        self.request_bytes = sent;
        self.response_bytes = received;
    }

    fn write(&self) {
        let Circumstances { telemetry, listener, .. } = &self.circumstances;
        let seconds = self.begun.elapsed().as_secs_f64();
        let sent = self.request_bytes + self.request.bytes();
        let received = self.response_bytes + self.response.bytes();
        telemetry.route(listener, self.route.as_deref().unwrap_or("-")).answered(self.status, seconds);
        let series = telemetry.listener(listener);
        series.moved(sent, received);
        if self.end != "complete" {
            series.cut(self.end);
        }
        self.log(seconds, sent, received);
    }

    fn log(&self, seconds: f64, request_bytes: u64, response_bytes: u64) {
        let about = &self.circumstances;
        let peer = self.peer.as_ref();
        about.telemetry.log_access(&AccessEntry {
            time: timestamp(self.time),
            id: &about.request_id,
            generation: about.generation,
            listener: &about.listener,
            client: about.client.to_string(),
            server_name: about.server_name.as_deref(),
            tls: about.tls,
            protocol: about.protocol,
            method: &self.method,
            host: self.host.as_deref(),
            path: &self.path,
            user: self.user.as_deref(),
            cn: peer.and_then(|peer| peer.common_name.as_deref()),
            serial: peer.map(|peer| peer.serial.as_str()),
            fingerprint: peer.map(|peer| peer.fingerprint.as_str()),
            decision: self.decision,
            reason: self.reason,
            detail: self.detail.as_deref(),
            requirement: self.requirement.as_deref(),
            permission: self.permission.as_deref(),
            route: self.route.as_deref(),
            upstream: self.upstream.as_deref(),
            endpoint: self.endpoint.as_deref(),
            status: self.status,
            request_bytes,
            response_bytes,
            duration_ms: (seconds * 1e6).round() / 1e3,
            upstream_ms: self.upstream_ms.map(|ms| (ms * 1e3).round() / 1e3),
            end: self.end,
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.write();
        if let Some(action) = self.on_end.take() {
            action();
        }
    }
}

fn timestamp(time: std::time::SystemTime) -> String {
    use time::macros::format_description;
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time::OffsetDateTime::from(time).format(&format).unwrap_or_default()
}
