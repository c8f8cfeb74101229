//! Each format by an example, what is said of it where it is not wanted, and no panic for any content.

use super::FileFormat as F;
use super::*;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData,
};

fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n")
}

fn bits(content: &str) -> Option<F> {
    F::of(content.as_bytes())
}

#[test]
fn labels_of_pem_are_distinguished() {
    for (label, format) in [
        ("CERTIFICATE", F::Certificate),
        ("TRUSTED CERTIFICATE", F::TrustedCertificate),
        ("CERTIFICATE REQUEST", F::CertificateRequest),
        ("PRIVATE KEY", F::PrivateKey),
        ("EC PRIVATE KEY", F::PrivateKey),
        ("ENCRYPTED PRIVATE KEY", F::EncryptedKey),
        ("OPENSSH PRIVATE KEY", F::OpenSshKey),
        ("PUBLIC KEY", F::PublicKey),
        ("X509 CRL", F::RevocationList),
        ("PKCS7", F::Pkcs7),
        ("EC PARAMETERS", F::KeyParameters),
    ] {
        assert_eq!(bits(&pem(label)), Some(format), "{label}");
        assert_eq!(
            bits(&("subject=CN = x\n".to_owned() + &pem(label))),
            Some(format),
            "{label} behind a text"
        );
    }
    assert_eq!(
        bits(&(pem("EC PARAMETERS") + &pem("EC PRIVATE KEY"))),
        Some(F::PrivateKey)
    );
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMAA=\n-----END RSA PRIVATE KEY-----\n";
    assert_eq!(bits(old), Some(F::EncryptedKey));
    assert_eq!(
        bits("ssh-ed25519 AAAAC3 me@here\n"),
        Some(F::OpenSshPublicKey)
    );
    assert_eq!(
        bits("PuTTY-User-Key-File-3: ssh-ed25519\n"),
        Some(F::PuttyKey)
    );
    assert_eq!(
        bits(&("MIIB".to_owned() + &"A".repeat(200))),
        Some(F::BareBase64)
    );
}

#[test]
fn structures_in_der_are_distinguished() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).unwrap().der().to_vec();
    assert_eq!(F::of(&certificate), Some(F::CertificateDer));
    assert_eq!(
        F::of(&certificate[..certificate.len() / 2]),
        Some(F::CertificateDer),
        "cut off"
    );
    let request = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    assert_eq!(F::of(request.der()), Some(F::CertificateRequestDer));
    assert_eq!(F::of(&key.serialize_der()), Some(F::PrivateKeyDer));
    assert_eq!(F::of(&key.subject_public_key_info()), Some(F::PublicKeyDer));
    let now = time::OffsetDateTime::now_utc();
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + time::Duration::days(1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::new(params, key)).unwrap();
    assert_eq!(F::of(list.der()), Some(F::RevocationListDer));
    let rsa = [0x30, 0x06, 2, 1, 0, 2, 1, 5];
    let sec1 = [0x30, 0x06, 2, 1, 1, 4, 1, 5];
    let encrypted = [0x30, 0x07, 0x30, 2, 6, 0, 4, 1, 5];
    let pkcs12 = [0x30, 0x80, 2, 1, 3, 0x30, 0x80, 6, 1];
    let pkcs7 = [
        0x30, 0x0f, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, 0xa0, 2, 5, 0,
    ];
    for (content, format) in [
        (&rsa[..], F::PrivateKeyDer),
        (&sec1, F::PrivateKeyDer),
        (&encrypted, F::EncryptedKeyDer),
        (&pkcs12, F::Pkcs12),
        (&pkcs7, F::Pkcs7Der),
        (&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], F::JavaKeyStore),
    ] {
        assert_eq!(F::of(content), Some(format));
    }
    assert_eq!(F::of(&[0x30, 0x03, 2, 1, 7]), None);
}

