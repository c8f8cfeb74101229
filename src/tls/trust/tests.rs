//! Verdicts from memory: what they may say, for how long, and for whom.

use super::*;
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::time::Duration;
use time::OffsetDateTime;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str, lifetime: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - time::Duration::days(1), now + time::Duration::seconds(lifetime));
    params
}

fn authority(name: &str, lifetime: i64, signed_by: Option<&Authority>) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = params(name, lifetime);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = match signed_by {
        Some(above) => params.signed_by(&key, &above.issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Authority { certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
}

fn client(signed_by: &Authority, lifetime: i64) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params("alice", lifetime).signed_by(&key, &signed_by.issuer).unwrap().der().clone()
}

fn domain(anchors: &[&Authority], previous: Option<&TrustDomain>) -> TrustDomain {
    let anchors: Vec<_> = anchors.iter().map(|anchor| anchor.certificate.clone()).collect();
    TrustDomain::new(TrustDomainId(0), "test", &anchors, previous).unwrap()
}

/// So many seconds from now.
fn later(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs((UnixTime::now().as_secs() as i64 + seconds) as u64))
}

#[test]
fn a_chain_is_remembered_and_still_judged_by_its_time() {
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
    let expired = |chain, days| domain.verify(chain, later(days * DAY)).unwrap_err();
    assert_eq!(domain.verify(&short, later(9 * DAY)), Ok(()));
    assert!(matches!(expired(&short, 11), CertificateError::ExpiredContext { .. }), "the leaf");
    assert_eq!(domain.verify(&long, later(19 * DAY)), Ok(()));
    assert!(matches!(expired(&long, 21), CertificateError::ExpiredContext { .. }), "what is between");
    assert!(matches!(expired(&long, 400), CertificateError::Expired), "the anchor");
    let early = domain.verify(&long, later(-2 * DAY)).unwrap_err();
    assert!(matches!(early, CertificateError::NotValidYetContext { .. }), "{early:?}");
}

#[test]
fn when_one_of_two_anchors_expires_memory_no_longer_vouches() {
    let (first, second) = (authority("first", 10 * DAY, None), authority("second", YEAR, None));
    let domain = domain(&[&first, &second], None);
    let chain = [client(&second, 100 * DAY)];
    assert_eq!(domain.verify(&chain, later(0)), Ok(()));
    let digest = ChainDigest::of(chain.iter()).unwrap();
    assert!(domain.trust.verified.contains(&digest, seconds(later(9 * DAY))));
    assert!(!domain.trust.verified.contains(&digest, seconds(later(11 * DAY))));
    // The other one still does, each time anew.
    assert_eq!(domain.verify(&chain, later(11 * DAY)), Ok(()));
}

#[test]
fn a_refusal_is_not_remembered() {
    let (root, other) = (authority("root", YEAR, None), authority("other", YEAR, None));
    let domain = domain(&[&root], None);
    for _ in 0..2 {
        assert_eq!(domain.verify(&[client(&other, DAY)], later(0)), Err(CertificateError::UnknownIssuer));
    }
    let not_yet = [client(&root, YEAR)];
    assert!(domain.verify(&not_yet, later(-2 * DAY)).is_err());
    assert_eq!(domain.trust.verified.len(), 0);
    assert_eq!(domain.verify(&not_yet, later(0)), Ok(()));
}

#[test]
fn trust_goes_on_only_with_the_same_name_and_anchors() {
    let (root, other) = (authority("root", YEAR, None), authority("other", YEAR, None));
    let old = domain(&[&root], None);
    let chain = [client(&root, DAY)];
    assert_eq!(old.verify(&chain, later(0)), Ok(()));
    let same = domain(&[&root], Some(&old));
    assert!(Arc::ptr_eq(&old.trust, &same.trust));
    for changed in [domain(&[&other], Some(&old)), domain(&[&root, &other], Some(&old)), domain(&[&root], None)] {
        assert!(!Arc::ptr_eq(&old.trust, &changed.trust));
        assert_eq!(changed.trust.verified.len(), 0);
    }
    let anchors = [root.certificate.clone()];
    let renamed = TrustDomain::new(TrustDomainId(0), "renamed", &anchors, Some(&old)).unwrap();
    assert!(!Arc::ptr_eq(&old.trust, &renamed.trust));
    assert_eq!(domain(&[&other], Some(&old)).verify(&chain, later(0)), Err(CertificateError::UnknownIssuer));
}

#[test]
fn how_many_are_remembered_is_bounded() {
    let verified = VerifiedChains::new();
    let validity = Validity { not_before: 0, not_after: 10 };
    let digest = |number: u32| {
        let der = CertificateDer::from(number.to_be_bytes().to_vec());
        ChainDigest::of([&der].into_iter()).unwrap()
    };
    for number in 0..50_000 {
        verified.insert(digest(number), validity);
        // One that is asked for again and again stays.
        assert!(verified.contains(&digest(0), 5));
    }
    assert!(verified.len() <= 10_300, "{}", verified.len());
    assert!(!verified.contains(&digest(1), 5), "long not asked for");
    assert!(!verified.contains(&digest(0), 11));
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
        let mut octets = chain.each_ref().map(|der| der.to_vec());
        match at.checked_sub(octets[0].len()) {
            None => octets[0][at] ^= 1 << bit,
            Some(at) => octets[1][at] ^= 1 << bit,
        }
        let changed = octets.map(CertificateDer::from);
        let digest = ChainDigest::of(changed.iter()).unwrap();
        prop_assert!(!domain.trust.verified.contains(&digest, seconds(later(0))));
        prop_assert!(domain.verify(&changed, later(0)).is_err());
    });
    // Where one certificate ends and the next begins counts, and the order, and how many there are.
    let all = [&chain[0][..], &chain[1][..]].concat();
    for at in 1..all.len() {
        let (first, second) = all.split_at(at);
        let parts = [first, second].map(|part| CertificateDer::from(part.to_vec()));
        let same = parts == chain;
        assert_eq!(ChainDigest::of(parts.iter()) == ChainDigest::of(chain.iter()), same);
    }
    let digest = ChainDigest::of(chain.iter());
    assert_ne!(ChainDigest::of(chain.iter().rev()), digest);
    assert_ne!(ChainDigest::of(chain.iter().take(1)), digest);
}
