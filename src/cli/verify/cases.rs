//! What is tried at each entry and at each listener, in order. Says what is expected of this config; judges no more.

use super::attempt::{Attempt, Expected, Outcome, Proof};
use super::knock::Seen;
use super::mint::{Flaw, Identity, Mint};
use super::scene::{Entry, NOBODY, Scene};
use super::{first_bytes, http2};
use rustls::AlertDescription as Alert;

/// The certificates that may be used.
pub(super) struct Wallet {
    /// `--cert` and `--key`.
    pub(super) given: Option<Identity>,
    /// `--ca-cert` and `--ca-key`.
    pub(super) mint: Option<Mint>,
}

/// `TRACE` is refused for everybody and is never forwarded, so that no attempt reaches an upstream. The answer still
/// tells whether the certificate counts: if it does not, that is said first.
pub(super) fn harmless(host: &str) -> String {
    format!("TRACE / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// Lines about one entry, or about the listener as such.
pub(super) struct Lines<'a> {
    pub(super) scene: &'a Scene,
    pub(super) host: &'a str,
    pub(super) attempts: Vec<Attempt>,
}

impl<'a> Lines<'a> {
    pub(super) fn about(scene: &'a Scene, host: &'a str) -> Self {
        Self {
            scene,
            host,
            attempts: Vec::new(),
        }
    }

    /// Notes what was seen.
    pub(super) fn seen(
        &mut self,
        tried: &str,
        expected: Expected,
        proof: Proof,
        seen: &Seen,
    ) -> Outcome {
        let outcome = expected.judge(seen);
        self.line(tried, expected, proof, (expected.comment(seen), outcome));
        outcome
    }

    /// Notes why something was not tried.
    pub(super) fn skipped(&mut self, tried: &str, expected: Expected, why: &str) {
        self.line(
            tried,
            expected,
            Proof::Itself,
            (why.to_owned(), Outcome::Skipped),
        );
    }

    /// Notes why there is nothing to try.
    pub(super) fn not_applicable(&mut self, tried: &str, expected: Expected, why: &str) {
        self.line(
            tried,
            expected,
            Proof::Itself,
            (why.to_owned(), Outcome::NotApplicable),
        );
    }

    fn line(
        &mut self,
        tried: &str,
        expected: Expected,
        proof: Proof,
        (happened, outcome): (String, Outcome),
    ) {
        self.attempts.push(Attempt {
            listener: self.scene.listener.clone(),
            host: self.host.to_owned(),
            tried: tried.to_owned(),
            expected: expected.to_string(),
            happened,
            outcome,
            proof,
        });
    }

    /// All lines, with refusals marked that nothing shows to be more than a wall.
    pub(super) fn finish(mut self) -> Vec<Attempt> {
        let twin = self
            .attempts
            .iter()
            .any(|line| line.proof == Proof::Twin && line.outcome == Outcome::Good);
        for line in &mut self.attempts {
            if line.proof == Proof::WithTwin && line.outcome == Outcome::Good && !twin {
                line.outcome = Outcome::Unproven;
            }
        }
        self.attempts
    }
}

/// Everything about one entry.
pub(super) fn entry(scene: &Scene, entry: &Entry, wallet: &Wallet) -> Vec<Attempt> {
    let mut lines = Lines::about(scene, &entry.label);
    if shown_certificate(&mut lines, entry) != Outcome::Good {
        return lines.finish();
    }
    no_certificate(&mut lines, entry);
    let made = wallet
        .mint
        .as_ref()
        .and_then(|mint| mint.make(Flaw::None).ok());
    let minted = made.as_ref().filter(|made| entry.takes(made));
    let pass = wallet
        .given
        .as_ref()
        .filter(|given| entry.takes(given))
        .or(minted);
    if !entry.domains.is_empty() {
        let request = harmless(&entry.name);
        match pass {
            None => lines.skipped("a valid certificate", Expected::Accepted, NEEDS_ANY),
            Some(pass) => {
                let seen = entry.door.ask(Some(pass), &request);
                lines.seen(
                    "a valid certificate",
                    Expected::Accepted,
                    Proof::Twin,
                    &seen,
                );
            }
        }
        foreign_certificates(&mut lines, entry, &request);
        for (tried, identity) in [
            ("that of --cert", &wallet.given),
            ("of the CA of --ca-cert", &made),
        ] {
            // What the config does not let in here, such as a CA that was taken out, the gateway must not let in either.
            if let Some(identity) = identity.as_ref().filter(|identity| !entry.takes(identity)) {
                let seen = entry.door.ask(Some(identity), &request);
                lines.seen(tried, Expected::Refused, Proof::WithTwin, &seen);
            }
        }
        flawed_certificates(
            &mut lines,
            entry,
            wallet.mint.as_ref().filter(|_| minted.is_some()),
        );
    }
    other_hosts(&mut lines, entry, pass);
    lines.finish()
}

const NEEDS_ANY: &str = "needs --cert or --ca-key of this trust domain";
pub(super) const NEEDS_MINT: &str = "needs --ca-key of this trust domain";

fn shown_certificate(lines: &mut Lines<'_>, entry: &Entry) -> Outcome {
    const TRIED: &str = "the server's certificate";
    let shown = entry
        .door
        .greeting(None, "http/1.1")
        .map_err(|error| Seen::Other(error.to_string()));
    match shown.and_then(|greeting| entry.door.shake_hands(greeting)) {
        Ok(_) => {
            lines.line(
                TRIED,
                Expected::Certificate,
                Proof::Itself,
                ("that of the config".to_owned(), Outcome::Good),
            );
            Outcome::Good
        }
        Err(seen) => lines.seen(TRIED, Expected::Certificate, Proof::Itself, &seen),
    }
}

fn no_certificate(lines: &mut Lines<'_>, entry: &Entry) {
    const TRIED: &str = "no certificate";
    const ALERT: Expected = Expected::Alert(&[Alert::CertificateRequired]);
    let (expected, path) = match (&entry.protected, entry.demands_certificate()) {
        (path, true) => (ALERT, path.as_deref().unwrap_or("/")),
        (Some(path), false) => (Expected::Status(401), path.as_str()),
        (None, false) => {
            lines.not_applicable(
                TRIED,
                Expected::Status(401),
                "no path of this entry asks who the client is",
            );
            return;
        }
    };
    let seen = entry.door.ask(None, &get(&entry.name, path));
    lines.seen(TRIED, expected, Proof::Itself, &seen);
}

/// Certificates that everybody can make.
fn foreign_certificates(lines: &mut Lines<'_>, entry: &Entry, request: &str) {
    const UNKNOWN: Expected = Expected::Alert(&[Alert::UnknownCA]);
    const NAMESAKE: Expected = Expected::Alert(&[Alert::DecryptError, Alert::UnknownCA]);
    let of_mint = |mint: Result<Mint, rcgen::Error>| mint.and_then(|mint| mint.make(Flaw::None));
    let mut foreign = vec![
        (
            "of an unknown CA".to_owned(),
            UNKNOWN,
            of_mint(Mint::unknown()),
        ),
        ("self-signed".to_owned(), UNKNOWN, Identity::self_signed()),
    ];
    for domain in &entry.domains {
        let Some(anchor) = &domain.anchor else {
            continue;
        };
        let tried = format!("of a CA with the name of {}'s anchor", domain.name);
        foreign.push((tried, NAMESAKE, of_mint(Mint::namesake(anchor))));
    }
    for (tried, expected, made) in foreign {
        match made {
            Ok(identity) => {
                let seen = entry.door.ask(Some(&identity), request);
                lines.seen(&tried, expected, Proof::WithTwin, &seen);
            }
            Err(error) => lines.skipped(&tried, expected, &format!("cannot be made: {error}")),
        }
    }
}

/// Certificates of the right CA with something wrong.
fn flawed_certificates(lines: &mut Lines<'_>, entry: &Entry, mint: Option<&Mint>) {
    const EXPIRED: Expected = Expected::Alert(&[Alert::CertificateExpired]);
    const USAGE: Expected = Expected::Alert(&[Alert::UnsupportedCertificate]);
    const ODD: Expected = Expected::Alert(&[Alert::CertificateUnknown, Alert::BadCertificate]);
    for (tried, flaw, expected) in [
        ("expired", Flaw::Expired, EXPIRED),
        ("not yet valid", Flaw::NotYetValid, EXPIRED),
        ("for servers only", Flaw::ForServers, USAGE),
        ("a CA's own, as client", Flaw::Authority, ODD),
    ] {
        let Some(made) = mint.map(|mint| mint.make(flaw)) else {
            lines.skipped(tried, expected, NEEDS_MINT);
            continue;
        };
        match made {
            Err(error) => lines.skipped(tried, expected, &format!("cannot be made: {error}")),
            Ok(made) if flaw == Flaw::ForServers && entry.takes(&made) => {
                lines.not_applicable(tried, expected, "the config accepts these");
            }
            Ok(made) => {
                let seen = entry.door.ask(Some(&made), &harmless(&entry.name));
                lines.seen(tried, expected, Proof::WithTwin, &seen);
            }
        }
    }
}

/// Requests for hosts of another entry.
fn other_hosts(lines: &mut Lines<'_>, entry: &Entry, pass: Option<&Identity>) {
    const EXPECTED: Expected = Expected::Status(421);
    let path = entry.protected.as_deref().unwrap_or("/portcullis-verify");
    const TRIED: [&str; 2] = [
        "Host of another entry",
        "HTTP/2 :authority of another entry",
    ];
    match (
        &entry.other_host,
        entry.demands_certificate() && pass.is_none(),
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
            let seen = entry.door.ask(pass, &get(other, path));
            lines.seen(TRIED[0], EXPECTED, Proof::Itself, &seen);
            let seen = http2::ask(&entry.door, pass, other, path);
            lines.seen(TRIED[1], EXPECTED, Proof::Itself, &seen);
        }
    }
}

