//! PKCS#12 and an encrypted key by openssl 3, and changed bytes of both.

use super::*;
use crate::tls::der::DerReader;
use crate::tls::sha256_text;
use base64::Engine;
use proptest::prelude::*;

/// `openssl pkcs12 -export -iter 2 -passout pass:secret` of an ECDSA key with a self-signed certificate.
const STORE: &str = "\
    MIID+QIBAzCCA7AGCSqGSIb3DQEHAaCCA6EEggOdMIIDmTCCAlEGCSqGSIb3DQEHBqCCAkIwggI+AgEAMIICNwYJKoZIhvcNAQcBMFYGCSqGSI\
    b3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAh4SahZXRBKYwIBAjAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQI7hVAbOsaAF9Kn2RzSktDoCC\
    AdDI5H2J5n6Txa2UOaJaxVGDwfKvHZTUDr/M61XKvcuD7UAk57rwy/xtXmWpqk5BHQUx4R7YXnxRGuB+a0r5OP2WanWe3rx6Xle42a1JnKa0lX\
    DWDpppXBYlMknsBlg1E/XW8QfeCx9vTi4HdLvAi2AYr6cAz7z9rPNv6KLkmLziBnIM72k9ni5ue/nOKOCDBJpqoglkrqfV8fw3hLIVEm0I+OFB\
    FbZ9TC2qcx7FQw5gpIhmdCnfjTMe7CMUaxkE75cttnESvXL4KA+YBqINbQSIw/9C18qZRskTOMHquKn1JtqSxLd9d6Le4rcfB6B5uNnzoQOXUd\
    jpviNOwhWekH9qOtrauieeDyDAz0egHh4REWvCmGF3H3KF7YCkQQkL9o6WBVT+e4VZnyDI78XzLj69MUUzQ8Q7eaJAa+gtG4XGKhWpCSLWFYg/\
    MU0UMnaPk+fDqCwHmr79N6xxZsQYirrwkfd3zlH39ba19XZwomXUBadzMgcAX2Xajr7XWZjkzf2YxooD4oSk+irNFWXzBeXfvkXuZ9+a4p+ln7\
    Q0d4z4v/UeNpe+RLPMd0Y1Tj9F4E6EakGvNrRopxEw/FOj0SZCuMNWk27/YzlfPxOqznMQUzCCAUAGCSqGSIb3DQEHAaCCATEEggEtMIIBKTCC\
    ASUGCyqGSIb3DQEMCgECoIHuMIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAg/enUFoCSRrwIBAjAMBggqhkiG9w0CCQUAMB0GCW\
    CGSAFlAwQBKgQQ3UPPGwE05MXXwdxDMfXyKwSBkNbUEmuNlSCQk9PTJylHqZRogxdbDTApUDl049qyK73uJbeeCIXq8bawJhyFnXBaxkWBwhGj\
    4Ly1RpvwJWtyCa8ktGjI3dgcjnRZhVysKUEGdjFlD22eOYhoM35HjVuA8onW4gFJUjRKhNOqtBG9VcxM13q8N/aHyvOw1sCvSpSItHuU2CltmQ\
    Rrgo5A2Ue/IDElMCMGCSqGSIb3DQEJFTEWBBRz9AhyglGmMWonE1wzT3ZBqTDbdzBAMDEwDQYJYIZIAWUDBAIBBQAEIOnG3ulC0uVfTWIRg+j7\
    F0GM8fRV2DvyvlcaRJjaabeLBAgxYG+HXF8TMAIBAg==\
    ";

/// `openssl pkcs8 -topk8 -iter 2 -passout pass:secret -outform DER` of the same key.
const ENCRYPTED_KEY: &str = "\
    MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAjkQzt/pJjgmAIBAjAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQVZF4dsgtIz\
    jY4jQZ8QR5ZwSBkOn/qIlabeJNLki8vBr6VlybrZOaFZGdcpR+7ms4ly48hS7KjEVNjUhYIhKy/29us+fYkFuosl48Vzu6y34kDfeusd3Zjt8p\
    Ao2tkfZz7dmjYGcQ7dwBrqGPYU9yemu+G2sQIDkWQ1XuXvwElIJ2Y9Z0GS7tWun680bMJAvxAaKYdfNyLQmR3C4gpAN0/IPYsw==\
    ";

