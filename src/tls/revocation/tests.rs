//! Revocation lists written by hand, octet by octet: what is taken, what is refused and why, and who is out by them.

pub(super) mod lists;
mod overlay;
mod several;

use self::lists::*;
use super::crl::{Head, serials};
use super::*;
use crate::tls::signed::Signed;
use crate::tls::trust::{Authorities, TrustDomain, TrustDomainId, TrustSettings, Vouched, vouch};
use proptest::prelude::*;
use rcgen::KeyUsagePurpose;

fn read(der: &[u8], authorities: &Authorities) -> Result<Crl, CrlError> {
    Crl::read(der, authorities.all(), now())
}

fn file(lists: &[Vec<u8>], authorities: &Authorities) -> CrlFile {
    let crls = lists.iter().map(|der| Arc::new(read(der, authorities).unwrap())).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &lists.concat()).as_ref().try_into().unwrap();
    CrlFile { path: "test.crl".into(), content: Arc::new(files::CrlFileContent { digest, crls }) }
}

fn domain(authorities: &Arc<Authorities>, lists: &[Vec<u8>], settings: RevocationSettings) -> TrustDomain {
    let revocation = Revocation::new(vec![file(lists, authorities)], DenyList::default(), settings);
    domain_of(authorities, revocation)
}

fn domain_of(authorities: &Arc<Authorities>, revocation: Revocation) -> TrustDomain {
    TrustDomain::new(TrustDomainId(0), "test", authorities, revocation, TrustSettings::default(), None).unwrap()
}

fn verdict(domain: &TrustDomain, chain: &[&CertificateDer<'static>], at: i64) -> Result<Vouched, ChainError> {
    let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap()));
    let trusts = [(domain.id, &*domain.trust)].into_iter();
    vouch(trusts, &chain[0], &chain[1..], (at, Traces::Left))
}

#[test]
fn who_is_on_the_list_is_out_and_nobody_else() {
    let root = ca("root", None);
    let (bad, good) = (leaf(&[5, 6, 7], &root), leaf(&[5, 6, 8], &root));
    let der = list(&root).revoking(&[&[1], &[5, 6, 7], &[0xff; 20]]).signed_by(&root);
    let domain = domain(&authorities(&[&root], &[]), &[der], RevocationSettings::default());
    for _ in 0..2 {
        assert_eq!(verdict(&domain, &[&bad], now()), Err(ChainError::Revoked));
        assert!(verdict(&domain, &[&good], now()).is_ok());
    }
    let facts = domain.revocation().facts();
    assert_eq!((facts.len(), facts[0].entries, facts[0].issuer.as_str()), (1, 3, "CN=root"));
}

