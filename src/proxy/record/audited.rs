//! The audit log entries of a request: its decision as soon as there is a status, and a later cut. Decides nothing.

use super::time::timestamp;
use super::{Record, RequestLine};
use crate::authorize::Matched;
use crate::authorizer::{Opinion, Verdict};
use crate::clock::rfc3339;
use crate::config::CredentialKind;
use crate::identity::IdentityKind;
use crate::proxy::client_view::ClientView;
use crate::proxy::connection_facts::ConnectionFacts;
use crate::proxy::request::ClientIdentity;
use crate::proxy::texts::{RecordField, RecordTexts};
use crate::reason::{DecisionReason, Reason};
use crate::route::{RequirementRule, Route};
use crate::snapshot::Snapshot;
use crate::telemetry::{AuditCut, AuditDecision};
use crate::tls::{PeerCertificate, PresentedCertificate};
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;

/// The result of authorization, in the words of the logs. A limit can still deny the request, so the access log can have
/// another decision.
#[derive(Clone, Copy)]
pub(super) struct AuthorizationWords {
    pub(super) decision: &'static str,
    pub(super) reason: DecisionReason,
}

/// Whether the decision was written to the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuditState {
    /// There is no audit log.
    Off,
    /// It is written when there is a status.
    Due,
    /// It was written.
    Written,
}

/// Notes the request line before the decision. Without the query, which can contain secrets.
pub(super) fn note_as_sent(texts: &mut RecordTexts, request_line: RequestLine<'_>) {
    let RequestLine { method, target } = request_line;
    texts.set(RecordField::Method, method);
    texts.set(RecordField::MethodSent, method);
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    texts.set(RecordField::Path, path);
    texts.set(RecordField::PathSent, path);
    if query.is_some() {
        texts.set(RecordField::Query, "withheld");
    }
}

impl Record {
    pub(super) fn matched(&mut self, matched: &Matched<'_>) {
        self.texts
            .set(RecordField::Permission, matched.permission.text());
        self.texts
            .set(RecordField::Role, matched.role.unwrap_or_default());
    }

    pub(super) fn note_verdict(&mut self, verdict: Option<&Verdict>) {
        let Some(verdict) = verdict else { return };
        self.verdict = verdict.detail();
        self.texts.set(RecordField::Authorizer, &verdict.by);
        let word = match verdict.opinion {
            Opinion::Permit(_) => "permit",
            Opinion::Deny(_) => "deny",
            Opinion::Nothing(..) => "nothing",
        };
        self.texts.set(RecordField::AuthorizerSays, word);
    }

    /// Notes the preset and the trust domain. The trust domain only if the client was not rejected, since permissions
    /// do not apply to a rejected client.
    pub(super) fn note_for_audit(&mut self, route: Option<&Arc<Route>>, snapshot: &Snapshot) {
        if self.audited == AuditState::Off {
            return;
        }
        if route.is_some_and(|route| matches!(route.requirement, RequirementRule::Icinga2)) {
            self.texts.set(RecordField::Preset, "icinga2");
        }
        let is_valid = |identity: &ClientIdentity| {
            !matches!(
                identity,
                ClientIdentity::Refused(_) | ClientIdentity::Forwarded(_)
            )
        };
        let client = self
            .client
            .as_deref()
            .filter(|client| is_valid(&client.identity));
        let verified_by = client.and_then(|client| client.verified_by);
        if let Some(domain) = verified_by.and_then(|id| snapshot.trust_domain(id)) {
            self.texts.set(RecordField::TrustDomain, &domain.name);
        }
    }

    /// Writes the decision, once. It does not wait for the end of the request, since a tunnel can last for days.
    pub(super) fn tell_decision(&mut self) {
        if self.audited != AuditState::Due {
            return;
        }
        self.audited = AuditState::Written;
        let connection = &*self.connection;
        let client = self.client.as_deref();
        let proven = self.proven_user();
        let entry = AuditDecision {
            time: timestamp(SystemTime::now() - self.begun.elapsed()),
            generation: self.version.generation,
            overlay: self.version.overlay,
            id: &self.request_id,
            listener: &connection.listener,
            client: connection.client,
            server_name: connection.server_name.as_deref(),
            host: self.texts.get(RecordField::Host),
            protocol: self.protocol,
            method_sent: self.texts.get(RecordField::MethodSent).unwrap_or("-"),
            method: self.texts.get(RecordField::Method).unwrap_or("-"),
            path: self.texts.get(RecordField::Path).unwrap_or("-"),
            path_sent: self
                .texts
                .get(RecordField::PathSent)
                .filter(|sent| Some(*sent) != self.texts.get(RecordField::Path)),
            query: self.texts.get(RecordField::Query),
            user: proven.map(|(_, user)| user),
            credential: proven.map(|(kind, _)| kind),
            identified_by: client
                .and_then(ClientView::principal)
                .and_then(|user| user.identified_by)
                .map(IdentityKind::word),
            forwarded_by: client.and_then(ClientView::forwarded_by),
            trust_domain: self.texts.get(RecordField::TrustDomain),
            route: self.texts.get(RecordField::Route),
            preset: self.texts.get(RecordField::Preset),
            requirement: self.texts.get(RecordField::Requirement),
            permission: self.texts.get(RecordField::Permission),
            role: self.texts.get(RecordField::Role),
            authorizer: self.texts.get(RecordField::Authorizer),
            authorizer_says: self.texts.get(RecordField::AuthorizerSays),
            decision: self
                .authorization
                .map_or(self.decision, |words| words.decision),
            reason: self
                .authorization
                .map_or(self.reason, |words| words.reason)
                .word(),
            // The detail of a later failure is no part of the decision.
            detail: self.detail.as_deref().filter(|_| {
                self.authorization
                    .is_none_or(|words| words.reason == self.reason)
            }),
            status: self.status,
            sample: None,
        };
        connection
            .telemetry
            .audit_decision(entry, client.and_then(ClientView::certificate_json));
    }

