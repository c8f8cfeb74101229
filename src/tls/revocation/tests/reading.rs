//! Bytes of a list: what is taken, what is refused and why.

use super::super::crl::{CrlHead, serials};
use super::*;
use crate::tls::signed::SignedDer;

/// Reads a list of the only anchor.
fn read_of(root: &Ca, list: List) -> Result<Crl, CrlError> {
    read(&list.signed_by(root), &authorities(&[root], &[]))
}

#[test]
fn lists_signed_by_others_are_rejected_each_with_its_reason() {
    let (root, other) = (ca("root", None), ca("other", None));
    let silent = ca_with("silent", vec![KeyUsagePurpose::KeyCertSign], None);
    let any_usage = ca_with("any usage", vec![], None);
    let authorities = authorities(&[&root, &silent, &any_usage], &[]);
    let plain = || list(&root).revoking(&[&[1]]);
    assert!(read(&plain().signed_by(&root), &authorities).is_ok());
    assert!(
        read(&list(&any_usage).signed_by(&any_usage), &authorities).is_ok(),
        "no key usage forbids nothing"
    );
    let of_another = read(&list(&other).signed_by(&other), &authorities).unwrap_err();
    assert_eq!(of_another, CrlError::AnotherIssuer("CN=other".to_owned()));
    let forged = read(&plain().signed_by(&other), &authorities).unwrap_err();
    assert_eq!(forged, CrlError::WrongSignature("CN=root".to_owned()));
    let may_not = read(&list(&silent).signed_by(&silent), &authorities).unwrap_err();
    assert_eq!(may_not, CrlError::MayNotSign("CN=silent".to_owned()));
}

#[test]
fn lists_that_say_something_else_are_rejected_each_with_its_reason() {
    let root = ca("root", None);
    let plain = || list(&root).revoking(&[&[1]]);
    let refused = |list: List| read_of(&root, list).unwrap_err();
    assert_eq!(
        refused(plain().with(extension(&[0x55, 0x1d, 27], true, &number(&[1])))),
        CrlError::Delta
    );
    assert_eq!(
        refused(plain().with(extension(&[0x55, 0x1d, 27], false, &number(&[1])))),
        CrlError::Delta
    );
    assert_eq!(
        refused(plain().scoped(&[0x84, 1, 0xff])),
        CrlError::Indirect
    );
    assert_eq!(
        refused(plain().scoped(&[0x85, 1, 0xff])),
        CrlError::Partial("attribute certificates")
    );
    assert_eq!(
        refused(plain().scoped(&[0x83, 2, 0, 0x60])),
        CrlError::Partial("some reasons")
    );
    assert_eq!(
        refused(plain().scoped(&[0xa0, 2, 0xa0, 0])),
        CrlError::Partial("one distribution point")
    );
    assert_eq!(
        refused(plain().scoped(&[0x81, 1, 0xff, 0x82, 1, 0xff])),
        CrlError::NotACrl
    );
}

#[test]
fn lists_with_unknown_critical_extensions_are_rejected() {
    let root = ca("root", None);
    let plain = || list(&root).revoking(&[&[1]]);
    let refused = |list: List| read_of(&root, list).unwrap_err();
    let unknown = |critical| extension(&[0x2a, 3, 0x84, 0], critical, &[5, 0]);
    assert_eq!(
        refused(plain().with(unknown(true))),
        CrlError::UnknownCriticalExtension("1.2.3.512".to_owned())
    );
    assert!(read_of(&root, plain().with(unknown(false))).is_ok());
    let with_entry = |extension: Vec<u8>| List {
        entries: entry(&[9], &[extension]),
        ..plain()
    };
    assert_eq!(
        refused(with_entry(unknown(true))),
        CrlError::UnknownCriticalExtension("1.2.3.512".to_owned())
    );
    assert_eq!(
        refused(with_entry(extension(&[0x55, 0x1d, 29], true, &[0x30, 0]))),
        CrlError::Indirect
    );
    let reason = extension(&[0x55, 0x1d, 21], false, &[10, 1, 6]);
    assert!(
        read_of(&root, with_entry(reason))
            .unwrap()
            .serials
            .contains(&[9]),
        "a hold, too"
    );
}