/// What is tried on a listener that only its front proxies may connect to: whether it is shut without a PROXY header.
pub(super) fn closed_to_us(scene: &Scene) -> Vec<Attempt> {
    let mut lines = Lines::about(scene, "");
    if let Some(entry) = scene.entries.first() {
        let seen = entry.door.ask(None, &harmless(NOBODY));
        lines.seen(
            "TLS without a PROXY header",
            Expected::Refused,
            Proof::Itself,
            &seen,
        );
        lines.skipped(
            "everything else",
            Expected::Refused,
            "only the listener's front proxies may connect",
        );
    }
    lines.finish()
}

/// What is the same for all names of a listener.
pub(super) fn listener(scene: &Scene) -> Vec<Attempt> {
    const NAMELESS: Expected = Expected::Alert(&[Alert::UnrecognisedName]);
    const OLD: Expected = Expected::Alert(&[Alert::ProtocolVersion]);
    let mut lines = Lines::about(scene, "");
    let Some(entry) = scene.entries.first() else {
        return lines.finish();
    };
    for (tried, name) in [
        ("an unknown server name", Some(NOBODY)),
        ("no server name", None),
    ] {
        match scene.takes_every_name {
            true => lines.not_applicable(tried, NAMELESS, "the listener takes every name"),
            false => {
                let seen = entry.door.named(name).ask(None, &harmless(NOBODY));
                lines.seen(tried, NAMELESS, Proof::Itself, &seen);
            }
        }
    }
    let seen = first_bytes::plain_http(&entry.door);
    lines.seen("plain HTTP", Expected::Status(400), Proof::Itself, &seen);
    let seen = first_bytes::tls_1_1(&entry.door);
    lines.seen("TLS 1.1", OLD, Proof::Itself, &seen);
    lines.finish()
}
