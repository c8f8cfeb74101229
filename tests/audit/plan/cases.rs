//! A running gateway, what cannot be done, front proxies, and events of Icinga.

use super::*;

#[test]
fn a_running_gateway_and_two_configs_can_be_asked_instead() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let base = listener(&pki).replace("[admin]\n", "[admin]\nrecent_decisions = \"10m\"\n");
    let gateway = Gateway::start(&(base + AUDIT + &two_users() + &route_to(upstream.address)));
    let scene = Scene {
        pki,
        upstream,
        gateway,
    };
    scene.send("alice", "POST", "/jobs/1");
    scene.wait_for_decisions(1);
    let admin = format!("http://{}", scene.gateway.admin_address());
    let (report, code) = plan(&scene, &user("alice", &["GET /*"]), &["--live", &admin]);
    assert_eq!(
        (code, entries(&report, "loses")),
        (
            1,
            vec!["alice POST /jobs/1 1 permission -> no_permission".to_owned()]
        )
    );
    // The current config may be another than the one that decided then.
    scene.write("current.toml", &scene.config(&user("alice", &["GET /*"])));
    let (report, code) = plan(
        &scene,
        &two_users(),
        &["--current", "@current.toml", "--audit", "@audit.log"],
    );
    assert_eq!(
        (code, entries(&report, "gains")),
        (
            1,
            vec!["alice POST /jobs/1 1 no_permission -> permission".to_owned()]
        )
    );
}

/// What cannot be done, and what is said of it.
const CANNOT: &[(&[&str], &str)] = &[
    (&["-c", "@bad.toml", "--audit", "@audit.log"], "unknown key"),
    (
        &[
            "-c",
            "@gateway.toml",
            "--current",
            "@bad.toml",
            "--audit",
            "@audit.log",
        ],
        "unknown key",
    ),
    (
        &["-c", "@gateway.toml", "--audit", "@none.log"],
        "cannot read",
    ),
    (
        &["-c", "@gateway.toml", "--audit", "@access.log"],
        "access.log:1: this is no line of an audit log",
    ),
    (
        &["-c", "@gateway.toml", "--audit", "@gateway.toml"],
        "gateway.toml:1: ",
    ),
    (
        &["-c", "@gateway.toml", "--live", "127.0.0.1:1"],
        "gives no decisions",
    ),
    (
        &["-c", "@gateway.toml", "--live", "nonsense"],
        "is no admin listener",
    ),
    (&["-c", "@gateway.toml"], "--audit"),
    (
        &["-c", "@gateway.toml", "--live", "--audit", "@audit.log"],
        "cannot be used with",
    ),
];

