//! Restarts, servers over TLS, and distribution points of certificates.

use super::*;

#[test]
fn a_restart_goes_on_with_what_was_fetched_also_if_that_is_too_old_by_then() {
    let scene = Scene::new();
    let now = OffsetDateTime::now_utc();
    scene.server.serve_list(&scene.pki.crl_valid(
        &[&scene.alice],
        1,
        (now - Duration::hours(1), now + Duration::seconds(6)),
    ));
    let gateway = scene.start();
    scene.wait_for_entries(&gateway, 1);
    scene.server.serve(Reply::Status(500));
    drop(gateway);
    let gateway = scene.start();
    assert_eq!(
        scene.client(&gateway, &scene.alice).alert(),
        Alert::CertificateRevoked
    );
    let stale = || status(&gateway)["trust_domains"][0]["crls"][0]["stale"] == true;
    eventually("the list is over", || stale().then_some(()));
    drop(gateway);
    let gateway = scene.start();
    assert_eq!(
        scene.client(&gateway, &scene.bob).alert(),
        Alert::UnknownCA,
        "a list that is too old"
    );
    assert_eq!(
        scene.client(&gateway, &scene.alice).alert(),
        Alert::CertificateRevoked,
        "and yet it says this"
    );
    scene.server.serve_list(&scene.pki.crl(&[], 2));
    // It revokes at once, and what it no longer revokes is in again with the load.
    gateway.wait_for_generation_after(1);
    for identity in [&scene.alice, &scene.bob] {
        assert_eq!(scene.client(&gateway, identity).get("/").status, 200);
    }
    // What nobody can use is as if it were not there.
    let file = std::fs::read_dir(scene.pki.path("cache"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    drop(gateway);
    std::fs::write(file, "nonsense").unwrap();
    let gateway = scene.start();
    scene.wait_for_entries(&gateway, 0);
    assert_eq!(scene.client(&gateway, &scene.bob).get("/").status, 200);
}

#[test]
fn over_tls_the_server_must_be_verified_by_the_anchors() {
    let mut scene = Scene::new();
    let server = scene.pki.server("lists", &["127.0.0.1"]);
    let chain = CertificateDer::pem_slice_iter(server.certificate.as_bytes())
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    scene.server = Server::start(Some(
        config
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap(),
    ));
    scene.server.serve_list(&scene.pki.crl(&[&scene.alice], 1));
    let fetch = |anchor: &Pki| {
        format!(
            "urls = \"https://{}/ca.crl\"\nanchors = \"{}\"",
            scene.server.http.address,
            anchor.ca_file().display()
        )
    };
    let stranger = Pki::named("Stranger");
    let gateway = Gateway::start(&scene.config("", &fetch(&stranger)));
    eventually("a failed fetch", || {
        (fetches(&gateway, "unreachable") > 0.0).then_some(())
    });
    assert!(scene.cached().is_empty() && scene.server.http.recorded().is_empty());
    gateway.reload_with(&scene.config("", &fetch(&scene.pki)));
    scene.wait_for_entries(&gateway, 1);
    assert_eq!(scene.client(&gateway, &scene.bob).get("/").status, 200);
}

#[test]
fn distribution_points_of_verified_certificates_are_followed_to_allowed_hosts_alone() {
    let scene = Scene::new();
    let other = Server::start(None);
    scene.server.serve_list(&scene.pki.crl(&[&scene.alice], 1));
    let with_points = |pki: &Pki, server: &Server| {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&["bob".into()]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let point = |url: String| CrlDistributionPoint { uris: vec![url] };
        params.crl_distribution_points = vec![
            point("ldap://127.0.0.1/cn=lists".to_owned()),
            point(format!("http://{}/ca.crl", server.http.address)),
            point(format!("https://{}/ca.crl", server.http.address)),
        ];
        pki.sign("bob-with-points", params)
    };
    let follow = format!(
        "distribution_points = \"follow\"\nallowed_hosts = [\"{}\"]",
        scene.server.http.address
    );
    let gateway = Gateway::start(&scene.config("", &follow));
    // Another host, and a certificate that no anchor verifies.
    let stranger = Pki::named("Stranger");
    for identity in [
        with_points(&scene.pki, &other),
        with_points(&stranger, &scene.server),
    ] {
        assert_eq!(scene.client(&gateway, &identity).alert(), Alert::UnknownCA);
    }
    assert_eq!(
        status(&gateway)["trust_domains"][0]["crl_fetch"],
        serde_json::json!([])
    );
    let bob = with_points(&scene.pki, &scene.server);
    assert_eq!(
        scene.client(&gateway, &bob).alert(),
        Alert::UnknownCA,
        "there is no list yet"
    );
    scene.wait_for_entries(&gateway, 1);
    assert_eq!(scene.client(&gateway, &bob).get("/").status, 200);
    assert_eq!(
        scene.client(&gateway, &scene.alice).alert(),
        Alert::CertificateRevoked
    );
    assert!(other.http.recorded().is_empty());
    let sources = status(&gateway)["trust_domains"][0]["crl_fetch"].clone();
    assert_eq!(
        sources.as_array().map(Vec::len),
        Some(1),
        "https needs anchors: {sources}"
    );
}
