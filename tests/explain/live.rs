//! `explain --live`: the running gateway answers from its active snapshot, says the same as it does, and nobody else can ask.

use super::{POLICY, Question, upstream_at};
use crate::support::client::{Version, request};
use crate::support::gateway::{listener, listener_with, route_to, user};
use crate::support::pki::text;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Asks a running gateway: standard output, standard error and exit code.
fn live(gateway: &Gateway, arguments: &[&str]) -> (String, String, i32) {
    let url = format!("--live=http://{}", gateway.admin_address());
    run(
        PORTCULLIS,
        &[&["explain", "-c", "/does/not/exist", &url], arguments].concat(),
    )
}

fn live_json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let (out, err, _) = live(gateway, &[&["--json"], arguments].concat());
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"))
}

#[test]
fn the_running_gateway_explains_its_active_snapshot_also_after_a_reload() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let begin = listener(&pki) + &route_to(upstream.address);
    let gateway = Gateway::start(&(begin.clone() + &user("alice", &["GET /old/*"])));
    let ask = |path: &str| live_json(&gateway, &["--cn", "alice", "GET", path]);
    let before = ask("/old/x");
    assert_eq!(
        (&before["decision"], &before["generation"]),
        (&json!("permit"), &json!(1))
    );
    assert_eq!(ask("/new/x")["decision"], "refuse");
    // What is only written is not active.
    gateway.write_config("nonsense");
    assert_eq!(ask("/old/x")["decision"], "permit");
    let generation = gateway.reload_with(&(begin + &user("alice", &["GET /new/*"])));
    let after = ask("/new/x");
    assert_eq!(
        (&after["decision"], &after["generation"]),
        (&json!("permit"), &json!(generation))
    );
    assert_eq!(ask("/old/x")["reason"], "no_permission");
    let (out, err, code) = live(&gateway, &["--cn", "alice", "GET", "/old/x"]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(
        out.contains(&format!("generation:  {generation}, active")),
        "{out}"
    );
    let users = live_json(&gateway, &["--all-users", "GET", "/new/x"]);
    assert_eq!(
        (&users["counts"]["permit"], &users["generation"]),
        (&json!(1), &json!(generation))
    );
    let routes = live_json(&gateway, &["--all-routes", "--user", "alice"]);
    assert_eq!(routes["routes"][0]["decision"], "depends");
}

#[test]
fn a_certificate_is_shown_to_the_running_gateway_without_its_key() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    std::fs::write(pki.path("denied"), "").unwrap();
    let list = format!("deny_list = \"{}\"\n[admin]", text(&pki.path("denied")));
    let config = listener(&pki).replace("[admin]", &list)
        + &route_to(upstream.address)
        + &user("alice", &["*"]);
    let gateway = Gateway::start(&config);
    let alice = pki.client("alice");
    let both = pki.path("both.pem");
    let parts = [&alice.certificate_file, &alice.key_file]
        .map(|file| std::fs::read_to_string(file).unwrap());
    std::fs::write(&both, parts.concat()).unwrap();
    let ask = || live_json(&gateway, &["--cert", &text(&both), "GET", "/x"]);
    assert_eq!(ask()["client"]["user"]["name"], "alice");
    let before = gateway.generation();
    std::fs::write(pki.path("denied"), "user alice\n").unwrap();
    gateway.wait_for_generation_after(before);
    assert_eq!(ask()["reason"], "revoked");
    // EncodedQuestion about a far future says nothing in the log about now.
    let later = live_json(
        &gateway,
        &[
            "--cert",
            &text(&both),
            "--at",
            "2090-01-01T00:00:00Z",
            "GET",
            "/x",
        ],
    );
    assert_eq!(later["reason"], "expired");
    let other = Pki::named("Other CA");
    let stranger = other.client("alice");
    let refused = live_json(
        &gateway,
        &["--cert", &text(&stranger.certificate_file), "GET", "/x"],
    );
    assert_eq!(refused["reason"], "unknown_issuer");
}

