//! A bad change leaves the old snapshot active, says why, is counted, and is forgotten once it is mended.

use super::{alice, ask, client, config};
use crate::support::client::Version;
use crate::support::gateway::user;
use crate::support::{Gateway, Pki, ReservedPort, Upstream, eventually};

/// What the log says about refused reloads so far.
pub(super) fn refusals(gateway: &Gateway) -> Vec<String> {
    let lines = gateway
        .log()
        .into_iter()
        .filter(|line| line["level"] == "ERROR");
    let messages = lines.map(|line| line["message"].as_str().unwrap().to_owned());
    messages
        .filter(|message| message.starts_with("reload rejected"))
        .collect()
}

/// Waits for one more rejection than before, and gives what the log says about it.
pub(super) fn wait_for_refusal(gateway: &Gateway, before: usize) -> String {
    let mut found = eventually("a refused reload", || {
        Some(refusals(gateway)).filter(|found| found.len() > before)
    });
    assert_eq!(gateway.metric("portcullis_reload_last_success", &[]), 0.0);
    assert!(gateway.reloads("failure") > before as f64);
    found.pop().unwrap()
}

#[test]
fn a_bad_file_changes_nothing_says_why_and_can_be_mended() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let good = config(&pki, &upstream, &alice());
    let gateway = Gateway::start(&good);
    let client = client(&pki, "alice", &gateway);
    let mut connection = client.connect(Version::Http1).unwrap();
    let cases = [
        ("not TOML", good.clone() + "[nothing\n", "unclosed"),
        (
            "an unknown key",
            good.clone() + "upstraem = \"api\"\n",
            "unknown key `route[0].upstraem`",
        ),
        (
            "an unknown upstream",
            good.replace("upstream = \"api\"", "upstream = \"aip\""),
            "there is no upstream \"aip\"",
        ),
        (
            "a missing file",
            good.replace("server.key", "nowhere.key"),
            "nowhere.key",
        ),
        (
            "a foreign key",
            good.replace("server.key", "alice.key"),
            "the private key does not belong",
        ),
        ("an empty file", String::new(), "there is no listener"),
        ("an empty CA file", good.replace("ca.crt", "empty"), "empty"),
    ];
    std::fs::write(pki.path("empty"), "").unwrap();
    for (what, bad, says) in cases {
        let generation = gateway.generation();
        let refused = refusals(&gateway).len();
        gateway.write_config(&bad);
        let message = wait_for_refusal(&gateway, refused);
        assert!(message.contains(says), "{what}: {message}");
        if !bad.is_empty() {
            let place = format!("{}:", gateway.config_file.display());
            assert!(
                message.contains(&place),
                "{what}: file and line in {message}"
            );
        }
        assert_eq!(gateway.generation(), generation, "{what}");
        assert_eq!(ask(&mut connection, "/"), "ok", "{what}");
        assert_eq!(
            client.get("/").status,
            200,
            "{what}: also on new connections"
        );
        gateway.reload_with(&good);
        eventually(what, || {
            (gateway.metric("portcullis_reload_last_success", &[]) == 1.0).then_some(())
        });
        assert_eq!(ask(&mut connection, "/"), "ok");
    }
}

#[test]
fn a_config_file_that_vanishes_changes_nothing_and_may_come_back() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let good = config(&pki, &upstream, &alice());
    let gateway = Gateway::start(&good);
    let client = client(&pki, "alice", &gateway);
    std::fs::remove_file(&gateway.config_file).unwrap();
    let message = wait_for_refusal(&gateway, 0);
    assert!(
        message.contains("cannot read") && message.contains("gateway.toml"),
        "{message}"
    );
    assert_eq!(client.get("/").status, 200);
    gateway.reload_with(&config(&pki, &upstream, &(alice() + &user("bob", &["*"]))));
    assert_eq!(super::client(&pki, "bob", &gateway).get("/").status, 200);
}

#[test]
fn hangup_on_a_bad_file_is_rejected_too() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    gateway.write_config("[[[");
    gateway.signal("HUP");
    wait_for_refusal(&gateway, 0);
    assert_eq!(client(&pki, "alice", &gateway).get("/").status, 200);
}

#[test]
fn an_address_that_cannot_be_bound_rejects_the_whole_reload_until_it_is_free() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let port = ReservedPort::new();
    let taken = port.listen();
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let extra = super::listeners::listener_at("extra", &port.address().to_string(), &pki);
    let wanted = config(&pki, &upstream, &(alice() + &user("bob", &["*"]))) + &extra;
    gateway.write_config(&wanted);
    let message = wait_for_refusal(&gateway, 0);
    assert!(
        message.contains("cannot listen on") && message.contains("listener \"extra\""),
        "{message}"
    );
    assert!(message.contains("  = help: `ss -ltnp"), "{message}");
    assert_eq!(
        client(&pki, "bob", &gateway).get("/").reason(),
        "unknown_user",
        "all or nothing"
    );
    assert_eq!(client(&pki, "alice", &gateway).get("/").status, 200);
    let before = gateway.generation();
    drop(taken);
    // Nobody changes a file or sends a signal: it is tried again until the port is free.
    gateway.wait_for_generation_after(before);
    assert_eq!(client(&pki, "bob", &gateway).get("/").status, 200);
}

#[test]
fn an_access_log_that_cannot_be_opened_rejects_the_reload() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    gateway.write_config(
        &(config(&pki, &upstream, &alice()) + "[access_log]\npath = \"no/such/folder/log\"\n"),
    );
    let message = wait_for_refusal(&gateway, 0);
    assert!(message.contains("cannot open the access log"), "{message}");
    assert_eq!(client(&pki, "alice", &gateway).get("/still").status, 200);
    gateway.wait_for_access(|line| line["path"] == "/still");
}
