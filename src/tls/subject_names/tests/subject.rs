//! What the subject of an odd certificate says: organizations, and common names that are no identity.

use super::*;
use rcgen::string::{BmpString, TeletexString, UniversalString};
use rcgen::{DistinguishedName, DnType, DnValue};

fn with_subject(parts: &[(DnType, DnValue)]) -> PeerCertificate {
    let mut subject = DistinguishedName::new();
    for (kind, value) in parts {
        subject.push(kind.clone(), value.clone());
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    signed(params)
}

#[test]
fn organizations_are_text_that_is_read_in_one_way() {
    let (o, ou) = (DnType::OrganizationName, DnType::OrganizationalUnitName);
    let peer = with_subject(&[
        (o.clone(), "Example, Inc.".into()),
        (ou.clone(), "Operations".into()),
        (
            DnType::CustomDnType(vec![2, 5, 4, 11]),
            "Z\u{fc}rich".into(),
        ),
    ]);
    assert_eq!(texts(&peer.organizations), ["Example, Inc."]);
    assert_eq!(
        texts(&peer.organizational_units),
        ["Operations", "Z\u{fc}rich"]
    );
    let odd: [DnValue; 5] = [
        "".into(),
        "a\nb".into(),
        "a".repeat(256).into(),
        DnValue::TeletexString(TeletexString::try_from("a").unwrap()),
        DnValue::BmpString(BmpString::try_from("a").unwrap()),
    ];
    for odd in odd {
        let peer = with_subject(&[(o.clone(), "a".into()), (ou.clone(), odd)]);
        assert_eq!(texts(&peer.organizations), ["a"]);
        assert!(peer.organizational_units.is_empty());
        assert_eq!(
            peer.unusable_names.first().unwrap().0,
            NameKind::OrganizationalUnit
        );
    }
}

#[test]
fn common_names_that_are_no_identity_are_still_known() {
    let cn = DnType::CommonName;
    let peer = with_subject(&[(
        cn.clone(),
        DnValue::BmpString(BmpString::try_from("node-1").unwrap()),
    )]);
    assert!(texts(&peer.other_names).contains(&"node-1"));
    let peer = with_subject(&[(
        cn.clone(),
        DnValue::TeletexString(TeletexString::try_from("node-1").unwrap()),
    )]);
    assert_eq!(texts(&peer.other_names), ["node-1"]);
    let several = [
        (cn.clone(), "alice".into()),
        (DnType::CustomDnType(vec![2, 5, 4, 3]), "node-1".into()),
    ];
    assert_eq!(
        texts(&with_subject(&several).other_names),
        ["alice", "node-1"]
    );
    let universal = DnValue::UniversalString(UniversalString::try_from("node-1").unwrap());
    assert!(texts(&with_subject(&[(cn.clone(), universal)]).other_names).contains(&"node-1"));
    assert!(with_subject(&[(cn, "alice".into())]).other_names.is_empty());
}
