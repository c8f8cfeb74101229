//! Revocation lists written by hand, byte by byte, and the certificates that they revoke.

mod age;
mod crl_files;
pub(super) mod lists;
mod overlay;
mod reading;
mod several;

use self::lists::*;
use super::*;
use crate::tls::certification_path::PresentedChain;
use crate::tls::trust::verify_chain;
use crate::tls::{ChainVerification, TrustDomain, TrustDomainId, TrustSettings};
use proptest::prelude::*;
use rcgen::KeyUsagePurpose;
use std::time::Duration;

fn read(der: &[u8], authorities: &Authorities) -> Result<Crl, CrlError> {
    Crl::read(der, authorities.all(), now())
}

fn file(lists: &[Vec<u8>], authorities: &Authorities) -> CrlFile {
    let crls = lists
        .iter()
        .map(|der| Arc::new(read(der, authorities).unwrap()))
        .collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &lists.concat())
        .as_ref()
        .try_into()
        .unwrap();
    CrlFile {
        path: "test.crl".into(),
        content: Arc::new(files::CrlFileContent { digest, crls }),
    }
}

fn domain(
    authorities: &Arc<Authorities>,
    lists: &[Vec<u8>],
    settings: RevocationSettings,
) -> TrustDomain {
    let revocation = Revocation::new(
        vec![file(lists, authorities)],
        DenyList::default(),
        settings,
    );
    domain_of(authorities, revocation)
}

fn domain_of(authorities: &Arc<Authorities>, revocation: Revocation) -> TrustDomain {
    TrustDomain::new(
        TrustDomainId(0),
        "test",
        authorities,
        revocation,
        TrustSettings::default(),
        None,
    )
    .unwrap()
}

fn verdict(
    domain: &TrustDomain,
    chain: &[&CertificateDer<'static>],
    at: i64,
) -> Result<ChainVerification, ChainError> {
    let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap()));
    let trusts = [(domain.id, &*domain.trust)].into_iter();
    verify_chain(
        trusts,
        PresentedChain::of(&chain)?,
        VerificationContext::live(at),
    )
}

#[test]
fn clients_on_the_list_are_denied_and_no_others() {
    let root = ca("root", None);
    let (bad, good) = (leaf(&[5, 6, 7], &root), leaf(&[5, 6, 8], &root));
    let der = list(&root)
        .revoking(&[&[1], &[5, 6, 7], &[0xff; 20]])
        .signed_by(&root);
    let domain = domain(
        &authorities(&[&root], &[]),
        &[der],
        RevocationSettings::default(),
    );
    for _ in 0..2 {
        assert_eq!(verdict(&domain, &[&bad], now()), Err(ChainError::Revoked));
        assert!(verdict(&domain, &[&good], now()).is_ok());
    }
    let facts = domain.revocation().facts();
    assert_eq!(
        (facts.len(), facts[0].entries, facts[0].issuer.as_str()),
        (1, 3, "CN=root")
    );
}

#[test]
fn the_newest_of_several_lists_is_used() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let bad = leaf(&[7], &root);
    let lists = |old: List, new: List| {
        let (old, new) = (old.signed_by(&root), new.revoking(&[&[7]]).signed_by(&root));
        [vec![old.clone(), new.clone()], vec![new, old]]
    };
    let plain = || list(&root);
    for both in [
        lists(plain().numbered(&[1]), plain().numbered(&[2])),
        lists(plain().numbered(&[0xff]), plain().numbered(&[1, 0])),
        lists(
            plain().at(now() - 2 * DAY, now() + DAY),
            plain().numbered(&[1]),
        ),
        lists(
            plain().numbered(&[9]).at(now() - 2 * DAY, now() + DAY),
            plain(),
        ),
        // The old one's age does not matter.
        lists(
            plain().numbered(&[1]).at(now() - 9 * DAY, now() - 8 * DAY),
            plain().numbered(&[2]),
        ),
    ]
    .concat()
    {
        let domain = domain(&authorities, &both, RevocationSettings::default());
        assert_eq!(verdict(&domain, &[&bad], now()), Err(ChainError::Revoked));
        assert_eq!(domain.revocation().facts().len(), 1);
    }
}

