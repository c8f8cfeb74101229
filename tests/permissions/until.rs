//! Users and routes that count until a time: refused from then on without a reload, and what is open by them is cut.

use super::{Scene, user_with};
use crate::support::eventually;
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Gateway, Pki, Upstream};
use std::time::{Duration, SystemTime};

/// A time so many seconds from now, as the config has it.
fn in_seconds(seconds: u64) -> String {
    let then = time::OffsetDateTime::from(SystemTime::now() + Duration::from_secs(seconds));
    then.format(&time::format_description::well_known::Rfc3339)
        .unwrap()
}

#[test]
fn a_user_is_valid_until_its_time_and_no_longer() {
    let until = format!(
        "permissions = [\"*\"]\nenabled_until = \"{}\"",
        in_seconds(8)
    );
    let scene = Scene::new(&(user_with("alice", &until) + &user("bob", &["*"])));
    assert_eq!(scene.judge("alice", "GET", "/"), "200");
    let alice = scene.client("alice");
    eventually("alice is refused", || {
        (alice.get("/").status == 403).then_some(())
    });
    scene.check(&[
        ("alice", "GET", "/", "403 user_disabled"),
        ("bob", "GET", "/", "200"),
    ]);
}

#[test]
fn a_route_is_there_until_its_time_also_for_everybody() {
    let until = in_seconds(8);
    let routes = format!(
        "[[route]]\npath = \"/a\"\nupstream = \"api\"\nenabled_until = \"{until}\"\n\
         [[route]]\npath = \"/open\"\nupstream = \"api\"\nclient_auth = \"off\"\nenabled_until = \"{until}\"\n"
    );
    let scene = Scene::with_routes(&user("alice", &["*"]), &routes);
    assert_eq!(
        (
            scene.judge("alice", "GET", "/a"),
            scene.judge("alice", "GET", "/open")
        ),
        ("200".into(), "200".into())
    );
    let alice = scene.client("alice");
    for path in ["/a", "/open"] {
        eventually("the route is gone", || {
            (alice.get(path).status == 403).then_some(())
        });
    }
    scene.check(&[
        ("alice", "GET", "/b", "200"),
        ("alice", "GET", "/a", "403 route_disabled"),
    ]);
}

#[test]
fn a_day_is_valid_until_its_end() {
    let scene = Scene::new(&user_with(
        "alice",
        "permissions = [\"*\"]\nenabled_until = \"2099-12-31\"",
    ));
    scene.check(&[("alice", "GET", "/", "200")]);
}

#[test]
fn what_went_by_while_the_gateway_ran_is_in_the_way_of_no_reload() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let until = format!(
        "permissions = [\"*\"]\nenabled_until = \"{}\"",
        in_seconds(6)
    );
    let text = listener(&pki) + &user_with("alice", &until) + &route_to(upstream.address);
    let gateway = Gateway::start(&text);
    let alice = crate::support::Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    eventually("alice is over", || {
        (alice.get("/").status == 403).then_some(())
    });
    let before = gateway.generation();
    gateway.write_config(&(text.clone() + &user("bob", &["*"])));
    gateway.wait_for_generation_after(before);
    let bob = crate::support::Client::new(&pki, Some(&pki.client("bob")), gateway.address());
    assert_eq!((alice.get("/").status, bob.get("/").status), (403, 200));
    // A time that is over and new is a mistake.
    gateway.write_config(
        &(text + "[api_user.eve]\nclient_cn = \"eve\"\nenabled_until = \"2020-01-01\"\n"),
    );
    eventually("the reload is refused", || {
        let log = gateway.log();
        log.iter()
            .any(|line| line.to_string().contains("which is over"))
            .then_some(())
    });
    assert_eq!(bob.get("/").status, 200, "the old state goes on");
}
