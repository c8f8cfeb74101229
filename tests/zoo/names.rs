//! What certificates call their subjects, and whose that is.

use super::certificate::{
    CLIENT_AUTH, CN, Certificate, O, OU, alternative_names, attribute, dns, email, name, uri,
    usages,
};
use super::keys::Key;
use super::row::{Row, Shown, accepted, alerted, forbidden};
use super::scene::{LONGEST, Zoo};
use super::table::{INVALID, ORDINARY, alice};
use crate::support::der::{
    BMP_STRING, IA5_STRING, PRINTABLE_STRING, T61_STRING, UNIVERSAL_STRING, UTF8_STRING, sequence,
    set,
};

const UNUSABLE: &str = "unusable_name";
const UNKNOWN: &str = "unknown_user";

fn of_subject(zoo: &Zoo, subject: Vec<u8>) -> Shown {
    zoo.leaf(&Certificate::of(subject).with(usages(&[CLIENT_AUTH])))
}

/// With one common name of any type and octets.
fn called(zoo: &Zoo, tag: u8, octets: &[u8]) -> Shown {
    of_subject(zoo, name(&[(CN, tag, octets)]))
}

pub fn common_names(zoo: &Zoo) -> Vec<Row> {
    let text = |text: &str| called(zoo, UTF8_STRING, text.as_bytes());
    let odd = |name, text_of_it: &str, reason| forbidden(name, reason, ORDINARY, text(text_of_it));
    let typed =
        |name, tag, octets: &[u8]| forbidden(name, UNUSABLE, ORDINARY, called(zoo, tag, octets));
    let (alice, bob) = (
        attribute(CN, UTF8_STRING, b"alice"),
        attribute(CN, UTF8_STRING, b"bob"),
    );
    let wide: Vec<u8> = b"alice".iter().flat_map(|octet| [0, *octet]).collect();
    let wider: Vec<u8> = b"alice"
        .iter()
        .flat_map(|octet| [0, 0, 0, *octet])
        .collect();
    let longest = "a".repeat(LONGEST);
    vec![
        accepted(
            "as PrintableString",
            "alice",
            called(zoo, PRINTABLE_STRING, b"alice"),
        ),
        accepted("as IA5String", "alice", called(zoo, IA5_STRING, b"alice")),
        typed("as T61String", T61_STRING, b"alice")
            .unlike_nginx("OpenSSL reads it as Latin-1, others in other ways"),
        typed("as BMPString", BMP_STRING, &wide).unlike_nginx("OpenSSL turns it into UTF-8"),
        typed("as UniversalString", UNIVERSAL_STRING, &wider)
            .unlike_nginx("OpenSSL turns it into UTF-8"),
        typed("no UTF-8 in a UTF8String", UTF8_STRING, b"alice\xff"),
        typed(
            "an umlaut in a PrintableString",
            PRINTABLE_STRING,
            "alic\u{e9}".as_bytes(),
        ),
        forbidden(
            "none",
            UNUSABLE,
            ORDINARY,
            of_subject(zoo, name(&[(OU, UTF8_STRING, b"alice")])),
        ),
        forbidden(
            "no subject at all",
            UNUSABLE,
            ORDINARY,
            of_subject(zoo, name(&[])),
        ),
        odd("empty", "", UNUSABLE),
        forbidden(
            "two, another's second",
            UNUSABLE,
            ORDINARY,
            of_subject(
                zoo,
                sequence(&[
                    set(std::slice::from_ref(&alice)),
                    set(std::slice::from_ref(&bob)),
                ]),
            ),
        ),
        forbidden(
            "two, another's first",
            UNUSABLE,
            ORDINARY,
            of_subject(
                zoo,
                sequence(&[
                    set(std::slice::from_ref(&bob)),
                    set(std::slice::from_ref(&alice)),
                ]),
            ),
        ),
        forbidden(
            "two in one step",
            UNUSABLE,
            ORDINARY,
            of_subject(zoo, sequence(&[set(&[alice.clone(), bob])])),
        ),
        forbidden(
            "the same twice",
            UNUSABLE,
            ORDINARY,
            of_subject(
                zoo,
                sequence(&[
                    set(std::slice::from_ref(&alice)),
                    set(std::slice::from_ref(&alice)),
                ]),
            ),
        ),
        accepted(
            "beside an organization",
            "alice",
            of_subject(
                zoo,
                name(&[(O, UTF8_STRING, b"Zoo"), (CN, UTF8_STRING, b"alice")]),
            ),
        )
        .unlike_nginx("a `map` compares the whole subject"),
        forbidden(
            "`CN=alice` in an organization",
            UNKNOWN,
            ORDINARY,
            of_subject(
                zoo,
                name(&[
                    (O, UTF8_STRING, b"x,CN=alice"),
                    (CN, UTF8_STRING, b"mallory"),
                ]),
            ),
        ),
        odd("with NUL behind", "alice\0", UNUSABLE),
        odd("with NUL and more behind", "alice\0.example.org", UNUSABLE),
        odd("with a line feed behind", "alice\n", UNUSABLE),
        odd("with an escape sequence", "alice\u{1b}[0m", UNUSABLE),
        odd("in capitals", "ALICE", UNKNOWN).unlike_nginx("a `map` of nginx compares without case"),
        odd("with a space behind", "alice ", UNKNOWN),
        odd("with a space before", " alice", UNKNOWN),
        odd("`*`", "*", UNKNOWN),
        odd("`alic?`", "alic?", UNKNOWN),
        odd("with a Cyrillic a", "\u{430}lice", UNKNOWN),
        odd(
            "in full-width letters",
            "\u{ff41}\u{ff4c}\u{ff49}\u{ff43}\u{ff45}",
            UNKNOWN,
        ),
        odd("with a zero-width space", "alice\u{200b}", UNKNOWN),
        odd("backwards by an override", "\u{202e}ecila", UNKNOWN),
        accepted("an accent in one character", "jose", text("Jos\u{e9}")),
        forbidden(
            "an accent in two characters",
            UNKNOWN,
            "an accent in one character",
            text("Jose\u{301}"),
        ),
        accepted("255 octets", "long", text(&longest)),
        forbidden(
            "256 octets",
            UNUSABLE,
            "255 octets",
            text(&format!("{longest}a")),
        ),
        odd("a user whom nobody knows", "mallory", UNKNOWN),
        odd("a reserved name", "icinga-master1", "reserved_name"),
        odd(
            "a reserved name in capitals",
            "ICINGA-MASTER1",
            "reserved_name",
        ),
    ]
}

