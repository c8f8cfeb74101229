//! Conditions as a whole: what is taken and what is refused, what holds for which request, and that nothing makes them stop.

mod arbitrary;
mod no_outcome;
mod oracle;
mod refused;

use super::*;
use crate::tls::{CommonName, CommonNameError, PeerCertificate, TrustDomainId};
use proptest::prelude::*;
use std::net::IpAddr;

/// 2026-11-28, a Saturday, 12:30:00 UTC.
const NOW: i64 = 1_795_869_000;

/// A request that facts borrow from.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    query: Option<String>,
    captures: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
    certificate: Option<PeerCertificate>,
    source: IpAddr,
    now: i64,
}

impl HeaderValues for Vec<(String, Vec<u8>)> {
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(Spelling, &[u8])) {
        for (field, value) in self {
            if field.eq_ignore_ascii_case(name) {
                visit(Spelling::AsNamed, value);
            } else if field.replace('_', "-").eq_ignore_ascii_case(name) {
                visit(Spelling::Otherwise, value);
            }
        }
    }
}

impl Request {
    fn plain() -> Self {
        Self {
            method: "GET".to_owned(),
            path: "/v1/objects/hosts".to_owned(),
            query: Some("limit=5&name=web%2D1+x&twice=1&twice=2&raw=%ff".to_owned()),
            captures: vec![("type".to_owned(), "hosts".to_owned())],
            headers: vec![
                ("X-Team".to_owned(), b"blue".to_vec()),
                ("X-Twice".to_owned(), b"a".to_vec()),
                ("x-twice".to_owned(), b"a".to_vec()),
                ("X-Raw".to_owned(), vec![0xff]),
                ("X_Other".to_owned(), b"a".to_vec()),
                ("Authorization".to_owned(), b"Bearer secret".to_vec()),
            ],
            certificate: Some(certificate()),
            source: "::ffff:10.1.2.3".parse().unwrap(),
            now: NOW,
        }
    }

    fn without_certificate() -> Self {
        Self {
            certificate: None,
            query: None,
            ..Self::plain()
        }
    }