#[test]
fn lists_that_say_something_else_are_refused_each_with_its_reason() {
    let (root, other) = (ca("root", None), ca("other", None));
    let silent = ca_with("silent", vec![KeyUsagePurpose::KeyCertSign], None);
    let any_usage = ca_with("any usage", vec![], None);
    let authorities = authorities(&[&root, &silent, &any_usage], &[]);
    let plain = || list(&root).revoking(&[&[1]]);
    let refused = |list: List| read(&list.signed_by(&root), &authorities).unwrap_err();
    assert!(read(&plain().signed_by(&root), &authorities).is_ok());
    assert!(read(&list(&any_usage).signed_by(&any_usage), &authorities).is_ok(), "no key usage forbids nothing");
    let of_another = read(&list(&other).signed_by(&other), &authorities).unwrap_err();
    assert_eq!(of_another, CrlError::AnotherIssuer("CN=other".to_owned()));
    let forged = read(&plain().signed_by(&other), &authorities).unwrap_err();
    assert_eq!(forged, CrlError::WrongSignature("CN=root".to_owned()));
    let may_not = read(&list(&silent).signed_by(&silent), &authorities).unwrap_err();
    assert_eq!(may_not, CrlError::MayNotSign("CN=silent".to_owned()));
    assert_eq!(refused(plain().with(extension(&[0x55, 0x1d, 27], true, &number(&[1])))), CrlError::Delta);
    assert_eq!(refused(plain().with(extension(&[0x55, 0x1d, 27], false, &number(&[1])))), CrlError::Delta);
    assert_eq!(refused(plain().scoped(&[0x84, 1, 0xff])), CrlError::Indirect);
    assert_eq!(refused(plain().scoped(&[0x85, 1, 0xff])), CrlError::Partial("attribute certificates"));
    assert_eq!(refused(plain().scoped(&[0x83, 2, 0, 0x60])), CrlError::Partial("some reasons"));
    assert_eq!(refused(plain().scoped(&[0xa0, 2, 0xa0, 0])), CrlError::Partial("one distribution point"));
    assert_eq!(refused(plain().scoped(&[0x81, 1, 0xff, 0x82, 1, 0xff])), CrlError::NotACrl);
    let unknown = |critical| extension(&[0x2a, 3, 0x84, 0], critical, &[5, 0]);
    assert_eq!(refused(plain().with(unknown(true))), CrlError::UnknownCriticalExtension("1.2.3.512".to_owned()));
    assert!(read(&plain().with(unknown(false)).signed_by(&root), &authorities).is_ok());
    let with_entry = |extension: Vec<u8>| List { entries: entry(&[9], &[extension]), ..plain() };
    assert_eq!(refused(with_entry(unknown(true))), CrlError::UnknownCriticalExtension("1.2.3.512".to_owned()));
    assert_eq!(refused(with_entry(extension(&[0x55, 0x1d, 29], true, &[0x30, 0]))), CrlError::Indirect);
    let reason = extension(&[0x55, 0x1d, 21], false, &[10, 1, 6]);
    assert!(read(&with_entry(reason).signed_by(&root), &authorities).unwrap().serials.contains(&[9]), "a hold, too");
    assert!(matches!(refused(plain().at(now() + 3600, now() + DAY)), CrlError::Future(_)));
    assert!(read(&plain().at(now() + 60, now() + DAY).signed_by(&root), &authorities).is_ok(), "clocks differ");
    assert_eq!(refused(plain().revoking(&[&[1; 33]])), CrlError::SerialTooLong);
    assert_eq!(refused(List { version: number(&[2]), ..plain() }), CrlError::NotACrl);
    assert_eq!(refused(List { version: Vec::new(), ..plain().numbered(&[1]) }), CrlError::NotACrl);
    assert!(read(&List { version: Vec::new(), ..plain() }.signed_by(&root), &authorities).is_ok(), "version 1");
    assert_eq!(refused(plain().numbered(&[1]).numbered(&[2])), CrlError::NotACrl);
    let mut longer = plain().signed_by(&root);
    longer.push(0);
    assert_eq!(read(&longer, &authorities).unwrap_err(), CrlError::NotACrl);
}

#[test]
fn of_several_lists_the_newest_counts() {
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
        lists(plain().at(now() - 2 * DAY, now() + DAY), plain().numbered(&[1])),
        lists(plain().numbered(&[9]).at(now() - 2 * DAY, now() + DAY), plain()),
        // The old one's age does not matter.
        lists(plain().numbered(&[1]).at(now() - 9 * DAY, now() - 8 * DAY), plain().numbered(&[2])),
    ]
    .concat()
    {
        let domain = domain(&authorities, &both, RevocationSettings::default());
        assert_eq!(verdict(&domain, &[&bad], now()), Err(ChainError::Revoked));
        assert_eq!(domain.revocation().facts().len(), 1);
    }
}

