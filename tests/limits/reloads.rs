//! What limits become over a reload: what was used stays used, whatever else changes.

use super::*;

fn tables(alice: &str, others: &str) -> String {
    user_with("alice", alice) + others + &route("/", "api", "")
}

#[test]
fn what_was_used_stays_used_over_a_reload_and_another_rate_begins_anew() {
    let both = "daily_quota = 5\nrequest_rate = \"1/h\"\nrequest_burst = 2";
    let scene = Scene::new(&tables(both, ""));
    let alice = scene.client("alice");
    assert_eq!(outcomes(&alice, Version::Http1, "/", 1), ["ok"]);
    scene.reload_with(&tables(both, &user_with("bob", "")));
    assert_eq!(
        outcomes(&alice, Version::Http1, "/", 2),
        ["ok", "rate_limited"]
    );
    scene.reload_with(&tables(&both.replace("quota = 5", "quota = 4"), ""));
    assert_eq!(
        outcomes(&alice, Version::Http1, "/", 1),
        ["rate_limited"],
        "the rate is the same"
    );
    scene.reload_with(&tables(&both.replace("burst = 2", "burst = 9"), ""));
    assert_eq!(
        outcomes(&alice, Version::Http1, "/", 4),
        ["ok", "ok", "ok", "quota_used_up"],
        "five in all"
    );
    scene.reload_with(&tables("", ""));
    assert_eq!(outcomes(&alice, Version::Http1, "/", 4), ["ok"; 4]);
}

#[test]
fn a_route_limit_survives_a_reload_and_a_readded_user_starts_anew() {
    let limited = |alice: &str, lines: &str| {
        alice.to_owned() + &user_with("bob", "") + &route("/", "api", lines)
    };
    let alice_said = user_with("alice", "daily_quota = 2");
    let scene = Scene::new(&limited(&alice_said, "daily_quota = 5"));
    let (alice, bob) = (scene.client("alice"), scene.client("bob"));
    assert_eq!(
        outcomes(&alice, Version::Http2, "/", 3),
        ["ok", "ok", "quota_used_up"]
    );
    scene.reload_with(&limited("", "daily_quota = 5"));
    assert_eq!(outcomes(&bob, Version::Http2, "/", 1), ["ok"]);
    scene.reload_with(&limited(&alice_said, "daily_quota = 6"));
    assert_eq!(
        outcomes(&alice, Version::Http2, "/", 3),
        ["ok", "ok", "quota_used_up"]
    );
    assert_eq!(
        outcomes(&bob, Version::Http2, "/", 2),
        ["ok", "quota_used_up"],
        "the sixth of the route"
    );
}

#[test]
fn requests_in_progress_are_counted_by_the_new_limit() {
    for version in BOTH {
        let tables = |most: u32| {
            user_with("alice", &format!("concurrency = {most}"))
                + &route("/", "api", "")
                + &route("/held", "held", "")
        };
        let scene = Scene::new(&tables(3));
        let alice = scene.client("alice");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| alice.send(version, get("/held")).unwrap().status);
            scene.held.wait_for_requests(1);
            assert_eq!(outcomes(&alice, version, "/", 1), ["ok"]);
            scene.reload_with(&tables(1));
            assert_eq!(
                outcomes(&alice, version, "/", 2),
                ["too_many_concurrent"; 2],
                "{version:?}"
            );
            scene.held.open();
            assert_eq!(waiting.join().unwrap(), 200);
        });
        passes_at_last(&alice, version, "/");
    }
}
