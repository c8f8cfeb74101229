//! What a client without a right is told, bodies with two readings or cut short, passwords, and `explain`.

use super::*;

#[test]
fn denied_clients_may_get_404() {
    let scene = Scene::on("forbidden = \"404\"\n");
    let alice = scene.alice();
    let stranger = Client::new(
        &scene.pki,
        Some(&scene.pki.client("stranger")),
        scene.gateway.address(),
    );
    for version in BOTH {
        let mut texts = Vec::new();
        // Forbidden, and not there: nobody can tell one from the other.
        for (method, path, spoken) in [
            ("DELETE", "/v1/objects/hosts/a%2Fb", "v1/objects/hosts/a/b"),
            ("PATCH", "/v1/objects/hosts/a%2Fb", "v1/objects/hosts/a/b"),
            ("GET", "/v1/nothing//here", "v1/nothing/here"),
        ] {
            let answer = alice.send(version, request(method, path, "")).unwrap();
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (404, Some("application/json")),
                "{path}"
            );
            let said = format!(
                "The requested path '{spoken}' could not be found or the request method is not valid for this path."
            );
            assert_eq!(answer.problem("status"), said);
            assert_eq!(answer.problem("error"), "404");
            texts.push(answer.body.len());
        }
        assert_eq!(texts[0], texts[1]);
        assert_eq!(
            alice
                .send(version, get("/v1/objects/hosts/a%2Fb"))
                .unwrap()
                .status,
            200
        );
        let answer = stranger.send(version, get("/v1/objects/hosts")).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "unknown_user"),
            "strangers are told so"
        );
    }
    // The log knows the difference.
    let logged = |reason: &str| {
        scene.gateway.metric(
            "portcullis_decisions_total",
            &[
                ("listener", "main"),
                ("decision", "refuse"),
                ("reason", reason),
            ],
        )
    };
    eventually_is("refusals", &(2.0, 4.0), || {
        (logged("no_permission"), logged("no_route"))
    });
}

#[test]
fn what_has_two_readings_is_rejected_and_its_plain_twin_is_not() {
    let scene = Scene::on("");
    let alice = scene.alice();
    let ask = |target: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        status(&alice.exchange(head.as_bytes()))
    };
    for (bad, good) in [
        ("//v1/objects/hosts", "/v1//objects//hosts"),
        ("//x/v1/objects/hosts", "/v1/objects/hosts"),
        ("/v1/objects/hosts/..", "/v1/objects/hosts/..."),
        ("/v1/objects/hosts/%2e%2e", "/v1/objects/hosts/%2e%2e%2e"),
        ("/v1/objects/hosts/a%00", "/v1/objects/hosts/a%20"),
        ("/v1/objects/hosts/a\\b", "/v1/objects/hosts/a%5Cb"),
        ("/v1/objects/hosts/a%2F..", "/v1/objects/hosts/a%2Fb"),
        ("/v1/objects/hosts/a#x", "/v1/objects/hosts/a;x"),
        ("/v1/objects/hosts/%zz", "/v1/objects/hosts/%25zz"),
        ("/v1/objects/hosts?a[=1", "/v1/objects/hosts?a[]=1"),
        ("/v1/objects/host", "/v1/objects/HOSTS"),
    ] {
        assert_eq!((ask(bad), ask(good)), (400, 200), "{bad} {good}");
    }
    assert_eq!(
        alice
            .send(Version::Http2, get("/v1/objects/hosts/a%2Fb"))
            .unwrap()
            .status,
        200
    );
    assert_eq!(scene.last().target, "/v1/objects/hosts/a%2Fb");
}

#[test]
fn a_body_that_does_not_come_as_a_whole_leads_nowhere() {
    let scene = Scene::on("");
    let head = |framing: &str| {
        format!(
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{framing}\r\n\r\n"
        )
    };
    let types = r#"{"types":["CheckResult"]}"#;
    let half = head(&format!("Content-Length: {}", types.len() + 1)) + types;
    let mut raw = scene.alice().raw();
    raw.write(half.as_bytes());
    raw.close_writing();
    assert_ne!(status_or_nothing(&raw.read_to_end()), Some(200));
    let broken = head("Transfer-Encoding: chunked") + "19\r\n" + types + "x\r\n0\r\n\r\n";
    let answer = scene.alice().exchange(broken.as_bytes());
    assert_eq!(status_or_nothing(&answer), Some(400), "{answer}");
    assert!(scene.upstream.recorded().is_empty());
    let twin = head("Transfer-Encoding: chunked") + "19\r\n" + types + "\r\n0\r\n\r\n";
    assert_eq!(status(&scene.alice().exchange(twin.as_bytes())), 200);
    assert_eq!(scene.gateway.metric("portcullis_panics_total", &[]), 0.0);
}

fn status_or_nothing(answer: &str) -> Option<u16> {
    (!answer.is_empty()).then(|| status(answer))
}

#[test]
fn a_password_is_looked_at_and_then_the_body() {
    // Of `correct horse`, made by glibc's crypt; cheap.
    const HASH: &str = "$6$rounds=1000$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAqL7r6PK6CIeYnO9.vxpbsevscg/";
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = Scene::config(&pki, &upstream, &ALICE, "credentials = [\"password\"]\n")
        .replace(
            "client_cn = \"alice\"",
            &format!("password_hash = '{HASH}'"),
        )
        .replace("private_key", "client_auth = \"optional\"\nprivate_key");
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, None, gateway.address());
    let authorization = |password: &str| {
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("alice:{password}"))
        )
    };
    let (right, wrong) = (authorization("correct horse"), authorization("wrong"));
    for version in BOTH {
        for (password, types, expected) in [
            (&right, "CheckResult", (200, "")),
            (&right, "Notification", (403, "no_permission")),
            (&wrong, "CheckResult", (401, "wrong_password")),
        ] {
            let text = format!(r#"{{"types":["{types}"]}}"#);
            let answer = client
                .send(
                    version,
                    with(subscription(&text), &[("authorization", password)]),
                )
                .unwrap();
            let reason = if answer.status == 200 {
                String::new()
            } else {
                answer.reason()
            };
            assert_eq!(
                (answer.status, reason.as_str()),
                expected,
                "{version:?} {types}"
            );
        }
    }
    assert!(
        upstream
            .recorded()
            .iter()
            .all(|seen| seen.values("authorization").is_empty())
    );
    assert_eq!(upstream.recorded().len(), 2);
}

#[test]
fn explain_says_what_icinga_would_ask_for() {
    let scene = Scene::on("");
    let explain = |method: &str, path: &str| {
        let file = scene.gateway.config_file.to_str().unwrap();
        run(
            PORTCULLIS,
            &["explain", "-c", file, "--user", "alice", method, path],
        )
        .0
    };
    let text = explain("POST", "/v1/events?types=CheckResult&types=StateChange");
    assert!(
        text.contains("permit") && text.contains("events/CheckResult and events/StateChange"),
        "{text}"
    );
    let text = explain("DELETE", "/v1/objects/hosts/x");
    assert!(
        text.contains("403 no_permission") && text.contains("objects/delete/Host"),
        "{text}"
    );
    // There is no body to look at.
    let text = explain("POST", "/v1/events");
    assert!(text.contains("400 no_event_types"), "{text}");
}
