//! The attempts at each entry and at each listener, in order, with the results that the config implies.

use super::attempt::{AttemptOutcome, AttemptProof, ExpectedResult, VerifyAttempt};
use super::mint::{ClientIssuer, Flaw, Identity};
use super::probe::Observation;
use super::scene::{UNUSED_NAME, VerifiedHost, VerifiedListener};
use super::{first_bytes, http2};
use rustls::AlertDescription as Alert;

/// The client certificates for attempts.
pub(super) struct ClientCertificates {
    /// `--cert` and `--key`.
    pub(super) identity: Option<Identity>,
    /// `--ca-cert` and `--ca-key`.
    pub(super) issuer: Option<ClientIssuer>,
}

/// A request that never reaches an upstream: `TRACE` is denied for all clients. The response still shows whether the
/// certificate is accepted, since that is checked first.
pub(super) fn harmless(host: &str) -> String {
    format!("TRACE / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// The attempts at one entry, or at the listener.
pub(super) struct AttemptLog<'a> {
    pub(super) scene: &'a VerifiedListener,
    pub(super) host: &'a str,
    pub(super) attempts: Vec<VerifyAttempt>,
}

impl<'a> AttemptLog<'a> {
    pub(super) fn new(scene: &'a VerifiedListener, host: &'a str) -> Self {
        Self {
            scene,
            host,
            attempts: Vec::new(),
        }
    }

    /// Records an observation.
    pub(super) fn observed(
        &mut self,
        tried: &str,
        expected: ExpectedResult,
        proof: AttemptProof,
        observation: &Observation,
    ) -> AttemptOutcome {
        let outcome = expected.evaluate(observation);
        self.add(
            tried,
            expected,
            proof,
            expected.comment(observation),
            outcome,
        );
        outcome
    }

    /// Records an observation that is conclusive by itself.
    pub(super) fn standalone(
        &mut self,
        tried: &str,
        expected: ExpectedResult,
        observation: &Observation,
    ) -> AttemptOutcome {
        self.observed(tried, expected, AttemptProof::Standalone, observation)
    }

    /// Records why an attempt was skipped.
    pub(super) fn skipped(&mut self, tried: &str, expected: ExpectedResult, why: &str) {
        self.add(
            tried,
            expected,
            AttemptProof::Standalone,
            why.to_owned(),
            AttemptOutcome::Skipped,
        );
    }

    /// Records why an attempt does not apply.
    pub(super) fn not_applicable(&mut self, tried: &str, expected: ExpectedResult, why: &str) {
        self.add(
            tried,
            expected,
            AttemptProof::Standalone,
            why.to_owned(),
            AttemptOutcome::NotApplicable,
        );
    }

    fn add(
        &mut self,
        tried: &str,
        expected: ExpectedResult,
        proof: AttemptProof,
        happened: String,
        outcome: AttemptOutcome,
    ) {
        self.attempts.push(VerifyAttempt {
            listener: self.scene.listener.clone(),
            host: self.host.to_owned(),
            tried: tried.to_owned(),
            expected: expected.to_string(),
            happened,
            outcome,
            proof,
        });
    }

    /// All attempts. Expected rejections without a successful control are marked as unproven.
    pub(super) fn finish(mut self) -> Vec<VerifyAttempt> {
        let has_control = self.attempts.iter().any(|line| {
            line.proof == AttemptProof::Control && line.outcome == AttemptOutcome::Good
        });
        for line in &mut self.attempts {
            if line.proof == AttemptProof::NeedsControl
                && line.outcome == AttemptOutcome::Good
                && !has_control
            {
                line.outcome = AttemptOutcome::Unproven;
            }
        }
        self.attempts
    }
}

/// All attempts at one entry.
pub(super) fn entry(
    scene: &VerifiedListener,
    entry: &VerifiedHost,
    certificates: &ClientCertificates,
) -> Vec<VerifyAttempt> {
    let mut lines = AttemptLog::new(scene, &entry.label);
    if shown_certificate(&mut lines, entry) != AttemptOutcome::Good {
        return lines.finish();
    }
    no_certificate(&mut lines, entry);
    let issued = certificates
        .issuer
        .as_ref()
        .and_then(|issuer| issuer.issue(Flaw::None).ok());
    let accepted_issued = issued.as_ref().filter(|issued| entry.takes(issued));
    let valid = certificates
        .identity
        .as_ref()
        .filter(|identity| entry.takes(identity))
        .or(accepted_issued);
    if !entry.domains.is_empty() {
        let request = harmless(&entry.name);
        match valid {
            None => lines.skipped("a valid certificate", ExpectedResult::Accepted, NEEDS_ANY),
            Some(valid) => {
                let observation = entry.target.send(Some(valid), &request);
                lines.observed(
                    "a valid certificate",
                    ExpectedResult::Accepted,
                    AttemptProof::Control,
                    &observation,
                );
            }
        }
        foreign_certificates(&mut lines, entry, &request);
        for (tried, identity) in [
            ("that of --cert", &certificates.identity),
            ("of the CA of --ca-cert", &issued),
        ] {
            // The gateway must reject what the config does not accept, such as a certificate of a removed CA.
            if let Some(identity) = identity.as_ref().filter(|identity| !entry.takes(identity)) {
                let observation = entry.target.send(Some(identity), &request);
                lines.observed(
                    tried,
                    ExpectedResult::Refused,
                    AttemptProof::NeedsControl,
                    &observation,
                );
            }
        }
        let issuer = certificates.issuer.as_ref();
        let issuer = issuer.filter(|_| accepted_issued.is_some());
        flawed_certificates(&mut lines, entry, issuer);
    }
    other_hosts(&mut lines, entry, valid);
    lines.finish()
}

const NEEDS_ANY: &str = "needs --cert or --ca-key of this trust domain";
pub(super) const NEEDS_ISSUER: &str = "needs --ca-key of this trust domain";

fn shown_certificate(lines: &mut AttemptLog<'_>, entry: &VerifiedHost) -> AttemptOutcome {
    const TRIED: &str = "the server's certificate";
    let shown = entry
        .target
        .client_config(None, "http/1.1")
        .map_err(|error| Observation::Other(error.to_string()));
    match shown.and_then(|config| entry.target.handshake(config)) {
        Ok(_) => {
            lines.add(
                TRIED,
                ExpectedResult::Certificate,
                AttemptProof::Standalone,
                "that of the config".to_owned(),
                AttemptOutcome::Good,
            );
            AttemptOutcome::Good
        }
        Err(observation) => lines.standalone(TRIED, ExpectedResult::Certificate, &observation),
    }
}

fn no_certificate(lines: &mut AttemptLog<'_>, entry: &VerifiedHost) {
    const TRIED: &str = "no certificate";
    const ALERT: ExpectedResult = ExpectedResult::Alert(&[Alert::CertificateRequired]);
    let (expected, path) = match (&entry.protected, entry.demands_certificate()) {
        (path, true) => (ALERT, path.as_deref().unwrap_or("/")),
        (Some(path), false) => (ExpectedResult::Status(401), path.as_str()),
        (None, false) => {
            lines.not_applicable(
                TRIED,
                ExpectedResult::Status(401),
                "no path of this entry asks who the client is",
            );
            return;
        }
    };
    let observation = entry.target.send(None, &get(&entry.name, path));
    lines.standalone(TRIED, expected, &observation);
}

/// Certificates that anyone can create.
fn foreign_certificates(lines: &mut AttemptLog<'_>, entry: &VerifiedHost, request: &str) {
    const UNKNOWN: ExpectedResult = ExpectedResult::Alert(&[Alert::UnknownCA]);
    const NAMESAKE: ExpectedResult =
        ExpectedResult::Alert(&[Alert::DecryptError, Alert::UnknownCA]);
    let issued_by = |issuer: Result<ClientIssuer, rcgen::Error>| {
        issuer.and_then(|issuer| issuer.issue(Flaw::None))
    };
    let mut foreign = vec![
        (
            "of an unknown CA".to_owned(),
            UNKNOWN,
            issued_by(ClientIssuer::unknown()),
        ),
        ("self-signed".to_owned(), UNKNOWN, Identity::self_signed()),
    ];
    for domain in &entry.domains {
        let Some(anchor) = &domain.anchor else {
            continue;
        };
        let tried = format!("of a CA with the name of {}'s anchor", domain.name);
        foreign.push((tried, NAMESAKE, issued_by(ClientIssuer::namesake(anchor))));
    }
    for (tried, expected, issued) in foreign {
        match issued {
            Ok(identity) => {
                let observation = entry.target.send(Some(&identity), request);
                lines.observed(&tried, expected, AttemptProof::NeedsControl, &observation);
            }
            Err(error) => lines.skipped(&tried, expected, &format!("cannot be made: {error}")),
        }
    }
}

/// Certificates of an accepted CA, each with one flaw.
fn flawed_certificates(
    lines: &mut AttemptLog<'_>,
    entry: &VerifiedHost,
    issuer: Option<&ClientIssuer>,
) {
    const EXPIRED: ExpectedResult = ExpectedResult::Alert(&[Alert::CertificateExpired]);
    const USAGE: ExpectedResult = ExpectedResult::Alert(&[Alert::UnsupportedCertificate]);
    const ODD: ExpectedResult =
        ExpectedResult::Alert(&[Alert::CertificateUnknown, Alert::BadCertificate]);
    for (tried, flaw, expected) in [
        ("expired", Flaw::Expired, EXPIRED),
        ("not yet valid", Flaw::NotYetValid, EXPIRED),
        ("for servers only", Flaw::ForServers, USAGE),
        ("a CA's own, as client", Flaw::Authority, ODD),
    ] {
        let Some(issued) = issuer.map(|issuer| issuer.issue(flaw)) else {
            lines.skipped(tried, expected, NEEDS_ISSUER);
            continue;
        };
        match issued {
            Err(error) => lines.skipped(tried, expected, &format!("cannot be made: {error}")),
            Ok(identity) if flaw == Flaw::ForServers && entry.takes(&identity) => {
                lines.not_applicable(tried, expected, "the config accepts these");
            }
            Ok(identity) => {
                let observation = entry.target.send(Some(&identity), &harmless(&entry.name));
                lines.observed(tried, expected, AttemptProof::NeedsControl, &observation);
            }
        }
    }
}

/// Requests for a host of another entry.
fn other_hosts(lines: &mut AttemptLog<'_>, entry: &VerifiedHost, identity: Option<&Identity>) {
    const EXPECTED: ExpectedResult = ExpectedResult::Status(421);
    let path = entry.protected.as_deref().unwrap_or("/portcullis-verify");
    const TRIED: [&str; 2] = [
        "Host of another entry",
        "HTTP/2 :authority of another entry",
    ];
    match (
        &entry.other_host,
        entry.demands_certificate() && identity.is_none(),
    ) {
        (None, _) => {
            TRIED.into_iter().for_each(|tried| {
                lines.not_applicable(tried, EXPECTED, "this entry takes every name")
            });
        }
        (_, true) => TRIED
            .into_iter()
            .for_each(|tried| lines.skipped(tried, EXPECTED, NEEDS_ANY)),
        (Some(other), false) => {
            let observation = entry.target.send(identity, &get(other, path));
            lines.standalone(TRIED[0], EXPECTED, &observation);
            let observation = http2::send(&entry.target, identity, other, path);
            lines.standalone(TRIED[1], EXPECTED, &observation);
        }
    }
}

/// The attempt at a listener for front proxies only: TLS without a PROXY header.
pub(super) fn front_proxy_listener(scene: &VerifiedListener) -> Vec<VerifyAttempt> {
    let mut lines = AttemptLog::new(scene, "");
    if let Some(entry) = scene.entries.first() {
        let observation = entry.target.send(None, &harmless(UNUSED_NAME));
        lines.standalone(
            "TLS without a PROXY header",
            ExpectedResult::Refused,
            &observation,
        );
        lines.skipped(
            "everything else",
            ExpectedResult::Refused,
            "only the listener's front proxies may connect",
        );
    }
    lines.finish()
}

/// The attempts at a listener, independent of the server name.
pub(super) fn listener(scene: &VerifiedListener) -> Vec<VerifyAttempt> {
    const NAMELESS: ExpectedResult = ExpectedResult::Alert(&[Alert::UnrecognisedName]);
    const OLD: ExpectedResult = ExpectedResult::Alert(&[Alert::ProtocolVersion]);
    let mut lines = AttemptLog::new(scene, "");
    let Some(entry) = scene.entries.first() else {
        return lines.finish();
    };
    for (tried, name) in [
        ("an unknown server name", Some(UNUSED_NAME)),
        ("no server name", None),
    ] {
        match scene.takes_every_name {
            true => lines.not_applicable(tried, NAMELESS, "the listener takes every name"),
            false => {
                let observation = entry.target.named(name).send(None, &harmless(UNUSED_NAME));
                lines.standalone(tried, NAMELESS, &observation);
            }
        }
    }
    let observation = first_bytes::plain_http(&entry.target);
    lines.standalone("plain HTTP", ExpectedResult::Status(400), &observation);
    let observation = first_bytes::tls_1_1(&entry.target);
    lines.standalone("TLS 1.1", OLD, &observation);
    lines.finish()
}
