//! Identification of certificates, compared with a simple model of the rules.

use super::*;
use crate::config::Sources;
use crate::tls::{CommonName, CommonNameError};
use proptest::prelude::*;
use std::collections::BTreeSet;

const DOMAIN: TrustDomainId = TrustDomainId(0);

fn peer(domain: u16, common_name: Option<&str>, units: &[&str]) -> PeerCertificate {
    PeerCertificate {
        trust_domain: TrustDomainId(domain),
        common_name: common_name.map_or(Err(CommonNameError::Missing), CommonName::new),
        dns_names: Vec::new(),
        uris: Vec::new(),
        emails: Vec::new(),
        organizations: Vec::new(),
        organizational_units: units.iter().map(|unit| (*unit).into()).collect(),
        unusable_names: Vec::new(),
        other_names: Vec::new(),
        subject: String::new(),
        issuer: String::new(),
        serial: String::new(),
        fingerprint: "f".repeat(64),
        spki: "e".repeat(64),
        not_before: 0,
        not_after: 0,
    }
}

fn nowhere() -> Place {
    Place::new(
        Sources::default().add("x".into(), String::new()).unwrap(),
        &(0..0),
    )
}

/// Users `0`, `1`, …, each found by these values.
fn users(bound: &[&[(IdentityKind, &str)]]) -> ApiUsers {
    let mut users = ApiUsers::default();
    for (at, values) in bound.iter().enumerate() {
        let id = users
            .add(&at.to_string(), nowhere(), Duration::ZERO)
            .unwrap();
        for (kind, value) in *values {
            // Who comes second to a value goes without, as its config would be refused.
            let _ = users.bind(DOMAIN, Identifier::parse(*kind, value).unwrap(), id);
        }
    }
    users
}

fn name(identified: &Identification) -> Option<&str> {
    if let Identification::Known(principal) = identified {
        Some(&principal.name)
    } else {
        None
    }
}

#[test]
fn digests_lead_to_users_too() {
    let (fingerprint, spki) = ("f".repeat(64), "e".repeat(64));
    let users = users(&[
        &[(IdentityKind::Fingerprint, &fingerprint)],
        &[(IdentityKind::Spki, &spki)],
    ]);
    assert!(matches!(
        users.identify(&peer(0, None, &[])),
        Identification::Ambiguous(_, _)
    ));
    assert!(matches!(
        users.identify(&peer(1, Some("a"), &[])),
        Identification::Unknown
    ));
    let other = PeerCertificate {
        spki: "d".repeat(64),
        ..peer(0, None, &[])
    };
    assert_eq!(name(&users.identify(&other)), Some("0"));
}

#[test]
fn roles_come_in_the_order_of_the_config_and_once() {
    let mut users = users(&[&[(IdentityKind::CommonName, "a")]]);
    for (unit, role) in [("x", 7), ("y", 3), ("x", 3), ("z", 1)] {
        users.bind_role(
            DOMAIN,
            RoleSource::OrganizationalUnit,
            unit.into(),
            RoleId::new(role),
        );
    }
    let Identification::Known(principal) = users.identify(&peer(0, Some("a"), &["y", "x", "w"]))
    else {
        panic!("a user");
    };
    assert_eq!(
        principal
            .extra_roles
            .iter()
            .map(|role| role.index())
            .collect::<Vec<_>>(),
        [3, 7]
    );
    let mut odd = peer(0, Some("a"), &[]);
    odd.unusable_names
        .push((NameKind::OrganizationalUnit, crate::tls::NameError::NotDns));
    assert!(matches!(
        users.identify(&odd),
        Identification::Unusable(UnusableName::Names(_, _))
    ));
}

#[test]
fn alternative_names_that_cannot_be_read_may_be_reserved_ones() {
    let mut users = users(&[&[(IdentityKind::CommonName, "a")]]);
    let mut odd = peer(0, Some("a"), &[]);
    odd.unusable_names
        .push((NameKind::Dns, crate::tls::NameError::Unreadable));
    assert_eq!(name(&users.identify(&odd)), Some("0"));
    users.reserve(DOMAIN, ReservedNames::new(["node*"].into_iter()));
    assert!(matches!(users.identify(&odd), Identification::Reserved(_)));
    assert_eq!(name(&users.identify(&peer(0, Some("a"), &[]))), Some("0"));
}

