//! Names in several domains, odd and malformed names, and names after a reload.

use super::*;

#[test]
fn domains_do_not_identify_each_others_users() {
    let (staff, partners, upstream) = (Pki::new(), Pki::named("Partners CA"), Upstream::start());
    let one = |name: &str, line: &str, domain: &str| {
        user(name, &format!("{line}\ntrust_domain = \"{domain}\""))
    };
    let config = named_listener("main", &staff, "trust_domains = [\"staff\", \"partners\"]")
        + &one("web-of-staff", "client_dns = \"web.example.org\"", "staff")
        + &one(
            "web-of-partners",
            "client_dns = \"web.example.org\"",
            "partners",
        )
        + &one(
            "agent",
            "client_uri = \"spiffe://example.org/agent\"",
            "staff",
        )
        + &trust_domain("staff", &staff)
        + &trust_domain("partners", &partners)
        + &process()
        + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let judged = |pki: &Pki, name: SanType| {
        let identity = certificate(pki, subject(&[]), &[name]);
        judge(
            &Client::new(&staff, Some(&identity), gateway.address()),
            &upstream,
        )
    };
    assert_eq!(judged(&staff, dns("web.example.org")), is("web-of-staff"));
    assert_eq!(
        judged(&partners, dns("web.example.org")),
        is("web-of-partners")
    );
    assert_eq!(
        judged(&staff, uri("spiffe://example.org/agent")),
        is("agent")
    );
    assert_eq!(
        judged(&partners, uri("spiffe://example.org/agent")),
        refused("unknown_user")
    );
}

#[test]
fn an_odd_common_name_identifies_no_user_and_hides_no_other_name() {
    let scene = Scene::new(
        &(user("web", "client_dns = \"web.example.org\"")
            + &user("alice", "client_cn = \"alice\"")),
    );
    let odd: [&[DnValue]; 7] = [
        &["alice".into(), "alice".into()],
        &["".into()],
        &["alice\0".into()],
        &["alice\u{1b}[0m".into()],
        &[DnValue::BmpString(BmpString::try_from("alice").unwrap())],
        &["a".repeat(256).into()],
        &[],
    ];
    for common_names in odd {
        assert_eq!(
            scene.judge_names(common_names, &[]),
            refused("unusable_name"),
            "{common_names:?}"
        );
        assert_eq!(
            scene.judge_names(common_names, &[dns("web.example.org")]),
            is("web"),
            "{common_names:?}"
        );
        assert_eq!(
            scene.judge_names(common_names, &[dns("no.example.org")]),
            refused("unknown_user"),
            "{common_names:?}"
        );
    }
    // What is text is compared as it is: patterns and look-alikes are other names.
    for name in [
        "*",
        "alic?",
        "*.example.org",
        "\u{430}lice",
        "\u{ff41}lice",
        "alice\u{200b}",
        "ALICE",
    ] {
        assert_eq!(
            scene.judge_names(&[name.into()], &[]),
            refused("unknown_user"),
            "{name}"
        );
    }
    a_malformed_name_harms_no_other_kind(&scene);
}

fn a_malformed_name_harms_no_other_kind(scene: &Scene) {
    assert_eq!(
        scene.judge_names(
            &["alice".into()],
            &[dns("bad..name"), dns("web.example.org")]
        ),
        is("alice")
    );
    let bad = [dns("bad..name"), dns("web.example.org")];
    assert_eq!(
        scene.judge_names(&["x".into()], &bad),
        refused("unusable_name")
    );
    let line = scene
        .gateway
        .wait_for_access(|line| line["cn"] == "x" && line["reason"] == "unusable_name");
    assert_eq!(
        line["detail"],
        "the DNS names cannot be used: it is not a DNS name"
    );
    assert_eq!(
        scene.judge_names(
            &["x".into()],
            &[email("no address"), dns("web.example.org")]
        ),
        is("web")
    );
}

#[test]
fn after_a_reload_a_name_identifies_its_new_user() {
    let scene = Scene::new(&user("old", "client_dns = \"web.example.org\""));
    let identity = certificate(&scene.pki, subject(&[]), &[dns("web.example.org")]);
    let client = Client::new(&scene.pki, Some(&identity), scene.gateway.address());
    let config =
        |line: &str| listener(&scene.pki) + &user("new", line) + &route_to(scene.upstream.address);
    for version in BOTH {
        scene
            .gateway
            .reload_with(&config("client_dns = \"web.example.org\""));
        let mut connection = client.connect(version).unwrap();
        assert_eq!(connection.send(get("/")).unwrap().status, 200);
        assert_eq!(
            scene
                .upstream
                .recorded()
                .pop()
                .unwrap()
                .values("x-client-user"),
            ["new"]
        );
        scene
            .gateway
            .reload_with(&config("client_email = \"web@example.org\""));
        let answer = connection.send(get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "unknown_user")
        );
    }
}

#[test]
fn whoami_and_explain_say_by_what_a_user_was_found() {
    let scene = Scene::new(
        &(user(
            "web",
            "client_dns = \"web.example.org\"\nclient_uri = \"urn:web\"",
        ) + "[[route]]\npath = \"/v1\"\nrespond = \"whoami\"\n"),
    );
    let identity = certificate(&scene.pki, subject(&["x".into()]), &[uri("urn:web")]);
    let answer = Client::new(&scene.pki, Some(&identity), scene.gateway.address()).get("/v1");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["results"][0]["identified_by"], "uri");
    let file = scene.gateway.config_file.to_str().unwrap();
    let ask = |arguments: &[&str]| {
        run(
            PORTCULLIS,
            &[&["explain", "-c", file], arguments, &["GET", "/"]].concat(),
        )
    };
    let certificate = identity.certificate_file.to_str().unwrap();
    for (arguments, kind) in [
        (["--cert", certificate], "uri"),
        (["--dns", "Web.example.org"], "dns"),
        (["--uri", "urn:web"], "uri"),
    ] {
        let (out, err, code) = ask(&arguments);
        assert_eq!(code, 0, "{err}{out}");
        assert!(out.contains(&format!("by {kind}\n")), "{out}");
    }
    for arguments in [
        ["--dns", "no.example.org"],
        ["--uri", "urn:no"],
        ["--email", "a@b"],
        ["--cn", "web.example.org"],
    ] {
        let (out, _, code) = ask(&arguments);
        assert!(
            code == 1 && out.contains("unknown_user"),
            "{arguments:?} {out}"
        );
    }
    for arguments in [
        ["--dns", "*.example.org"],
        ["--uri", "spiffe:x"],
        ["--email", "a"],
        ["--fingerprint", "ab"],
        ["--spki", "ab"],
    ] {
        let (_, err, code) = ask(&arguments);
        assert!(
            code == 2 && err.contains("no certificate leads to a user"),
            "{arguments:?} {err}"
        );
    }
}
