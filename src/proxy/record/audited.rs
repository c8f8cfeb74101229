//! What the audit log is told of a request: its decision as soon as there is a status, and what is cut of it later. Judges
//! nothing.

use super::Record;
use super::time::timestamp;
use crate::authorize::Matched;
use crate::authorizer::{Opinion, Verdict};
use crate::clock::rfc3339;
use crate::config::CredentialKind;
use crate::identity::IdentityKind;
use crate::proxy::client::ClientView;
use crate::proxy::connection_facts::ConnectionFacts;
use crate::proxy::request::Standing;
use crate::proxy::texts::{Text, Texts};
use crate::route::{RequirementRule, Route};
use crate::snapshot::Snapshot;
use crate::telemetry::{AuditCut, AuditDecision};
use crate::tls::{PeerCertificate, PresentedCertificate};
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;

/// What authorization decided, in the words of the logs. A limit may deny the request all the same, so the access log can
/// have another decision.
#[derive(Clone, Copy)]
pub(super) struct AuthorizationWords {
    pub(super) decision: &'static str,
    pub(super) reason: &'static str,
}

/// Whether the decision was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audited {
    /// Nobody wants to know.
    Unwanted,
    /// It is told when there is a status.
    Due,
    /// It was.
    Told,
}

/// Notes what was asked for, before it is judged. No query: it may hold secrets.
pub(super) fn note_as_sent(texts: &mut Texts, method: &str, target: &str) {
    texts.set(Text::Method, method);
    texts.set(Text::MethodSent, method);
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    texts.set(Text::Path, path);
    texts.set(Text::PathSent, path);
    if query.is_some() {
        texts.set(Text::Query, "withheld");
    }
}

impl Record {
    pub(super) fn matched(&mut self, matched: &Matched<'_>) {
        self.texts.set(Text::Permission, matched.permission.text());
        self.texts.set(Text::Role, matched.role.unwrap_or_default());
    }

    pub(super) fn note_verdict(&mut self, verdict: Option<&Verdict>) {
        let Some(verdict) = verdict else { return };
        self.verdict = verdict.detail();
        self.texts.set(Text::Authorizer, &verdict.by);
        let word = match verdict.opinion {
            Opinion::Permit(_) => "permit",
            Opinion::Deny(_) => "deny",
            Opinion::Nothing(..) => "nothing",
        };
        self.texts.set(Text::AuthorizerSays, word);
    }

    /// What else a judgement was made of. The trust domain only where the client counts: what did not is not judged by
    /// what is granted.
    pub(super) fn note_for_audit(&mut self, route: Option<&Arc<Route>>, snapshot: &Snapshot) {
        if self.audited == Audited::Unwanted {
            return;
        }
        if route.is_some_and(|route| matches!(route.requirement, RequirementRule::Icinga2)) {
            self.texts.set(Text::Preset, "icinga2");
        }
        let counts = |standing: &Standing| {
            !matches!(standing, Standing::Refused(_) | Standing::Forwarded(_))
        };
        let client = self
            .client
            .as_deref()
            .filter(|client| counts(&client.standing));
        let vouched_by = client.and_then(|client| client.vouched_by);
        if let Some(domain) = vouched_by.and_then(|id| snapshot.trust_domain(id)) {
            self.texts.set(Text::TrustDomain, &domain.name);
        }
    }