#[test]
fn a_reserved_name_is_one_with_blanks_a_dot_or_what_follows_a_nul() {
    let mut users = users(&[&[(IdentityKind::CommonName, "a")]]);
    users.reserve(
        DOMAIN,
        ReservedNames::new(["node", "*.cluster"].into_iter()),
    );
    for (other, is_reserved) in [
        ("node", true),
        ("NODE.", true),
        (" node\t", true),
        ("node\0.example", true),
        ("x.cluster.", true),
        ("nodes", false),
        ("a node", false),
        ("", false),
    ] {
        let peer = PeerCertificate {
            other_names: vec![other.into()],
            ..peer(0, Some("a"), &[])
        };
        assert_eq!(
            matches!(users.identify(&peer), Identification::Reserved(_)),
            is_reserved,
            "{other:?}"
        );
    }
}

fn few(pattern: &'static str) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(pattern, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_certificate_identifies_exactly_one_user_or_none(
        bound in proptest::collection::vec((few("[ab]"), few("[ab]"), few("[ab]@[ab]")), 0..4),
        domain in 0..2_u16,
        common_name in proptest::option::of("[abc]"),
        (dns, emails) in (few("[abc]"), few("[abc]@[ab]")),
        reserved in proptest::option::of("[abc]"),
    ) {
        let values: Vec<Vec<(IdentityKind, &str)>> = bound.iter().map(|(names, dns, emails)| {
            let kinds = [(IdentityKind::CommonName, names), (IdentityKind::Dns, dns), (IdentityKind::Email, emails)];
            kinds.into_iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text.as_str()))).collect()
        }).collect();
        let mut known = users(&values.iter().map(Vec::as_slice).collect::<Vec<_>>());
        if let Some(reserved) = &reserved {
            known.reserve(DOMAIN, ReservedNames::new([reserved.as_str()].into_iter()));
        }
        let names = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
        let certificate = PeerCertificate {
            dns_names: names(&dns),
            emails: names(&emails),
            ..peer(domain, common_name.as_deref(), &[])
        };
        let has = |kind: IdentityKind, text: &str| match kind {
            IdentityKind::CommonName => common_name.as_deref() == Some(text),
            IdentityKind::Dns => dns.iter().any(|name| name == text),
            _ => emails.iter().any(|name| name == text),
        };
        // The first user to say a value has it.
        let mut taken = BTreeSet::new();
        let mut led_to = BTreeSet::new();
        for (at, values) in values.iter().enumerate() {
            for (kind, text) in values {
                if taken.insert((kind.word(), *text)) && domain == 0 && has(*kind, text) {
                    led_to.insert(at.to_string());
                }
            }
        }
        let is_reserved = domain == 0 && reserved.as_deref().is_some_and(|reserved| {
            [IdentityKind::CommonName, IdentityKind::Dns, IdentityKind::Email].iter().any(|kind| has(*kind, reserved))
        });
        let identified = known.identify(&certificate);
        let expected = match led_to.iter().collect::<Vec<_>>().as_slice() {
            [only] if !is_reserved => Some((*only).clone()),
            _ => None,
        };
        prop_assert_eq!(name(&identified), expected.as_deref());
        prop_assert_eq!(matches!(identified, Identification::Reserved(_)), is_reserved);
        prop_assert_eq!(matches!(identified, Identification::Ambiguous(_, _)), !is_reserved && led_to.len() > 1);
    }
}

proptest! {
    #[test]
    fn removing_users_identifies_no_client_as_another_user(
        bound in proptest::collection::vec(proptest::collection::vec("[a-c]", 0..3), 1..5),
        gone in proptest::collection::vec(0usize..5, 0..4),
    ) {
        let mut all = ApiUsers::default();
        let mut ids = Vec::new();
        for (at, values) in bound.iter().enumerate() {
            let id = all.add(&at.to_string(), nowhere(), Duration::ZERO).unwrap();
            for value in values {
                let _ = all.bind(DOMAIN, Identifier::parse(IdentityKind::CommonName, value).unwrap(), id);
            }
            ids.push(id);
        }
        let gone: Vec<UserId> = gone.iter().filter_map(|at| ids.get(*at)).copied().collect();
        let left = all.without(&gone);
        prop_assert_eq!(left.len(), all.len() - left.removed());
        for name in ["a", "b", "c"] {
            let name = peer(0, Some(name), &[]);
            match (all.identify(&name), left.identify(&name)) {
                (Identification::Known(before), Identification::Known(after)) => {
                    prop_assert_eq!(before.id, after.id);
                    prop_assert!(!gone.contains(&after.id));
                }
                (Identification::Known(before), Identification::Unknown) => prop_assert!(gone.contains(&before.id)),
                (before, after) => prop_assert_eq!(format!("{before:?}"), format!("{after:?}")),
            }
        }
        for (at, id) in ids.iter().enumerate() {
            prop_assert_eq!(left.named(&at.to_string()).is_some(), !gone.contains(id));
        }
    }
}
