//! What conditions cost: `cargo bench --bench conditions`. For each of some expressions the time and the heap of one
//! evaluation, and the time of reading and checking it. Without `--bench` (under `cargo test`) it only checks that it works.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a program that prints figures, and stops at whatever goes wrong"
)]

mod counting;

use counting::{Counting, allocations_of};
use portcullis::condition::{Condition, Facts};
use portcullis::forward::{FieldNames, FieldPolicy, SentHeaders};
use portcullis::tls::{CommonName, PeerCertificate, TrustDomainId};
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// All of them hold. What they take from the heap is what they make: values of header fields, and what is decoded.
const EXPRESSIONS: [(&str, &str, u64); 9] = [
    ("method", r#"request.method == "GET""#, 0),
    (
        "typical",
        r#"request.method == "GET" && inNetwork(source, "10.0.0.0/8") && certificate.cn.startsWith("web-")"#,
        0,
    ),
    (
        "networks",
        r#"inNetwork(source, ["192.0.2.0/24", "198.51.100.0/24", "10.0.0.0/8", "fd00::/8"])"#,
        0,
    ),
    (
        "list",
        r#"request.method in ["PUT", "POST", "HEAD", "GET"] && "blue" in certificate.organizational_units"#,
        0,
    ),
    (
        "macro",
        r#"certificate.dns.exists(name, name.endsWith(".example"))"#,
        0,
    ),
    ("regex", r#"certificate.cn.matches("^web-[0-9]+$")"#, 0),
    (
        "hours",
        r#"now.getHours("UTC") >= 8 && now.getHours("UTC") < 18 && now.getDayOfWeek() in [1, 2, 3, 4, 5, 6]"#,
        0,
    ),
    (
        "query",
        r#""limit" in request.query && int(request.query["limit"]) <= 100"#,
        0,
    ),
    ("header", r#"request.headers["x-team"] == "blue""#, 1),
];

const FIELDS: [(&str, &[u8]); 5] = [
    ("Host", b"api.example"),
    ("User-Agent", b"curl/8.5.0"),
    ("Accept", b"*/*"),
    ("X-Team", b"blue"),
    ("X-Request-Id", b"8b9f4f0e"),
];

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let (rounds, calls) = if measures { (400, 2_000) } else { (1, 50) };
    let (certificate, reserved) = (certificate(), FieldNames::default());
    let headers = SentHeaders {
        fields: FIELDS.as_slice(),
        policy: FieldPolicy {
            reserved: &reserved,
            decision_fields: &reserved,
            kept: &[],
        },
    };
    let facts = facts(&certificate, &headers);
    println!(
        "{:>10}  {:>10}  {:>11}  {:>10}",
        "condition", "holds", "allocations", "compile"
    );
    for (name, text, allocations) in EXPRESSIONS {
        let condition = Condition::compile(text).expect("a condition");
        let evaluate = || {
            assert_eq!(
                black_box(&condition).holds(black_box(&facts)),
                Ok(true),
                "{text}"
            )
        };
        // A regular expression makes its memory when it is first used.
        evaluate();
        assert_eq!(allocations_of(evaluate), allocations, "{text}");
        let compile = || drop(black_box(Condition::compile(black_box(text))));
        println!(
            "{name:>10}  {:>7.0} ns  {allocations:>11}  {:>7.0} us",
            fastest(rounds, calls, evaluate),
            fastest(rounds.min(20), calls / 50, compile) / 1e3,
        );
    }
    println!("\n1 passed, 0 failed");
}

/// ns for one call: the best of many short rounds, which was disturbed least.
fn fastest(rounds: usize, calls: u32, work: impl Fn()) -> f64 {
    let round = |_| {
        let begun = Instant::now();
        (0..calls).for_each(|_| work());
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    (0..rounds).map(round).fold(f64::INFINITY, f64::min)
}

fn facts<'a>(
    certificate: &'a PeerCertificate,
    headers: &'a SentHeaders<'a, [(&'a str, &'a [u8])]>,
) -> Facts<'a> {
    Facts {
        method: "GET",
        path: "/v1/objects/hosts",
        query: Some("limit=50&attrs=name"),
        host: "api.example",
        captures: &[("type", "hosts")],
        headers,
        certificate: Some(certificate),
        trust_domain: Some("company"),
        user: "alice",
        source: [10, 1, 2, 3].into(),
        now: 1_795_869_000,
    }
}

fn certificate() -> PeerCertificate {
    PeerCertificate {
        trust_domain: TrustDomainId(0),
        common_name: Ok(CommonName::new("web-1").expect("a name")),
        dns_names: vec!["web-1.test".into(), "web-1.example".into()],
        uris: Vec::new(),
        emails: Vec::new(),
        organizations: vec!["Example".into()],
        organizational_units: vec!["green".into(), "blue".into()],
        unusable_names: Vec::new(),
        other_names: Vec::new(),
        subject: "CN=web-1".to_owned(),
        issuer: "CN=ca".to_owned(),
        serial: "01ab".to_owned(),
        fingerprint: "aa".repeat(32),
        spki: "bb".repeat(32),
        not_before: 0,
        not_after: i64::MAX,
    }
}
