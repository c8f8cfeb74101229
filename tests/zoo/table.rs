//! The table: validity and chains here, the rest in the files beside. A row that is refused names its twin: a row that is
//! accepted, and differs in that for which the other is refused.

mod limits;

use super::certificate::{
    Authority, CRL_SIGN, Certificate, DAY, KEY_CERT_SIGN, alternative_names, basic_constraints,
    dns, key_usage, name_constraints, now,
};
use super::keys::Key;
use super::row::{Host, Row, Shown, Verdict, When, accepted, alerted, forbidden};
use super::scene::Zoo;
use super::{form, names, revocation, usages};
use crate::support::der::{generalized_time, time, utc_time};
use limits::{domains, limits};
use rustls::AlertDescription as Alert;

pub const EXPIRED: (Alert, &str) = (Alert::CertificateExpired, "expired");
pub const NOT_YET: (Alert, &str) = (Alert::CertificateExpired, "not_yet_valid");
pub const UNKNOWN: (Alert, &str) = (Alert::UnknownCA, "unknown_issuer");
/// Its structure is wrong, or something in it that has no alert of its own.
pub const INVALID: (Alert, &str) = (Alert::CertificateUnknown, "invalid_certificate");
pub const AUTHORITY: (Alert, &str) = (Alert::CertificateUnknown, "ca_certificate");
pub const UNREADABLE: (Alert, &str) = (Alert::BadCertificate, "invalid_certificate");
pub const SIGNATURE: (Alert, &str) = (Alert::DecryptError, "invalid_certificate");
pub const USAGE: (Alert, &str) = (Alert::UnsupportedCertificate, "wrong_usage");
pub const TOO_LONG: (Alert, &str) = (Alert::UnknownCA, "chain_too_long");

pub const ORDINARY: &str = "ordinary";

/// All of it, in groups with titles.
pub fn table(zoo: &Zoo) -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("Validity", validity(zoo)),
        ("Chains", chains(zoo)),
        ("CAs that may not", limits(zoo)),
        ("Trust domains", domains(zoo)),
        ("Usages", usages::usages(zoo)),
        ("Keys and signatures", usages::keys(zoo)),
        ("Common names", names::common_names(zoo)),
        ("Other identities", names::others(zoo)),
        ("Form", form::form(zoo)),
        ("Revocation", revocation::revocation(zoo)),
        ("Tolerated expiry", revocation::tolerance(zoo)),
    ]
}

pub fn alice() -> Certificate {
    Certificate::client("alice")
}

fn validity(zoo: &Zoo) -> Vec<Row> {
    let valid_as = |from: Vec<u8>, until: Vec<u8>| zoo.leaf(&alice().valid_as(from, until));
    let (yesterday, later) = (time(now() - DAY), time(now() + DAY));
    let last_second = {
        let (root, key) = (zoo.root.clone(), zoo.key.clone());
        move |less: i64| {
            let (root, key) = (root.clone(), key.clone());
            When::WithinASecond(Box::new(move || {
                let second = now();
                Shown::new(
                    &[&alice()
                        .valid(second - DAY, second - less)
                        .signed_by(&root, &key)],
                    &key,
                )
            }))
        }
    };
    let utc = utc_time;
    vec![
        accepted(ORDINARY, "alice", zoo.leaf(&alice())),
        alerted(
            "expired yesterday",
            EXPIRED,
            ORDINARY,
            zoo.leaf(&alice().valid(now() - 9 * DAY, now() - DAY)),
        ),
        accepted("in its last second", "alice", Shown::nothing())
            .unlike_nginx("RFC 5280 counts the last second in, OpenSSL does not")
            .once(last_second(0)),
        alerted(
            "one second after its last",
            EXPIRED,
            "in its last second",
            Shown::nothing(),
        )
        .once(last_second(1)),
        alerted(
            "valid from tomorrow",
            NOT_YET,
            ORDINARY,
            zoo.leaf(&alice().valid(now() + DAY, now() + 9 * DAY)),
        ),
        accepted(
            "until the end of 9999",
            "alice",
            valid_as(yesterday.clone(), generalized_time("99991231235959Z")),
        ),
        accepted(
            "from 1970 until 2049",
            "alice",
            valid_as(utc("700101000000Z"), utc("491231235959Z")),
        ),
        alerted(
            "from 1950",
            UNREADABLE,
            "from 1970 until 2049",
            valid_as(utc("500101000000Z"), later.clone()),
        )
        .unlike_nginx("times before 1970 are not read"),
        accepted(
            "GeneralizedTime before 2050",
            "alice",
            valid_as(generalized_time("20200101000000Z"), later.clone()),
        ),
        alerted(
            "ends before it begins",
            EXPIRED,
            ORDINARY,
            valid_as(later.clone(), yesterday.clone()),
        ),
        alerted(
            "a time with an offset",
            UNREADABLE,
            ORDINARY,
            valid_as(utc("200101000000+0100"), later.clone()),
        ),
        alerted(
            "a time without seconds",
            UNREADABLE,
            ORDINARY,
            valid_as(utc("2001010000Z"), later.clone()),
        ),
        alerted(
            "a time with fractions",
            UNREADABLE,
            "GeneralizedTime before 2050",
            valid_as(generalized_time("20200101000000.5Z"), later.clone()),
        ),
        alerted(
            "the 30th of February",
            UNREADABLE,
            ORDINARY,
            valid_as(utc("200230000000Z"), later),
        ),
    ]
}

