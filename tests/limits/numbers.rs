//! Rates and quotas: whose they are, what is told, and that only what goes on costs anything.

use super::*;

const BURST: &str = "request_rate = \"1/h\"\nrequest_burst = 3";

#[test]
fn a_burst_passes_and_faster_requests_get_retry_after() {
    for version in BOTH {
        let tables = user_with("alice", BURST) + &user_with("bob", "") + &route("/", "api", "");
        let scene = Scene::new(&tables);
        let alice = scene.client("alice");
        assert_eq!(outcomes(&alice, version, "/", 3), ["ok"; 3], "{version:?}");
        let refused = alice.send(version, get("/")).unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (429, "rate_limited"),
            "{version:?}"
        );
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        assert_eq!(
            refused.header("ratelimit"),
            Some(format!("\"user\";r=0;t={wait}").as_str())
        );
        assert_eq!(
            refused.header("ratelimit-policy"),
            Some("\"user\";q=1;w=3600")
        );
        assert_eq!(scene.upstream.recorded().len(), 3);
        assert_eq!(
            outcomes(&scene.client("bob"), version, "/", 6),
            ["ok"; 6],
            "nobody limits bob"
        );
        let line = scene.gateway.wait_for_access(|line| line["status"] == 429);
        let said = ["user", "decision", "reason", "detail"]
            .map(|key| line[key].as_str().unwrap_or_default());
        assert_eq!(
            said,
            ["alice", "refuse", "rate_limited", "limit of the ApiUser"]
        );
        scene
            .gateway
            .wait_for_access(|line| line["user"] == "alice" && line["decision"] == "permit");
        let limited = || {
            (
                scene.limited("rate_limited"),
                scene.limited("quota_used_up"),
            )
        };
        eventually_is("limited requests", &(1.0, 0.0), limited);
    }
}

#[test]
fn a_connection_stays_open_after_a_denial_with_an_unread_body() {
    for version in BOTH {
        let tables =
            user_with("alice", "daily_quota = 1") + &user_with("bob", "") + &route("/", "api", "");
        let scene = Scene::new(&tables);
        let alice = scene.client("alice");
        let mut connection = alice.connect(version).unwrap();
        let post = || crate::support::client::request("POST", "/", "a body");
        assert_eq!(outcome(&connection.send(post()).unwrap()), "ok");
        for _ in 0..3 {
            assert_eq!(
                outcome(&connection.send(post()).unwrap()),
                "quota_used_up",
                "{version:?}"
            );
        }
    }
}

#[test]
fn a_role_gives_each_of_its_users_a_bucket_of_its_own_and_what_the_user_says_goes_first() {
    let roles = "[role.clients]\nrequest_rate = \"1/h\"\nrequest_burst = 2\ndaily_quota = 100\n\
                 [role.slow]\ndaily_quota = 1\n[role.outer]\ndaily_quota = 3\nroles = [\"slow\"]\n";
    let with_roles =
        |name: &str, lines: &str| user_with(name, &format!("roles = [\"clients\"]\n{lines}"));
    let tables = roles.to_owned()
        + &with_roles("alice", "")
        + &with_roles("bob", "")
        + &with_roles("carol", BURST)
        + &with_roles("dave", "request_rate = \"off\"\ndaily_quota = 5")
        + &user_with("erin", "roles = [\"clients\", \"slow\"]")
        + &user_with("frank", "roles = [\"outer\"]")
        + &route("/", "api", "");
    let scene = Scene::new(&tables);
    for (name, passing, reason) in [
        ("alice", 2, "rate_limited"),
        ("bob", 2, "rate_limited"),
        ("carol", 3, "rate_limited"),
        ("dave", 5, "quota_used_up"),
        ("erin", 1, "quota_used_up"),
        ("frank", 1, "quota_used_up"),
    ] {
        let outcomes = outcomes(&scene.client(name), Version::Http2, "/", 7);
        let expected = (0..7).map(|at| if at < passing { "ok" } else { reason });
        assert!(
            outcomes.iter().map(String::as_str).eq(expected),
            "{name}: {outcomes:?}"
        );
    }
}