pub fn others(zoo: &Zoo) -> Vec<Row> {
    const NO_VARIABLE: &str = "nginx has no variable for it";
    let of = |common_name: &str, names: &[Vec<u8>]| {
        zoo.leaf(&Certificate::client(common_name).with(alternative_names(names)))
    };
    let is = |name, user, names: &[Vec<u8>]| {
        accepted(name, user, of("x", names)).unlike_nginx(NO_VARIABLE)
    };
    let not = |name, reason, twin, names: &[Vec<u8>]| forbidden(name, reason, twin, of("x", names));
    let agent = uri("spiffe://example.org/agent");
    let renewed = Shown::new(
        &[&Certificate::client("another name").signed_by(&zoo.root, &zoo.kept)],
        &zoo.kept,
    );
    let twice = alice()
        .with(alternative_names(&[dns("a.example.org")]))
        .with(alternative_names(&[dns("b.example.org")]));
    let (good_dns, good_uri, good_mail) = ("a DNS name", "a SPIFFE ID", "an e-mail address");
    vec![
        is(good_dns, "web", &[dns("web.example.org")]),
        is("a DNS name in capitals", "web", &[dns("WEB.Example.ORG")]),
        is(
            "a DNS name among others",
            "web",
            &[dns("x.example.org"), dns("web.example.org")],
        ),
        not(
            "another DNS name",
            UNKNOWN,
            good_dns,
            &[dns("web2.example.org")],
        ),
        not(
            "a DNS name with a dot behind",
            UNUSABLE,
            good_dns,
            &[dns("web.example.org.")],
        ),
        not("a wildcard", UNKNOWN, good_dns, &[dns("*.example.org")]),
        not(
            "a DNS name with NUL",
            UNUSABLE,
            good_dns,
            &[dns("web.example.org\0.evil.example")],
        ),
        not(
            "a DNS name beside a broken one",
            UNUSABLE,
            good_dns,
            &[dns("web.example.org"), dns("bad..name")],
        ),
        is(good_uri, "agent", std::slice::from_ref(&agent)),
        not(
            "a SPIFFE ID beside another URI",
            UNUSABLE,
            good_uri,
            &[agent.clone(), uri("urn:x")],
        ),
        not(
            "two SPIFFE IDs",
            UNUSABLE,
            good_uri,
            &[agent, uri("spiffe://example.org/b")],
        ),
        not(
            "a SPIFFE ID in capitals",
            UNUSABLE,
            good_uri,
            &[uri("SPIFFE://example.org/agent")],
        ),
        not(
            "a SPIFFE ID with another case in its path",
            UNKNOWN,
            good_uri,
            &[uri("spiffe://example.org/Agent")],
        ),
        not(
            "a SPIFFE ID without a path",
            UNUSABLE,
            good_uri,
            &[uri("spiffe://example.org")],
        ),
        is(good_mail, "mail", &[email("alice@EXAMPLE.org")]),
        not(
            "an e-mail address in other case",
            UNKNOWN,
            good_mail,
            &[email("Alice@example.org")],
        ),
        not(
            "an e-mail address in quotes",
            UNUSABLE,
            good_mail,
            &[email("\"alice\"@example.org")],
        ),
        not(
            "a DNS name that is a common name",
            UNKNOWN,
            ORDINARY,
            &[dns("alice")],
        ),
        accepted(
            "its own SHA-256",
            "pinned",
            Shown::new(&[&zoo.pinned], &zoo.key),
        )
        .unlike_nginx("nginx knows the SHA-1 only, which a `map` could name"),
        forbidden(
            "issued again, so with another SHA-256",
            UNKNOWN,
            "its own SHA-256",
            zoo.leaf(&Certificate::client("pinned")),
        ),
        accepted("the key's SHA-256", "kept", renewed).unlike_nginx(NO_VARIABLE),
        forbidden("another key's SHA-256", UNKNOWN, "the key's SHA-256", {
            let key = Key::p256();
            Shown::new(
                &[&Certificate::client("another name").signed_by(&zoo.root, &key)],
                &key,
            )
        }),
        forbidden(
            "two users'",
            "ambiguous_identity",
            "a DNS name",
            of("alice", &[dns("web.example.org")]),
        )
        .unlike_nginx("nginx sees one of the two"),
        accepted(
            "a user's and nobody's",
            "alice",
            of("alice", &[dns("nobody.example.org")]),
        ),
        forbidden(
            "a user's and a reserved one",
            "reserved_name",
            "a user's and nobody's",
            of("alice", &[dns("icinga-master2")]),
        )
        .unlike_nginx("nginx does not see the other name"),
        alerted(
            "two lists of alternative names",
            INVALID,
            "a user's and nobody's",
            zoo.leaf(&twice),
        ),
    ]
}
