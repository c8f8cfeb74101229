//! Lists that are too old, end or are missing, and the deny list.

use super::*;

#[test]
fn an_old_list_denies_the_clients_of_its_ca_from_the_start_unless_old_lists_count() {
    let scene = Scene::new();
    let past = OffsetDateTime::now_utc() - Duration::hours(3);
    scene.write(
        "ca.crl",
        &scene
            .pki
            .crl_valid(&[&scene.alice], 1, (past, past + Duration::hours(1))),
    );
    for (policy, counts) in [
        ("", false),
        ("stale_crls = { allow-for = \"1h\" }", false),
        ("stale_crls = { allow-for = \"6h\" }", true),
        ("stale_crls = \"ignore\"", true),
    ] {
        let gateway = scene.start(&format!("{CRLS}\n{policy}"));
        assert_eq!(
            scene.client(&gateway, &scene.alice).alert(),
            Alert::CertificateRevoked
        );
        let bob = scene.client(&gateway, &scene.bob);
        let (level, message) = match counts {
            true => ("WARN", "a revocation list is past its next update"),
            false => ("ERROR", "a revocation list is too old"),
        };
        let line = eventually("a line", || gateway.find_log(message));
        assert_eq!(
            (line["level"].as_str(), line["issuer"].as_str()),
            (Some(level), Some("CN=Test CA")),
            "{policy}"
        );
        match counts {
            true => assert_eq!(bob.get("/").status, 200, "{policy}"),
            false => {
                assert_eq!(bob.alert(), Alert::UnknownCA, "{policy}");
                let labels = [("reason", "crl_stale")];
                gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 1.0);
            }
        }
        let labels = [("trust_domain", "test"), ("issuer", "CN=Test CA")];
        let until = gateway.metric("portcullis_crl_active_until_timestamp_seconds", &labels);
        let now = OffsetDateTime::now_utc().unix_timestamp() as f64;
        assert_eq!(until == 0.0 || until > now, counts, "{policy}: {until}");
        let file = gateway.config_file.to_str().unwrap().to_owned();
        let (said, report, code) = run(PORTCULLIS, &["check", "-c", &file]);
        assert_eq!(code, 0, "{said}{report}");
        let denied = report.contains("warning: the revocation list of \"CN=Test CA\" is too old")
            && report.contains("so the clients of this CA are denied");
        assert_eq!(denied, !counts, "{policy}: {report}");
    }
}

#[test]
fn an_old_list_and_an_anchor_that_ends_hold_up_no_reload_of_another_domain() {
    let (scene, other) = (Scene::new(), Pki::named("Other CA"));
    let (carol, now) = (other.client("carol"), OffsetDateTime::now_utc());
    let validity = (now - Duration::hours(3), now - Duration::hours(1));
    std::fs::write(other.path("list"), other.crl_valid(&[], 1, validity)).unwrap();
    // An anchor that is over, and whose list is still named.
    let over = Pki::expired("Old CA");
    std::fs::write(over.path("list"), over.crl(&[], 1)).unwrap();
    let (folder, old) = (other.folder.path().display(), over.folder.path().display());
    let domain = format!(
        "[trust_domain.other]\nanchors = [\"{folder}/ca.crt\", \"{old}/ca.crt\"]\n\
         crls = [\"{folder}/list\", \"{old}/list\"]\n"
    );
    let of =
        |name: &str, domain: &str| user(name, &["*"]) + &format!("trust_domain = \"{domain}\"\n");
    let config = |users: &str| {
        let listener = listener(&scene.pki);
        let domains = "trust_domains = [\"test\", \"other\"]\n[trust_domain.test]";
        listener.replacen("[trust_domain.test]", domains, 1)
            + users
            + &domain
            + &route_to(scene.upstream.address)
    };
    let gateway = Gateway::start(&config(&(of("alice", "test") + &of("carol", "other"))));
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    let carol = scene.client(&gateway, &carol);
    assert_eq!(
        (alice.get("/").status, carol.alert()),
        (200, Alert::UnknownCA)
    );
    gateway.reload_with(&config(
        &(of("alice", "test") + &of("bob", "test") + &of("carol", "other")),
    ));
    assert_eq!(
        (alice.get("/").status, bob.get("/").status, carol.alert()),
        (200, 200, Alert::UnknownCA)
    );
    let status: serde_json::Value = serde_json::from_str(&gateway.admin("/status").1).unwrap();
    let mut domains = status["trust_domains"].as_array().unwrap().iter();
    let domain = domains.find(|domain| domain["name"] == "other").unwrap();
    let lists = domain["crls"].as_array().unwrap();
    let of_other = lists
        .iter()
        .find(|list| list["issuer"] == "CN=Other CA")
        .unwrap();
    assert_eq!(
        (&of_other["stale"], &of_other["counts"]),
        (&true.into(), &false.into()),
        "{status}"
    );
    // A newer one lets its clients in again.
    replace(&other.path("list"), other.crl(&[], 2).as_bytes());
    eventually("carol is in", || {
        (gateway.reloads("success") >= 2.0).then_some(())
    });
    assert_eq!(carol.get("/").status, 200);
}