    fn with_facts<T>(&self, evaluate: impl FnOnce(&Facts<'_>) -> T) -> T {
        let captures: Vec<(&str, &str)> = self
            .captures
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        evaluate(&Facts {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            host: "api.example",
            captures: &captures,
            headers: &self.headers,
            certificate: self.certificate.as_ref(),
            trust_domain: self.certificate.is_some().then_some("company"),
            user: "alice",
            source: self.source,
            now: self.now,
        })
    }

    fn evaluate(&self, text: &str) -> Result<bool, EvaluationError> {
        let condition =
            Condition::compile(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        self.with_facts(|facts| condition.holds(facts))
    }
}

fn certificate() -> PeerCertificate {
    PeerCertificate {
        trust_domain: TrustDomainId(0),
        common_name: Ok(CommonName::new("web-1").unwrap()),
        dns_names: vec!["web-1.example".into(), "api.example".into()],
        uris: Vec::new(),
        emails: Vec::new(),
        organizations: vec!["Example".into()],
        organizational_units: vec!["blue".into(), "green".into()],
        unusable_names: Vec::new(),
        other_names: Vec::new(),
        subject: "CN=web-1".to_owned(),
        issuer: "CN=ca".to_owned(),
        serial: "01ab".to_owned(),
        fingerprint: "aa".repeat(32),
        spki: "bb".repeat(32),
        not_before: NOW - 100,
        not_after: NOW + 86_400,
    }
}

#[test]
fn conditions_hold_for_what_they_say() {
    let request = Request::plain();
    for holds in [
        r#"request.method == "GET" && inNetwork(source, "10.0.0.0/8") && certificate.cn.startsWith("web-")"#,
        r#"request.path.startsWith("/v1/") && request.host == "api.example""#,
        r#"request.method in ["GET", "HEAD"]"#,
        r#"!(request.method in ["PUT"])"#,
        r#"request.query["name"] == "web-1 x" && request.query.limit == "5""#,
        r#"int(request.query["limit"]) <= 100"#,
        r#""limit" in request.query && !("page" in request.query) && has(request.query.limit)"#,
        r#"request.headers["X-TEAM"] == "blue" && "x-twice" in request.headers && !("x-none" in request.headers)"#,
        r#"captures.type == "hosts" && captures["type"] == "hosts" && has(captures.type)"#,
        r#"has(certificate.cn) && has(certificate.dns) && !has(certificate.uris)"#,
        r#"certificate.domain == "company" && certificate.serial == "01ab" && certificate.issuer == "CN=ca""#,
        r#""blue" in certificate.organizational_units && certificate.organizations[0] == "Example""#,
        r#"certificate.dns.exists(name, name.endsWith(".example")) && certificate.dns.all(n, n.contains("."))"#,
        r#"certificate.dns.exists_one(n, n == request.host) && certificate.dns.size() == 2 && size("\u00e4") == 1"#,
        r#"certificate.dns.filter(n, n.startsWith("web-")).map(n, n.size())[0] == 13"#,
        r#"certificate.not_after - now < duration("24h1s") && now - duration("1m") > certificate.not_before - duration("1h")"#,
        r#"certificate.not_before < now && now < timestamp("2027-01-01T00:00:00Z")"#,
        r#"now.getHours("UTC") == 12 && now.getMinutes() == 30 && now.getHours("+02:00") == 14"#,
        r#"now.getDayOfWeek() == 6 && now.getFullYear() == 2026 && now.getMonth() == 10 && now.getDate() == 28"#,
        r#"user == "alice" && user.matches("^a.*e$") && matches(user, r"^\w+$")"#,
        r#"source.ip == "10.1.2.3" && inNetwork(source.ip, ["192.0.2.0/24", "10.1.2.3"]) && string(source) == "10.1.2.3""#,
        r#"!inNetwork(source, "::/0")"#,
        r#""Web-1".lowerAscii() == "web-1" && string(5) + "x" == "5x""#,
        "1 + 2 * 3 - 4 / 2 % 2 == 7 && -(1) < 0 && !(2 > 3) && 2 >= 2 && 2 != 3",
        "request.method == 'GET' ? true : false",
        "true || certificate.cn == request.headers['x-none']",
        "request.headers['x-none'] == '' || true",
        "// what it is for\n true",
    ] {
        assert_eq!(request.evaluate(holds), Ok(true), "{holds}");
        assert_eq!(
            request.evaluate(&format!("!({holds}\n)")),
            Ok(false),
            "{holds}"
        );
    }
}

#[test]
fn a_condition_says_what_it_reads() {
    let text = r#"request.headers["X-Team"] == "blue" && "x-team" in request.headers && captures.type == "a"
        && now > certificate.not_before && request.headers["authorization"] != "" && source.ip == "" && "a" in request.query"#;
    let condition = Condition::compile(text).unwrap();
    let reads = condition.reads();
    assert_eq!(reads.headers(), ["x-team".into(), "authorization".into()]);
    assert_eq!(reads.captures(), ["type".into()]);
    let inputs = [
        Input::Headers,
        Input::Captures,
        Input::Time,
        Input::Certificate,
        Input::Source,
        Input::Query,
    ];
    assert_eq!(reads.inputs(), inputs);
    assert!(reads.has(Input::Time) && !reads.has(Input::User));
    assert_eq!(condition.text(), text);
    let values = Request::plain().with_facts(|facts| condition.values(facts));
    let value = |name: &str| {
        values
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(value(r#"request.headers["x-team"]"#), Some("blue"));
    assert_eq!(
        value(r#"request.headers["authorization"]"#),
        Some("(not shown)")
    );
    assert_eq!(value(r#"request.query["a"]"#), Some("(absent)"));
    assert_eq!(value("source"), Some("10.1.2.3"));
    assert_eq!(value("now"), Some("2026-11-28T12:30:00Z"));
    assert_eq!(values.len(), 7);
    assert_eq!(
        Condition::compile("true").unwrap().reads(),
        &Reads::default()
    );
}

#[test]
fn the_manual_knows_every_name_and_its_examples_are_conditions() {
    let manual = include_str!("../../docs/conditions.md");
    let examples: Vec<&str> = manual
        .split("```cel\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(text, _)| text)
        .collect();
    assert_eq!(examples.len(), 6);
    for text in examples {
        assert!(
            Condition::compile(text).is_ok(),
            "{text}: {:?}",
            Condition::compile(text)
        );
    }
    for (name, _, _) in tree::CertificateField::NAMES {
        assert!(manual.contains(&format!(".{name}`")), "{name}");
    }
    for name in calendar::DatePart::FUNCTIONS
        .iter()
        .map(|(name, _)| *name)
        .chain(check::functions())
    {
        assert!(manual.contains(name), "{name}");
    }
    assert!(manual.contains(&format!("at most {} bytes", parse::LONGEST)));
}
