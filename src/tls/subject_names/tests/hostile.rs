//! Certificates and names of anybody's making: they crash nothing and give only names in form.

use super::*;
use proptest::prelude::*;
use rcgen::DnType;
use rustls::pki_types::CertificateDer;

/// A certificate with names of every kind, to be broken.
fn honest() -> &'static [u8] {
    static HONEST: OnceLock<Vec<u8>> = OnceLock::new();
    HONEST.get_or_init(|| {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "example");
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, "operations");
        let san = san_bytes(&[
            (DNS, b"a.b"),
            (EMAIL, b"a@b"),
            (URI, b"spiffe://d/p"),
            (0x87, b"\x7f\0\0\x01"),
        ]);
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&[2, 5, 29, 17], san));
        params.self_signed(key()).unwrap().der().to_vec()
    })
}

fn all_are_in_form(peer: &PeerCertificate) -> Result<(), TestCaseError> {
    for (names, form) in [
        (
            &peer.dns_names,
            dns_name as fn(&str) -> Result<Box<str>, NameError>,
        ),
        (&peer.uris, uri),
        (&peer.emails, email),
        (&peer.organizations, organization),
        (&peer.organizational_units, organization),
    ] {
        for name in names {
            prop_assert_eq!(form(name), Ok(name.clone()));
            prop_assert!(!name.chars().any(char::is_control));
        }
    }
    let spiffe = peer
        .uris
        .iter()
        .filter(|uri| uri.starts_with("spiffe:"))
        .count();
    prop_assert!(spiffe == 0 || peer.uris.len() == 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hostile_certificates_crash_nothing_and_give_only_names_in_form(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut der = honest().to_vec();
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        if let Ok(peer) = PeerCertificate::read(TrustDomainId(0), &CertificateDer::from(der)) {
            all_are_in_form(&peer)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn hostile_names_crash_nothing_and_give_only_names_in_form(
        names in proptest::collection::vec(
            (prop_oneof![Just(DNS), Just(URI), Just(EMAIL), 0x80..0x90_u8, any::<u8>()],
             prop_oneof![
                 proptest::collection::vec(any::<u8>(), 0..40),
                 "(spiffe|urn|a):(//)?[a-zA-Z0-9./@*%-]{0,20}".prop_map(String::into_bytes),
                 "[a-zA-Z0-9.@*_-]{0,20}".prop_map(String::into_bytes),
             ]),
            0..6,
        ),
    ) {
        let names: Vec<_> = names.iter().map(|(tag, bytes)| (*tag, bytes.as_slice())).collect();
        all_are_in_form(&named(&names))?;
    }
}