fn chains(zoo: &Zoo) -> Vec<Row> {
    let stranger = Authority::root("Stranger", Key::p256());
    let impostor = Authority::root("Zoo Root", Key::p256());
    let one = zoo.root.intermediate("One");
    let two = one.intermediate("Two");
    let (by_one, by_two) = (zoo.leaf_of(&one, &alice()), zoo.leaf_of(&two, &alice()));
    let cross = {
        let certificate = Certificate::authority("Crossed");
        let here = zoo.root.below(&certificate);
        let there = Authority {
            der: certificate.signed_by(&stranger, &here.key),
            ..here.clone()
        };
        (here, there)
    };
    let loops = {
        let (a, b) = (
            Certificate::authority("Snake A"),
            Certificate::authority("Snake B"),
        );
        let keys = (Key::p256(), Key::p256());
        let head = Authority {
            name: a.subject.clone(),
            der: a.signed(&b.subject, &keys.1, &keys.0),
            key: keys.0.clone(),
        };
        (
            head,
            Authority {
                name: b.subject.clone(),
                der: b.signed(&a.subject, &keys.0, &keys.1),
                key: keys.1,
            },
        )
    };
    let crowd: Vec<_> = (0..60)
        .map(|_| zoo.root.intermediate("One of many"))
        .collect();
    let self_signed = alice().signed(&alice().subject, &zoo.key, &zoo.key);
    let own_anchor = alice().signed(&zoo.root.name, &zoo.key, &zoo.key);
    vec![
        alerted(
            "no certificate",
            (Alert::CertificateRequired, "no_certificate"),
            ORDINARY,
            Shown::nothing(),
        ),
        alerted(
            "of an unknown CA",
            UNKNOWN,
            ORDINARY,
            zoo.leaf_of(&stranger, &alice()),
        ),
        alerted(
            "of an unknown CA that is sent, too",
            UNKNOWN,
            "the anchor sent, too",
            zoo.leaf_of(&stranger, &alice()).and(&[&stranger]),
        ),
        alerted(
            "of a CA with the anchor's name and another key",
            SIGNATURE,
            ORDINARY,
            zoo.leaf_of(&impostor, &alice()),
        ),
        alerted(
            "the same, where that CA is sent",
            SIGNATURE,
            "the anchor sent, too",
            zoo.leaf_of(&impostor, &alice()).and(&[&impostor]),
        ),
        alerted(
            "self-signed",
            UNKNOWN,
            ORDINARY,
            Shown::new(&[&self_signed], &zoo.key),
        ),
        alerted(
            "signed by itself in the anchor's name",
            SIGNATURE,
            ORDINARY,
            Shown::new(&[&own_anchor], &zoo.key),
        ),
        accepted(
            "the anchor sent, too",
            "alice",
            zoo.leaf(&alice()).and(&[&zoo.root]),
        ),
        accepted(
            "the intermediate sent",
            "alice",
            by_one.clone().and(&[&one]),
        ),
        alerted(
            "the intermediate not sent",
            UNKNOWN,
            "the intermediate sent",
            by_one.clone(),
        ),
        accepted(
            "the intermediate not sent, but known",
            "alice",
            zoo.leaf_of(&zoo.configured, &alice()),
        ),
        accepted(
            "two intermediates in order",
            "alice",
            by_two.clone().and(&[&two, &one]),
        ),
        accepted(
            "two intermediates in the wrong order",
            "alice",
            by_two.clone().and(&[&one, &two]),
        ),
        alerted(
            "the upper of two intermediates missing",
            UNKNOWN,
            "two intermediates in order",
            by_two.clone().and(&[&two]),
        ),
        accepted(
            "an intermediate sent twice",
            "alice",
            by_one.clone().and(&[&one, &one]),
        ),
        accepted(
            "unrelated certificates between",
            "alice",
            by_one.clone().and(&[&stranger, &impostor, &one]),
        ),
        accepted(
            "cross-signed, the unknown side first",
            "alice",
            zoo.leaf_of(&cross.0, &alice()).and(&[&cross.1, &cross.0]),
        )
        .unlike_nginx("OpenSSL takes the first CA that fits and does not go back"),
        alerted(
            "cross-signed, the unknown side alone",
            UNKNOWN,
            "cross-signed, the unknown side first",
            zoo.leaf_of(&cross.0, &alice()).and(&[&cross.1]),
        ),
        alerted(
            "two CAs that sign each other",
            UNKNOWN,
            "two intermediates in order",
            zoo.leaf_of(&loops.0, &alice()).and(&[&loops.0, &loops.1]),
        ),
        alerted(
            "sixty CAs of one name, and none is it",
            INVALID,
            "the intermediate sent",
            zoo.leaf_of(&stranger_named(&crowd[0]), &alice())
                .and(&crowd.iter().collect::<Vec<_>>()),
        ),
        alerted(
            "the anchor itself as the client",
            AUTHORITY,
            ORDINARY,
            Shown::new(&[&zoo.root.der], &zoo.root.key),
        ),
        alerted(
            "an intermediate as the client",
            AUTHORITY,
            ORDINARY,
            Shown::new(&[&one.der], &one.key),
        ),
        alerted(
            "a CA called alice as the client",
            AUTHORITY,
            ORDINARY,
            zoo.leaf(
                &alice()
                    .with(basic_constraints(true, None))
                    .with(key_usage(KEY_CERT_SIGN | CRL_SIGN)),
            ),
        ),
    ]
}

/// Another CA with the same name.
fn stranger_named(authority: &Authority) -> Authority {
    Authority {
        key: Key::p256(),
        ..authority.clone()
    }
}
