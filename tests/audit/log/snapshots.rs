//! What is written at the end, of each snapshot, of what is cut, and to the admin listener.

use super::*;

#[test]
fn what_still_waits_is_written_at_the_end() {
    let mut scene = Scene::new(&user("alice", &["*"]));
    let client = scene.client("alice");
    let mut connection = client.connect(Version::Http1).unwrap();
    for _ in 0..50 {
        connection.send(get("/")).unwrap();
    }
    drop(connection);
    scene.gateway.signal("TERM");
    assert_eq!(scene.gateway.wait_for_exit(), 0);
    assert_eq!(scene.lines("decision").len(), 50);
}

#[test]
fn each_snapshot_is_logged_with_its_changes() {
    let hash = |salt: &str| {
        format!("password_hash = \"$5${salt}$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB\"\n")
    };
    let scene =
        Scene::new(&(user("alice", &["GET /*"]) + &hash("abcdefgh") + &user("bob", &["*"])));
    let start = scene.wait_for("snapshot", |line| line["generation"] == 1);
    assert_eq!(
        (&start["cause"], start.get("changes")),
        (&"start".into(), None)
    );
    let content = |scene: &Scene| {
        serde_json::from_str::<Value>(&scene.gateway.admin("/status").1).unwrap()["content"].clone()
    };
    assert_eq!(start["content"], content(&scene));

    let users =
        user("alice", &["GET /*", "POST /jobs"]) + &hash("hgfedcba") + &user("carol", &["*"]);
    scene.gateway.reload_with(&scene.config(&users));
    let line = scene.wait_for("snapshot", |line| line["generation"] == 2);
    assert_eq!(
        (&line["cause"], &line["content"]),
        (&"files changed".into(), &content(&scene))
    );
    assert_ne!(line["content"], start["content"]);
    assert_eq!(line["files"], serde_json::json!(["gateway.toml"]));
    let changes = serde_json::json!([
        { "table": "api_user.alice", "change": "value", "key": "password_hash", "old": "(not shown)", "new": "(not shown)" },
        { "table": "api_user.alice", "change": "list", "key": "permissions", "added": ["\"POST /jobs\""], "removed": [] },
        { "table": "api_user.bob", "change": "removed", "old": { "client_cn": "\"bob\"", "permissions": "\"*\"" } },
        { "table": "api_user.carol", "change": "added", "new": { "client_cn": "\"carol\"", "permissions": "\"*\"" } },
    ]);
    assert_eq!(line["changes"]["list"], changes);
    let reloaded = eventually("the own log", || scene.gateway.find_log("reloaded"));
    assert_eq!(reloaded["content"], line["content"]);

    scene
        .gateway
        .write_config(&scene.config(&(users + &hash("secretly") + "nonsense = 1\n")));
    let refused = scene.wait_for("refused_snapshot", |_| true);
    assert_eq!(
        (&refused["generation"], &refused["cause"]),
        (&2.into(), &"files changed".into())
    );
    assert!(
        refused["errors"][0]
            .as_str()
            .unwrap()
            .contains("gateway.toml:"),
        "{refused}"
    );
    assert_ne!(refused["content"], line["content"]);
    let text = std::fs::read_to_string(scene.file("audit.log")).unwrap();
    assert!(
        !text.contains("$5$") && !text.contains("secretly"),
        "{text}"
    );
}

#[test]
fn a_log_that_is_turned_off_says_so_last_and_one_that_is_turned_on_begins() {
    let scene = Scene::with("", &user("alice", &["*"]));
    assert_eq!(scene.send("alice", "GET", "/unseen").status, 200);
    scene
        .gateway
        .reload_with(&scene.config(&user("alice", &["*"])));
    scene.send("alice", "GET", "/seen");
    let line = scene.wait_for_decisions(1).remove(0);
    assert_eq!(
        (&line["path"], &line["generation"]),
        (&"/seen".into(), &2.into())
    );
    scene
        .gateway
        .reload_with(&scene.config(&user("alice", &["*"])).replace(AUDIT, ""));
    let last = scene.wait_for("snapshot", |line| line["generation"] == 3);
    assert!(
        last.get("changes").is_none(),
        "there is nothing to compare with: {last}"
    );
    assert_eq!(scene.send("alice", "GET", "/unseen").status, 200);
    scene
        .gateway
        .wait_for_access(|line| line["generation"] == 3);
    assert_eq!(scene.lines("decision").len(), 1);
}

#[test]
fn truncation_is_logged() {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let config = |users: &str| listener(&pki) + AUDIT + users + &route_to(held.upstream.address);
    let gateway = Gateway::start(&config(&user("alice", &["*"])));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let mut raw = client.raw();
    raw.write(b"GET /poll HTTP/1.1\r\nHost: localhost\r\n\r\n");
    held.wait_for_requests(1);
    gateway.reload_with(&config(&user("bob", &["*"])));
    let file = gateway.config_file.with_file_name("audit.log");
    let cut = eventually("a cut", || lines_of(&file, "cut").pop());
    let expected = serde_json::json!({
        "what": "stream", "reason": "unknown_user", "user": "alice", "route": "/", "listener": "main", "generation": 2,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&cut[key], value, "{key} in {cut}");
    }
    let decision = eventually("its decision", || lines_of(&file, "decision").pop());
    assert_eq!(
        (&decision["id"], &decision["decision"]),
        (&cut["id"], &"permit".into())
    );
    assert_eq!(
        (&decision["reason"], &decision["generation"]),
        (&"permission".into(), &1.into()),
        "as it was judged"
    );
    held.open();
}

#[test]
fn the_admin_listener_shows_what_was_decided_lately_if_asked_to() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener(&pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let (status, text) = gateway.admin("/decisions");
    assert!(status == 404 && text.contains("recent_decisions"), "{text}");
    gateway.reload_with(&config.replace("[admin]\n", "[admin]\nrecent_decisions = \"10m\"\n"));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/a?token=hush").status, 200);
    assert_eq!(
        client
            .send(Version::Http2, request("PUT", "/b", ""))
            .unwrap()
            .status,
        403
    );
    let lines = eventually("two decisions", || {
        let (status, text) = gateway.admin("/decisions");
        assert_eq!(status, 200);
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines.len() == 2).then_some(lines)
    });
    assert_eq!(
        (&lines[0]["path"], &lines[0]["query"], &lines[0]["kind"]),
        (&"/a".into(), &"withheld".into(), &"decision".into())
    );
    assert_eq!(
        (&lines[1]["decision"], &lines[1]["certificate"]["cn"]),
        (&"refuse".into(), &"alice".into())
    );
    assert!(!gateway.config_file.with_file_name("audit.log").exists());
}