#[test]
fn a_list_for_leaves_or_for_authorities_speaks_for_those_alone() {
    let root = ca("root", None);
    let middle = ca("middle", Some(&root));
    let authorities = authorities(&[&root], &[&middle]);
    let middle_serial = X509Certificate::from_der(&middle.der).unwrap().1.raw_serial().to_vec();
    let (direct, below) = (leaf(&[7], &root), leaf(&[8], &middle));
    let of_middle = list(&middle).signed_by(&middle);
    let for_leaves = |list: List| list.scoped(&[0x81, 1, 0xff]).signed_by(&root);
    let for_authorities = |list: List| list.scoped(&[0x82, 1, 0xff]).signed_by(&root);
    let judge = |lists: &[Vec<u8>]| {
        let domain =
            domain(&authorities, &[std::slice::from_ref(&of_middle), lists].concat(), RevocationSettings::default());
        [&direct, &below].map(|leaf| verdict(&domain, &[leaf], now()).map(|_| ()))
    };
    let unknown = Err(ChainError::RevocationUnknown);
    assert_eq!(judge(&[for_leaves(list(&root))]), [Ok(()), unknown.clone()]);
    assert_eq!(judge(&[for_authorities(list(&root))]), [unknown, Ok(())]);
    assert_eq!(judge(&[for_leaves(list(&root)), for_authorities(list(&root))]), [Ok(()), Ok(())]);
    let both = [for_leaves(list(&root).revoking(&[&[7]])), for_authorities(list(&root).revoking(&[&middle_serial]))];
    assert_eq!(judge(&both), [Err(ChainError::Revoked), Err(ChainError::Revoked)]);
    // What stands on the list of the other kind means nothing for this one.
    let crossed = [for_leaves(list(&root).revoking(&[&middle_serial])), for_authorities(list(&root).revoking(&[&[7]]))];
    assert_eq!(judge(&crossed), [Ok(()), Ok(())]);
}

#[test]
fn an_issuer_without_a_list_is_refused_or_allowed_and_checked_as_far_up_as_asked() {
    let root = ca("root", None);
    let middle = ca("middle", Some(&root));
    let authorities = authorities(&[&root], &[]);
    let (direct, below) = (leaf(&[7], &root), leaf(&[8], &middle));
    let middle_serial = X509Certificate::from_der(&middle.der).unwrap().1.raw_serial().to_vec();
    let judge = |list: &List, unknown, check| {
        let settings = RevocationSettings { unknown, check, ..RevocationSettings::default() };
        let domain = domain(&authorities, &[list.signed_by(&root)], settings);
        [verdict(&domain, &[&direct], now()), verdict(&domain, &[&below, &middle.der], now())]
            .map(|one| one.map(|_| ()))
    };
    let (refuse, allow) = (UnknownRevocation::Refuse, UnknownRevocation::Allow);
    let (whole, only_leaf) = (RevocationCheck::Chain, RevocationCheck::Leaf);
    let unknown = Err(ChainError::RevocationUnknown);
    let (empty, revoking) = (list(&root), list(&root).revoking(&[&middle_serial]));
    assert_eq!(judge(&empty, refuse, whole), [Ok(()), unknown.clone()], "a CA that only the client knows has no list");
    assert_eq!(judge(&empty, allow, whole), [Ok(()), Ok(())]);
    assert_eq!(judge(&empty, refuse, only_leaf), [Ok(()), unknown.clone()]);
    assert_eq!(judge(&revoking, refuse, whole), [Ok(()), Err(ChainError::Revoked)]);
    assert_eq!(judge(&revoking, allow, whole), [Ok(()), Err(ChainError::Revoked)]);
    assert_eq!(judge(&revoking, allow, only_leaf), [Ok(()), Ok(())]);
}

#[test]
fn a_list_past_its_time_counts_as_the_settings_say_at_every_moment() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let (bad, good) = (leaf(&[7], &root), leaf(&[8], &root));
    let due = now() + 100;
    let der = list(&root).at(now() - DAY, due).revoking(&[&[7]]).signed_by(&root);
    let with = |stale| {
        domain(&authorities, std::slice::from_ref(&der), RevocationSettings { stale, ..RevocationSettings::default() })
    };
    let stale = Err(ChainError::CrlStale);
    let judge = |domain: &TrustDomain, at| verdict(domain, &[&good], at).map(|vouched| vouched.until);
    let refuse = with(StaleCrls::Refuse);
    let allow = with(StaleCrls::AllowFor(Duration::from_secs(50)));
    let ignore = with(StaleCrls::Ignore);
    for _ in 0..2 {
        assert_eq!(judge(&refuse, due), Ok(due));
        assert_eq!(judge(&refuse, due + 1), stale, "also if it is remembered");
        assert_eq!(judge(&allow, due + 50), Ok(due + 50));
        assert_eq!(judge(&allow, due + 51), stale);
        assert!(judge(&ignore, due + 999).is_ok());
        for domain in [&refuse, &allow, &ignore] {
            assert_eq!(verdict(domain, &[&bad], due + 999), Err(ChainError::Revoked), "who is revoked hears that");
        }
    }
}

