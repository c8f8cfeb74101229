//! Any text with any request gives a result or an error, and never a crash.

use super::*;
use std::sync::LazyLock;

/// Words that make texts which get far.
const WORDS: [&str; 62] = [
    "request",
    "captures",
    "certificate",
    "user",
    "source",
    "now",
    ".",
    ".",
    ".",
    "method",
    "path",
    "query",
    "headers",
    "cn",
    "dns",
    "not_after",
    "[",
    "]",
    "(",
    ")",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    "?",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    " in ",
    "'a'",
    "\"\u{e4}\"",
    "r'\\d'",
    "1",
    "-9223372036854775808",
    "0",
    "true",
    "has",
    "size",
    "int",
    "string",
    "startsWith",
    "matches",
    "exists",
    "filter",
    "map",
    "x",
    "inNetwork",
    "timestamp",
    "duration",
];

pub(super) fn requests() -> impl Strategy<Value = Request> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..8);
    let name = || {
        prop_oneof![
            Just("a".to_owned()),
            Just("x-team".to_owned()),
            any::<String>()
        ]
    };
    let names = || prop::collection::vec(any::<String>().prop_map(Box::<str>::from), 0..4);
    let certificates = (names(), any::<String>(), any::<i64>(), any::<i64>()).prop_map(
        |(names, text, from, until)| PeerCertificate {
            common_name: CommonName::new(&text),
            dns_names: names.clone(),
            organizations: names,
            not_before: from,
            not_after: until,
            ..certificate()
        },
    );
    (
        (
            any::<String>(),
            any::<String>(),
            prop::option::of(any::<String>()),
        ),
        prop::collection::vec((name(), any::<String>()), 0..3),
        prop::collection::vec((name(), bytes()), 0..3),
        prop::option::of(certificates),
        any::<IpAddr>(),
        any::<i64>(),
    )
        .prop_map(
            |((method, path, query), captures, headers, certificate, source, now)| Request {
                method,
                path,
                query,
                captures,
                headers,
                certificate,
                source,
                now,
            },
        )
}

/// Conditions that read everything and compute with it.
const THOROUGH: [&str; 8] = [
    "request.method + request.path == request.host || request.query['a'].size() > int(request.query.a)",
    "request.headers['x-team'].matches(r'^\\w+(a|b)*$') || request.headers.a.lowerAscii().contains(captures.a)",
    "certificate.dns.exists(n, n.startsWith(certificate.cn)) || certificate.organizations.all(n, n.size() / n.size() == 1)",
    "certificate.not_after - certificate.not_before > duration('1h') && (now + (now - certificate.not_before)).getHours('-23:59') > 1",
    "now.getDayOfYear('+23:59') + now.getMilliseconds() > int(now) * int(now)",
    "inNetwork(source, ['10.0.0.0/8', '::/0']) ? source.ip < user : -int(certificate.not_after) == int(user)",
    "certificate.dns.map(n, n + n).filter(n, n > 'a')[int(captures.a)] == certificate.dns[0]",
    "'a' in request.query && 'a' in request.headers && has(captures.a) && has(certificate.dns) && has(certificate.cn)",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_check_stop(text in any::<String>()) {
        let _ = Condition::compile(&text);
    }

    #[test]
    fn no_text_of_familiar_words_makes_check_or_evaluation_stop(
        words in prop::collection::vec(prop::sample::select(&WORDS[..]), 1..24), request in requests(),
    ) {
        let text = words.concat();
        match Condition::compile(&text) {
            Ok(condition) => request.with_facts(|facts| {
                let _ = (condition.holds(facts), condition.values(facts));
            }),
            Err(error) => prop_assert!(error.offset.is_none_or(|at| text.is_char_boundary(at)), "{:?}", error),
        }
    }

    #[test]
    fn no_change_of_a_good_text_makes_it_stop(
        text in prop::sample::select(&THOROUGH[..]), at in any::<prop::sample::Index>(),
        word in prop::sample::select(&WORDS[..]), request in requests(),
    ) {
        let (before, after) = text.split_at(at.index(text.len()));
        for text in [format!("{before}{word}{after}"), format!("{before}{}", after.get(1..).unwrap_or_default())] {
            if let Ok(condition) = Condition::compile(&text) {
                request.with_facts(|facts| {
                    let _ = (condition.holds(facts), condition.values(facts));
                });
            }
        }
    }

    #[test]
    fn no_request_makes_an_evaluation_stop(request in requests()) {
        for condition in &*COMPILED {
            let (outcome, again, values) = request
                .with_facts(|facts| (condition.holds(facts), condition.holds(facts), condition.values(facts)));
            prop_assert_eq!(&outcome, &again);
            prop_assert_ne!(outcome, Err(EvaluationError::Unfit));
            prop_assert!(!values.is_empty());
        }
    }
}

static COMPILED: LazyLock<Vec<Condition>> = LazyLock::new(|| {
    THOROUGH
        .map(|text| Condition::compile(text).unwrap_or_else(|error| panic!("{text}: {error:?}")))
        .into()
});

/// A long run, started by hand.
pub(super) fn cases() -> u32 {
    std::env::var("PORTCULLIS_FUZZ_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(256)
}
