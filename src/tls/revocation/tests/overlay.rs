//! What an update of revocations may do: take away, and never give.

use super::*;
use crate::tls::revocation::RevocationUpdate;

/// The deny list with these entries.
fn denying(serials: &[u8]) -> DenyList {
    DenyList::parse(
        &serials
            .iter()
            .map(|serial| format!("serial {serial:02x}\n"))
            .collect::<String>(),
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn denied_users_stay_denied_and_listed_users_are_denied(
        first in proptest::collection::vec(1u8..6, 0..4),
        updates in proptest::collection::vec(
            (proptest::collection::vec(1u8..6, 0..4), proptest::collection::vec(1u8..6, 0..3), any::<bool>()),
            1..4,
        ),
    ) {
        let root = ca("root", None);
        let authorities = authorities(&[&root], &[]);
        let leaves: Vec<_> = (1u8..6).map(|serial| leaf(&[serial], &root)).collect();
        let signed = |serials: &[u8], age: i64| {
            let serials: Vec<[u8; 1]> = serials.iter().map(|serial| [*serial]).collect();
            let serials: Vec<&[u8]> = serials.iter().map(<[u8; 1]>::as_slice).collect();
            file(&[list(&root).at(now() - age, now() + DAY).revoking(&serials).signed_by(&root)], &authorities)
        };
        let files = vec![signed(&first, 1000)];
        let mut domain = domain_of(&authorities, Revocation::new(files, denying(&[]), RevocationSettings::default()));
        let is_in = |domain: &TrustDomain| -> Vec<bool> {
            leaves.iter().map(|leaf| verdict(domain, &[leaf], now()).is_ok()).collect()
        };
        for (at, (revoked, denied, named_by_active)) in (1i64..).zip(&updates) {
            let before = is_in(&domain);
            let list = signed(revoked, 1000 - at);
            let mut update = RevocationUpdate { deny_lists: vec![denying(denied)], ..RevocationUpdate::default() };
            let lists = if *named_by_active { &mut update.crls } else { &mut update.further_crls };
            lists.push(list);
            if let Some(revocation) = domain.revocation().updated(&update) {
                prop_assert!(revocation.updated(&update).is_none(), "the same once more is nothing new");
                domain = domain.with_revocation(revocation).unwrap();
            }
            for (serial, (before, after)) in (1u8..6).zip(before.into_iter().zip(is_in(&domain))) {
                prop_assert!(before || !after, "{serial} was denied and is no more");
                let is_listed = revoked.contains(&serial) || denied.contains(&serial);
                prop_assert_eq!(after, before && !is_listed, "{}", serial);
            }
        }
    }
}
