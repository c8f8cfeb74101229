//! Cached verdicts: their content, their lifetime, and their trust generation.

use super::*;
use crate::tls::chain_digest::ChainDigest;
use crate::tls::trust::verdict::ChainVerdict;
use crate::tls::trust::verified_chains::VerifiedChains;
use crate::tls::validity::ValidityPeriod;
use proptest::prelude::*;

#[test]
fn a_cached_chain_is_still_checked_for_its_validity_period() {
    let root = authority("root", YEAR, None);
    let middle = authority("middle", 20 * DAY, Some(&root));
    let domain = domain(&[&root], None);
    let short = vec![client(&middle, 10 * DAY), middle.certificate.clone()];
    let long = vec![client(&middle, 100 * DAY), middle.certificate.clone()];
    for _ in 0..2 {
        for chain in [&short, &long] {
            assert_eq!(domain.verify(chain, later(0)), Ok(()));
        }
        assert_eq!(domain.trust.verified.len(), 2);
    }
    let is_expired = |chain, days| {
        let error = domain.verify(chain, later(days * DAY)).unwrap_err();
        matches!(
            error,
            ChainError::Certificate(CertificateError::ExpiredContext { .. })
        )
    };
    assert_eq!(domain.verify(&short, later(9 * DAY)), Ok(()));
    assert!(is_expired(&short, 11), "the leaf");
    assert_eq!(domain.verify(&long, later(19 * DAY)), Ok(()));
    assert!(is_expired(&long, 21), "what is between");
    assert!(is_expired(&long, 400), "the anchor");
    let early = domain.verify(&long, later(-2 * DAY)).unwrap_err();
    assert!(
        matches!(
            early,
            ChainError::Certificate(CertificateError::NotValidYetContext { .. })
        ),
        "{early:?}"
    );
}

#[test]
fn only_the_verifying_anchor_limits_the_cached_verdict() {
    let (first, second) = (
        authority("first", 10 * DAY, None),
        authority("second", YEAR, None),
    );
    let domain = domain(&[&first, &second], None);
    let by_first = [client(&first, 100 * DAY)];
    let by_second = [client(&second, 100 * DAY)];
    for chain in [&by_first, &by_second] {
        assert_eq!(domain.verify(chain, later(0)), Ok(()));
        assert_eq!(domain.verify(chain, later(9 * DAY)), Ok(()));
    }
    let verdict = |chain: &[CertificateDer<'_>]| {
        domain
            .trust
            .verified
            .get(&ChainDigest::of(chain.iter()).unwrap())
    };
    let at = later(11 * DAY);
    assert!(verdict(&by_first).unwrap().at(at, Duration::ZERO).is_err());
    assert!(verdict(&by_second).unwrap().at(at, Duration::ZERO).is_ok());
    assert!(domain.verify(&by_first, at).is_err(), "nor by looking anew");
    assert_eq!(domain.verify(&by_second, at), Ok(()));
}

#[test]
fn a_denial_is_not_remembered() {
    let (root, other) = (
        authority("root", YEAR, None),
        authority("other", YEAR, None),
    );
    let domain = domain(&[&root], None);
    for _ in 0..2 {
        assert_eq!(
            domain.verify(&[client(&other, DAY)], later(0)),
            Err(unknown_issuer())
        );
    }
    let not_yet = [client(&root, YEAR)];
    assert!(domain.verify(&not_yet, later(-2 * DAY)).is_err());
    assert_eq!(domain.trust.verified.len(), 0);
    assert_eq!(domain.verify(&not_yet, later(0)), Ok(()));
}

#[test]
fn trust_goes_on_only_with_the_same_name_and_anchors() {
    let (root, other) = (
        authority("root", YEAR, None),
        authority("other", YEAR, None),
    );
    let old = domain(&[&root], None);
    let chain = [client(&root, DAY)];
    assert_eq!(old.verify(&chain, later(0)), Ok(()));
    let same = domain(&[&root], Some(&old));
    assert!(Arc::ptr_eq(&old.trust, &same.trust));
    for changed in [
        domain(&[&other], Some(&old)),
        domain(&[&root, &other], Some(&old)),
        domain(&[&root], None),
    ] {
        assert!(!Arc::ptr_eq(&old.trust, &changed.trust));
        assert_eq!(changed.trust.verified.len(), 0);
    }
    let authorities = authorities(&[&root], &[]).unwrap();
    let again = |name, settings| {
        TrustDomain::new(
            TrustDomainId(0),
            name,
            &authorities,
            Revocation::default(),
            settings,
            Some(&old),
        )
        .unwrap()
    };
    let shorter = again(
        "test",
        TrustSettings {
            chain_depth: 1,
            ..TrustSettings::default()
        },
    );
    assert!(!Arc::ptr_eq(&old.trust, &shorter.trust), "other rules");
    let renamed = again("renamed", TrustSettings::default());
    assert!(!Arc::ptr_eq(&old.trust, &renamed.trust));
    assert_eq!(
        domain(&[&other], Some(&old)).verify(&chain, later(0)),
        Err(unknown_issuer())
    );
}

#[test]
fn how_many_are_remembered_is_bounded() {
    let verified = VerifiedChains::new();
    let validity = ValidityPeriod {
        not_before: 0,
        not_after: 10,
    };
    let verdict = ChainVerdict {
        leaf: validity,
        authorities: validity,
        usage_until: i64::MAX,
        crls_until: i64::MAX,
    };
    let digest = |number: u32| {
        let der = CertificateDer::from(number.to_be_bytes().to_vec());
        ChainDigest::of([&der].into_iter()).unwrap()
    };
    for number in 0..50_000 {
        verified.insert(digest(number), verdict);
        // One that is asked for again and again stays.
        assert!(verified.get(&digest(0)).is_some());
    }
    assert!(verified.len() <= 10_300, "{}", verified.len());
    assert!(verified.get(&digest(1)).is_none(), "long not asked for");
}

#[test]
fn any_change_of_a_chain_is_another_chain() {
    let root = authority("root", YEAR, None);
    let middle = authority("middle", YEAR, Some(&root));
    let chain = [client(&middle, YEAR), middle.certificate.clone()];
    let domain = domain(&[&root], None);
    assert_eq!(domain.verify(&chain, later(0)), Ok(()));
    let length = chain[0].len() + chain[1].len();
    proptest!(|(at in 0..length, bit in 0..8_u32)| {
        let mut bytes = chain.each_ref().map(|der| der.to_vec());
        match at.checked_sub(bytes[0].len()) {
            None => bytes[0][at] ^= 1 << bit,
            Some(at) => bytes[1][at] ^= 1 << bit,
        }
        let changed = bytes.map(CertificateDer::from);
        let digest = ChainDigest::of(changed.iter()).unwrap();
        prop_assert!(domain.trust.verified.get(&digest).is_none());
        prop_assert!(domain.verify(&changed, later(0)).is_err());
    });
    // Where one certificate ends and the next begins counts, and the order, and how many there are.
    let all = [&chain[0][..], &chain[1][..]].concat();
    for at in 1..all.len() {
        let (first, second) = all.split_at(at);
        let parts = [first, second].map(|part| CertificateDer::from(part.to_vec()));
        let same = parts == chain;
        assert_eq!(
            ChainDigest::of(parts.iter()) == ChainDigest::of(chain.iter()),
            same
        );
    }
    let digest = ChainDigest::of(chain.iter());
    assert_ne!(ChainDigest::of(chain.iter().rev()), digest);
    assert_ne!(ChainDigest::of(chain.iter().take(1)), digest);
}