#[test]
fn a_list_that_does_not_count_any_more_denies_the_clients_of_its_ca_and_nobody_else() {
    let (root, other) = (ca("root", None), ca("other", None));
    let authorities = authorities(&[&root, &other], &[]);
    let fresh = list(&other).signed_by(&other);
    let (ours, theirs) = (leaf(&[8], &root), leaf(&[8], &other));
    let hours = |hours: u64| StaleCrls::AllowFor(Duration::from_secs(hours * 3600));
    let late = list(&root).at(now() - DAY, now() - 7200).signed_by(&root);
    let never = List { next_update: None, ..list(&root) }.signed_by(&root);
    for (der, stale, is_taken) in [
        (&late, StaleCrls::Refuse, false),
        (&late, hours(1), false),
        (&late, hours(3), true),
        (&late, StaleCrls::Ignore, true),
        (&never, StaleCrls::Refuse, false),
        (&never, hours(1), false),
        (&never, StaleCrls::Ignore, true),
    ] {
        let settings = RevocationSettings { stale, ..RevocationSettings::default() };
        let domain = domain(&authorities, &[der.clone(), fresh.clone()], settings);
        let expected = if is_taken { Ok(()) } else { Err(ChainError::CrlStale) };
        assert_eq!(verdict(&domain, &[&ours], now()).map(|_| ()), expected, "{stale:?}");
        assert!(verdict(&domain, &[&theirs], now()).is_ok(), "{stale:?}");
    }
}

#[test]
fn the_deny_list_takes_out_certificates_by_each_of_their_marks() {
    let root = ca("root", None);
    let middle = ca("middle", Some(&root));
    let authorities = authorities(&[&root], &[]);
    let (direct, below) = (leaf(&[7, 7], &root), leaf(&[8, 8], &middle));
    let print = |der: &CertificateDer<'_>| {
        crate::tls::peer_certificate::hexadecimal(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der).as_ref())
    };
    let judge = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("denied");
        std::fs::write(&path, text).unwrap();
        let denied = DenyList::load(&path).unwrap();
        let domain = domain_of(&authorities, Revocation::new(Vec::new(), denied, RevocationSettings::default()));
        [verdict(&domain, &[&direct], now()), verdict(&domain, &[&below, &middle.der], now())].map(|one| one.is_ok())
    };
    assert_eq!(judge(""), [true, true]);
    assert_eq!(judge("serial 0707"), [false, true]);
    assert_eq!(judge(&format!("fingerprint {}", print(&below))), [true, false]);
    assert_eq!(judge(&format!("fingerprint {}", print(&middle.der))), [true, false], "and what stands above");
    assert_eq!(judge("cn alice"), [false, false]);
    assert_eq!(judge("cn middle"), [true, true], "names of CAs do not count");
    assert_eq!(judge("cn ALICE\nserial 07\nuser alice"), [true, true]);
}

