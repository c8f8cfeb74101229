//! Lists past their next update: how long they stay valid, and for which clients.

use super::*;

#[test]
fn an_overdue_list_is_used_as_configured_at_every_moment() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let (bad, good) = (leaf(&[7], &root), leaf(&[8], &root));
    let due = now() + 100;
    let der = list(&root)
        .at(now() - DAY, due)
        .revoking(&[&[7]])
        .signed_by(&root);
    let with = |stale| {
        domain(
            &authorities,
            std::slice::from_ref(&der),
            RevocationSettings {
                stale,
                ..RevocationSettings::default()
            },
        )
    };
    let stale = Err(ChainError::CrlStale);
    let verdict_of =
        |domain: &TrustDomain, at| verdict(domain, &[&good], at).map(|verified| verified.until);
    let refuse = with(StaleCrlPolicy::Refuse);
    let allow = with(StaleCrlPolicy::AllowFor(Duration::from_secs(50)));
    let ignore = with(StaleCrlPolicy::Ignore);
    for _ in 0..2 {
        assert_eq!(verdict_of(&refuse, due), Ok(due));
        assert_eq!(
            verdict_of(&refuse, due + 1),
            stale,
            "also if it is remembered"
        );
        assert_eq!(verdict_of(&allow, due + 50), Ok(due + 50));
        assert_eq!(verdict_of(&allow, due + 51), stale);
        assert!(verdict_of(&ignore, due + 999).is_ok());
        for domain in [&refuse, &allow, &ignore] {
            assert_eq!(
                verdict(domain, &[&bad], due + 999),
                Err(ChainError::Revoked),
                "who is revoked hears that"
            );
        }
    }
}

#[test]
fn an_overdue_list_denies_only_the_clients_of_its_ca() {
    let (root, other) = (ca("root", None), ca("other", None));
    let authorities = authorities(&[&root, &other], &[]);
    let fresh = list(&other).signed_by(&other);
    let (ours, theirs) = (leaf(&[8], &root), leaf(&[8], &other));
    let hours = |hours: u64| StaleCrlPolicy::AllowFor(Duration::from_secs(hours * 3600));
    let late = list(&root).at(now() - DAY, now() - 7200).signed_by(&root);
    let never = List {
        next_update: None,
        ..list(&root)
    }
    .signed_by(&root);
    for (der, stale, is_taken) in [
        (&late, StaleCrlPolicy::Refuse, false),
        (&late, hours(1), false),
        (&late, hours(3), true),
        (&late, StaleCrlPolicy::Ignore, true),
        (&never, StaleCrlPolicy::Refuse, false),
        (&never, hours(1), false),
        (&never, StaleCrlPolicy::Ignore, true),
    ] {
        let settings = RevocationSettings {
            stale,
            ..RevocationSettings::default()
        };
        let domain = domain(&authorities, &[der.clone(), fresh.clone()], settings);
        let expected = if is_taken {
            Ok(())
        } else {
            Err(ChainError::CrlStale)
        };
        assert_eq!(
            verdict(&domain, &[&ours], now()).map(|_| ()),
            expected,
            "{stale:?}"
        );
        assert!(verdict(&domain, &[&theirs], now()).is_ok(), "{stale:?}");
    }
}