#[test]
fn live_and_by_the_file_and_in_truth_the_same_is_decided() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener_with(&pki, "") + &upstream_at(&upstream.address.to_string()) + POLICY;
    let gateway = Gateway::start(&config);
    let question = Question::with(pki, config);
    for (name, method, path) in [
        ("alice", "GET", "/api/x"),
        ("alice", "GET", "/api/secret"),
        ("alice", "POST", "/api/x"),
        ("bob", "DELETE", "/x"),
        ("bob", "PUT", "/x"),
        ("bob", "POST", "/v1/objects/hosts"),
        ("bob", "PUT", "/v1/objects/hosts"),
        ("nobody", "GET", "/me"),
        ("mallory", "GET", "/public"),
        ("mallory", "GET", "/api"),
        ("alice", "GET", "/api//x"),
        ("alice", "TRACE", "/x"),
    ] {
        let client = Client::new(
            &question.pki,
            Some(&question.pki.client(name)),
            gateway.address(),
        );
        let real = client
            .send(Version::Http1, request(method, path, ""))
            .unwrap();
        let answered = live_json(&gateway, &["--cn", name, method, path]);
        let by_file = question.ask(&["--json", "--cn", name, method, path]);
        let by_file: Value = serde_json::from_str(&by_file.output).unwrap();
        for key in ["decision", "reason", "status", "tried"] {
            // Both configs say the same, in files of other names.
            let nameless = |said: &Value, file: &str| said[key].to_string().replace(file, "");
            let (one, other) = (text(&gateway.config_file), text(&question.file()));
            assert_eq!(
                nameless(&answered, &one),
                nameless(&by_file, &other),
                "{key} of {name} {method} {path}"
            );
        }
        match real.status {
            200 => assert_eq!(answered["decision"], "permit", "{name} {method} {path}"),
            status => {
                assert_eq!(answered["status"], status, "{name} {method} {path}");
                assert_eq!(answered["reason"], real.reason(), "{name} {method} {path}");
            }
        }
    }
}