    /// The kind of the credential and the name of the authenticated ApiUser.
    pub(super) fn proven_user(&self) -> Option<(&'static str, &str)> {
        let by_certificate = self.client.as_deref().and_then(ClientView::principal);
        match &self.proven {
            Some(proof) => Some((proof.kind().word(), &*proof.principal.name)),
            None => by_certificate.map(|user| (CredentialKind::Certificate.word(), &*user.name)),
        }
    }

    pub(super) fn tell_cut(&self, what: &'static str, reason: Reason) {
        let user = self.proven_user().map(|(_, user)| user);
        self.connection.tell_cut(CutRecord {
            id: Some(&self.request_id),
            user,
            route: self.texts.get(RecordField::Route),
            what,
            reason,
        });
    }
}

/// What was cut, and why.
struct CutRecord<'a> {
    /// The ID of the request. `None` if the whole connection was cut.
    id: Option<&'a str>,
    user: Option<&'a str>,
    route: Option<&'a str>,
    /// `stream`, `tunnel` or `connection`.
    what: &'static str,
    reason: Reason,
}

impl ConnectionFacts {
    /// Records that a whole connection was cut.
    pub(in crate::proxy) fn connection_cut(&self, user: Option<&str>, reason: Reason) {
        self.series.withdrawn("connection", reason);
        self.tell_cut(CutRecord {
            id: None,
            user,
            route: None,
            what: "connection",
            reason,
        });
    }

    fn tell_cut(&self, cut: CutRecord<'_>) {
        if !self.telemetry.audits() {
            return;
        }
        self.telemetry.audit_cut(AuditCut {
            time: timestamp(SystemTime::now()),
            generation: 0,
            overlay: 0,
            id: cut.id,
            listener: &self.listener,
            client: self.client,
            user: cut.user,
            route: cut.route,
            what: cut.what,
            reason: cut.reason.word(),
        });
    }
}

/// A certificate in the audit log. It has all fields to decide about its client again by another config.
#[derive(Serialize)]
struct AuditedCertificate<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cn: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    dns: &'a [Box<str>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    uris: &'a [Box<str>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    emails: &'a [Box<str>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    o: &'a [Box<str>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ou: &'a [Box<str>],
    /// Names that are no identity, but can be reserved.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    other_names: &'a [Box<str>],
    /// Kinds of names that cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unusable: Vec<String>,
    subject: &'a str,
    issuer: &'a str,
    serial: &'a str,
    fingerprint: &'a str,
    spki: &'a str,
    not_before: String,
    not_after: String,
}

impl<'a> AuditedCertificate<'a> {
    fn of(peer: &'a PeerCertificate) -> Self {
        Self {
            cn: peer.common_name.as_ref().ok().map(|name| name.as_str()),
            dns: &peer.dns_names,
            uris: &peer.uris,
            emails: &peer.emails,
            o: &peer.organizations,
            ou: &peer.organizational_units,
            other_names: &peer.other_names,
            unusable: peer
                .unusable_names
                .iter()
                .map(|(kind, _)| kind.to_string())
                .collect(),
            subject: &peer.subject,
            issuer: &peer.issuer,
            serial: &peer.serial,
            fingerprint: &peer.fingerprint,
            spki: &peer.spki,
            not_before: rfc3339(peer.not_before),
            not_after: rfc3339(peer.not_after),
        }
    }
}

/// A rejected certificate in the audit log.
#[derive(Serialize)]
struct RejectedClientCertificate<'a> {
    subject: &'a str,
    issuer: &'a str,
    serial: &'a str,
}

impl ClientView {
    /// The certificate as a JSON value, made once for each connection and generation.
    fn certificate_json(&self) -> Option<&str> {
        let json = self.certificate_json.get_or_init(|| {
            let refused = |PresentedCertificate {
                               subject,
                               issuer,
                               serial,
                               ..
                           }: &PresentedCertificate| {
                serde_json::to_string(&RejectedClientCertificate {
                    subject,
                    issuer,
                    serial,
                })
            };
            let json = match (&self.peer, &self.refused) {
                (Some(peer), _) => serde_json::to_string(&AuditedCertificate::of(peer)),
                (None, Some(certificate)) => refused(certificate),
                (None, None) => return None,
            };
            json.ok().map(String::into_boxed_str)
        });
        json.as_deref()
    }
}
