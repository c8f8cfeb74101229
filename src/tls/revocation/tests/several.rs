//! Several lists of one CA, and several certificates of one CA.

use super::*;

#[test]
fn lists_that_contradict_each_other_about_which_is_newer_count_both() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let (one, other, good) = (leaf(&[7], &root), leaf(&[8], &root), leaf(&[9], &root));
    let earlier = || {
        list(&root)
            .at(now() - 2 * DAY, now() + DAY)
            .revoking(&[&[7]])
    };
    let later = || list(&root).revoking(&[&[8]]);
    for (first, second) in [
        (earlier().numbered(&[9]), later().numbered(&[1])),
        // Issued in the same second, and not numbered.
        (
            list(&root).revoking(&[&[7]]),
            list(&root)
                .at(now() - DAY, now() + 2 * DAY)
                .revoking(&[&[8]]),
        ),
    ] {
        let second = List {
            this_update: second.this_update.max(first.this_update),
            ..second
        };
        let both = [first.signed_by(&root), second.signed_by(&root)];
        for both in [both.clone(), [both[1].clone(), both[0].clone()]] {
            let domain = domain(&authorities, &both, RevocationSettings::default());
            let verdict = |leaf| verdict(&domain, &[leaf], now());
            assert_eq!(
                (verdict(&one), verdict(&other)),
                (Err(ChainError::Revoked), Err(ChainError::Revoked))
            );
            assert_eq!(
                verdict(&good).map(|verified| verified.until <= now() + DAY),
                Ok(true),
                "both must last"
            );
            assert_eq!(domain.revocation().facts().len(), 2);
        }
    }
    let same = list(&root).revoking(&[&[7]]).signed_by(&root);
    let twice = domain(
        &authorities,
        &[same.clone(), same],
        RevocationSettings::default(),
    );
    assert_eq!(
        twice.revocation().facts().len(),
        1,
        "the same list twice is one"
    );
}

#[test]
fn of_several_certificates_of_a_ca_one_that_may_sign_lists_is_enough() {
    let (may, may_not) = (
        ca("root", None),
        ca_with("root", vec![KeyUsagePurpose::KeyCertSign], None),
    );
    // The same CA before it was allowed to: name and key are the same.
    let mut params = rcgen::CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "root");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let before = params.self_signed(&may.key).unwrap().der().clone();
    let der = list(&may).signed_by(&may);
    for order in [[&may.der, &before], [&before, &may.der]] {
        let anchors: Vec<_> = order.into_iter().cloned().collect();
        assert!(read(&der, &Authorities::new(&anchors, &[]).unwrap()).is_ok());
    }
    let alone = Authorities::new(&[before, may_not.der], &[]).unwrap();
    assert_eq!(
        read(&der, &alone).unwrap_err(),
        CrlError::MayNotSign("CN=root".to_owned())
    );
}

#[test]
fn a_common_name_on_the_deny_list_is_out_in_every_string_type() {
    use rcgen::string::{BmpString, TeletexString, UniversalString};
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denied");
    std::fs::write(&path, "cn mallory").unwrap();
    let denied = || DenyList::load(&path).unwrap();
    let domain = domain_of(
        &authorities,
        Revocation::new(Vec::new(), denied(), Default::default()),
    );
    let values = |text: &str| {
        [
            DnValue::Utf8String(text.to_owned()),
            DnValue::BmpString(BmpString::try_from(text).unwrap()),
            DnValue::UniversalString(UniversalString::try_from(text).unwrap()),
            DnValue::TeletexString(TeletexString::try_from(text).unwrap()),
        ]
    };
    for (text, is_out) in [("mallory", true), ("alice", false)] {
        for value in values(text) {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params
                .distinguished_name
                .push(DnType::CommonName, value.clone());
            let leaf = params
                .signed_by(&KeyPair::generate().unwrap(), &root.issuer)
                .unwrap()
                .der()
                .clone();
            let denied = verdict(&domain, &[&leaf], now()) == Err(ChainError::Denied);
            assert_eq!(denied, is_out, "{value:?}");
        }
    }
}