#[test]
fn impossible_commands_are_reported_with_their_own_exit_code() {
    let scene = Scene::new(&two_users());
    scene.send("alice", "GET", "/x");
    scene.wait_for_decisions(1);
    scene.write("bad.toml", "nonsense = 1\n");
    scene.write("access.log", "{\"time\":\"x\",\"decision\":\"permit\"}\n");
    scene.write(
        "torn.log",
        &(std::fs::read_to_string(scene.file("audit.log")).unwrap() + "{\"kind\":\"deci"),
    );
    let folder = scene
        .gateway
        .config_file
        .parent()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let of_folder: &[&str] = &["-c", "@gateway.toml", "--audit", &folder];
    for (arguments, expected) in CANNOT.iter().copied().chain([(of_folder, "is a folder")]) {
        let (out, error, code) = scene.run(&[&["plan"], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?} {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let (out, _, code) = scene.run(&[
        "plan",
        "-c",
        "@gateway.toml",
        "--audit",
        "@torn.log",
        "@torn.log",
    ]);
    assert_eq!(code, 0);
    assert!(
        out.contains("is cut, and passed over")
            && out.contains("named twice")
            && out.contains("1 decision of 1 kinds"),
        "{out}"
    );
}

#[test]
fn explain_decides_for_a_forwarded_client() {
    let (ours, partners, upstream) = (
        Pki::named("Ours"),
        Pki::named("Partners"),
        Upstream::start(),
    );
    let config = |peers: &str, permissions: &[&str]| {
        let front = format!(
            "[listener.main.front_proxy]\npeers = [\"{peers}\"]\nidentity = \"rfc9440\"\ntrust_domain = \"partners\"\n"
        );
        named_listener("main", &ours, "trust_domain = \"ours\"")
            + &front
            + &trust_domain("ours", &ours)
            + &trust_domain("partners", &partners)
            + &process()
            + AUDIT
            + &["edge", "other"]
                .map(|name| user(name, &["*"]) + "trust_domain = \"ours\"\n")
                .concat()
            + &user("alice", permissions)
            + "trust_domain = \"partners\"\n"
            + &route_to(upstream.address)
    };
    let gateway = Gateway::start(&config("edge", &["GET /*"]));
    let edge = Client::new(&ours, Some(&ours.client("edge")), gateway.address());
    let der = rustls::pki_types::CertificateDer::from_pem_slice(
        partners.client("alice").certificate.as_bytes(),
    )
    .unwrap();
    let field = format!(
        ":{}:",
        base64::engine::general_purpose::STANDARD.encode(der)
    );
    let send = |fields: &[(&'static str, &str)]| {
        edge.send(Version::Http1, Scene::request("GET", "/x", fields))
            .unwrap()
            .status
    };
    assert_eq!((send(&[("client-cert", &field)]), send(&[])), (200, 401));
    let file = |name: &str| {
        gateway
            .config_file
            .with_file_name(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    eventually("two decisions", || {
        (lines_of(file("audit.log").as_ref(), "decision").len() == 2).then_some(())
    });
    for (peers, permissions, expected) in [
        ("edge", &["GET /*"][..], (0, vec![])),
        (
            "edge",
            &["POST /*"],
            (
                1,
                vec!["alice GET /x 1 permission -> no_permission".to_owned()],
            ),
        ),
        // The proxy is judged as itself, and may do everything.
        ("other", &["GET /*"], (0, vec![])),
    ] {
        std::fs::write(file("new.toml"), config(peers, permissions)).unwrap();
        let (out, error, code) = run(
            PORTCULLIS,
            &[
                "plan",
                "--json",
                "-c",
                &file("new.toml"),
                "--audit",
                &file("audit.log"),
            ],
        );
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
        assert_eq!((code, entries(&report, "loses")), expected, "{report:#}");
        assert_eq!(report["passed_over"], 1, "nobody was named");
    }
}

#[test]
fn icinga_event_subscriptions_are_decided_by_their_types() {
    let route = "[[route]]\npath = \"/v1\"\nupstream = \"api\"\npreset = \"icinga2\"\n";
    let users = |permissions: &[&str]| user("alice", permissions) + route;
    let scene = Scene::new(&users(&["objects/query/*", "events/*"]));
    let client = scene.client("alice");
    let by_body = r#"{"queue":"x","types":["CheckResult","StateChange"]}"#;
    for (method, path, body, status) in [
        ("POST", "/v1/events?queue=x", by_body, 200),
        ("POST", "/v1/events?queue=x&types=Notification", "", 200),
        ("POST", "/v1/events", "nonsense", 400),
        ("GET", "/v1/objects/hosts?attrs=name", "", 200),
    ] {
        assert_eq!(
            client
                .send(Version::Http1, request(method, path, body))
                .unwrap()
                .status,
            status,
            "{path} {body}"
        );
    }
    scene.wait_for_decisions(4);
    let (report, code) = plan(&scene, &users(&["objects/query/*", "events/*"]), &[]);
    assert_eq!((code, &report["passed_over"]), (0, &1.into()), "{report:#}");
    let (report, code) = plan(
        &scene,
        &users(&[
            "objects/query/*",
            "events/CheckResult",
            "events/Notification",
        ]),
        &[],
    );
    assert_eq!(
        (code, entries(&report, "loses")),
        (
            1,
            vec!["alice POST /v1/events 1 permission -> no_permission".to_owned()]
        )
    );
    assert_eq!(
        report["loses"][0]["old"]["requirement"],
        "events/CheckResult and events/StateChange"
    );
    let (learned, _, _) = scene.run(&["learn", "--audit", "@audit.log"]);
    for name in [
        "events/checkresult",
        "events/statechange",
        "events/notification",
        "objects/query/host",
    ] {
        assert!(
            learned.contains(&format!("\"{name}\",  # 1 request, last")),
            "{name} in {learned}"
        );
    }
}

#[test]
fn what_the_preset_of_icinga_would_have_to_read_is_not_guessed() {
    let scene = Scene::new(&user("alice", &["*"]));
    scene.send("alice", "POST", "/v1/events");
    scene.send("alice", "GET", "/v1/objects/hosts?attrs=name");
    scene.send("alice", "GET", "/v1/objects/services");
    scene.wait_for_decisions(3);
    let route = "[[route]]\npath = \"/v1\"\nupstream = \"api\"\npreset = \"icinga2\"\n";
    let (report, code) = plan(&scene, &(user("alice", &["*"]) + route), &[]);
    let open = report["cannot_be_told"].as_array().unwrap().iter();
    let open: Vec<_> = open
        .map(|it| {
            format!(
                "{} {}",
                it["path"].as_str().unwrap(),
                it["needs"][0].as_str().unwrap().split(',').next().unwrap()
            )
        })
        .collect();
    assert_eq!(
        (code, open),
        (
            1,
            vec![
                "/v1/objects/hosts the query".to_owned(),
                "/v1/events what the body says".to_owned()
            ]
        )
    );
    assert!(entries(&report, "loses").is_empty(), "{report:#}");
}
