//! How certificates are written down.

use super::certificate::{CLIENT_AUTH, CN, usages};
use super::certificate::{Certificate, name, unknown_extension};
use super::row::{Row, Shown, accepted, alerted};
use super::scene::Zoo;
use super::table::{INVALID, ORDINARY, UNREADABLE, alice};
use crate::support::der::{UTF8_STRING, element, explicit, integer, sequence};

pub fn form(zoo: &Zoo) -> Vec<Row> {
    let ordinary = alice().signed_by(&zoo.root, &zoo.key);
    let raw = |der: Vec<u8>| Shown::new(&[&der], &zoo.key);
    let version = |number: &[u8]| {
        let mut certificate = alice();
        certificate.version = number.to_vec();
        certificate
    };
    let serial = |octets: &[u8]| zoo.leaf(&alice().serial(octets));
    let behind = {
        let mut certificate = alice();
        certificate.behind_extensions = element(0x04, b"more");
        zoo.leaf(&certificate)
    };
    // The outer SEQUENCE in the indefinite form of BER.
    let indefinite = [&[0x30, 0x80], &ordinary[4..], &[0, 0]].concat();
    // The length in more octets than it needs.
    let long_length = [&[0x30, 0x83, 0], &ordinary[2..]].concat();
    let bare = Certificate::of(name(&[(CN, UTF8_STRING, b"alice")]));
    let mut first = bare.clone();
    first.version = Vec::new();
    vec![
        accepted("version 3 without extensions", "alice", zoo.leaf(&bare)),
        alerted(
            "version 1",
            INVALID,
            "version 3 without extensions",
            zoo.leaf(&first),
        )
        .unlike_nginx("OpenSSL takes old versions of leaves, which can say nothing about usage"),
        alerted(
            "version 1, but with extensions",
            INVALID,
            ORDINARY,
            zoo.leaf(&version(&[])),
        )
        .unlike_nginx("OpenSSL does not compare version and extensions"),
        alerted(
            "version 2, but with extensions",
            INVALID,
            ORDINARY,
            zoo.leaf(&version(&explicit(0, &integer(&[1])))),
        )
        .unlike_nginx("OpenSSL does not compare version and extensions"),
        alerted(
            "version 4",
            INVALID,
            ORDINARY,
            zoo.leaf(&version(&explicit(0, &integer(&[3])))),
        )
        .unlike_nginx("OpenSSL takes a version that there is not"),
        accepted(
            "an unknown extension",
            "alice",
            zoo.leaf(&alice().with(unknown_extension(false, 10))),
        ),
        alerted(
            "an unknown critical extension",
            INVALID,
            "an unknown extension",
            zoo.leaf(&alice().with(unknown_extension(true, 10))),
        ),
        alerted(
            "an extension twice",
            INVALID,
            "for clients and servers",
            zoo.leaf(&alice().with(usages(&[CLIENT_AUTH]))),
        ),
        accepted(
            "30 kB in an extension",
            "alice",
            zoo.leaf(&alice().with(unknown_extension(false, 30_000))),
        ),
        accepted("a serial number of 20 octets", "alice", serial(&[0x7f; 20])),
        accepted(
            "a serial number of 100 octets",
            "alice",
            serial(&[0x7f; 100]),
        ),
        accepted("a negative serial number", "alice", serial(&[0x80, 1])),
        accepted("serial number 0", "alice", serial(&[0])),
        alerted(
            "a serial number of no octets",
            UNREADABLE,
            ORDINARY,
            serial(&[]),
        ),
        alerted(
            "octets behind the certificate",
            UNREADABLE,
            ORDINARY,
            raw([&ordinary[..], &[0]].concat()),
        ),
        alerted(
            "another certificate behind in one",
            UNREADABLE,
            ORDINARY,
            raw([&ordinary[..], &ordinary[..]].concat()),
        ),
        alerted(
            "an element behind the extensions",
            UNREADABLE,
            ORDINARY,
            behind,
        ),
        alerted(
            "the indefinite form of BER",
            UNREADABLE,
            ORDINARY,
            raw(indefinite),
        )
        .unlike_nginx("OpenSSL reads BER, of which there are many forms for one certificate"),
        alerted(
            "a length longer than it need be",
            UNREADABLE,
            ORDINARY,
            raw(long_length),
        )
        .unlike_nginx("OpenSSL reads BER, of which there are many forms for one certificate"),
        alerted(
            "cut short",
            UNREADABLE,
            ORDINARY,
            raw(ordinary[..ordinary.len() - 10].to_vec()),
        ),
        alerted(
            "an empty SEQUENCE",
            UNREADABLE,
            ORDINARY,
            raw(sequence(&[])),
        ),
        alerted(
            "no DER at all",
            UNREADABLE,
            ORDINARY,
            raw(b"-----BEGIN CERTIFICATE-----".to_vec()),
        ),
    ]
}
