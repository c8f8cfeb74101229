//! Files with lists: which are read, and which are carried over from load to load.

use super::*;
use base64::Engine;

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n")
}

#[test]
fn files_in_pem_and_der_are_read_and_carried_over_while_they_stay_the_same() {
    let (root, other) = (ca("root", None), ca("other", None));
    let both = authorities(&[&root, &other], &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lists");
    let of_root = list(&root).revoking(&[&[1], &[2]]).signed_by(&root);
    let of_other = list(&other).revoking(&[&[3]]).signed_by(&other);
    std::fs::write(&path, pem(&of_root) + &pem(&of_other)).unwrap();
    let first = CrlFile::load(&path, &both, &[]).unwrap();
    let entries = |file: &CrlFile| {
        file.content
            .crls
            .iter()
            .map(|crl| crl.serials.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(entries(&first), [2, 1]);
    let again = CrlFile::load(&path, &both, std::slice::from_ref(&first)).unwrap();
    assert!(
        Arc::ptr_eq(&first.content, &again.content),
        "the same file is not read twice"
    );
    let alone = CrlFile::load(
        &path,
        &authorities(&[&root], &[]),
        std::slice::from_ref(&first),
    )
    .unwrap_err();
    assert!(
        matches!(
            alone,
            CrlFileError::Unusable {
                reason: CrlError::AnotherIssuer(_),
                ..
            }
        ),
        "{alone}"
    );
    std::fs::write(&path, &of_root).unwrap();
    let other_file = CrlFile::load(&path, &both, std::slice::from_ref(&first)).unwrap();
    assert_eq!(entries(&other_file), [2]);
}

#[test]
fn a_file_of_lists_holds_nothing_else() {
    let (root, other) = (ca("root", None), ca("other", None));
    let both = authorities(&[&root, &other], &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lists");
    let of_root = list(&root).signed_by(&root);
    let of_other = list(&other).signed_by(&other);
    for label in ["CRL", "CERTIFICATE"] {
        let beside = pem(&of_root) + &pem(&of_other).replace("X509 CRL", label);
        std::fs::write(&path, beside).unwrap();
        let error = CrlFile::load(&path, &both, &[]).unwrap_err();
        assert!(
            matches!(
                error,
                CrlFileError::Unusable {
                    reason: CrlError::NotAlone,
                    ..
                }
            ),
            "{label}: {error}"
        );
    }
    for nothing in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&path, nothing).unwrap();
        assert!(
            matches!(
                CrlFile::load(&path, &both, &[]).unwrap_err(),
                CrlFileError::NoCrl(_)
            ),
            "{nothing}"
        );
    }
}
