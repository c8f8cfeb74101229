//! Fetched lists without a network: what gets into the folder, and where certificates may make us ask.

use super::cache::StoreOutcome;
use super::*;
use crate::tls::revocation::CrlError;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use time::{Duration as Span, OffsetDateTime};

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

impl Ca {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let der = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            der,
        }
    }

    fn list(&self, number: u64) -> String {
        let now = OffsetDateTime::now_utc();
        let params = CertificateRevocationListParams {
            this_update: now - Span::hours(1),
            next_update: now + Span::days(1),
            crl_number: number.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

#[test]
fn a_list_replaces_only_an_older_one_of_the_same_authority() {
    let (one, two, folder) = (Ca::new("one"), Ca::new("two"), tempfile::tempdir().unwrap());
    let authorities = Authorities::new(&[one.der.clone(), two.der.clone()], &[]).unwrap();
    let authorities: Vec<_> = authorities.all().cloned().collect();
    let now = seconds(UnixTime::now());
    let put = |text: &str| {
        store(folder.path(), text.as_bytes(), &authorities, now).map(|stored| stored.outcome)
    };
    let there = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        files.sort_unstable();
        files
    };
    let first = one.list(5);
    assert_eq!(put(&first).unwrap(), StoreOutcome::New);
    assert_eq!(put(&first).unwrap(), StoreOutcome::Same);
    let before = there();
    assert_eq!(put(&one.list(4)).unwrap(), StoreOutcome::Older);
    for bad in [
        Ca::new("one").list(6),
        Ca::new("three").list(6),
        "nothing".to_owned(),
        String::new(),
    ] {
        assert!(matches!(put(&bad), Err(StoreError::Unusable(_))), "{bad}");
        assert!(matches!(
            put(&(one.list(6) + &bad)),
            Err(StoreError::Unusable(_)) | Ok(StoreOutcome::New)
        ));
        std::fs::remove_dir_all(folder.path()).unwrap();
        std::fs::create_dir(folder.path()).unwrap();
        assert_eq!(put(&first).unwrap(), StoreOutcome::New);
    }
    assert_eq!(there(), before, "names and content are what they were");
    // Of another authority, at any URL: a file of its own.
    assert_eq!(put(&two.list(9)).unwrap(), StoreOutcome::New);
    assert!(there().len() == 2 && there().contains(&before[0]));
    assert_eq!(
        put(&(one.list(6) + &two.list(8))).unwrap(),
        StoreOutcome::New
    );
    assert!(there().len() == 2 && !there().contains(&before[0]));
    let missing = store(
        &folder.path().join("gone"),
        first.as_bytes(),
        &authorities,
        now,
    );
    assert!(matches!(missing, Err(StoreError::Unwritable(..))));
    let early = store(folder.path(), one.list(7).as_bytes(), &authorities, 0);
    assert!(matches!(
        early,
        Err(StoreError::Unusable(CrlError::Future(_)))
    ));
}

#[test]
fn a_certificate_makes_us_ask_allowed_hosts_alone() {
    let settings = |tls| CrlFetchSettings {
        urls: Vec::new(),
        followed: vec![
            "crl.example.org".to_owned(),
            "192.0.2.1:8080".to_owned(),
            "[2001:db8::1]".to_owned(),
        ],
        cache: PathBuf::new(),
        refresh: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        size_limit: 1,
        tls,
    };
    let builder = ClientConfig::builder_with_provider(crate::tls::provider())
        .with_safe_default_protocol_versions();
    let roots = rustls::RootCertStore::empty();
    let tls = Arc::new(
        builder
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    );
    let may = |text: &str| {
        let url = FetchUrl::parse(text).unwrap();
        (
            settings(None).may_follow(&url),
            settings(Some(tls.clone())).may_follow(&url),
        )
    };
    for good in [
        "http://crl.example.org/x",
        "http://CRL.example.org:80/x",
        "http://192.0.2.1:8080/",
        "http://[2001:db8::1]/",
    ] {
        assert_eq!(may(good), (true, true), "{good}");
    }
    assert_eq!(
        may("https://crl.example.org/x"),
        (false, true),
        "only with anchors"
    );
    for bad in [
        "http://crl.example.org:8080/",
        "http://192.0.2.1/",
        "http://x.crl.example.org/",
        "http://example.org/",
    ] {
        assert_eq!(may(bad), (false, false), "{bad}");
    }
}

#[test]
fn distribution_points_are_read_from_certificates() {
    let mut params = CertificateParams::default();
    let uris = [
        "ldap://a/cn=b",
        "http://a.example/1.crl",
        "file:///etc/passwd",
        "https://a.example/2.crl",
    ];
    params.crl_distribution_points = vec![CrlDistributionPoint {
        uris: uris.map(str::to_owned).to_vec(),
    }];
    let der = params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .der()
        .clone();
    let urls: Vec<_> = points::distribution_points(&der)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(urls, ["http://a.example/1.crl", "https://a.example/2.crl"]);
    assert!(points::distribution_points(b"nothing").is_empty());
}