    /// Tells of the decision, once. A tunnel may last for days, and so is not waited for.
    pub(super) fn tell_decision(&mut self) {
        if self.audited != Audited::Due {
            return;
        }
        self.audited = Audited::Told;
        let about = &*self.connection;
        let client = self.client.as_deref();
        let proven = self.proven_user();
        let entry = AuditDecision {
            time: timestamp(SystemTime::now() - self.begun.elapsed()),
            generation: self.version.generation,
            overlay: self.version.overlay,
            id: &self.request_id,
            listener: &about.listener,
            client: about.client,
            server_name: about.server_name.as_deref(),
            host: self.texts.get(Text::Host),
            protocol: self.protocol,
            method_sent: self.texts.get(Text::MethodSent).unwrap_or("-"),
            method: self.texts.get(Text::Method).unwrap_or("-"),
            path: self.texts.get(Text::Path).unwrap_or("-"),
            path_sent: self
                .texts
                .get(Text::PathSent)
                .filter(|sent| Some(*sent) != self.texts.get(Text::Path)),
            query: self.texts.get(Text::Query),
            user: proven.map(|(_, user)| user),
            credential: proven.map(|(kind, _)| kind),
            identified_by: client
                .and_then(ClientView::principal)
                .and_then(|user| user.identified_by)
                .map(IdentityKind::word),
            forwarded_by: client.and_then(ClientView::forwarded_by),
            trust_domain: self.texts.get(Text::TrustDomain),
            route: self.texts.get(Text::Route),
            preset: self.texts.get(Text::Preset),
            requirement: self.texts.get(Text::Requirement),
            permission: self.texts.get(Text::Permission),
            role: self.texts.get(Text::Role),
            authorizer: self.texts.get(Text::Authorizer),
            authorizer_says: self.texts.get(Text::AuthorizerSays),
            decision: self
                .authorization
                .map_or(self.decision, |words| words.decision),
            reason: self.authorization.map_or(self.reason, |words| words.reason),
            // What went wrong later is no part of the decision.
            detail: self.detail.as_deref().filter(|_| {
                self.authorization
                    .is_none_or(|words| words.reason == self.reason)
            }),
            status: self.status,
            sample: None,
        };
        about
            .telemetry
            .audit_decision(entry, client.and_then(ClientView::certificate_json));
    }

    /// Who was proven, and by what.
    pub(super) fn proven_user(&self) -> Option<(&'static str, &str)> {
        let by_certificate = self.client.as_deref().and_then(ClientView::principal);
        match &self.proven {
            Some(proof) => Some((proof.kind().word(), &*proof.principal.name)),
            None => by_certificate.map(|user| (CredentialKind::Certificate.word(), &*user.name)),
        }
    }

    pub(super) fn tell_cut(&self, what: &'static str) {
        let user = self.proven_user().map(|(_, user)| user);
        let about = (Some(&*self.request_id), user, self.texts.get(Text::Route));
        self.connection.tell_cut(about, what, self.reason);
    }
}

impl ConnectionFacts {
    /// A whole connection was cut.
    pub(in crate::proxy) fn connection_cut(&self, user: Option<&str>, reason: &'static str) {
        self.series.withdrawn("connection", reason);
        self.tell_cut((None, user, None), "connection", reason);
    }

    fn tell_cut(
        &self,
        (id, user, route): (Option<&str>, Option<&str>, Option<&str>),
        what: &'static str,
        reason: &'static str,
    ) {
        if !self.telemetry.audits() {
            return;
        }
        self.telemetry.audit_cut(AuditCut {
            time: timestamp(SystemTime::now()),
            generation: 0,
            overlay: 0,
            id,
            listener: &self.listener,
            client: self.client,
            user,
            route,
            what,
            reason,
        });
    }
}

/// What the log says of a certificate: enough to judge its client again by another config.
#[derive(Serialize)]
struct Certificate<'a> {
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
    /// Names that are no identity, but may be reserved.
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

impl<'a> Certificate<'a> {
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

/// The same of one that does not count.
#[derive(Serialize)]
struct RefusedCertificate<'a> {
    subject: &'a str,
    issuer: &'a str,
    serial: &'a str,
}

impl ClientView {
    /// Its certificate as a JSON value, made once for each connection and generation.
    fn certificate_json(&self) -> Option<&str> {
        let json = self.certificate_json.get_or_init(|| {
            let refused = |PresentedCertificate {
                               subject,
                               issuer,
                               serial,
                               ..
                           }: &PresentedCertificate| {
                serde_json::to_string(&RefusedCertificate {
                    subject,
                    issuer,
                    serial,
                })
            };
            let json = match (&self.peer, &self.refused) {
                (Some(peer), _) => serde_json::to_string(&Certificate::of(peer)),
                (None, Some(certificate)) => refused(certificate),
                (None, None) => return None,
            };
            json.ok().map(String::into_boxed_str)
        });
        json.as_deref()
    }
}
