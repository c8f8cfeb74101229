//! Certificates that are rejected although an anchor verifies them, and expired ones that are accepted.

use super::certificate::{Certificate, DAY, now, with_the_other_signature};
use super::row::{Host, Row, Shown, Verdict, When, accepted, alerted, forbidden};
use super::scene::{DENIED, HELD, REVOKED, REVOKED_BELOW, Zoo};
use super::table::{EXPIRED, alice};
use rustls::AlertDescription as Alert;

const REVOKED_BY_LIST: (Alert, &str) = (Alert::CertificateRevoked, "revoked");
const DENY_LISTED: (Alert, &str) = (Alert::CertificateRevoked, "deny_listed");
const NO_DENY_LIST: &str = "nginx has no deny list";

pub fn revocation(zoo: &Zoo) -> Vec<Row> {
    let fresh = "not on the list";
    let in_other_form = |der: &[u8]| Shown::new(&[&with_the_other_signature(der)], &zoo.key);
    let with = |serial: &[u8]| zoo.leaf(&alice().serial(serial));
    let below =
        |certificate: Certificate| zoo.leaf_of(&zoo.listed, &certificate).and(&[&zoo.listed]);
    let old = |name, user: &str| accepted(name, user, zoo.leaf_of(&zoo.stale_root, &alice()));
    let unlisted = zoo.root.intermediate("CA without a list");
    let stale = Verdict::Alert(Alert::UnknownCA, "crl_stale".to_owned());
    let mut is_stale = alerted(
        "the list is too old",
        (Alert::UnknownCA, "crl_stale"),
        "the list is too old, but counts",
        Shown::nothing(),
    )
    .at(Host::Stale)
    .once(When::OnceTheListIsOld(
        zoo.leaf_of(&zoo.stale_root, &alice()),
    ));
    is_stale.verdict = stale;
    let no_list = (Alert::UnknownCA, "revocation_unknown");
    let here = |row: Row| row.at(Host::Lists);
    let mut rows: Vec<Row> = vec![
        accepted(fresh, "alice-of-lists", zoo.leaf(&alice())),
        alerted("on the list", REVOKED_BY_LIST, fresh, with(REVOKED)),
        alerted("on hold", REVOKED_BY_LIST, fresh, with(HELD)),
        accepted(
            "not on the list of its CA",
            "alice-of-lists",
            below(alice()),
        ),
        alerted(
            "on the list of its CA",
            REVOKED_BY_LIST,
            "not on the list of its CA",
            below(alice().serial(REVOKED_BELOW)),
        ),
        accepted(
            "on the list of another CA",
            "alice-of-lists",
            below(alice().serial(REVOKED)),
        ),
        alerted(
            "its CA is revoked",
            REVOKED_BY_LIST,
            "not on the list of its CA",
            zoo.leaf_of(&zoo.revoked, &alice()).and(&[&zoo.revoked]),
        ),
        alerted(
            "an anchor without a list",
            no_list,
            fresh,
            zoo.leaf_of(&zoo.listless, &alice()),
        ),
        alerted(
            "a CA without a list",
            no_list,
            "not on the list of its CA",
            zoo.leaf_of(&unlisted, &alice()).and(&[&unlisted]),
        ),
        alerted("denied by serial number", DENY_LISTED, fresh, with(DENIED))
            .unlike_nginx(NO_DENY_LIST),
        alerted(
            "denied by fingerprint",
            DENY_LISTED,
            fresh,
            Shown::new(&[&zoo.denied], &zoo.key),
        )
        .unlike_nginx(NO_DENY_LIST),
        accepted(
            "not on the list, its signature in the other form of ECDSA",
            "alice-of-lists",
            in_other_form(&alice().signed_by(&zoo.root, &zoo.key)),
        ),
        alerted(
            "denied by fingerprint, its signature in the other form of ECDSA",
            DENY_LISTED,
            "not on the list, its signature in the other form of ECDSA",
            in_other_form(&zoo.denied),
        )
        .unlike_nginx(NO_DENY_LIST),
        alerted(
            "denied by common name",
            DENY_LISTED,
            fresh,
            zoo.leaf(&Certificate::client("denied")),
        ),
        forbidden(
            "denied as a user",
            "revoked",
            fresh,
            zoo.leaf(&Certificate::client("banned")),
        ),
    ];
    rows = rows.into_iter().map(here).collect();
    rows.push(is_stale);
    rows.push(
        old("the list is too old, but counts", "alice-of-lenient")
            .at(Host::Lenient)
            .unlike_nginx("`allow-for` has no counterpart"),
    );
    rows
}

pub fn tolerance(zoo: &Zoo) -> Vec<Row> {
    let over = |name: &str, days: i64| {
        zoo.leaf(&Certificate::client(name).valid(now() - 99 * DAY, now() - days * DAY))
    };
    let tolerated = "three days over, seven tolerated";
    let rows = vec![
        accepted(
            "in time",
            "patient",
            zoo.leaf(&Certificate::client("patient")),
        ),
        accepted(tolerated, "patient", over("patient", 3)).unlike_nginx("nginx tolerates none"),
        alerted(
            "eight days over, seven tolerated",
            EXPIRED,
            tolerated,
            over("patient", 8),
        ),
        forbidden(
            "three days over, none tolerated for this user",
            "expired",
            tolerated,
            over("hasty", 3),
        ),
        accepted(
            "in time, none tolerated for this user",
            "hasty",
            zoo.leaf(&Certificate::client("hasty")),
        ),
        forbidden(
            "three days over, and a stranger",
            "expired",
            tolerated,
            over("mallory", 3),
        ),
    ];
    rows.into_iter().map(|row| row.at(Host::Tolerant)).collect()
}