#[test]
fn an_unanswered_question_or_another_server_has_exit_code_2() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway =
        Gateway::start(&(listener(&pki) + &route_to(upstream.address) + &user("alice", &["*"])));
    let (_, err, code) = live(&gateway, &["--user", "mallory", "GET", "/"]);
    assert!(
        code == 2 && err.contains("there is no api_user \"mallory\""),
        "{err}"
    );
    let ask = |arguments: &[&str]| {
        run(
            PORTCULLIS,
            &[&["explain"], arguments, &["--user", "alice", "GET", "/"]].concat(),
        )
    };
    let (_, err, code) = ask(&["--live=https://x"]);
    assert!(code == 2 && err.contains("is no admin listener"), "{err}");
    let (_, err, code) = ask(&["--live=127.0.0.1:1"]);
    assert!(code == 2 && err.contains("gives no answer"), "{err}");
    let file = text(&gateway.config_file);
    let (_, err, code) = ask(&["-c", &file, "--live"]);
    assert!(
        code == 2 && err.contains("no admin listener with a socket or a fixed port"),
        "{err}"
    );
    // The address of the config is taken, whatever else is wrong there.
    let named = pki.path("named.toml");
    std::fs::write(
        &named,
        format!("[admin]\naddress = \"{}\"\n", gateway.admin_address()),
    )
    .unwrap();
    let (out, err, code) = ask(&["-c", &text(&named), "--live"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

#[test]
fn a_password_is_never_read() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let route = "[upstream.api]\nendpoints = [\"http://ADDRESS\"]\n[[route]]\npath = \"/\"\nupstream = \"api\"\n\
                 credentials = [\"password\"]\n";
    let config = listener(&pki)
        + &route.replace("ADDRESS", &upstream.address.to_string())
        + &user("alice", &["*"]);
    let gateway = Gateway::start(&config);
    let (_, err, code) = live(
        &gateway,
        &[
            "--user",
            "alice",
            "--header",
            "Authorization: Basic YTpi",
            "GET",
            "/",
        ],
    );
    assert!(
        code == 2 && err.contains("a password or token is not looked at here"),
        "{err}"
    );
}

/// Status line of the answer to a question with these head lines.
fn posted(gateway: &Gateway, lines: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(gateway.admin_address()).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /explain HTTP/1.1\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    // It may be refused before it is read.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn no_web_page_can_ask_and_no_question_is_endless() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway =
        Gateway::start(&(listener(&pki) + &route_to(upstream.address) + &user("alice", &["*"])));
    let question = json!({ "who": { "user": "alice" }, "method": "GET", "url": "/" }).to_string();
    let (host, kind) = (
        "Host: 127.0.0.1:9190\r\n",
        "Content-Type: application/json\r\n",
    );
    let good = format!("{host}{kind}");
    let long = format!("{{\"body\": \"{}\"}}", "x".repeat(2 << 20));
    for (lines, body, status) in [
        (good.clone(), question.as_str(), "200"),
        (format!("Host: localhost\r\n{kind}"), &question, "200"),
        (
            format!("Host: evil.example:9190\r\n{kind}"),
            &question,
            "421",
        ),
        (
            format!("{good}Origin: http://evil.example\r\n"),
            &question,
            "403",
        ),
        (host.to_owned(), &question, "415"),
        (
            format!("{host}Content-Type: text/plain\r\n"),
            &question,
            "415",
        ),
        (good.clone(), "{", "400"),
        (good.clone(), "{\"whom\": 1}", "400"),
        (
            good.clone(),
            "{\"method\": \"GET\", \"url\": \"ftp://x\"}",
            "422",
        ),
        (good.clone(), &long, "413"),
    ] {
        let answered = posted(&gateway, &lines, body);
        assert!(
            answered.starts_with(&format!("HTTP/1.1 {status} ")),
            "{lines}{status}: {answered}"
        );
    }
    assert_eq!(gateway.admin("/explain").0, 405);
    let (_, index) = gateway.admin("/");
    assert!(index.contains("/explain"), "{index}");
}

#[test]
fn a_deny_for_the_method_denies_a_path_with_too_many_readings_in_truth_and_in_each_explanation() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let deny =
        |name: &str, deny: &str| user(name, &["GET /api*"]) + &format!("deny = [\"{deny}\"]\n");
    let route = route_to(upstream.address).replace("path = \"/\"", "path = \"/api\"");
    let users = deny("alice", "GET /other") + &deny("bob", "POST /other");
    let gateway = Gateway::start(&(listener(&pki) + &users + &route));
    // Each part of the path is ordinary; together they have more readings than are compared.
    let long = "/api/".to_owned() + &"zz1%20/%EF%BC%A1.%3B/".repeat(200);
    for (name, path, expected) in [
        ("alice", "/api/x", "permit"),
        ("alice", &long, "refuse"),
        ("bob", &long, "permit"),
    ] {
        let client = Client::new(&pki, Some(&pki.client(name)), gateway.address());
        let real = client
            .send(Version::Http1, request("GET", path, ""))
            .unwrap();
        let explained = live_json(&gateway, &["--cn", name, "GET", path]);
        assert_eq!(explained["decision"], expected, "{name}");
        match expected {
            "permit" => assert_eq!(real.status, 200, "{name}"),
            _ => assert_eq!(
                (real.reason(), &explained["reason"]),
                ("denied".into(), &json!("denied")),
                "{name}"
            ),
        }
    }
    let get_row =
        |name: &str| live_json(&gateway, &["--all-routes", "--user", name])["routes"][0].clone();
    assert_eq!(get_row("bob")["decision"], "permit");
    let row = get_row("alice");
    assert_eq!(
        (&row["path"], &row["decision"]),
        (&json!("/api/..."), &json!("depends"))
    );
    let depends = row["depends_on"][0].as_str().unwrap();
    assert!(depends.starts_with("denied by \"GET /other\""), "{depends}");
    assert!(
        depends.ends_with(", if there are more readings than are compared"),
        "{depends}"
    );
}
