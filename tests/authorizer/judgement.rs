//! An authorizer within the judgement: requests under way, shadow mode, passwords, public routes, `explain`.

use super::{BOTH, Fake, PATIENT, Scene, Speaks, asking_route};
use crate::support::client::{Version, get};
use crate::support::gateway::{listener, listener_with, route_to, user};
use crate::support::upstream::HeldUpstream;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use base64::Engine;

#[test]
fn a_denial_is_only_marked_in_shadow_mode() {
    for speaks in BOTH {
        let scene = Scene::new(speaks, "", PATIENT, "[gateway]\nshadow = true\n");
        for version in [Version::Http1, Version::Http2] {
            for (path, mark) in [
                ("/yes", None),
                ("/no", Some("authorizer_denied")),
                ("/broken", Some("authorizer_unavailable")),
            ] {
                let answer = scene.client("alice").send(version, get(path)).unwrap();
                assert_eq!(answer.status, 200, "{path}");
                let line = scene.line(&answer);
                let up = scene.upstream.recorded().pop().unwrap();
                assert_eq!(
                    up.values("x-portcullis-shadow"),
                    mark.into_iter().collect::<Vec<_>>(),
                    "{path}"
                );
                assert_eq!(
                    line["decision"],
                    if mark.is_some() { "shadow" } else { "permit" }
                );
                assert!(mark.is_none() || line["reason"].as_str() == mark, "{line}");
            }
        }
    }
    let enforced = Scene::new(Speaks::ForwardAuth, "", PATIENT, "");
    assert_eq!(enforced.client("alice").get("/no").status, 403);
}

/// One request under way while the config changes: what becomes of it.
fn under_way(
    version: Version,
    before: impl Fn(&Pki) -> String,
    after: impl Fn(&Pki) -> String,
) -> (u16, String) {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let base = |more: String| {
        let upstream = format!(
            "[upstream.api]\nendpoints = [\"http://{}\"]\n",
            held.upstream.address
        );
        listener(&pki) + &user("alice", &["*"]) + &upstream + &more
    };
    let gateway = Gateway::start(&base(before(&pki)));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    std::thread::scope(|scope| {
        let request = scope.spawn(|| client.send(version, get("/yes")).unwrap());
        held.wait_for_requests(1);
        gateway.reload_with(&base(after(&pki)));
        let cut = [("listener", "main")];
        // Either it was cut by now or soon, or it never is.
        crate::support::eventually("a round", || {
            let round_is_over =
                gateway.metric("portcullis_cut_total", &cut) > 0.0 || gateway.generation() > 1;
            round_is_over.then_some(())
        });
        if gateway.metric("portcullis_cut_total", &cut) == 0.0 {
            // A further reload makes a further round.
            gateway.reload_with(&(base(after(&pki)) + "[api_user.more]\nclient_cn = \"more\"\n"));
        }
        if !request.is_finished() {
            held.open();
        }
        let answer = request.join().unwrap();
        let reason = if answer.status == 200 {
            String::new()
        } else {
            answer.reason()
        };
        (answer.status, reason)
    })
}

const ROUTE: &str = "[[route]]\npath = \"/\"\nupstream = \"api\"\n";

#[test]
fn a_request_under_way_keeps_its_verdict_and_is_not_asked_about_again() {
    for version in [Version::Http1, Version::Http2] {
        let fake = Fake::start(Speaks::ForwardAuth);
        let asks = |_: &Pki| {
            Speaks::ForwardAuth.table(fake.address(), PATIENT) + ROUTE + "authorizer = \"opa\"\n"
        };
        assert_eq!(under_way(version, asks, asks), (200, String::new()));
        assert_eq!(fake.asked(), 1);
    }
}

#[test]
fn a_request_under_way_that_was_never_asked_about_does_not_pass_where_a_route_asks_now() {
    for version in [Version::Http1, Version::Http2] {
        let fake = Fake::start(Speaks::ForwardAuth);
        let asks = |_: &Pki| {
            Speaks::ForwardAuth.table(fake.address(), PATIENT) + ROUTE + "authorizer = \"opa\"\n"
        };
        let outcome = under_way(version, |_| ROUTE.to_owned(), asks);
        assert_eq!(outcome, (503, "authorizer_unasked".to_owned()));
        // Its twin: the other way round nothing is taken away.
        assert_eq!(
            under_way(version, asks, |_| ROUTE.to_owned()),
            (200, String::new())
        );
    }
}

