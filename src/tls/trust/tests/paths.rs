//! Ways from a leaf to an anchor, of which some do not count.

use super::*;
use crate::tls::FailureReason;
use rustls::server::danger::ClientCertVerifier;

#[test]
fn an_anchor_says_how_many_may_stand_below_it() {
    let key = KeyPair::generate().unwrap();
    let mut params = params("root", YEAR);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let root = Authority {
        certificate,
        issuer: Issuer::new(params, key),
    };
    let middle = authority("middle", YEAR, Some(&root));
    let domain = domain(&[&root], None);
    assert_eq!(domain.verify(&[client(&root, DAY)], later(0)), Ok(()));
    let below = domain
        .verify(
            &[client(&middle, DAY), middle.certificate.clone()],
            later(0),
        )
        .unwrap_err();
    assert_eq!(below.reason(), FailureReason::InvalidCertificate, "{below}");
}

#[test]
fn a_denial_by_revocation_is_not_forgotten_for_another_path() {
    // Two ways up, one revoked and one too long; and another domain that would take the leaf.
    let (first, second) = (
        authority("first", YEAR, None),
        authority("second", YEAR, None),
    );
    let middle = authority("middle", YEAR, Some(&first));
    let between = authority("between", YEAR, Some(&second));
    let key = KeyPair::try_from(middle.issuer.key().serialize_der().as_slice()).unwrap();
    let crossed = |above: &Authority| {
        let mut cross = params("middle", YEAR);
        cross.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        cross.signed_by(&key, &above.issuer).unwrap().der().clone()
    };
    let other_root = authority("other", YEAR, None);
    let leaf = client(&middle, DAY);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denied");
    let print = crate::tls::PeerCertificate::read(TrustDomainId(0), &middle.certificate)
        .unwrap()
        .fingerprint;
    std::fs::write(&path, format!("fingerprint {print}")).unwrap();
    let denied = crate::tls::DenyList::load(&path).unwrap();
    let revocation = Revocation::new(Vec::new(), denied, Default::default());
    let settings = TrustSettings {
        chain_depth: 1,
        ..TrustSettings::default()
    };
    let ours = authorities(&[&first, &second], &[]).unwrap();
    let ours =
        TrustDomain::new(TrustDomainId(0), "ours", &ours, revocation, settings, None).unwrap();
    let theirs = domain(&[&other_root], None);
    let ways = [
        middle.certificate.clone(),
        crossed(&between),
        between.certificate.clone(),
        crossed(&other_root),
    ];
    for order in [[0, 1, 2, 3], [1, 2, 0, 3], [3, 2, 1, 0]] {
        let mut chain = vec![leaf.clone()];
        chain.extend(order.map(|at: usize| ways[at].clone()));
        assert_eq!(theirs.verify(&chain, later(0)), Ok(()), "alone");
        for both in [[&ours, &theirs], [&theirs, &ours]] {
            let result = verified(&both, &chain, later(0));
            assert!(
                matches!(result, Err(ChainError::Denied | ChainError::Ambiguous)),
                "{result:?}"
            );
        }
        assert_eq!(
            ours.verify(&chain, later(0)),
            Err(ChainError::Denied),
            "{order:?}"
        );
    }
}

#[test]
fn domains_that_share_a_ca_key_are_reported() {
    let (ours, theirs) = (
        authority("ours", YEAR, None),
        authority("theirs", YEAR, None),
    );
    let middle = authority("middle", YEAR, Some(&ours));
    let settings = TrustSettings::default();
    let key = KeyPair::try_from(theirs.issuer.key().serialize_der().as_slice()).unwrap();
    let mut renamed = params("renamed", YEAR);
    renamed.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = renamed.self_signed(&key).unwrap().der().clone();
    let renamed = Authority {
        certificate,
        issuer: Issuer::new(renamed, key),
    };
    let all = [
        domain(&[&ours], None),
        domain(&[&theirs], None),
        domain(&[&theirs, &ours], None),
        domain_with(&[&ours], &[&middle], settings),
        domain(&[&middle], None),
        domain(&[&renamed], None),
    ];
    let common = [(0, 2), (0, 3), (1, 2), (1, 5), (2, 3), (2, 5), (3, 4)];
    for (one, first) in all.iter().enumerate() {
        for (other, second) in all.iter().enumerate().filter(|(other, _)| *other != one) {
            let is_common = common.contains(&(one.min(other), one.max(other)));
            assert_eq!(
                first.shares_an_authority_with(second),
                is_common,
                "{one} {other}"
            );
        }
    }
}

#[test]
fn anchor_names_beyond_the_message_size_are_omitted() {
    let key = KeyPair::generate().unwrap();
    let anchor = |at: usize| {
        let mut params = params(&format!("{at:0>200}"), YEAR);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().der().clone()
    };
    let anchors: Vec<_> = (0..150).map(anchor).collect();
    for (many, told) in [(1, 1), (80, 80), (150, 0)] {
        let authorities = Arc::new(Authorities::new(&anchors[..many], &[]).unwrap());
        let settings = TrustSettings::default();
        let domain = TrustDomain::new(
            TrustDomainId(0),
            "many",
            &authorities,
            Revocation::default(),
            settings,
            None,
        );
        let verifier =
            HandshakeVerifier::new(vec![domain.unwrap().trust], CertificatePresence::Mandatory);
        assert_eq!(verifier.root_hint_subjects().len(), told);
    }
}
