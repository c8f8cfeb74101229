//! Elements of Envoy, chains, domains, and what `explain` and `verify` say of front proxies.

use super::*;

fn is_for_its_certificate_alone(
    outcome: impl Fn(&str) -> (u16, String),
    (alice, bob): (&str, &str),
    hash: &str,
) {
    assert_eq!(
        outcome(&format!("Cert=\"{alice}\";Chain=\"{alice}\"")),
        through()
    );
    let both = format!("Cert=\"{alice}\",Cert=\"{alice}\"");
    assert_eq!(outcome(&both), refused(400, "ambiguous_forwarded_identity"));
    assert_eq!(
        outcome(&format!("Hash={hash};Cert=\"{bob}\"")),
        refused(400, "bad_forwarded_identity")
    );
    assert_eq!(
        outcome(&format!("Cert=\"{alice}\";Chain=\"{bob}\"")),
        refused(400, "bad_forwarded_identity")
    );
    assert_eq!(
        outcome(&format!("Cert=\"{alice}")),
        refused(400, "bad_forwarded_identity")
    );
    assert_eq!(
        outcome("Cert=\"\""),
        refused(401, "no_forwarded_identity"),
        "of nginx"
    );
    let names_only = outcome(&format!("Hash={hash};Subject=\"CN=alice\""));
    assert_eq!(names_only, refused(400, "no_forwarded_certificate"));
}

#[test]
fn an_element_of_envoy_is_believed_for_its_certificate_alone() {
    let scene = Scene::new();
    let (alice, bob) = (
        url_encoded(&scene.alice),
        url_encoded(&scene.partners.client("bob")),
    );
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &scene.alice.der());
    let hash: String = digest
        .as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let gateway = scene.start("", "identity = \"xfcc\"");
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        let outcome = |value: &str| outcome(&edge, version, &[("x-forwarded-client-cert", value)]);
        let element = format!(
            "By=spiffe://a/b;Hash={hash};Cert=\"{alice}\";Subject=\"CN=bob,O=\\\"x\\\"\";URI=bob"
        );
        assert_eq!(outcome(&element), through());
        assert_eq!(scene.last().values("x-client-user"), ["alice"]);
        assert_eq!(
            scene.last().values("x-forwarded-client-cert"),
            Vec::<&str>::new()
        );
        is_for_its_certificate_alone(outcome, (&alice, &bob), &hash);
        let rfc9440 = edge
            .send(
                version,
                saying("/", &[("client-cert", &byte_sequence(&scene.alice))]),
            )
            .unwrap();
        assert_eq!(
            (rfc9440.status, rfc9440.reason().as_str()),
            (401, "no_forwarded_identity")
        );
    }
    let line = gateway.wait_for_access(|line| line["reason"] == "no_forwarded_certificate");
    assert!(
        line["detail"]
            .as_str()
            .unwrap()
            .contains("set_current_client_cert_details"),
        "{line}"
    );
}

#[test]
fn a_front_proxy_cannot_name_itself() {
    let scene = Scene::new();
    // The same authority for both, so that the front proxy's certificate would count.
    let config = scene
        .config("", "identity = \"rfc9440\"")
        .replace("trust_domain = \"partners\"", "trust_domain = \"ours\"");
    let gateway = Gateway::start(&config);
    let edge = scene.client(&gateway, &scene.edge);
    let alice = scene.ours.client("alice");
    for version in BOTH {
        let fields = [("client-cert", &*byte_sequence(&scene.edge))];
        assert_eq!(
            outcome(&edge, version, &fields),
            refused(403, "forwarded_front_proxy")
        );
        assert_eq!(
            outcome(&edge, version, &[("client-cert", &byte_sequence(&alice))]),
            through()
        );
    }
}