#[test]
fn lists_of_another_time_or_form_are_rejected() {
    let root = ca("root", None);
    let plain = || list(&root).revoking(&[&[1]]);
    let refused = |list: List| read_of(&root, list).unwrap_err();
    assert!(matches!(
        refused(plain().at(now() + 3600, now() + DAY)),
        CrlError::Future(_)
    ));
    assert!(
        read_of(&root, plain().at(now() + 60, now() + DAY)).is_ok(),
        "clocks differ"
    );
    assert_eq!(
        refused(plain().revoking(&[&[1; 33]])),
        CrlError::SerialTooLong
    );
    assert_eq!(
        refused(List {
            version: number(&[2]),
            ..plain()
        }),
        CrlError::NotACrl
    );
    assert_eq!(
        refused(List {
            version: Vec::new(),
            ..plain().numbered(&[1])
        }),
        CrlError::NotACrl
    );
    assert!(
        read_of(
            &root,
            List {
                version: Vec::new(),
                ..plain()
            }
        )
        .is_ok(),
        "version 1"
    );
    assert_eq!(
        refused(plain().numbered(&[1]).numbered(&[2])),
        CrlError::NotACrl
    );
    let mut longer = plain().signed_by(&root);
    longer.push(0);
    let authorities = authorities(&[&root], &[]);
    assert_eq!(read(&longer, &authorities).unwrap_err(), CrlError::NotACrl);
}

#[test]
fn hostile_bytes_are_rejected_and_no_more() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let reason = extension(&[0x55, 0x1d, 21], false, &[10, 1, 6]);
    let mut sample = list(&root)
        .revoking(&[&[1], &[2; 20]])
        .numbered(&[5])
        .scoped(&[0x81, 1, 0xff]);
    sample.entries.extend(entry(&[9], &[reason]));
    let der = sample.signed_by(&root);
    // Behind the signature, too: what a CA has signed may be hostile all the same.
    let walk = |bytes: &[u8]| {
        let _ = read(bytes, &authorities);
        let _ = serials(crate::tls::der::DerReader::new(bytes));
        let _ = extensions::of_list(bytes);
        if let Ok(signed) = SignedDer::read(bytes)
            && let Ok(head) = CrlHead::read(&signed)
            && let Some(entries) = head.entries
        {
            let _ = serials(entries.reader());
        }
    };
    proptest!(|(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<prop::sample::Index>())| {
        let mut bytes = der.clone();
        for (at, value) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        walk(&bytes);
        prop_assert!(bytes == der || read(&bytes, &authorities).is_err(), "no change passes");
        walk(&bytes[..cut.index(bytes.len())]);
    });
    proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200))| walk(&bytes));
}

/// `cargo test --release --lib a_million -- --nocapture` prints the figures of `bench/RESULTS.md`.
#[test]
fn a_million_entries_take_little_more_than_their_own_bytes() {
    let root = ca("root", None);
    let authorities = authorities(&[&root], &[]);
    let mut entries = Vec::new();
    let mut state = 1_u64;
    let mut serial = [0; 16];
    const COUNT: u32 = 1_000_000;
    for _ in 0..COUNT {
        for half in serial.chunks_exact_mut(8) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            half.copy_from_slice(&state.to_be_bytes());
        }
        serial[0] = serial[0] & 0x7f | 0x40;
        entries.extend_from_slice(&[0x30, 33, 2, 16]);
        entries.extend_from_slice(&serial);
        entries.extend_from_slice(b"\x17\x0d250101000000Z");
    }
    let der = List {
        entries,
        ..list(&root)
    }
    .signed_by(&root);
    let begun = std::time::Instant::now();
    let crl = read(&der, &authorities).unwrap();
    let (took, bytes) = (begun.elapsed(), crl.serials.heap_bytes());
    assert_eq!(crl.serials.len(), COUNT as usize);
    assert!(crl.serials.contains(&serial) && !crl.serials.contains(&[1; 16]));
    assert!(bytes <= 24 * COUNT as usize, "{bytes} bytes");
    #[expect(clippy::print_stderr, reason = "figures for people")]
    {
        eprintln!(
            "{COUNT} entries, {} bytes of DER: {took:?}, {:.1} bytes each",
            der.len(),
            bytes as f64 / f64::from(COUNT)
        );
    }
}