#[test]
fn files_in_pem_and_der_are_read_and_carried_over_while_they_stay_the_same() {
    let (root, other) = (ca("root", None), ca("other", None));
    let both = authorities(&[&root, &other], &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lists");
    let pem = |der: &[u8]| {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n")
    };
    let of_root = list(&root).revoking(&[&[1], &[2]]).signed_by(&root);
    let of_other = list(&other).revoking(&[&[3]]).signed_by(&other);
    std::fs::write(&path, pem(&of_root) + &pem(&of_other)).unwrap();
    let first = CrlFile::load(&path, &both, &[]).unwrap();
    let entries = |file: &CrlFile| file.content.crls.iter().map(|crl| crl.serials.len()).collect::<Vec<_>>();
    assert_eq!(entries(&first), [2, 1]);
    let again = CrlFile::load(&path, &both, std::slice::from_ref(&first)).unwrap();
    assert!(Arc::ptr_eq(&first.content, &again.content), "the same file is not read twice");
    let alone = CrlFile::load(&path, &authorities(&[&root], &[]), std::slice::from_ref(&first)).unwrap_err();
    assert!(matches!(alone, CrlFileError::Unusable { reason: CrlError::AnotherIssuer(_), .. }), "{alone}");
    std::fs::write(&path, &of_root).unwrap();
    let other_file = CrlFile::load(&path, &both, std::slice::from_ref(&first)).unwrap();
    assert_eq!(entries(&other_file), [2]);
    for label in ["CRL", "CERTIFICATE"] {
        let beside = pem(&of_root) + &pem(&of_other).replace("X509 CRL", label);
        std::fs::write(&path, beside).unwrap();
        let error = CrlFile::load(&path, &both, &[]).unwrap_err();
        assert!(matches!(error, CrlFileError::Unusable { reason: CrlError::NotAlone, .. }), "{label}: {error}");
    }
    for nothing in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, nothing).unwrap();
        assert!(matches!(CrlFile::load(&path, &both, &[]).unwrap_err(), CrlFileError::NoCrl(_)), "{nothing}");
    }
}

#[test]
fn hostile_octets_are_refused_and_no_more() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let reason = extension(&[0x55, 0x1d, 21], false, &[10, 1, 6]);
    let mut sample = list(&root).revoking(&[&[1], &[2; 20]]).numbered(&[5]).scoped(&[0x81, 1, 0xff]);
    sample.entries.extend(entry(&[9], &[reason]));
    let der = sample.signed_by(&root);
    // Behind the signature, too: what a CA has signed may be hostile all the same.
    let walk = |octets: &[u8]| {
        let _ = read(octets, &authorities);
        let _ = serials(crate::tls::der::Reader::new(octets));
        let _ = extensions::of_list(octets);
        if let Ok(signed) = Signed::read(octets)
            && let Ok(head) = Head::read(&signed)
            && let Some(entries) = head.entries
        {
            let _ = serials(entries.reader());
        }
    };
    proptest!(|(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<prop::sample::Index>())| {
        let mut octets = der.clone();
        for (at, value) in &changes {
            let at = at.index(octets.len());
            octets[at] = *value;
        }
        walk(&octets);
        prop_assert!(octets == der || read(&octets, &authorities).is_err(), "no change passes");
        walk(&octets[..cut.index(octets.len())]);
    });
    proptest!(|(octets in proptest::collection::vec(any::<u8>(), 0..200))| walk(&octets));
}

/// `cargo test --release --lib a_million -- --nocapture` prints the figures of `bench/RESULTS.md`.
#[test]
fn a_million_entries_take_little_more_than_their_own_octets() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let mut entries = Vec::new();
    let mut state = 1_u64;
    let mut serial = [0; 16];
    const COUNT: u32 = 1_000_000;
    for _ in 0..COUNT {
        for half in serial.chunks_exact_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            half.copy_from_slice(&state.to_be_bytes());
        }
        serial[0] = serial[0] & 0x7f | 0x40;
        entries.extend_from_slice(&[0x30, 33, 2, 16]);
        entries.extend_from_slice(&serial);
        entries.extend_from_slice(b"\x17\x0d250101000000Z");
    }
    let der = List { entries, ..list(&root) }.signed_by(&root);
    let begun = std::time::Instant::now();
    let crl = read(&der, &authorities).unwrap();
    let (took, octets) = (begun.elapsed(), crl.serials.octets());
    assert_eq!(crl.serials.len(), COUNT as usize);
    assert!(crl.serials.contains(&serial) && !crl.serials.contains(&[1; 16]));
    assert!(octets <= 24 * COUNT as usize, "{octets} octets");
    #[expect(clippy::print_stderr, reason = "figures for people")]
    {
        eprintln!(
            "{COUNT} entries, {} octets of DER: {took:?}, {:.1} octets each",
            der.len(),
            octets as f64 / f64::from(COUNT)
        );
    }
}
