//! The preset, `whoami`, the certificate of the upstream, redirects, streams that end, and users of Icinga itself.

use super::*;

#[test]
fn with_the_preset_icinga_serves_what_its_own_permissions_allow() {
    if !has_icinga() {
        return;
    }
    let (pki, icinga) = (Pki::new(), Icinga::start());
    let text = config_with_preset(&pki, &icinga);
    let gateway = Gateway::start(&text);
    let client = |name| Client::new(&pki, Some(&pki.client(name)), gateway.address());
    let (reader, operator) = (client("reader"), client("operator"));
    for version in BOTH {
        assert_eq!(
            reader
                .send(version, get("/v1//objects/HOSTS/web1"))
                .unwrap()
                .status,
            200
        );
        assert_eq!(
            reader
                .send(version, overridden("GET", "/v1/objects/hosts", QUERY))
                .unwrap()
                .status,
            200
        );
        let refused = reader
            .send(version, overridden("DELETE", "/v1/objects/hosts/web1", ""))
            .unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );
        let refused = operator
            .send(version, get("/v1/objects/hosts/web1"))
            .unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "no_permission")
        );
        assert_eq!(
            operator.send(version, get("/v1")).unwrap().status,
            200,
            "any ApiUser"
        );

        let refused = reader.send(
            version,
            post(
                "/v1/events",
                r#"{"types":["CheckResult","Flapping"],"queue":"x"}"#,
            ),
        );
        assert_eq!(refused.unwrap().reason(), "no_permission");
        events_are_followed(&reader, &operator, version);
    }
}

#[test]
fn whoami_responds_as_icinga() {
    let Some(front) = Front::start() else { return };
    let reader = front.client("reader");
    let ours: serde_json::Value = serde_json::from_str(&reader.get("/v1").body).unwrap();
    let result = &ours["results"][0];
    assert_eq!(result["user"], "reader");
    assert_eq!(
        result["permissions"],
        serde_json::json!(["Objects/Query/*", "status/query"])
    );
    // The fields of Icinga's own answer are all there.
    for field in ["info", "permissions", "user", "version"] {
        assert!(!result[field].is_null(), "{field}");
    }
}

#[test]
fn an_upstream_with_an_unverified_certificate_gets_no_request() {
    if !has_icinga() {
        return;
    }
    let (pki, icinga) = (Pki::new(), Icinga::start());
    let good = config(&pki, &icinga);
    let other_ca = Pki::named("Other CA");
    let wrong = good.replace(
        icinga.ca_file.to_str().unwrap(),
        other_ca.ca_file().to_str().unwrap(),
    );
    let gateway = Gateway::start(&wrong);
    let reader = Client::new(&pki, Some(&pki.client("reader")), gateway.address());
    let refused = reader.get("/v1/objects/hosts");
    assert_eq!(
        (refused.status, refused.reason().as_str()),
        (502, "upstream_tls")
    );
    let before = gateway.generation();
    gateway.write_config(&good);
    gateway.wait_for_generation_after(before);
    assert_eq!(
        reader.get("/v1/objects/hosts").status,
        200,
        "the twin: with the right anchor"
    );
}

#[test]
fn the_root_redirect_and_heads_are_sent_at_once() {
    let Some(front) = Front::start() else { return };
    let reader = front.client("reader");
    for version in BOTH {
        let mut connection = reader.connect(version).unwrap();
        for _ in 0..3 {
            let redirect = connection.send(get("/")).unwrap();
            assert_eq!(
                (redirect.status, redirect.body.as_str()),
                (302, ""),
                "{redirect:?}"
            );
            assert!(
                redirect.header("location").unwrap().ends_with("/v1"),
                "{redirect:?}"
            );
            // Icinga itself knows no HEAD, and answers it with a body.
            let head = connection
                .send(request("HEAD", "/v1/objects/hosts", ""))
                .unwrap();
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
            let whole = connection.send(get("/v1/objects/hosts")).unwrap();
            assert_eq!(
                head.header("content-length"),
                whole.header("content-length"),
                "{head:?}"
            );
        }
    }
    // It logs a request after it is answered.
    assert_eq!(reader.get("/v1/objects/hosts/web1").status, 200);
    let is_logged = || {
        front
            .icinga
            .log()
            .contains("GET /v1/objects/hosts/web1")
            .then_some(())
    };
    eventually("the last request in its log", is_logged);
    let log = front.icinga.log();
    assert!(!log.contains("HEAD "), "{log}");
}

#[test]
fn an_event_stream_ends_with_its_right() {
    let Some(front) = Front::start() else { return };
    let operator = front.client("operator");
    for version in BOTH {
        let mut connection = operator.connect(version).unwrap();
        let events = connection
            .start(post("/v1/events?queue=test&types=CheckResult", ""))
            .unwrap();
        assert_eq!(events.status(), 200);
        let good = config(&front.pki, &front.icinga);
        front
            .gateway
            .reload_with(&good.replace("\"events/subscribe\", ", ""));
        let rest = operator.runtime().block_on(events.into_body().collect());
        assert!(rest.is_err(), "what was cut must not look whole: {rest:?}");
        front
            .gateway
            .wait_for_access(|line| line["cut"] == "stream" && line["reason"] == "no_permission");
        front.gateway.reload_with(&good);
    }
}

#[test]
fn users_with_an_icinga_account_see_what_its_filters_permit() {
    let Some(front) = Front::start() else { return };
    let (certificate, key) = front.icinga.who_sees_web1();
    let (name, password) = front.icinga.who_sees_web2();
    std::fs::write(
        front.pki.path("web2.secret"),
        format!("{name}:{password}\n"),
    )
    .unwrap();
    let (certificate, key, secret) = (
        certificate.display(),
        key.display(),
        front.pki.path("web2.secret"),
    );
    let users = format!(
        "[api_user.one]\nclient_cn = \"one\"\npermissions = [\"objects/query/hosts\"]\n\
         upstream.icinga = {{ certificate = \"{certificate}\", private_key = \"{key}\" }}\n\
         [api_user.two]\nclient_cn = \"two\"\npermissions = [\"objects/query/hosts\"]\n\
         upstream.icinga = {{ basic_credentials = \"{}\" }}\n",
        secret.display()
    );
    front
        .gateway
        .reload_with(&(config(&front.pki, &front.icinga) + &users));
    for version in BOTH {
        for _ in 0..3 {
            for (name, sees) in [
                ("one", vec!["web1"]),
                ("two", vec!["web2"]),
                ("reader", vec!["web1", "web2"]),
            ] {
                let answer = front
                    .client(name)
                    .send(version, get("/v1/objects/hosts?attrs=name"))
                    .unwrap();
                assert_eq!(answer.status, 200, "{name} {}", answer.body);
                let found: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
                let results = found["results"].as_array().unwrap().iter();
                let mut hosts: Vec<_> =
                    results.map(|host| host["name"].as_str().unwrap()).collect();
                hosts.sort_unstable();
                assert_eq!(hosts, sees, "{name} {version:?}");
            }
        }
    }
}
