//! Which domain verifies which chain, and until when.

mod memory;
mod paths;
mod usage;

use super::*;
use crate::tls::validity::seconds;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::CertificateError;
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
    (params.not_before, params.not_after) = (
        now - time::Duration::days(1),
        now + time::Duration::seconds(lifetime),
    );
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
    Authority {
        certificate: certificate.der().clone(),
        issuer: Issuer::new(params, key),
    }
}

fn client(signed_by: &Authority, lifetime: i64) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params("alice", lifetime)
        .signed_by(&key, &signed_by.issuer)
        .unwrap()
        .der()
        .clone()
}

fn authorities(
    anchors: &[&Authority],
    intermediates: &[&Authority],
) -> Result<Arc<Authorities>, TrustDomainError> {
    let der = |all: &[&Authority]| {
        all.iter()
            .map(|one| one.certificate.clone())
            .collect::<Vec<_>>()
    };
    Authorities::new(&der(anchors), &der(intermediates)).map(Arc::new)
}

fn domain_with(
    anchors: &[&Authority],
    intermediates: &[&Authority],
    settings: TrustSettings,
) -> TrustDomain {
    let authorities = authorities(anchors, intermediates).unwrap();
    TrustDomain::new(
        TrustDomainId(0),
        "test",
        &authorities,
        Revocation::default(),
        settings,
        None,
    )
    .unwrap()
}

fn domain(anchors: &[&Authority], previous: Option<&TrustDomain>) -> TrustDomain {
    let authorities = authorities(anchors, &[]).unwrap();
    TrustDomain::new(
        TrustDomainId(0),
        "test",
        &authorities,
        Revocation::default(),
        TrustSettings::default(),
        previous,
    )
    .unwrap()
}

fn verified(
    domains: &[&TrustDomain],
    chain: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<ChainVerification, ChainError> {
    let trusts = domains.iter().map(|domain| (domain.id, &*domain.trust));
    verify_chain(
        trusts,
        PresentedChain::of(chain)?,
        VerificationContext::live(now),
    )
}

impl TrustDomain {
    fn verify(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), ChainError> {
        verified(&[self], chain, now).map(|_| ())
    }
}

fn unknown_issuer() -> ChainError {
    CertificateError::UnknownIssuer.into()
}

/// So many seconds from now.
fn later(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        (UnixTime::now().as_secs() as i64 + seconds) as u64,
    ))
}

#[test]
fn the_valid_certificate_of_an_authority_verifies() {
    let old = authority("root", 10 * DAY, None);
    let key = KeyPair::try_from(old.issuer.key().serialize_der().as_slice()).unwrap();
    let mut renewed = params("root", YEAR);
    renewed.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    renewed.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = renewed.self_signed(&key).unwrap().der().clone();
    let new = Authority {
        certificate,
        issuer: Issuer::new(renewed, key),
    };
    let chain = [client(&old, 100 * DAY)];
    for anchors in [[&old, &new], [&new, &old]] {
        let domain = domain(&anchors, None);
        for day in [0, 9, 11, 50] {
            assert_eq!(domain.verify(&chain, later(day * DAY)), Ok(()), "day {day}");
        }
    }
    assert!(
        domain(&[&old], None)
            .verify(&chain, later(11 * DAY))
            .is_err()
    );
}

#[test]
fn exactly_one_of_several_domains_verifies() {
    let (ours, theirs) = (
        authority("ours", YEAR, None),
        authority("theirs", YEAR, None),
    );
    let mut domains = [domain(&[&ours], None), domain(&[&theirs], None)];
    domains[1].id = TrustDomainId(1);
    let both: Vec<&TrustDomain> = domains.iter().collect();
    for (by, id) in [(&ours, 0), (&theirs, 1)] {
        for _ in 0..2 {
            let verified = verified(&both, &[client(by, DAY)], later(0)).unwrap();
            assert_eq!(verified.domain, TrustDomainId(id));
        }
    }
    let stranger = [client(&authority("stranger", YEAR, None), DAY)];
    assert_eq!(verified(&both, &stranger, later(0)), Err(unknown_issuer()));
    assert_eq!(
        verified(&[], &stranger, later(0)),
        Err(unknown_issuer()),
        "no domain, no word"
    );
}