#[test]
fn all_requests_of_a_route_share_its_limit_and_what_it_rejects_costs_the_user_nothing() {
    for version in BOTH {
        let tables = user_with(
            "alice",
            "daily_quota = 4\nrequest_rate = \"1/h\"\nrequest_burst = 3",
        ) + &user_with("bob", "")
            + &route("/", "api", "")
            + &route("/narrow", "api", "daily_quota = 2");
        let scene = Scene::new(&tables);
        let (alice, bob) = (scene.client("alice"), scene.client("bob"));
        assert_eq!(outcomes(&alice, version, "/narrow", 1), ["ok"]);
        assert_eq!(outcomes(&bob, version, "/narrow", 1), ["ok"]);
        let refused = bob.send(version, get("/narrow")).unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (429, "quota_used_up")
        );
        assert_eq!(
            refused.header("ratelimit-policy"),
            Some("\"route-daily\";q=2;w=86400")
        );
        assert_eq!(
            outcomes(&alice, version, "/narrow", 5),
            ["quota_used_up"; 5]
        );
        assert_eq!(outcomes(&bob, version, "/", 5), ["ok"; 5]);
        // Of three at once one was spent, however often the route has refused.
        assert_eq!(
            outcomes(&alice, version, "/", 3),
            ["ok", "ok", "rate_limited"],
            "{version:?}"
        );
        let line = scene
            .gateway
            .wait_for_access(|line| line["reason"] == "quota_used_up");
        assert_eq!(line["detail"], "limit of the route");
    }
}

#[test]
fn a_user_over_its_limit_uses_none_of_the_route_limit() {
    for version in BOTH {
        let tables = user_with("alice", "daily_quota = 1")
            + &user_with("bob", "")
            + &route("/", "api", "request_rate = \"1/h\"\nrequest_burst = 3");
        let scene = Scene::new(&tables);
        let (alice, bob) = (scene.client("alice"), scene.client("bob"));
        let quota = ["ok", "quota_used_up", "quota_used_up", "quota_used_up"];
        assert_eq!(outcomes(&alice, version, "/", 4), quota);
        assert_eq!(
            outcomes(&bob, version, "/", 3),
            ["ok", "ok", "rate_limited"],
            "{version:?}"
        );
    }
}

#[test]
fn other_denials_are_not_counted_and_gateway_responses_are() {
    for version in BOTH {
        let tables = user("alice", &["GET /allowed"])
            + "daily_quota = 3\nbody_size = \"10B\"\n"
            + &route("/", "api", "")
            + "[[route]]\npath = \"/me\"\nrespond = \"whoami\"\n";
        let scene = Scene::new(&tables);
        let alice = scene.client("alice");
        assert_eq!(outcomes(&alice, version, "/", 5), ["no_permission"; 5]);
        let large = || crate::support::client::request("GET", "/allowed", "more than ten");
        for _ in 0..5 {
            assert_eq!(
                alice.send(version, large()).unwrap().reason(),
                "body_too_large"
            );
        }
        assert_eq!(outcomes(&alice, version, "/allowed", 1), ["ok"]);
        assert_eq!(outcomes(&alice, version, "/me", 2), ["ok"; 2]);
        for path in ["/me", "/allowed"] {
            assert_eq!(
                outcomes(&alice, version, path, 1),
                ["quota_used_up"],
                "{version:?} {path}"
            );
        }
    }
}

#[test]
fn a_public_route_limits_everybody_and_knows_users_only_where_it_takes_notice_of_them() {
    for version in BOTH {
        let tables = user_with("alice", "daily_quota = 1")
            + &route("/off", "api", "client_auth = \"off\"\ndaily_quota = 3")
            + &route("/optional", "api", "client_auth = \"optional\"");
        let scene = Scene::new(&tables);
        let alice = scene.client("alice");
        assert_eq!(
            outcomes(&alice, version, "/off", 4),
            ["ok", "ok", "ok", "quota_used_up"]
        );
        assert_eq!(
            outcomes(&alice, version, "/optional", 2),
            ["ok", "quota_used_up"],
            "{version:?}"
        );
    }
}
