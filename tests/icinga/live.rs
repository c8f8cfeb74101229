//! Generated permissions and requests, asked of the real Icinga 2 directly and of the gateway: both say the same. What
//! Icinga says is in its log, since its answers do not tell forbidden from absent.

mod requests;

use super::verdicts::{quoted, user_with};
use crate::support::client::status;
use crate::support::eventually;
use crate::support::gateway::listener;
use crate::support::{Client, Gateway, Icinga, Pki, Upstream};
use base64::Engine;
use requests::{BODIES, NAMES, REQUESTS};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

const USERS: usize = 60;

/// How many requests are made; `PORTCULLIS_FUZZ_CASES` says otherwise.
fn count() -> usize {
    std::env::var("PORTCULLIS_FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(360)
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(count).unwrap()).unwrap()
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

/// A name, and what a permission may make of it.
fn permission(dice: &mut Dice) -> String {
    let name = dice.one_of(&NAMES);
    let at = dice.below(name.chars().count());
    let place = name.char_indices().nth(at).map_or(0, |(place, _)| place);
    let (before, after) = name.split_at(place);
    let rest: String = after.chars().skip(1).collect();
    match dice.below(14) {
        0 | 1 => name.to_owned(),
        2 => name.to_ascii_uppercase(),
        3 => format!("{before}*"),
        4 => format!("*{after}"),
        5 => format!("{before}?{rest}"),
        6 => format!("{before}*{rest}"),
        7 => format!("{before}\\{after}"),
        8 => format!("{before}\\*{after}"),
        9 => format!("{name} "),
        10 => format!("{name}/"),
        11 => format!("{before}**?"),
        12 => before.to_owned() + "?*?" + after,
        _ => format!("{name}*"),
    }
}

struct Case {
    user: usize,
    method: String,
    target: String,
    overriding: Option<&'static str>,
    body: &'static str,
}

impl Case {
    fn thrown(dice: &mut Dice) -> Self {
        let (method, target) = REQUESTS[dice.below(REQUESTS.len())];
        let overriding = (dice.below(5) == 0)
            .then(|| dice.one_of(&["GET", "POST", "DELETE", "PUT", "PATCH", "get", "NONE"]));
        let body = if target == "/v1/events" {
            dice.one_of(&BODIES)
        } else {
            ""
        };
        Self {
            user: dice.below(USERS),
            method: method.into(),
            target: target.into(),
            overriding,
            body,
        }
    }

    fn octets(&self, more: &str) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\n{more}",
            self.method, self.target
        );
        // Files are no JSON, and Icinga says so before it asks for a permission.
        if !self.target.starts_with("/v1/config/files") || self.overriding.is_some() {
            head += "Accept: application/json\r\n";
        }
        if let Some(overriding) = self.overriding {
            let _ = write!(head, "X-HTTP-Method-Override: {overriding}\r\n");
        }
        let _ = write!(
            head,
            "Content-Length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        );
        head
    }
}

/// A verdict in the words of `verdicts.json`; `none` where Icinga did not get as far.
fn verdict_of_icinga(answer: &str, log: &str) -> &'static str {
    let (no_route, bad) = (
        [
            "could not be found or the request method",
            "does not exist.",
        ],
        [
            "Invalid type specified.",
            "'types' query parameter",
            "Invalid request body",
            "Unhandled exception",
        ],
    );
    match () {
        () if log.contains("Missing permission: ") => "denied",
        () if answer.contains("Invalid Accept header") => "none",
        () if bad.iter().any(|text| answer.contains(text)) => "bad-request",
        () if no_route.iter().any(|text| answer.contains(text)) => "no-route",
        () => "allowed",
    }
}

/// Requests of the real server, one after the other, with a password.
struct Direct<'i> {
    icinga: &'i Icinga,
    config: Arc<ClientConfig>,
    open: Option<BufReader<StreamOwned<ClientConnection, TcpStream>>>,
}

