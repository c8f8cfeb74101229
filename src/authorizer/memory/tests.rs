//! Which questions are one, and that no more is kept than may be.

use super::*;
use crate::authorizer::tests::{known, question};
use crate::identity::{KnownClient, VerifiedCertificate};
use rustls::pki_types::CertificateDer;

fn memory(parts: Vec<KeyPart>) -> VerdictCache {
    VerdictCache::new(Duration::from_secs(10), parts)
}

fn everything() -> Vec<KeyPart> {
    let language = KeyPart::Field(HeaderName::from_static("accept-language"));
    KeyPart::NAMED
        .into_iter()
        .map(|(_, part)| part)
        .chain([language])
        .collect()
}

/// The question with another answer to one part.
fn but<'q>(change: impl FnOnce(&mut Question<'q>)) -> Question<'q> {
    let mut changed = question();
    change(&mut changed);
    changed
}

#[test]
fn each_part_tells_questions_apart_and_only_if_it_is_one() {
    let language = "accept-language".parse().unwrap();
    let peer = known("alice");
    let chain = [CertificateDer::from(b"der".to_vec())];
    let certificate = Some(VerifiedCertificate {
        peer: &peer,
        domain: "internal",
        chain: &chain,
    });
    let variants: [(KeyPart, Question<'_>); 9] = [
        (KeyPart::User, but(|it| it.known.certificate = certificate)),
        (KeyPart::Method, but(|it| it.method = "GET")),
        (KeyPart::Host, but(|it| it.host = "other.example.org")),
        (
            KeyPart::Path,
            but(|it| (it.path, it.query) = ("/ab", Some("=c"))),
        ),
        (KeyPart::Query, but(|it| it.query = None)),
        (
            KeyPart::Source,
            but(|it| it.client = "192.0.2.2:50000".parse().unwrap()),
        ),
        (KeyPart::Listener, but(|it| it.listener = "other")),
        (KeyPart::Listener, but(|it| it.server_name = None)),
        (
            KeyPart::Field(HeaderName::clone(&language)),
            but(|it| it.fields = vec![(&language, b"en")]),
        ),
    ];
    for (part, variant) in &variants {
        let all = memory(everything());
        assert_ne!(all.key(&question()), all.key(variant), "{part:?}");
        let alone = memory(vec![part.clone()]);
        assert_ne!(alone.key(&question()), alone.key(variant), "{part:?}");
        let without = memory(
            everything()
                .into_iter()
                .filter(|other| other != part)
                .collect(),
        );
        if *part != KeyPart::Path {
            assert_eq!(without.key(&question()), without.key(variant), "{part:?}");
        }
    }
}

#[test]
fn what_is_no_part_makes_no_difference_and_two_lines_are_not_one() {
    let (language, other) = (
        "accept-language".parse().unwrap(),
        "x-other".parse().unwrap(),
    );
    let all = memory(everything());
    let same = Question {
        id: "id-2",
        client: "192.0.2.1:50001".parse().unwrap(),
        fields: vec![(&other, b"x")],
        ..question()
    };
    assert_eq!(all.key(&question()), all.key(&same));
    let (one, two) = (
        Question {
            fields: vec![(&language, b"a"), (&language, b"b")],
            ..question()
        },
        Question {
            fields: vec![(&language, b"ab")],
            ..question()
        },
    );
    assert_ne!(all.key(&one), all.key(&two));
}

#[test]
fn cached_verdicts_differ_by_certificate_and_trust_domain() {
    let (alice, chains) = (
        known("alice"),
        [b"a", b"b"].map(|der| [CertificateDer::from(der.to_vec())]),
    );
    let key = |domain: &str, chain: &[CertificateDer<'static>]| {
        let certificate = Some(VerifiedCertificate {
            peer: &alice,
            domain,
            chain,
        });
        memory(vec![KeyPart::User]).key(&Question {
            known: KnownClient {
                certificate,
                ..Default::default()
            },
            ..question()
        })
    };
    assert_ne!(key("internal", &chains[0]), key("internal", &chains[1]));
    assert_ne!(key("internal", &chains[0]), key("partners", &chains[0]));
    assert_eq!(key("internal", &chains[0]), key("internal", &chains[0]));
}

#[test]
fn a_verdict_is_cached_for_its_time_and_the_cache_is_bounded() {
    let memory = memory(vec![KeyPart::User, KeyPart::Path]);
    let (now, paths) = (
        Instant::now(),
        (0..2 * MAX_GENERATION + 1)
            .map(|number| format!("/{number}"))
            .collect::<Vec<_>>(),
    );
    let key = |path: &str| memory.key(&Question { path, ..question() }).unwrap();
    let first = key(&paths[0]);
    memory.put(first, Err(Denial::Code(7)), now);
    assert!(memory.get(&first, now + Duration::from_secs(9)).is_some());
    assert!(memory.get(&first, now + Duration::from_secs(10)).is_none());
    assert!(memory.get(&key("/other"), now).is_none());
    for path in &paths {
        memory.put(key(path), Ok(Arc::default()), now);
    }
    assert!(memory.get(&first, now).is_none(), "the oldest went");
    assert!(memory.get(&key(paths.last().unwrap()), now).is_some());
    let generations = memory.generations.lock().unwrap();
    assert!(generations.current.len() + generations.previous.len() <= 2 * MAX_GENERATION);
}