#[test]
fn a_chain_that_two_domains_verify_is_rejected() {
    // The second root has cross-signed the CA, and the client shows both ways.
    let (first, second) = (
        authority("first", YEAR, None),
        authority("second", YEAR, None),
    );
    let middle = authority("middle", YEAR, Some(&first));
    let key = KeyPair::try_from(middle.issuer.key().serialize_der().as_slice()).unwrap();
    let mut cross = params("middle", YEAR);
    cross.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let cross = cross.signed_by(&key, &second.issuer).unwrap().der().clone();
    let leaf = client(&middle, DAY);
    let domains = [domain(&[&first], None), domain(&[&second], None)];
    let both: Vec<&TrustDomain> = domains.iter().collect();
    let chain = [leaf.clone(), middle.certificate.clone(), cross.clone()];
    for _ in 0..2 {
        assert_eq!(
            verified(&both, &chain, later(0)),
            Err(ChainError::Ambiguous)
        );
    }
    for (one_way, domain) in [(&middle.certificate, &domains[0]), (&cross, &domains[1])] {
        assert_eq!(domain.verify(&chain, later(0)), Ok(()), "each alone");
        assert!(
            verified(&both, &[leaf.clone(), one_way.clone()], later(0)).is_ok(),
            "one way only"
        );
    }
}

#[test]
fn intermediates_of_the_config_complete_a_chain() {
    let root = authority("root", YEAR, None);
    let middle = authority("middle", YEAR, Some(&root));
    let low = authority("low", YEAR, Some(&middle));
    let leaf = [client(&low, DAY)];
    assert_eq!(
        domain(&[&root], None).verify(&leaf, later(0)),
        Err(unknown_issuer())
    );
    let settings = TrustSettings::default();
    assert_eq!(
        domain_with(&[&root], &[&low, &middle], settings).verify(&leaf, later(0)),
        Ok(())
    );
    let other = authority("other", YEAR, None);
    let refused = |anchors: &[&Authority], intermediates: &[&Authority]| {
        authorities(anchors, intermediates).unwrap_err()
    };
    assert!(
        matches!(refused(&[&root], &[&other]), TrustDomainError::UnverifiedIntermediate(name) if name == "CN=other")
    );
    assert!(
        matches!(refused(&[&root], &[&low]), TrustDomainError::UnverifiedIntermediate(name) if name == "CN=low")
    );
    let leaf = Authority {
        certificate: leaf[0].clone(),
        issuer: other.issuer,
    };
    assert!(matches!(
        refused(&[&root], &[&leaf]),
        TrustDomainError::IntermediateNotACa(_)
    ));
}

#[test]
fn a_chain_is_no_longer_than_the_domain_allows() {
    let root = authority("root", YEAR, None);
    let mut above = vec![authority("ca0", YEAR, Some(&root))];
    for at in 1..8 {
        above.push(authority(&format!("ca{at}"), YEAR, above.last()));
    }
    let chain_of = |depth: usize| {
        let issuer = if depth == 0 { &root } else { &above[depth - 1] };
        let mut chain = vec![client(issuer, DAY)];
        chain.extend(
            above[..depth]
                .iter()
                .rev()
                .map(|authority| authority.certificate.clone()),
        );
        chain
    };
    for allowed in 0..=6 {
        let domain = domain_with(
            &[&root],
            &[],
            TrustSettings {
                chain_depth: allowed,
                ..TrustSettings::default()
            },
        );
        for depth in 0..=8 {
            let verdict = domain.verify(&chain_of(depth), later(0));
            let expected = if depth <= usize::from(allowed) {
                Ok(())
            } else {
                Err(ChainError::TooLong)
            };
            assert_eq!(verdict, expected, "{depth} of {allowed}");
        }
    }
}

#[test]
fn a_recently_expired_leaf_is_verified_only_where_tolerated() {
    let root = authority("root", YEAR, None);
    let middle = authority("middle", 20 * DAY, Some(&root));
    let tolerant = |days: u64| {
        let tolerance = Duration::from_secs(days * 86_400);
        domain_with(
            &[&root],
            &[],
            TrustSettings {
                tolerance,
                ..TrustSettings::default()
            },
        )
    };
    let chain = [client(&middle, 10 * DAY), middle.certificate.clone()];
    let (strict, week, month) = (tolerant(0), tolerant(7), tolerant(30));
    let over = |domain, days: i64| {
        verified(&[domain], &chain, later(days * DAY)).map(|verified| verified.expired_for)
    };
    for _ in 0..2 {
        assert_eq!(over(&week, 9), Ok(None));
        let expired_for = over(&week, 12).unwrap().unwrap().as_secs();
        assert!(
            (2 * 86_400 - 2..=2 * 86_400 + 2).contains(&expired_for),
            "{expired_for}"
        );
        assert!(over(&strict, 12).is_err());
        assert!(over(&week, 18).is_err(), "too long ago");
        assert!(over(&month, 18).is_ok());
        assert!(over(&month, 21).is_err(), "the CA must be valid now");
    }
    // What one domain tolerates is no other's, and an old chain does not become one domain's alone.
    assert!(verified(&[&strict, &month], &chain, later(12 * DAY)).is_err());
    let until = verified(&[&week], &chain, later(12 * DAY)).unwrap().until;
    assert!((until - seconds(later(17 * DAY))).abs() <= 2);
}
