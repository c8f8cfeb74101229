//! Who would gain or lose what by another config: told rightly, and where it cannot be told, told so.

mod cases;

use super::*;
use crate::support::gateway::{named_listener, process, trust_domain, user};
use crate::support::pki::Kind;
use base64::Engine;
use rustls::pki_types::pem::PemObject;

fn plan(scene: &Scene, candidate: &str, more: &[&str]) -> (Value, i32) {
    scene.write("new.toml", &scene.config(candidate));
    let arguments = [
        &["plan", "--json", "-c", "@new.toml"][..],
        if more.is_empty() {
            &["--audit", "@audit.log"][..]
        } else {
            more
        },
    ]
    .concat();
    let (out, error, code) = scene.run(&arguments);
    (
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}")),
        code,
    )
}

/// `user method path count old -> new` of each entry.
fn entries(report: &Value, group: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = report[group].as_array().unwrap().iter();
    entries
        .map(|it| {
            let (user, method, path) = (text(&it["user"]), text(&it["method"]), text(&it["path"]));
            format!(
                "{user} {method} {path} {} {} -> {}",
                it["count"],
                text(&it["old"]["reason"]),
                text(&it["new"]["reason"])
            )
        })
        .collect()
}

fn two_users() -> String {
    user("alice", &["GET /*", "POST /jobs/*"]) + &user("bob", &["GET /b/*"])
}

