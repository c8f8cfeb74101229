//! The list that is proposed grants what was seen and, but for its wildcards, nothing else.

use super::*;
use crate::support::gateway::user;

const ROUTE: &str = "[[route]]\npath = \"/v1/objects/{type}\"\nupstream = \"api\"\nrequirement = { GET = \"objects/query/{type}\" }\n";

fn scene() -> Scene {
    let users =
        user("alice", &["*"]) + &user("bob", &["GET /*", "DELETE /*"]) + &user("never", &["*"]);
    let scene = Scene::new(&(users + ROUTE));
    let client = scene.client("alice");
    let mut connection = client.connect(Version::Http1).unwrap();
    for id in 0..10 {
        for _ in 0..2 {
            assert_eq!(
                connection
                    .send(request("GET", &format!("/api/hosts/{id}"), ""))
                    .unwrap()
                    .status,
                200
            );
        }
    }
    for (method, path) in [
        ("POST", "/api/jobs/7"),
        ("GET", "/v1/objects/hosts"),
        ("GET", "/v1/objects/users"),
    ] {
        assert_eq!(
            connection.send(request(method, path, "")).unwrap().status,
            200
        );
    }
    assert_eq!(scene.send("bob", "GET", "/b").status, 200);
    assert_eq!(scene.send("bob", "PUT", "/b").status, 403);
    scene.wait_for_decisions(25);
    scene
}

#[test]
fn the_list_is_small_exact_and_comes_with_its_evidence() {
    let scene = scene();
    let (out, error, code) = scene.run(&["learn", "--audit", "@audit.log", "-c", "@gateway.toml"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let lists: Vec<&str> = out
        .lines()
        .filter(|line| line.starts_with("    \"") || line.starts_with('['))
        .collect();
    let text = |line: &&str| line.split("  # ").next().unwrap().trim().to_owned();
    let expected = [
        "[api_user.alice]",
        "\"GET /api/hosts/*\",",
        "\"POST /api/jobs/7\",",
        "\"objects/query/hosts\",",
        "\"objects/query/users\",",
        "[api_user.bob]",
        "\"GET /b\",",
    ];
    assert_eq!(
        lists.iter().map(text).collect::<Vec<_>>(),
        expected,
        "{out}"
    );
    for part in [
        "\"GET /api/hosts/*\",  # 20 requests of 10 kinds, last 20",
        "\"POST /api/jobs/7\",  # 1 request, last 20",
        "# not used: \"DELETE /*\" at ",
        "# ApiUsers that needed nothing: never",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert_eq!(
        scene
            .run(&["learn", "--audit", "@audit.log", "-c", "@gateway.toml"])
            .0,
        out,
        "the same each time"
    );
    let (narrow, _, _) = scene.run(&[
        "learn",
        "--audit",
        "@audit.log",
        "--threshold",
        "11",
        "--user",
        "alice",
    ]);
    assert!(
        narrow.contains("\"GET /api/hosts/9\",  # 2 requests, last") && !narrow.contains("bob"),
        "{narrow}"
    );
}

#[test]
fn with_the_list_no_user_loses_anything() {
    let scene = scene();
    for threshold in ["2", "8", "1000"] {
        let (learned, _, _) =
            scene.run(&["learn", "--audit", "@audit.log", "--threshold", threshold]);
        let learned = learned.replace("\npermissions", "\nclient_cn = NAME\npermissions");
        let learned = learned
            .replacen("NAME", "\"alice\"", 1)
            .replacen("NAME", "\"bob\"", 1);
        scene.write("learned.toml", &scene.config(&(learned + ROUTE)));
        let (out, error, code) =
            scene.run(&["plan", "-c", "@learned.toml", "--audit", "@audit.log"]);
        assert_eq!(code, 0, "{out}{error}");
    }
}

#[test]
fn what_is_let_through_on_trial_is_learned_unless_it_is_left_out() {
    let scene = Scene::new(&(user("alice", &["GET /a"]) + "shadow = true\n"));
    scene.send("alice", "GET", "/a");
    assert_eq!(scene.send("alice", "GET", "/b").status, 200);
    scene.wait_for_decisions(2);
    let (out, _, _) = scene.run(&["learn", "--audit", "@audit.log"]);
    assert!(
        out.contains("\"GET /a\",  # 1 request, last")
            && out.contains("\"GET /b\",  # 1 request, 1 only on trial, last"),
        "{out}"
    );
    let (out, _, _) = scene.run(&["learn", "--audit", "@audit.log", "--without-shadow"]);
    assert!(
        out.contains("\"GET /a\"") && !out.contains("\"GET /b\""),
        "{out}"
    );
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let scene = scene();
    for arguments in [
        &["--audit", "@gateway.toml"][..],
        &["--audit", "@none"],
        &[],
        &["--audit", "@audit.log", "--threshold", "1"],
    ] {
        let (out, error, code) = scene.run(&[&["learn"], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(!error.is_empty());
    }
}