#[test]
fn configs_of_other_proxies_are_recognized() {
    for (text, format) in [
        (
            "# x\nserver {\n  listen 443 ssl;\n  location / { proxy_pass http://a; }\n}\n",
            F::Nginx,
        ),
        (
            "user www;\nworker_processes auto;\nevents {\n}\nhttp {\n}\n",
            F::Nginx,
        ),
        (
            "global\n  maxconn 5\n\nfrontend api\n  bind :443 ssl\n  default_backend b\n",
            F::HaProxy,
        ),
        (
            "example.org {\n\treverse_proxy localhost:8080\n}\n",
            F::Caddyfile,
        ),
        (
            "{\n\temail a@example.org\n}\nexample.org {\n\ttls internal\n}\n",
            F::Caddyfile,
        ),
        ("listener:\n  main:\n    address: 0.0.0.0:8443\n", F::Yaml),
        ("---\nhttp:\n  routers:\n    - a: b\n", F::Yaml),
        ("{\n  \"listener\": {}\n}\n", F::Json),
        ("[{\"a\": 1}]", F::Json),
        ("<!DOCTYPE html>\n<html>", F::Markup),
        (
            "object ApiUser \"root\" {\n  password = \"x\"\n}\n",
            F::Icinga2,
        ),
        ("[listener.main]\naddress: 1\n", F::OwnConfig),
        ("include = [\"x\"]\n[[route]]\npath = /\n", F::OwnConfig),
        (" \n\t\n", F::Empty),
        ("", F::Empty),
    ] {
        assert_eq!(bits(text), Some(format), "{text}");
    }
    for text in [
        "user alice\nserial 4a\n",
        "address = \"x\"\n",
        "just words",
        "key: value",
    ] {
        assert_eq!(bits(text), None, "{text}");
    }
    let utf16: Vec<u8> = "[listener.main]\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(F::of(&utf16), Some(F::Utf16), "without a mark");
    assert_eq!(F::of(b"\xfe\xff\0a"), Some(F::Utf16));
    assert_eq!(F::of(b"\xef\xbb\xbfuser alice\n"), Some(F::ByteOrderMark));
}

#[test]
fn what_is_misplaced_comes_with_the_command_that_mends_it() {
    let said = |content: &[u8], wanted| {
        let misplaced = FileFormat::misplaced(content, Path::new("/a b/x"), wanted);
        misplaced
            .map(|FileAdvice { what, hint }| format!("{what}: {hint}"))
            .unwrap_or_default()
    };
    let pkcs12 = [0x30, 0x80, 2, 1, 3, 0x30, 0x80, 6, 1];
    assert_eq!(
        said(&pkcs12, FileKind::Certificates),
        "is PKCS#12, not a certificate in PEM: `openssl pkcs12 -in '/a b/x' -nokeys -out '/a b/x'.crt` takes the \
         certificates out"
    );
    assert!(said(&pkcs12, FileKind::PrivateKey).contains("-nocerts"));
    assert!(said(pem("PRIVATE KEY").as_bytes(), FileKind::Certificates).contains("may be swapped"));
    assert!(said(pem("CERTIFICATE").as_bytes(), FileKind::PrivateKey).contains("may be swapped"));
    assert!(
        said(
            pem("CERTIFICATE REQUEST").as_bytes(),
            FileKind::Certificates
        )
        .contains("portcullis pki sign-csr")
    );
    assert!(said(pem("X509 CRL").as_bytes(), FileKind::DenyList).contains("`crls`"));
    assert!(said(b"server {\n listen 1;\n}", FileKind::Config).contains("portcullis import nginx"));
    assert!(said(b"\xff\xfea\0", FileKind::Config).contains("iconv -f UTF-16"));
    assert!(said(b"<html>", FileKind::RevocationList).contains("error page"));
    for (content, wanted) in [
        (pem("CERTIFICATE"), FileKind::Certificates),
        (pem("PRIVATE KEY"), FileKind::PrivateKey),
        (pem("X509 CRL"), FileKind::RevocationList),
        ("[listener.main]\nx".to_owned(), FileKind::Config),
        ("user alice".to_owned(), FileKind::DenyList),
    ] {
        assert_eq!(
            said(content.as_bytes(), wanted),
            "",
            "its reader knows better: {content}"
        );
    }
}

const WANTED: [FileKind; 7] = [
    FileKind::Config,
    FileKind::Certificates,
    FileKind::PrivateKey,
    FileKind::Secret,
    FileKind::KeySet,
    FileKind::RevocationList,
    FileKind::DenyList,
];

proptest! {
    #[test]
    fn no_content_makes_it_panic(
        content in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            proptest::collection::vec(prop_oneof![Just(0x30), Just(2), Just(1), Just(3), Just(0x80), Just(0x84), any::<u8>()], 0..40),
            "(?s)(server|\\{|\\}|;|:| |\n|\\[|\\]|=|-----BEGIN |-----|object |.){0,40}".prop_map(String::into_bytes),
        ],
    ) {
        for wanted in WANTED {
            let _ = FileFormat::misplaced(&content, Path::new("x"), wanted);
        }
    }
}
