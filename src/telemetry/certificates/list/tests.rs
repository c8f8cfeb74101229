//! The list against a clock of the tests.

use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000;

fn sighting(
    fingerprint: &str,
    user: Option<&str>,
    not_after: i64,
    seen: i64,
) -> CertificateSighting {
    CertificateSighting {
        user: user.map(Arc::from),
        common_name: user.map(Box::from),
        subject: "CN=x".into(),
        serial: "01".into(),
        fingerprint: fingerprint.into(),
        trust_domain: "test".into(),
        not_after,
        seen,
        urgency: if not_after - seen < 30 * DAY {
            Urgency::Soon
        } else {
            Urgency::Later
        },
    }
}

fn fingerprints(list: &mut CertificateList, now: i64) -> Vec<String> {
    list.soonest(usize::MAX, now)
        .0
        .iter()
        .map(|seen| seen.sighting.fingerprint.to_string())
        .collect()
}

fn replaced_by(list: &mut CertificateList, fingerprint: &str) -> Option<String> {
    let seen = list.by_fingerprint.get(fingerprint).expect("listed");
    seen.replaced_by.as_ref().map(ToString::to_string)
}

#[test]
fn a_user_is_warned_about_once_a_day() {
    let mut list = CertificateList::with_capacity(10);
    let expiry = NOW + 10 * DAY;
    let mut see =
        |user: &str, at| list.add(sighting(&format!("of-{user}"), Some(user), expiry, at));
    assert_eq!(see("alice", NOW), Warning::Due);
    assert_eq!(see("alice", NOW), Warning::NotDue);
    assert_eq!(see("alice", NOW + DAY - 1), Warning::NotDue);
    assert_eq!(
        see("bob", NOW + DAY - 1),
        Warning::Due,
        "another user has a day of its own"
    );
    assert_eq!(see("alice", NOW + DAY), Warning::Due);
    assert_eq!(see("alice", NOW + DAY + 1), Warning::NotDue);
    assert_eq!(
        see("alice", NOW - DAY),
        Warning::Due,
        "the clock was set back"
    );
}

#[test]
fn another_certificate_of_the_same_user_makes_no_second_warning() {
    let mut list = CertificateList::with_capacity(10);
    assert_eq!(
        list.add(sighting("a", Some("alice"), NOW + DAY, NOW)),
        Warning::Due
    );
    assert_eq!(
        list.add(sighting("b", Some("alice"), NOW + 2 * DAY, NOW)),
        Warning::NotDue
    );
}

#[test]
fn late_expiry_and_unknown_users_are_not_warned_about() {
    let mut list = CertificateList::with_capacity(10);
    assert_eq!(
        list.add(sighting("a", Some("alice"), NOW + 31 * DAY, NOW)),
        Warning::NotDue
    );
    assert_eq!(
        list.add(sighting("b", None, NOW + DAY, NOW)),
        Warning::NotDue
    );
    assert_eq!(fingerprints(&mut list, NOW), ["b", "a"], "both are listed");
}

#[test]
fn the_full_list_keeps_those_that_expire_first() {
    let mut list = CertificateList::with_capacity(3);
    for (fingerprint, days) in [("d", 40), ("b", 20), ("e", 50), ("a", 10), ("c", 30)] {
        list.add(sighting(fingerprint, None, NOW + days * DAY, NOW));
    }
    assert_eq!(fingerprints(&mut list, NOW), ["a", "b", "c"]);
    let (first, known) = list.soonest(2, NOW);
    assert_eq!((first.len(), known), (2, 3));
}

#[test]
fn a_newer_certificate_replaces_until_the_older_is_seen_again() {
    let mut list = CertificateList::with_capacity(10);
    list.add(sighting("old", Some("alice"), NOW + 10 * DAY, NOW));
    list.add(sighting("other", Some("bob"), NOW + 10 * DAY, NOW));
    list.add(sighting("new", Some("alice"), NOW + 90 * DAY, NOW + 5));
    assert_eq!(replaced_by(&mut list, "old").as_deref(), Some("new"));
    assert_eq!(replaced_by(&mut list, "other"), None);
    assert_eq!(replaced_by(&mut list, "new"), None);
    list.add(sighting("old", Some("alice"), NOW + 10 * DAY, NOW + 6));
    assert_eq!(replaced_by(&mut list, "old"), None, "it is still in use");
    assert_eq!(
        replaced_by(&mut list, "new"),
        None,
        "an older one replaces nothing"
    );
}

#[test]
fn replaced_certificates_make_room_first() {
    let mut list = CertificateList::with_capacity(3);
    list.add(sighting("old", Some("alice"), NOW + DAY, NOW));
    list.add(sighting("new", Some("alice"), NOW + 90 * DAY, NOW));
    list.add(sighting("b", Some("bob"), NOW + 10 * DAY, NOW));
    list.add(sighting("c", Some("carol"), NOW + 20 * DAY, NOW));
    assert_eq!(fingerprints(&mut list, NOW), ["b", "c", "new"]);
}

#[test]
fn what_is_not_seen_is_forgotten() {
    let mut list = CertificateList::with_capacity(10);
    list.add(sighting("old", Some("alice"), NOW + 10 * DAY, NOW));
    list.add(sighting("new", Some("alice"), NOW + 90 * DAY, NOW));
    list.add(sighting("gone", Some("bob"), NOW + 5, NOW));
    assert_eq!(
        fingerprints(&mut list, NOW + DAY - 1),
        ["gone", "old", "new"],
        "expired ones stay"
    );
    assert_eq!(
        fingerprints(&mut list, NOW + DAY),
        ["gone", "new"],
        "replaced, and not seen for a day"
    );
    assert_eq!(fingerprints(&mut list, NOW + 30 * DAY - 1), ["gone", "new"]);
    assert_eq!(
        fingerprints(&mut list, NOW + 30 * DAY),
        Vec::<String>::new()
    );
    assert!(list.warned.is_empty() && list.by_rank.is_empty() && list.by_user.is_empty());
}

#[test]
fn what_is_replaced_and_expired_is_forgotten_at_once() {
    let mut list = CertificateList::with_capacity(10);
    list.add(sighting("old", Some("alice"), NOW + 5, NOW));
    list.add(sighting("new", Some("alice"), NOW + 90 * DAY, NOW));
    assert_eq!(fingerprints(&mut list, NOW + 5), ["old", "new"]);
    assert_eq!(fingerprints(&mut list, NOW + 6), ["new"]);
}

proptest! {
    #[test]
    fn the_list_stays_within_its_bounds(
        sightings in proptest::collection::vec((0..30_u8, proptest::option::of(0..5_u8), 0..100_i64, 0..40_i64), 0..80),
    ) {
        let mut list = CertificateList::with_capacity(8);
        for (fingerprint, user, days, ahead) in sightings {
            let user = user.map(|user| format!("user-{user}"));
            let seen = NOW + ahead * DAY;
            list.add(sighting(&fingerprint.to_string(), user.as_deref(), seen + days * DAY, seen));
            let known = list.by_fingerprint.len();
            prop_assert!(known <= 8 && list.by_rank.len() == known && list.warned.len() <= 5);
            let with_user = list.by_fingerprint.values().filter(|seen| seen.sighting.user.is_some()).count();
            prop_assert_eq!(list.by_user.len(), with_user);
        }
    }
}