/// SHA-256 of the key in PKCS#8, as openssl decrypts it.
const KEY_SHA256: &str = "fb52569f366d20418473bb58af7561668a75095f93d38f3a5e068be944d9946d";
/// SHA-256 of the certificate.
const CERTIFICATE_SHA256: &str = "71f72d9fbf201c59e67477981b3814d201c41430383a4bc4a82f0fb28d467544";

fn der(base64: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD
        .decode(base64)
        .unwrap()
}

fn decrypted(der: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    decrypt_private_key(der, passphrase.as_bytes(), &mut DerivationBudget::default())
}

#[test]
fn key_and_certificate_are_read_with_the_passphrase() {
    let store = Pkcs12::read(&der(STORE), "secret").unwrap();
    let key = store.private_key().unwrap();
    assert_eq!(sha256_text(key.secret_pkcs8_der()), KEY_SHA256);
    let chain = store.chain().unwrap();
    assert_eq!(chain.len(), 1);
    assert_eq!(sha256_text(&chain[0]), CERTIFICATE_SHA256);
    let key = decrypted(&der(ENCRYPTED_KEY), "secret").unwrap();
    assert_eq!(sha256_text(&key), KEY_SHA256);
}

#[test]
fn another_passphrase_is_wrong() {
    for passphrase in ["", "Secret", "secret ", "geheim"] {
        let wrong = DecryptionError::WrongPassphrase;
        assert_eq!(
            Pkcs12::read(&der(STORE), passphrase).err(),
            Some(wrong.into()),
            "{passphrase}"
        );
        assert_eq!(
            decrypted(&der(ENCRYPTED_KEY), passphrase).err(),
            Some(wrong)
        );
    }
}

#[test]
fn all_rounds_of_a_file_count() {
    let mut budget = DerivationBudget::default();
    let half = 2_500_000_u32.to_be_bytes();
    assert_eq!(budget.take(&half).map(u32::from), Ok(2_500_000));
    assert_eq!(budget.take(&half).map(u32::from), Ok(2_500_000));
    assert_eq!(budget.take(&[1]), Err(DecryptionError::TooManyRounds));
    for (rounds, error) in [
        (&[][..], DecryptionError::Malformed),
        (&[0], DecryptionError::Malformed),
        (&[0x80, 0, 0, 0], DecryptionError::Malformed),
        (&[0, 0x80, 0, 0, 0], DecryptionError::TooManyRounds),
        (&[0x7f, 0xff, 0xff, 0xff], DecryptionError::TooManyRounds),
        (&[1, 0, 0, 0, 0], DecryptionError::TooManyRounds),
    ] {
        let taken = DerivationBudget::default().take(rounds);
        assert_eq!(taken, Err(error), "{rounds:?}");
    }
}

/// A part of the file that the MAC does not cover, and everything else.
#[test]
fn a_changed_or_cut_store_is_an_error() {
    let whole = der(STORE);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(Pkcs12::read(&changed, "secret").is_err(), "byte {at}");
        assert!(Pkcs12::read(&whole[..at], "secret").is_err(), "cut at {at}");
    }
}

#[test]
fn a_changed_key_never_panics() {
    let whole = der(ENCRYPTED_KEY);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let _ = decrypted(&changed, "secret");
        assert!(decrypted(&whole[..at], "secret").is_err(), "cut at {at}");
    }
}

proptest! {
    /// Behind the MAC.
    #[test]
    fn no_bags_make_it_panic(
        bytes in proptest::collection::vec(prop_oneof![
            Just(0x30), Just(0x31), Just(0xa0), Just(0x80), Just(4), Just(6), Just(2), 0_u8..16, any::<u8>(),
        ], 0..60),
    ) {
        let budget = &mut DerivationBudget::default();
        let _ = Pkcs12::default().read_bags(&bytes, "secret", budget);
        let _ = decrypt(DerReader::new(&bytes), &bytes, b"secret", budget);
    }
}
