//! What certificates are for, and with which keys they are signed.

use super::certificate::{
    ANY_USAGE, Authority, CLIENT_AUTH, Certificate, DIGITAL_SIGNATURE, EMAIL_PROTECTION,
    KEY_ENCIPHERMENT, SERVER_AUTH, key_usage, usages as extended, with_a_flipped_bit,
};
use super::keys::Key;
use super::row::{Host, Row, Shown, accepted, alerted};
use super::scene::Zoo;
use super::table::{INVALID, ORDINARY, SIGNATURE, USAGE, alice};
use rustls::AlertDescription as Alert;

pub fn usages(zoo: &Zoo) -> Vec<Row> {
    let of = |kinds: &[&[u64]]| zoo.leaf(&alice().bare().with(extended(kinds)));
    let below = |kinds: &[&[u64]]| {
        let authority = zoo
            .root
            .below(&Certificate::authority("With usages").with(extended(kinds)));
        zoo.leaf_of(&authority, &alice()).and(&[&authority])
    };
    let without = || zoo.leaf(&alice().bare());
    let keyed = |bits: u8| zoo.leaf(&alice().with(key_usage(bits)));
    vec![
        accepted(
            "for clients and servers",
            "alice",
            of(&[SERVER_AUTH, CLIENT_AUTH]),
        ),
        alerted(
            "for servers only",
            USAGE,
            "for clients and servers",
            of(&[SERVER_AUTH]),
        ),
        alerted("for e-mail only", USAGE, ORDINARY, of(&[EMAIL_PROTECTION])),
        alerted("for anything", USAGE, ORDINARY, of(&[ANY_USAGE])),
        accepted(
            "for anything and clients",
            "alice",
            of(&[ANY_USAGE, CLIENT_AUTH]),
        ),
        accepted("without a usage", "alice", without()),
        accepted(
            "for clients, where that must be said",
            "alice-of-strict",
            zoo.leaf(&alice()),
        )
        .at(Host::Strict),
        alerted(
            "without a usage, where it must be said",
            USAGE,
            "for clients, where that must be said",
            without(),
        )
        .unlike_nginx("OpenSSL takes a missing usage as any")
        .at(Host::Strict),
        accepted("of a CA for clients", "alice", below(&[CLIENT_AUTH])),
        alerted(
            "of a CA for servers only",
            USAGE,
            "of a CA for clients",
            below(&[SERVER_AUTH]),
        ),
        alerted(
            "of a CA for anything",
            USAGE,
            "of a CA for clients",
            below(&[ANY_USAGE]),
        ),
        accepted("a key for signatures", "alice", keyed(DIGITAL_SIGNATURE)),
        alerted(
            "a key for encipherment only",
            USAGE,
            "a key for signatures",
            keyed(KEY_ENCIPHERMENT),
        ),
    ]
}

pub fn keys(zoo: &Zoo) -> Vec<Row> {
    let with = |key: &Key| Shown::new(&[&alice().signed_by(&zoo.root, key)], key);
    let by = |authority: &Authority| zoo.leaf_of(authority, &alice());
    let wrong_label = Authority {
        key: zoo.rsa.with_wrong_label(),
        ..zoo.rsa_root.clone()
    };
    let ordinary = alice().signed_by(&zoo.root, &zoo.key);
    let other_inside = {
        let mut certificate = alice();
        certificate.inner_algorithm = Some(zoo.p384.key.algorithm.clone());
        zoo.leaf(&certificate)
    };
    let protocol = (Alert::DecryptError, "invalid_certificate");
    vec![
        accepted("P-384", "alice", with(&Key::p384())),
        accepted("P-521", "alice", with(&Key::p521())),
        accepted("Ed25519", "alice", with(&Key::ed25519())),
        accepted("RSA of 2048 bits", "alice", with(&zoo.rsa.key)),
        accepted(
            "RSA of 2048 bits in TLS 1.2",
            "alice",
            with(&zoo.rsa.key).in_tls_1_2(),
        ),
        accepted("RSA of 3072 bits", "alice", with(&Key::rsa_3072())),
        alerted(
            "RSA of 1024 bits",
            protocol,
            "RSA of 2048 bits in TLS 1.2",
            with(&zoo.rsa.of_1024_bits()).in_tls_1_2(),
        ),
        alerted("secp256k1", protocol, ORDINARY, with(&Key::secp256k1())),
        accepted("signed with P-384", "alice", by(&zoo.p384)),
        accepted("signed with P-521", "alice", by(&zoo.p521)),
        accepted("signed with Ed25519", "alice", by(&zoo.ed25519)),
        accepted("signed with RSA and SHA-256", "alice", by(&zoo.rsa_root)),
        alerted(
            "signed with RSA and SHA-1",
            SIGNATURE,
            "signed with RSA and SHA-256",
            by(&zoo.sha1_root),
        ),
        alerted(
            "signed with RSA of 1024 bits",
            SIGNATURE,
            "signed with RSA and SHA-256",
            by(&zoo.short_root),
        ),
        alerted(
            "SHA-256 that says it is SHA-384",
            SIGNATURE,
            "signed with RSA and SHA-256",
            by(&wrong_label),
        ),
        alerted(
            "another algorithm inside than outside",
            INVALID,
            ORDINARY,
            other_inside,
        ),
        alerted(
            "one bit of the signature flipped",
            SIGNATURE,
            ORDINARY,
            Shown::new(&[&with_a_flipped_bit(ordinary.clone())], &zoo.key),
        ),
        alerted(
            "a certificate without its key",
            protocol,
            ORDINARY,
            Shown::new(&[&ordinary], &zoo.key.signing_with(&Key::p256())),
        ),
        alerted(
            "a certificate of P-256 with a key of Ed25519",
            protocol,
            "Ed25519",
            Shown::new(&[&ordinary], &zoo.key.signing_with(&Key::ed25519())),
        ),
        alerted(
            "a handshake signed with nonsense",
            protocol,
            ORDINARY,
            Shown::new(&[&ordinary], &zoo.key.that_signs_nonsense()),
        ),
        alerted(
            "a certificate without its key in TLS 1.2",
            protocol,
            "RSA of 2048 bits in TLS 1.2",
            Shown::new(&[&ordinary], &zoo.key.signing_with(&Key::p256())).in_tls_1_2(),
        ),
    ]
}
