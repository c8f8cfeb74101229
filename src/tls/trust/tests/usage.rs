//! What certificates must be for, by the policy of the domain.

use super::*;
use rcgen::ExtendedKeyUsagePurpose;

#[test]
fn key_usages_are_checked_by_the_policy_of_the_domain() {
    use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    let root = authority("root", YEAR, None);
    let end = seconds(later(10 * DAY));
    let domain = |usage| {
        domain_with(
            &[&root],
            &[],
            TrustSettings {
                usage,
                ..TrustSettings::default()
            },
        )
    };
    let require = domain(ExtendedKeyUsagePolicy::Require);
    let allow_missing = domain(ExtendedKeyUsagePolicy::AllowMissing);
    let allow_server = domain(ExtendedKeyUsagePolicy::AllowServerAuthUntil(end));
    let cases = [
        (vec![ClientAuth], [true, true, true]),
        (vec![ServerAuth, ClientAuth], [true, true, true]),
        (vec![], [false, true, true]),
        (vec![ServerAuth], [false, false, true]),
        (vec![CodeSigning], [false, false, false]),
    ];
    for (usages, expected) in cases {
        let mut params = params("alice", YEAR / 2);
        params.extended_key_usages = usages.clone();
        let leaf = [params
            .signed_by(&KeyPair::generate().unwrap(), &root.issuer)
            .unwrap()
            .der()
            .clone()];
        let verdicts =
            [&require, &allow_missing, &allow_server].map(|domain| domain.verify(&leaf, later(0)));
        for (verdict, expected) in verdicts.into_iter().zip(expected) {
            match verdict {
                Ok(()) => assert!(expected, "{usages:?}"),
                Err(error) => {
                    assert!(!expected, "{usages:?}: {error}");
                    assert_eq!(error.reason().word(), "wrong_usage");
                }
            }
        }
        if usages == [ServerAuth] {
            assert_eq!(allow_server.verify(&leaf, later(9 * DAY)), Ok(()));
            assert_eq!(
                allow_server.verify(&leaf, later(11 * DAY)),
                Err(ChainError::ServerOnly)
            );
        } else if usages == [ClientAuth] {
            assert_eq!(allow_server.verify(&leaf, later(11 * DAY)), Ok(()));
        }
    }
}

#[test]
fn an_authority_for_servers_signs_no_clients_but_in_the_exception() {
    let root = authority("root", YEAR, None);
    let end = seconds(later(10 * DAY));
    for (usages, expected) in [
        (ExtendedKeyUsagePurpose::ClientAuth, true),
        (ExtendedKeyUsagePurpose::ServerAuth, false),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = params("middle", YEAR);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages = vec![usages];
        let certificate = params.signed_by(&key, &root.issuer).unwrap().der().clone();
        let middle = Authority {
            certificate: certificate.clone(),
            issuer: Issuer::new(params, key),
        };
        let chain = [client(&middle, 100 * DAY), certificate];
        let domain = |usage| {
            domain_with(
                &[&root],
                &[],
                TrustSettings {
                    usage,
                    ..TrustSettings::default()
                },
            )
        };
        assert_eq!(
            domain(ExtendedKeyUsagePolicy::AllowMissing)
                .verify(&chain, later(0))
                .is_ok(),
            expected
        );
        let exception = domain(ExtendedKeyUsagePolicy::AllowServerAuthUntil(end));
        assert_eq!(exception.verify(&chain, later(0)), Ok(()));
        assert_eq!(exception.verify(&chain, later(11 * DAY)).is_ok(), expected);
    }
}