#[test]
fn gains_and_losses_are_listed_by_user_with_reasons_and_counts() {
    let scene = Scene::new(&two_users());
    for (name, method, path) in [
        ("alice", "GET", "/x"),
        ("alice", "POST", "/jobs/1"),
        ("alice", "POST", "/jobs/1"),
        ("bob", "GET", "/b/1"),
        ("bob", "GET", "/c"),
        ("stranger", "GET", "/"),
    ] {
        scene.send(name, method, path);
    }
    scene.wait_for_decisions(6);
    let (report, code) = plan(&scene, &two_users(), &[]);
    assert_eq!(
        (
            code,
            entries(&report, "loses").len(),
            entries(&report, "gains").len()
        ),
        (0, 0, 0),
        "{report:#}"
    );
    assert_eq!(
        (&report["decisions"], &report["passed_over"]),
        (&6.into(), &0.into())
    );

    let candidate = user("alice", &["GET /*"]) + &user("bob", &["GET /b/*", "GET /c"]);
    let (report, code) = plan(&scene, &candidate, &[]);
    assert_eq!(code, 1);
    assert_eq!(
        entries(&report, "loses"),
        ["alice POST /jobs/1 2 permission -> no_permission"]
    );
    assert_eq!(
        entries(&report, "gains"),
        ["bob GET /c 1 no_permission -> permission"]
    );
    assert_eq!(report["loses"][0]["old"]["permission"], "\"POST /jobs/*\"");

    let (text, _, code) = scene.run(&["plan", "-c", "@new.toml", "--audit", "@audit.log"]);
    assert_eq!(code, 1);
    for part in [
        "alice: loses\n  POST /jobs/1",
        "2 times",
        "permission \"POST /jobs/*\" -> no_permission",
        "bob: gains\n  GET /c",
        "1 loses something (2 decisions), 1 gains something (1 decision), nothing is left open",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn removed_and_reidentified_users_lose_and_renamed_ones_do_not() {
    let scene = Scene::new(&two_users());
    scene.send("alice", "GET", "/x");
    scene.send("bob", "GET", "/b/1");
    scene.wait_for_decisions(2);
    let renamed = "[api_user.robert]\nclient_cn = \"bob\"\npermissions = [\"GET /b/*\"]\n";
    let (report, code) = plan(&scene, renamed, &[]);
    assert_eq!(code, 1);
    assert_eq!(
        entries(&report, "loses"),
        ["alice GET /x 1 permission -> unknown_user"]
    );
    let other = user("alice", &["GET /*"])
        .replace("client_cn = \"alice\"", "client_cn = \"alicia\"")
        + renamed;
    assert_eq!(
        entries(&plan(&scene, &other, &[]).0, "loses"),
        ["alice GET /x 1 permission -> unknown_user"]
    );
    let elsewhere =
        two_users() + "[[route]]\npath = \"/x\"\nupstream = \"api\"\nrequirement = \"x/read\"\n";
    let (report, _) = plan(&scene, &elsewhere, &[]);
    assert_eq!(
        entries(&report, "loses"),
        ["alice GET /x 1 permission -> no_permission"]
    );
    assert_eq!(
        (
            &report["loses"][0]["new"]["requirement"],
            &report["loses"][0]["new"]["route"]
        ),
        (&"x/read".into(), &"/x".into())
    );
}

/// Everything that a gateway refuses or permits in some way of its own comes out the same when it is judged again.
#[test]
fn the_same_config_decides_the_same_about_everything() {
    let shared = "[role.ops]\nclient_ou = \"Ops\"\npermissions = [\"PUT /ops/*\"]\n";
    let password = "password_hash = \"$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB\"\n";
    let routes = "[[route]]\npath = \"/v1/{type}\"\nupstream = \"api\"\nrequirement = { GET = \"query/{type}\" }\nmethod_override = \"judge\"\n\
                  [[route]]\npath = \"/odd\"\nupstream = \"api\"\ndot_segments = \"resolve\"\nempty_segments = \"keep\"\n\
                  [[route]]\npath = \"/open\"\nupstream = \"api\"\nclient_auth = \"optional\"\n\
                  [[route]]\npath = \"/login\"\nupstream = \"api\"\ncredentials = [\"password\"]\n\
                  [[route]]\npath = \"/me\"\nrespond = \"whoami\"\n\
                  [[route]]\npath = \"/host\"\nhost = \"localhost\"\nupstream = \"api\"\nwhen = 'inNetwork(source, \"127.0.0.0/8\")'\n\
                  [[route]]\npath = \"/far\"\nupstream = \"api\"\nwhen = 'inNetwork(source, \"10.0.0.0/8\")'\n\
                  [[route]]\npath = \"/trial\"\nupstream = \"api\"\nshadow = true\nrequirement = \"trial\"\n";
    let users = user("alice", &["GET /*", "query/hosts"])
        + "deny = [\"* /denied/*\"]\n"
        + password
        + &user("carol", &["GET /*"])
        + "enabled_until = \"2099-01-01T00:00:00Z\"\n";
    let config = shared.to_owned() + &users + routes;
    let scene = Scene::new(&config);
    let alice = scene.client("alice");
    let basic = ("authorization", "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==");
    let mut sent = 0;
    let mut send = |client: &Client, method: &str, path: &str, fields: &[(&'static str, &str)]| {
        for version in [Version::Http1, Version::Http2] {
            let _ = client
                .send(version, Scene::request(method, path, fields))
                .unwrap();
            sent += 1;
        }
    };
    for path in [
        "/",
        "/denied/x",
        "/v1/hosts",
        "/v1/users",
        "/odd/a/../b",
        "/odd//x",
        "/a/../b",
        "/a//b",
        "/%00",
        "/open",
        "/me",
        "/host",
        "/far",
        "/trial",
        "/login",
        "/%zz",
        "/v1/hosts?x=1",
    ] {
        send(&alice, "GET", path, &[]);
        send(&alice, "POST", path, &[]);
        send(&scene.client("stranger"), "GET", path, &[]);
    }
    send(
        &alice,
        "POST",
        "/v1/hosts",
        &[("x-http-method-override", "GET")],
    );
    send(&alice, "POST", "/", &[("x-http-method-override", "GET")]);
    send(&alice, "GET", "/login", &[basic]);
    send(
        &alice,
        "GET",
        "/login",
        &[("authorization", "Basic YWxpY2U6d3Jvbmc=")],
    );
    send(&scene.client("carol"), "GET", "/x", &[]);
    let ops = scene.pki.with_subject("ops", ops_subject(), Kind::Client);
    send(
        &Client::new(&scene.pki, Some(&ops), scene.gateway.address()),
        "PUT",
        "/ops/1",
        &[],
    );
    alice.exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n");
    let lines = scene.wait_for_decisions(sent + 1);
    let reasons: std::collections::BTreeSet<&str> = lines
        .iter()
        .map(|line| line["reason"].as_str().unwrap())
        .collect();
    assert!(reasons.len() > 12, "many ways: {reasons:?}");
    let (report, code) = plan(&scene, &config, &[]);
    assert_eq!((code, &report["passed_over"]), (0, &1.into()), "{report:#}");
    let (report, code) = plan(
        &scene,
        &config,
        &["--current", "@gateway.toml", "--audit", "@audit.log"],
    );
    assert_eq!(code, 0, "{report:#}");
}

fn ops_subject() -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    name.push(rcgen::DnType::OrganizationalUnitName, "Ops");
    name.push(rcgen::DnType::CommonName, "alice");
    name
}

#[test]
fn what_the_log_does_not_hold_is_not_guessed() {
    let scene = Scene::new(&two_users());
    scene.send("alice", "GET", "/x?mode=all");
    scene.send("alice", "GET", "/y");
    scene.wait_for_decisions(2);
    let with = |lines: &str| format!("[api_user.alice]\nclient_cn = \"alice\"\n{lines}\n");
    let needs = |lines: &str| {
        let (report, code) = plan(&scene, &with(lines), &[]);
        let open = report["cannot_be_told"].as_array().unwrap();
        let told = open.iter().map(|it| {
            format!(
                "{} {}",
                it["path"].as_str().unwrap(),
                it["needs"][0].as_str().unwrap().split(',').next().unwrap()
            )
        });
        (told.collect::<Vec<_>>(), entries(&report, "loses"), code)
    };
    let header = r#"permissions = [{ permission = "GET /*", when = 'request.headers["x-change"] == "yes"' }]"#;
    let both = [
        "/x the header field `x-change`",
        "/y the header field `x-change`",
    ]
    .map(str::to_owned)
    .to_vec();
    assert_eq!(needs(header), (both.clone(), vec![], 1));
    // Another permission that grants makes the header meaningless.
    let either = header.replace("[{", "[\"GET /x\", {");
    assert_eq!(needs(&either), (both[1..].to_vec(), vec![], 1));
    let query = r#"permissions = ["GET /*"]
        deny = [{ permission = "GET /*", when = '"mode" in request.query && request.query["mode"] == "all"' }]"#;
    assert_eq!(
        needs(query),
        (vec!["/x the query".to_owned()], vec![], 1),
        "a request without a query is judged"
    );
    let source = |network: &str| {
        format!(
            "permissions = [{{ permission = \"GET /*\", when = 'inNetwork(source, \"{network}\")' }}]"
        )
    };
    assert_eq!(needs(&source("127.0.0.0/8")), (vec![], vec![], 0));
    let lost = ["/x", "/y"]
        .map(|path| format!("alice GET {path} 1 permission -> condition_not_met"))
        .to_vec();
    assert_eq!(needs(&source("10.0.0.0/8")), (vec![], lost, 1));
    let cn = r#"permissions = [{ permission = "GET /*", when = 'certificate.cn == "alice"' }]"#;
    assert_eq!(needs(cn), (vec![], vec![], 0));
    // The same request at two times, of which the condition holds at one.
    let line = scene
        .lines("decision")
        .into_iter()
        .find(|line| line["path"] == "/y")
        .unwrap()
        .to_string();
    let earlier = line.replace(
        line.split("\"time\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap(),
        "2020-01-01T00:00:00.000Z",
    );
    let before = std::fs::read_to_string(scene.file("audit.log")).unwrap();
    scene.write("audit.log", &format!("{before}{earlier}\n"));
    let late = r#"permissions = [{ permission = "GET /*", when = 'now > timestamp("2021-01-01T00:00:00Z")' }]"#;
    assert_eq!(
        needs(late),
        (
            vec!["/y the time of each single request".to_owned()],
            vec![],
            1
        )
    );
}