#[test]
fn a_list_that_ends_while_the_gateway_runs_ends_connections_too() {
    let scene = Scene::new();
    let now = OffsetDateTime::now_utc();
    scene.write(
        "ca.crl",
        &scene.pki.crl_valid(
            &[],
            1,
            (now - Duration::hours(1), now + Duration::seconds(4)),
        ),
    );
    let (strict, lenient) = (
        scene.start(CRLS),
        scene.start(&format!("{CRLS}\nstale_crls = {{ allow-for = \"1h\" }}")),
    );
    let clients = [&strict, &lenient].map(|gateway| scene.client(gateway, &scene.bob));
    let [mut of_strict, mut of_lenient] = clients
        .each_ref()
        .map(|client| client.connect(Version::Http1).unwrap());
    assert_eq!(of_strict.send(get("/")).unwrap().status, 200);
    eventually("the list is over", || {
        let answer = of_strict.send(get("/")).unwrap();
        (answer.status != 200).then(|| {
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "crl_stale")
            )
        })
    });
    assert_eq!(
        clients[0].get("/").reason(),
        "crl_stale",
        "a session that is resumed"
    );
    assert_eq!(
        scene.client(&strict, &scene.bob).alert(),
        Alert::UnknownCA,
        "as other servers say it"
    );
    let line = eventually("an error", || {
        strict.find_log("a revocation list is too old")
    });
    assert_eq!(
        (line["level"].as_str(), line["issuer"].as_str()),
        (Some("ERROR"), Some("CN=Test CA"))
    );
    let said = |line: &serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("list is too old"))
    };
    assert_eq!(
        strict
            .settled_log()
            .iter()
            .filter(|line| said(line))
            .count(),
        1,
        "once"
    );
    assert_eq!(of_lenient.send(get("/")).unwrap().status, 200);
}

#[test]
fn an_issuer_without_a_list_is_rejected_unless_the_domain_allows_it() {
    let (scene, other) = (Scene::new(), Pki::named("Other CA"));
    let both = std::fs::read_to_string(scene.pki.ca_file()).unwrap()
        + &std::fs::read_to_string(other.ca_file()).unwrap();
    scene.write("both.crt", &both);
    scene.write("ca.crl", &scene.pki.crl(&[], 1));
    for (policy, gets_in) in [("", false), ("unknown_revocation = \"allow\"", true)] {
        let config = scene
            .config(&format!("{CRLS}\n{policy}"))
            .replace("/ca.crt\"]", "/both.crt\"]");
        let gateway = Gateway::start(&config);
        let stranger = scene.client(&gateway, &other.client("alice"));
        match gets_in {
            true => assert_eq!(stranger.get("/").status, 200),
            false => {
                assert_eq!(stranger.alert(), Alert::UnknownCA);
                let labels = [("reason", "revocation_unknown")];
                gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 1.0);
            }
        }
        assert_eq!(scene.client(&gateway, &scene.alice).get("/").status, 200);
    }
}

#[test]
fn the_deny_list_is_active_at_once_for_certificates_and_users() {
    let scene = Scene::new();
    scene.write("denied", "");
    let gateway = scene.start(DENY_LIST);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    for (entry, reason) in [
        (
            format!("serial {}", scene.alice.serial_text()),
            "deny_listed",
        ),
        ("cn alice".to_owned(), "deny_listed"),
        ("user alice".to_owned(), "revoked"),
    ] {
        let (mut of_alice, mut of_bob) = (
            alice.connect(Version::Http1).unwrap(),
            bob.connect(Version::Http2).unwrap(),
        );
        assert_eq!(
            (
                of_alice.send(get("/")).unwrap().status,
                of_bob.send(get("/")).unwrap().status
            ),
            (200, 200)
        );
        let before = gateway.generation();
        scene.write("denied", &format!("# out\n{entry}\n"));
        gateway.wait_for_generation_after(before);
        assert_eq!(of_alice.send(get("/")).unwrap().reason(), reason, "{entry}");
        assert_eq!(of_bob.send(get("/")).unwrap().status, 200, "{entry}");
        gateway.wait_for_metric(
            "portcullis_deny_list_entries",
            &[("trust_domain", "test")],
            1.0,
        );
        match reason {
            // The certificate counts, the user is out; so it is told over HTTP.
            "revoked" => assert_eq!(alice.get("/").reason(), "revoked"),
            _ => assert_eq!(alice.alert(), Alert::CertificateRevoked, "{entry}"),
        }
        let before = gateway.generation();
        scene.write("denied", "");
        gateway.wait_for_generation_after(before);
    }
    // An unreadable line rejects the reload, and its place is reported. The other lines are active.
    let (failures, generation) = (gateway.reloads("failure"), gateway.generation());
    scene.write("denied", "cn bob\nuserr alice\n");
    eventually("the reload is refused", || {
        (gateway.reloads("failure") > failures).then_some(())
    });
    let said = |line: &serde_json::Value| line["message"].to_string().contains("line 2 of");
    eventually("a log line", || {
        gateway.log().iter().any(said).then_some(())
    });
    assert_eq!(gateway.generation(), generation);
    assert_eq!(bob.alert(), Alert::CertificateRevoked);
    assert_eq!(alice.get("/").status, 200);
}
