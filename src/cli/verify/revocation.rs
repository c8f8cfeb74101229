//! Is a certificate that is put on the deny list out: in a new handshake, in a resumed session, and on a connection that
//! is open? Puts a certificate of its own on the list, and takes it out again in every case.

use super::attempt::{Attempt, Expected, Outcome, Proof};
use super::cases::{Lines, NEEDS_MINT, Wallet, harmless};
use super::deny_entry::DenyEntry;
use super::knock::{Connection, Seen, exchange};
use super::mint::{Flaw, Identity};
use super::scene::{Entry, Scene};
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

/// Tries revocation at one entry, where a change of the list counts within `deadline`.
pub(super) fn entry(
    scene: &Scene,
    entry: &Entry,
    wallet: &Wallet,
    deadline: Duration,
) -> Vec<Attempt> {
    let mut lines = Lines::about(scene, &entry.label);
    if entry.domains.is_empty() {
        return lines.finish();
    }
    let made = wallet
        .mint
        .as_ref()
        .and_then(|mint| mint.make(Flaw::None).ok());
    let domain = made.as_ref().and_then(|made| entry.domain_of(made));
    match (
        made,
        domain,
        domain.and_then(|domain| domain.deny_list.as_deref()),
    ) {
        (Some(made), Some(_), Some(list)) => {
            Trial::new(entry, made, deadline).run(&mut lines, list)
        }
        (_, None, _) | (None, ..) => skip(&mut lines, NEEDS_MINT),
        (_, Some(domain), None) => skip(
            &mut lines,
            &format!("trust domain {} has no `deny_list`", domain.name),
        ),
    }
    lines.finish()
}

fn skip(lines: &mut Lines<'_>, why: &str) {
    DENIED
        .into_iter()
        .for_each(|tried| lines.skipped(tried, Expected::Refused, why));
}

/// A client with a certificate that is good until it is denied.
struct Trial<'a> {
    entry: &'a Entry,
    identity: Identity,
    request: String,
    deadline: Duration,
}

impl<'a> Trial<'a> {
    fn new(entry: &'a Entry, identity: Identity, deadline: Duration) -> Self {
        Self {
            entry,
            identity,
            request: harmless(&entry.name),
            deadline,
        }
    }

    fn run(&self, lines: &mut Lines<'_>, list: &Path) {
        let greeting = match self.entry.door.greeting(Some(&self.identity), "http/1.1") {
            Ok(greeting) => greeting,
            Err(error) => return skip(lines, &error.to_string()),
        };
        let (seen, open) = self.ask(&greeting);
        let first = lines.seen(BEFORE[0], Expected::Accepted, Proof::Itself, &seen);
        let Some(mut open) = open.filter(|_| first == Outcome::Good) else {
            return;
        };
        let (seen, resumed) = self.ask(&greeting);
        let is_resumed =
            resumed.is_some_and(|it| it.conn.handshake_kind() == Some(HandshakeKind::Resumed));
        if is_resumed {
            lines.seen(BEFORE[1], Expected::Accepted, Proof::Itself, &seen);
        } else {
            lines.skipped(BEFORE[1], Expected::Accepted, "no session was resumed");
        }
        let Some(leaf) = self.identity.chain.first() else {
            return;
        };
        let denied = match DenyEntry::put(list, leaf) {
            Ok(denied) => denied,
            Err(error) => return skip(lines, &format!("cannot write {}: {error}", list.display())),
        };
        let seen = self.ask_until(Expected::Refused);
        lines.seen(DENIED[0], Expected::Refused, Proof::Itself, &seen);
        match is_resumed {
            true => lines.seen(
                DENIED[1],
                Expected::Refused,
                Proof::Itself,
                &self.ask(&greeting).0,
            ),
            false => Outcome::Skipped,
        };
        let seen = exchange(&mut open, self.request.as_bytes());
        lines.seen(DENIED[2], Expected::Refused, Proof::Itself, &seen);
        if let Err(error) = denied.take_out() {
            let seen = Seen::Other(format!("cannot write {}: {error}", list.display()));
            lines.seen(AFTER, Expected::Accepted, Proof::Itself, &seen);
            return;
        }
        let seen = self.ask_until(Expected::Accepted);
        lines.seen(AFTER, Expected::Accepted, Proof::Itself, &seen);
    }

    /// One request on a new connection, with a session of an earlier one if there is one. The connection stays open.
    fn ask(&self, greeting: &Arc<ClientConfig>) -> (Seen, Option<Connection>) {
        match self.entry.door.shake_hands(greeting.clone()) {
            Ok(mut connection) => (
                exchange(&mut connection, self.request.as_bytes()),
                Some(connection),
            ),
            Err(seen) => (seen, None),
        }
    }

    /// Asks by full handshakes until it is as expected, or too late.
    fn ask_until(&self, expected: Expected) -> Seen {
        const PAUSE: Duration = Duration::from_millis(200);
        let start = Instant::now();
        loop {
            let seen = self.entry.door.ask(Some(&self.identity), &self.request);
            if expected.judge(&seen) == Outcome::Good || start.elapsed() > self.deadline {
                return seen;
            }
            sleep(PAUSE);
        }
    }
}