#[test]
fn a_password_user_is_forwarded_without_the_password() {
    let (pki, upstream, fake) = (
        Pki::new(),
        Upstream::start(),
        Fake::start(Speaks::ForwardAuth),
    );
    let keys = PATIENT.to_owned() + "request_headers = [\"authorization\"]\n";
    let hash = "$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB";
    let users = format!("[api_user.carol]\npassword_hash = '{hash}'\npermissions = [\"*\"]\n")
        + &user("alice", &["*"]);
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &users
        + &Speaks::ForwardAuth.table(fake.address(), &keys)
        + &asking_route(upstream.address)
        + "credentials = [\"certificate\", \"password\"]\n";
    let gateway = Gateway::start(&config);
    let Fake::ForwardAuth(server) = &fake else {
        unreachable!()
    };
    let anonymous = Client::new(&pki, None, gateway.address());
    let alice = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let password = |text: &str| {
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(text)
        )
    };
    for version in [Version::Http1, Version::Http2] {
        let send = |client: &Client, authorization: Option<String>| {
            let mut request = get("/yes");
            if let Some(value) = authorization {
                request
                    .headers_mut()
                    .insert("authorization", value.parse().unwrap());
            }
            client.send(version, request).unwrap().status
        };
        let asked = fake.asked();
        assert_eq!(send(&anonymous, Some(password("carol:wrong"))), 401);
        assert_eq!(
            fake.asked(),
            asked,
            "nobody is asked about who is not proven"
        );
        assert_eq!(send(&anonymous, Some(password("carol:correct horse"))), 200);
        let told = server.recorded().pop().unwrap();
        assert_eq!(
            (told.values("x-client-user"), told.values("x-client-verify")),
            (vec!["carol"], vec!["NONE"])
        );
        assert_eq!(told.values("authorization"), [""; 0]);
        assert_eq!(send(&alice, None), 200);
        assert_eq!(
            server.recorded().pop().unwrap().values("x-client-user"),
            ["alice"]
        );
    }
}

#[test]
fn on_public_routes_an_authorizer_gets_the_identity_that_upstreams_get() {
    let (pki, upstream, fake) = (
        Pki::new(),
        Upstream::start(),
        Fake::start(Speaks::ForwardAuth),
    );
    let public = |path: &str, admission: &str| {
        format!(
            "[[route]]\npath = \"{path}\"\nupstream = \"api\"\nclient_auth = \"{admission}\"\nauthorizer = \"opa\"\n"
        )
    };
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &user("alice", &[])
        + &Speaks::ForwardAuth.table(fake.address(), PATIENT)
        + &format!(
            "[upstream.api]\nendpoints = [\"http://{}\"]\n",
            upstream.address
        )
        + &public("/yes/off", "off")
        + &public("/yes/optional", "optional")
        + &public("/no", "off");
    let gateway = Gateway::start(&config);
    let Fake::ForwardAuth(server) = &fake else {
        unreachable!()
    };
    let alice = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let anonymous = Client::new(&pki, None, gateway.address());
    for version in [Version::Http1, Version::Http2] {
        for (client, path, status, told) in [
            (&alice, "/yes/off", 200, vec![]),
            (&alice, "/yes/optional", 200, vec!["alice"]),
            (&anonymous, "/yes/optional", 200, vec![]),
            (&anonymous, "/no", 403, vec![]),
        ] {
            assert_eq!(
                client.send(version, get(path)).unwrap().status,
                status,
                "{path}"
            );
            let asked = server.recorded().pop().unwrap();
            assert_eq!(asked.values("x-client-user"), told, "{path}");
            assert_eq!(asked.values("client-cert").len(), told.len());
        }
    }
}

#[test]
fn explain_calls_no_authorizer_and_names_the_one_it_depends_on() {
    let (pki, fake) = (Pki::new(), Fake::start(Speaks::ForwardAuth));
    let file = pki.path("gateway.toml");
    let asks = "[[route]]\npath = \"/asks\"\nupstream = \"api\"\nauthorizer = \"opa\"\n";
    let table = Speaks::ForwardAuth.table(fake.address(), "");
    let config = listener(&pki)
        + &user("alice", &["GET /*"])
        + &route_to("127.0.0.1:1".parse().unwrap())
        + asks
        + &table;
    std::fs::write(&file, config).unwrap();
    for (method, path, decision, expected) in [
        ("GET", "/asks", "depends on authorizer \"opa\"", 2),
        ("POST", "/asks", "refuse (403 no_permission)", 1),
        ("GET", "/", "permit", 0),
    ] {
        let url = format!("https://localhost{path}");
        let (out, err, code) = run(
            PORTCULLIS,
            &[
                "explain",
                "-c",
                file.to_str().unwrap(),
                "--cn",
                "alice",
                method,
                &url,
            ],
        );
        assert_eq!(code, expected, "{out}{err}");
        assert!(
            out.starts_with(&format!("decision:    {decision}")),
            "{out}"
        );
    }
    assert_eq!(fake.asked(), 0);
}