#[test]
fn a_route_requires_the_trust_domain_of_the_forwarded_client() {
    let scene = Scene::new();
    let route = |path: &str, domain: &str| {
        format!("[[route]]\npath = \"{path}\"\nupstream = \"api\"\ntrust_domain = \"{domain}\"\n")
    };
    let public = "[[route]]\npath = \"/public\"\nupstream = \"api\"\nclient_auth = \"off\"\n";
    let config = scene.config("", "identity = \"rfc9440\"")
        + &route("/theirs", "partners")
        + &route("/ours", "ours")
        + public;
    let gateway = Gateway::start(&config);
    let edge = scene.client(&gateway, &scene.edge);
    let alice = byte_sequence(&scene.alice);
    for version in BOTH {
        let send = |path: &str, fields: &[(&'static str, &str)]| {
            edge.send(version, saying(path, fields)).unwrap()
        };
        let fields = [("client-cert", &*alice)];
        assert_eq!(send("/theirs", &fields).status, 200);
        assert_eq!(send("/ours", &fields).reason(), "wrong_trust_domain");
        // Everybody is let in there, also whom nobody names; but not who cannot be read.
        assert_eq!(send("/public", &[]).status, 200);
        assert_eq!(
            send("/public", &[("client-cert", "?")]).reason(),
            "bad_forwarded_identity"
        );
    }
}

#[test]
fn a_chain_is_forwarded_with_its_intermediates() {
    let scene = Scene::new();
    let middle = scene.partners.of_kind("Middle", Kind::Authority);
    let issuer =
        Issuer::from_ca_cert_pem(&middle.certificate, KeyPair::from_pem(&middle.key).unwrap())
            .unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = crate::support::pki::subject(&["alice".into()]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = params
        .signed_by(&KeyPair::generate().unwrap(), &issuer)
        .unwrap();
    let leaf = format!(":{}:", STANDARD.encode(leaf.der()));
    let config =
        scene.config("", "identity = \"rfc9440\"") + "[identity_headers]\nsets = [\"rfc9440\"]\n";
    let gateway = Gateway::start(&config);
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        let (one, above) = (("client-cert", &*leaf), byte_sequence(&middle));
        assert_eq!(
            outcome(&edge, version, &[one, ("client-cert-chain", &above)]),
            through()
        );
        let up = scene.last();
        assert_eq!(
            (up.values("client-cert"), up.values("client-cert-chain")),
            (vec![&*leaf], vec![&*above])
        );
        assert_eq!(
            outcome(&edge, version, &[one]),
            refused(403, "unknown_issuer")
        );
    }
}

#[test]
fn explain_asks_as_a_client_behind_the_front_proxy() {
    let scene = Scene::new();
    let file = scene.ours.path("gateway.toml");
    let ask = |arguments: &[&str]| {
        let begin = ["explain", "-c", file.to_str().unwrap()];
        let (text, errors, code) =
            run(PORTCULLIS, &[&begin[..], arguments, &["GET", "/"]].concat());
        (code, text.lines().next().unwrap_or(&errors).to_owned())
    };
    std::fs::write(&file, scene.config("", "identity = \"rfc9440\"")).unwrap();
    let alice = scene.alice.certificate_file.to_str().unwrap().to_owned();
    let edge = scene.edge.certificate_file.to_str().unwrap().to_owned();
    for (arguments, code, decision) in [
        (&["--front-proxy", "--cn", "alice"][..], 0, "permit (200"),
        (&["--front-proxy", "--user", "alice"], 0, "permit (200"),
        (&["--front-proxy", "--cert", &alice], 0, "permit (200"),
        (
            &["--front-proxy", "--cert", &edge],
            1,
            "refuse (403 unknown_issuer",
        ),
        (
            &["--front-proxy", "--cn", "bob"],
            1,
            "refuse (403 no_permission",
        ),
        (&["--front-proxy"], 1, "refuse (401 no_forwarded_identity"),
        (&["--cert", &edge], 1, "refuse (401 no_forwarded_identity"),
        (&["--user", "edge"], 1, "refuse (401 no_forwarded_identity"),
        (&["--user", "other"], 0, "permit (200"),
    ] {
        let answer = ask(arguments);
        assert_eq!(answer.0, code, "{arguments:?} {answer:?}");
        assert!(
            answer
                .1
                .contains(decision.trim_start_matches("permit (200")),
            "{arguments:?} {answer:?}"
        );
    }
    let table = "[listener.main.front_proxy]\npeers = [\"edge\"]\ntrust_domain = \"partners\"\n";
    std::fs::write(&file, scene.config("", "").replace(table, "")).unwrap();
    assert_eq!(ask(&["--user", "edge"]).0, 0, "an ApiUser like others");
    assert_eq!(ask(&["--front-proxy", "--cn", "alice"]).0, 2);
}

#[test]
fn verify_sees_that_a_listener_for_front_proxies_is_shut() {
    let scene = Scene::new();
    let gateway = scene.start("", "identity = \"proxy-v2\"");
    let address = gateway.address().to_string();
    let arguments = [
        "verify",
        "--live",
        "-c",
        gateway.config_file.to_str().unwrap(),
        "--connect",
        &address,
    ];
    // Nothing else can be tried from outside, so what was proven is less than all.
    assert_eq!(run(PORTCULLIS, &arguments).2, 2);
    let (text, errors, code) = run(PORTCULLIS, &[&arguments[..], &["--allow-skipped"]].concat());
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    assert!(text.contains("TLS without a PROXY header"), "{text}");
}