#[test]
fn a_list_for_leaves_or_authorities_covers_only_those() {
    let root = ca("root", None);
    let middle = ca("middle", Some(&root));
    let authorities = authorities(&[&root], &[&middle]);
    let middle_serial = X509Certificate::from_der(&middle.der)
        .unwrap()
        .1
        .raw_serial()
        .to_vec();
    let (direct, below) = (leaf(&[7], &root), leaf(&[8], &middle));
    let of_middle = list(&middle).signed_by(&middle);
    let for_leaves = |list: List| list.scoped(&[0x81, 1, 0xff]).signed_by(&root);
    let for_authorities = |list: List| list.scoped(&[0x82, 1, 0xff]).signed_by(&root);
    let verdict_of = |lists: &[Vec<u8>]| {
        let domain = domain(
            &authorities,
            &[std::slice::from_ref(&of_middle), lists].concat(),
            RevocationSettings::default(),
        );
        [&direct, &below].map(|leaf| verdict(&domain, &[leaf], now()).map(|_| ()))
    };
    let unknown = Err(ChainError::RevocationUnknown);
    assert_eq!(
        verdict_of(&[for_leaves(list(&root))]),
        [Ok(()), unknown.clone()]
    );
    assert_eq!(
        verdict_of(&[for_authorities(list(&root))]),
        [unknown, Ok(())]
    );
    assert_eq!(
        verdict_of(&[for_leaves(list(&root)), for_authorities(list(&root))]),
        [Ok(()), Ok(())]
    );
    let both = [
        for_leaves(list(&root).revoking(&[&[7]])),
        for_authorities(list(&root).revoking(&[&middle_serial])),
    ];
    assert_eq!(
        verdict_of(&both),
        [Err(ChainError::Revoked), Err(ChainError::Revoked)]
    );
    // What stands on the list of the other kind means nothing for this one.
    let crossed = [
        for_leaves(list(&root).revoking(&[&middle_serial])),
        for_authorities(list(&root).revoking(&[&[7]])),
    ];
    assert_eq!(verdict_of(&crossed), [Ok(()), Ok(())]);
}

#[test]
fn an_issuer_without_a_list_is_rejected_or_allowed_and_checked_as_far_up_as_asked() {
    let root = ca("root", None);
    let middle = ca("middle", Some(&root));
    let authorities = authorities(&[&root], &[]);
    let (direct, below) = (leaf(&[7], &root), leaf(&[8], &middle));
    let middle_serial = X509Certificate::from_der(&middle.der)
        .unwrap()
        .1
        .raw_serial()
        .to_vec();
    let verdict_of = |list: &List, unknown, check| {
        let settings = RevocationSettings {
            unknown,
            check,
            ..RevocationSettings::default()
        };
        let domain = domain(&authorities, &[list.signed_by(&root)], settings);
        [
            verdict(&domain, &[&direct], now()),
            verdict(&domain, &[&below, &middle.der], now()),
        ]
        .map(|one| one.map(|_| ()))
    };
    let (refuse, allow) = (
        UnknownRevocationPolicy::Refuse,
        UnknownRevocationPolicy::Allow,
    );
    let (whole, only_leaf) = (RevocationDepth::Chain, RevocationDepth::Leaf);
    let unknown = Err(ChainError::RevocationUnknown);
    let (empty, revoking) = (list(&root), list(&root).revoking(&[&middle_serial]));
    assert_eq!(
        verdict_of(&empty, refuse, whole),
        [Ok(()), unknown.clone()],
        "a CA that only the client knows has no list"
    );
    assert_eq!(verdict_of(&empty, allow, whole), [Ok(()), Ok(())]);
    assert_eq!(
        verdict_of(&empty, refuse, only_leaf),
        [Ok(()), unknown.clone()]
    );
    assert_eq!(
        verdict_of(&revoking, refuse, whole),
        [Ok(()), Err(ChainError::Revoked)]
    );
    assert_eq!(
        verdict_of(&revoking, allow, whole),
        [Ok(()), Err(ChainError::Revoked)]
    );
    assert_eq!(verdict_of(&revoking, allow, only_leaf), [Ok(()), Ok(())]);
}

#[test]
fn the_deny_list_takes_out_certificates_by_each_of_their_marks() {
    let root = ca("root", None);
    let middle = ca("middle", Some(&root));
    let authorities = authorities(&[&root], &[]);
    let (direct, below) = (leaf(&[7, 7], &root), leaf(&[8, 8], &middle));
    let print = |der: &CertificateDer<'_>| crate::tls::sha256_text(der);
    let verdict_of = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("denied");
        std::fs::write(&path, text).unwrap();
        let denied = DenyList::load(&path).unwrap();
        let domain = domain_of(
            &authorities,
            Revocation::new(Vec::new(), denied, RevocationSettings::default()),
        );
        [
            verdict(&domain, &[&direct], now()),
            verdict(&domain, &[&below, &middle.der], now()),
        ]
        .map(|one| one.is_ok())
    };
    assert_eq!(verdict_of(""), [true, true]);
    assert_eq!(verdict_of("serial 0707"), [false, true]);
    assert_eq!(
        verdict_of(&format!("fingerprint {}", print(&below))),
        [true, false]
    );
    assert_eq!(
        verdict_of(&format!("fingerprint {}", print(&middle.der))),
        [true, false],
        "and what stands above"
    );
    assert_eq!(verdict_of("cn alice"), [false, false]);
    assert_eq!(
        verdict_of("cn middle"),
        [true, true],
        "names of CAs do not count"
    );
    assert_eq!(verdict_of("cn ALICE\nserial 07\nuser alice"), [true, true]);
}