impl<'i> Direct<'i> {
    fn to(icinga: &'i Icinga) -> Self {
        let mut roots = RootCertStore::empty();
        for anchor in CertificateDer::pem_file_iter(&icinga.ca_file).unwrap() {
            roots.add(anchor.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = builder
            .with_root_certificates(roots)
            .with_no_client_auth()
            .into();
        Self {
            icinga,
            config,
            open: None,
        }
    }

    /// Sends a request and gives the body of the answer.
    fn ask(&mut self, octets: &str) -> String {
        let open = self.open.get_or_insert_with(|| {
            let name = ServerName::try_from(self.icinga.node_name.clone()).unwrap();
            let connection = ClientConnection::new(self.config.clone(), name).unwrap();
            let stream = TcpStream::connect(("127.0.0.1", self.icinga.port)).unwrap();
            stream
                .set_read_timeout(Some(std::time::Duration::from_secs(30)))
                .unwrap();
            BufReader::new(StreamOwned::new(connection, stream))
        });
        open.get_mut().write_all(octets.as_bytes()).unwrap();
        let (mut length, mut line, mut closes) = (0, String::new(), false);
        loop {
            line.clear();
            open.read_line(&mut line).unwrap();
            let field = line.trim_end().to_ascii_lowercase();
            closes |= field == "connection: close";
            length = field
                .strip_prefix("content-length: ")
                .map_or(length, |text| text.parse().unwrap());
            if field.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        open.read_exact(&mut body).unwrap();
        if closes {
            self.open = None;
        }
        String::from_utf8_lossy(&body).into_owned()
    }
}

/// Icinga and the gateway, each with users that have these permissions.
fn both_with(lists: &[Vec<String>], pki: &Pki, upstream: &Upstream) -> (Icinga, Gateway) {
    let (mut theirs, mut ours) = (String::new(), listener(pki));
    for (number, permissions) in lists.iter().enumerate() {
        let listed: Vec<String> = permissions.iter().map(|text| quoted(text)).collect();
        let listed = listed.join(", ");
        let _ = writeln!(
            theirs,
            "object ApiUser \"user-{number}\" {{ password = \"x\", permissions = [ {listed} ] }}"
        );
        ours += &user_with(&format!("user-{number}"), permissions);
    }
    let _ = write!(
        ours,
        "[upstream.icinga]\nendpoints = [\"http://{}\"]\n",
        upstream.address
    );
    ours += "[[route]]\npath = \"/v1\"\nupstream = \"icinga\"\npreset = \"icinga2\"\n";
    (Icinga::start_with(&theirs), Gateway::start(&ours))
}

fn answers_of_icinga(icinga: &Icinga, cases: &[Case]) -> Vec<String> {
    let mut direct = Direct::to(icinga);
    cases
        .iter()
        .enumerate()
        .map(|(number, case)| {
            let password =
                base64::engine::general_purpose::STANDARD.encode(format!("user-{}:x", case.user));
            direct.ask(&case.octets(&format!(
                "Authorization: Basic {password}\r\nUser-Agent: case-{number}.\r\n"
            )))
        })
        .collect()
}

/// Whether the gateway's status means what Icinga said.
fn is_same(verdict: &str, status: u16) -> bool {
    match verdict {
        "allowed" => status == 200,
        "denied" => status == 403,
        // Icinga reads bodies before it looks for a path.
        "no-route" | "bad-request" => matches!(status, 400 | 404),
        _ => matches!(status, 200 | 403),
    }
}

fn thrown_permissions(dice: &mut Dice) -> Vec<Vec<String>> {
    (0..USERS)
        .map(|_| (0..1 + dice.below(4)).map(|_| permission(dice)).collect())
        .collect()
}

#[test]
fn icinga_and_the_gateway_say_the_same_of_generated_requests() {
    if !super::has_icinga() {
        return;
    }
    let mut dice = Dice(0x1c19_0a2b_5eed);
    let lists = thrown_permissions(&mut dice);
    let cases: Vec<Case> = (0..count()).map(|_| Case::thrown(&mut dice)).collect();

    let (pki, upstream) = (Pki::new(), Upstream::start());
    let (icinga, gateway) = both_with(&lists, &pki, &upstream);
    let answers = answers_of_icinga(&icinga, &cases);
    let end = format!("agent: case-{}.,", cases.len() - 1);
    eventually("the last request is in the log", || {
        icinga.log().contains(&end).then_some(())
    });

    let log = icinga.log();
    let (mut rest, mut wrong) = (log.as_str(), Vec::new());
    let mut met = std::collections::BTreeMap::<&str, usize>::new();
    for (number, (case, answer)) in cases.iter().zip(&answers).enumerate() {
        let (lines, after) = rest
            .split_once(&format!("agent: case-{number}.,"))
            .expect("a line for each request");
        rest = after;
        let verdict = verdict_of_icinga(answer, lines);
        *met.entry(verdict).or_default() += 1;
        let client = Client::new(
            &pki,
            Some(&pki.client(&format!("user-{}", case.user))),
            gateway.address(),
        );
        let status = status(&client.exchange(case.octets("Connection: close\r\n").as_bytes()));
        if !is_same(verdict, status) {
            let (
                Case {
                    method,
                    target,
                    overriding,
                    body,
                    ..
                },
                permissions,
            ) = (case, &lists[case.user]);
            wrong.push(format!(
                "{method} {overriding:?} {target} {body} with {permissions:?}: {status}, {verdict}: {answer}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    let enough = ["allowed", "denied", "no-route", "bad-request"]
        .iter()
        .all(|verdict| met[verdict] >= 10);
    assert!(enough, "too few of a kind: {met:?}");
}
