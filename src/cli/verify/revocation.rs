//! Tests that a certificate on the deny list is rejected: in a new handshake, in a resumed session, and on an open connection.
//! Puts a certificate of its own on the list, and removes it in every case.

use super::attempt::{AttemptOutcome, ExpectedResult, VerifyAttempt};
use super::cases::{AttemptLog, ClientCertificates, NEEDS_ISSUER, harmless};
use super::deny_entry::DenyEntry;
use super::mint::{Flaw, Identity};
use super::probe::{Observation, VerifyConnection, exchange};
use super::scene::{VerifiedHost, VerifiedListener};
use rustls::{ClientConfig, HandshakeKind};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

const BEFORE: [&str; 2] = ["not denied yet", "not denied yet, resumed session"];
const DENIED: [&str; 3] = [
    "denied",
    "denied, resumed session",
    "denied, open connection",
];
const AFTER: &str = "no longer denied";

/// The revocation attempts at one entry. A change of the list must be active within `deadline`.
pub(super) fn entry(
    scene: &VerifiedListener,
    entry: &VerifiedHost,
    certificates: &ClientCertificates,
    deadline: Duration,
) -> Vec<VerifyAttempt> {
    let mut lines = AttemptLog::new(scene, &entry.label);
    if entry.domains.is_empty() {
        return lines.finish();
    }
    let issued = certificates
        .issuer
        .as_ref()
        .and_then(|issuer| issuer.issue(Flaw::None).ok());
    let domain = issued.as_ref().and_then(|issued| entry.domain_of(issued));
    match (
        issued,
        domain,
        domain.and_then(|domain| domain.deny_list.as_deref()),
    ) {
        (Some(issued), Some(_), Some(list)) => {
            RevocationTest::new(entry, issued, deadline).run(&mut lines, list)
        }
        (_, None, _) | (None, ..) => skip(&mut lines, NEEDS_ISSUER),
        (_, Some(domain), None) => skip(
            &mut lines,
            &format!("trust domain {} has no `deny_list`", domain.name),
        ),
    }
    lines.finish()
}

fn skip(lines: &mut AttemptLog<'_>, why: &str) {
    DENIED
        .into_iter()
        .for_each(|tried| lines.skipped(tried, ExpectedResult::Refused, why));
}

/// A client with a certificate that is valid until it is denied.
struct RevocationTest<'a> {
    entry: &'a VerifiedHost,
    identity: Identity,
    request: String,
    deadline: Duration,
}

impl<'a> RevocationTest<'a> {
    fn new(entry: &'a VerifiedHost, identity: Identity, deadline: Duration) -> Self {
        Self {
            entry,
            identity,
            request: harmless(&entry.name),
            deadline,
        }
    }

    fn run(&self, lines: &mut AttemptLog<'_>, list: &Path) {
        let config = match self
            .entry
            .target
            .client_config(Some(&self.identity), "http/1.1")
        {
            Ok(config) => config,
            Err(error) => return skip(lines, &error.to_string()),
        };
        let (observation, open) = self.send(&config);
        let first = lines.standalone(BEFORE[0], ExpectedResult::Accepted, &observation);
        let Some(mut open) = open.filter(|_| first == AttemptOutcome::Good) else {
            return;
        };
        let (observation, resumed) = self.send(&config);
        let is_resumed =
            resumed.is_some_and(|it| it.conn.handshake_kind() == Some(HandshakeKind::Resumed));
        if is_resumed {
            lines.standalone(BEFORE[1], ExpectedResult::Accepted, &observation);
        } else {
            lines.skipped(
                BEFORE[1],
                ExpectedResult::Accepted,
                "no session was resumed",
            );
        }
        let Some(leaf) = self.identity.chain.first() else {
            return;
        };
        let denied = match DenyEntry::put(list, leaf) {
            Ok(denied) => denied,
            Err(error) => return skip(lines, &format!("cannot write {}: {error}", list.display())),
        };
        let observation = self.ask_until(ExpectedResult::Refused);
        lines.standalone(DENIED[0], ExpectedResult::Refused, &observation);
        match is_resumed {
            true => lines.standalone(DENIED[1], ExpectedResult::Refused, &self.send(&config).0),
            false => AttemptOutcome::Skipped,
        };
        let observation = exchange(&mut open, self.request.as_bytes());
        lines.standalone(DENIED[2], ExpectedResult::Refused, &observation);
        if let Err(error) = denied.remove() {
            let observation =
                Observation::Other(format!("cannot write {}: {error}", list.display()));
            lines.standalone(AFTER, ExpectedResult::Accepted, &observation);
            return;
        }
        let observation = self.ask_until(ExpectedResult::Accepted);
        lines.standalone(AFTER, ExpectedResult::Accepted, &observation);
    }

    /// Sends one request on a new connection, with session resumption if possible. The connection stays open.
    fn send(&self, config: &Arc<ClientConfig>) -> (Observation, Option<VerifyConnection>) {
        match self.entry.target.handshake(config.clone()) {
            Ok(mut connection) => (
                exchange(&mut connection, self.request.as_bytes()),
                Some(connection),
            ),
            Err(observation) => (observation, None),
        }
    }

    /// Sends requests with full handshakes until the result is as expected, or the deadline passed.
    fn ask_until(&self, expected: ExpectedResult) -> Observation {
        const RETRY_DELAY: Duration = Duration::from_millis(200);
        let start = Instant::now();
        loop {
            let observation = self.entry.target.send(Some(&self.identity), &self.request);
            if expected.evaluate(&observation) == AttemptOutcome::Good
                || start.elapsed() > self.deadline
            {
                return observation;
            }
            sleep(RETRY_DELAY);
        }
    }
}
