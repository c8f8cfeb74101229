//! HTTP basic: hashes, answers, limits, reload.

mod hashes;

use super::*;
use crate::support::gateway::user;
use crate::support::{PORTCULLIS, eventually_is};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

const PASSWORD: &str = "credentials = [\"password\"]";

#[test]
fn a_password_fits_hashes_of_each_kind_and_no_other_password_does() {
    let hashes = [
        ("sha512", SHA512),
        ("sha256", SHA256),
        ("bcrypt", BCRYPT),
        ("argon", ARGON2),
    ];
    let users: String = hashes
        .iter()
        .map(|(name, hash)| password_user(name, hash))
        .collect();
    let limits = "[passwords]\nfailures_per_source = 1000\nfailures_per_user = 1000\n";
    let scene = Scene::new(&(users + limits), PASSWORD);
    let client = scene.anonymous();
    for (name, _) in hashes {
        let password = if name == "argon" {
            "password"
        } else {
            "correct horse"
        };
        assert_eq!(
            scene.judge(&client, &[&basic(name, password)]),
            format!("200 {name} password")
        );
        for wrong in ["", "wrong", "Correct horse", "correct horse2"] {
            assert_eq!(
                scene.judge(&client, &[&basic(name, wrong)]),
                "401 wrong_password",
                "{name} {wrong}"
            );
        }
    }
}

#[test]
fn users_that_are_unknown_or_have_no_password_are_wrong_passwords() {
    let users = password_user("alice", SHA512)
        + &user("bob", &["*"])
        + "[passwords]\nfailures_per_source = 1000\n";
    let scene = Scene::new(&users, PASSWORD);
    let client = scene.anonymous();
    for name in ["bob", "nobody", "Alice", "alice "] {
        for password in ["", "correct horse", "bob"] {
            assert_eq!(
                scene.judge(&client, &[&basic(name, password)]),
                "401 wrong_password",
                "{name} {password}"
            );
        }
    }
    assert_eq!(
        scene.judge(&client, &[&basic("alice", "correct horse")]),
        "200 alice password"
    );
}

#[test]
fn without_passwords_none_matches() {
    let scene = Scene::new(&user("bob", &["*"]), PASSWORD);
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&basic("bob", "")]),
        "401 wrong_password"
    );
    assert_eq!(scene.judge(&scene.anonymous(), &[]), "401 no_credentials");
}

#[test]
fn what_has_two_readings_is_rejected() {
    let scene = Scene::new(&password_user("alice", SHA512), PASSWORD);
    let (client, good) = (scene.anonymous(), basic("alice", "correct horse"));
    assert_eq!(scene.judge(&client, &[&good, &good]), "400 repeated_field");
    let spaced = good.replace(' ', "  ");
    let unpadded = "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ";
    let other_separators =
        ["\t", ",", ", ", ":", "=", ".", ""].map(|separator| good.replacen(' ', separator, 1));
    let others =
        other_separators
            .iter()
            .map(String::as_str)
            .chain(["Basic,", "basic\t", "\"Basic\" YTpi"]);
    for bad in others.chain([&*spaced, "Basic", "Basic !", unpadded, "Basic YWxpY2U="]) {
        assert_eq!(
            scene.judge(&client, &[bad]),
            "400 bad_authorization",
            "{bad}"
        );
    }
    assert_eq!(
        scene.judge(&client, &[&good.replace("Basic", "bAsic")]),
        "200 alice password"
    );
    assert_eq!(
        scene.judge(&client, &["Negotiate abc"]),
        "401 no_credentials"
    );
}

#[test]
fn what_cannot_be_read_reaches_no_upstream_and_other_schemes_do() {
    let users = password_user("alice", SHA512) + &user("bob", &["*"]);
    let scene = Scene::new(&users, "credentials = [\"certificate\", \"password\"]");
    let (bob, good) = (scene.client("bob"), basic("alice", "correct horse"));
    // Bob's certificate alone would do; what he shows beside it must be good, or be no concern of the gateway.
    for bad in [
        good.replacen(' ', "\t", 1),
        "bASIC,".to_owned(),
        good.replacen(' ', ",", 1),
        "Negotiate,x".to_owned(),
    ] {
        assert_eq!(scene.judge(&bob, &[&bad]), "400 bad_authorization", "{bad}");
    }
    assert_eq!(scene.judge(&bob, &[&good]), "403 contradictory_credentials");
    for other in ["Negotiate abc", "Bearer a.b.c", "Digest username=\"x\""] {
        assert_eq!(
            scene.judge(&bob, &[other]),
            "200 bob certificate",
            "{other}"
        );
        assert_eq!(
            scene
                .upstream
                .recorded()
                .pop()
                .unwrap()
                .values("authorization"),
            [other]
        );
    }
}

#[test]
fn the_response_names_the_accepted_credentials() {
    let scene = Scene::new(&password_user("alice", SHA512), PASSWORD);
    let answer = scene.anonymous().get("/");
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Basic realm=\"portcullis\", charset=\"UTF-8\"")
    );
}

#[test]
fn the_password_is_removed_and_the_upstream_gets_the_user() {
    let scene = Scene::new(&password_user("alice", SHA512), PASSWORD);
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&basic("alice", "correct horse")]),
        "200 alice password"
    );
    for up in scene.upstream.recorded() {
        assert_eq!(up.values("authorization"), Vec::<&str>::new());
        assert_eq!(up.values("x-client-user"), ["alice"]);
        assert_eq!(
            up.values("x-client-verify"),
            ["NONE"],
            "there was no certificate"
        );
        assert_eq!(up.values("x-client-cn"), Vec::<&str>::new());
    }
    // With another's certificate, which the route does not take, the user still is the one of the password, and the
    // upstream is told of nobody else.
    assert_eq!(
        scene.judge(&scene.client("carol"), &[&basic("alice", "correct horse")]),
        "200 alice password"
    );
    let up = scene.upstream.recorded().pop().unwrap();
    assert_eq!(
        (up.values("x-client-user"), up.values("x-client-cn")),
        (vec!["alice"], vec![])
    );
    assert_eq!(up.values("x-client-verify"), ["NONE"]);
    // Its own is told.
    let both =
        password_user("alice", SHA512).replace("permissions", "client_cn = \"alice\"\npermissions");
    let scene = Scene::new(&both, PASSWORD);
    assert_eq!(
        scene.judge(&scene.client("alice"), &[&basic("alice", "correct horse")]),
        "200 alice password"
    );
    let up = scene.upstream.recorded().pop().unwrap();
    assert_eq!(
        (up.values("x-client-user"), up.values("x-client-cn")),
        (vec!["alice"], vec!["alice"])
    );
}

#[test]
fn a_route_that_takes_no_password_leaves_the_field_alone() {
    let scene = Scene::new(&(password_user("alice", SHA512) + &user("bob", &["*"])), "");
    let good = basic("alice", "correct horse");
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&good]),
        "401 no_certificate"
    );
    assert_eq!(
        scene.judge(&scene.client("bob"), &[&good]),
        "200 bob certificate"
    );
    assert_eq!(
        scene.upstream.recorded()[0].values("authorization"),
        [good.as_str()]
    );
}

#[test]
fn too_many_wrong_passwords_close_the_door_for_strangers_and_not_for_the_user() {
    let users = password_user("alice", SHA512).replace(
        "[api_user.alice]\n",
        "[api_user.alice]\nclient_cn = \"alice\"\n",
    );
    let limits = "[passwords]\nfailures_per_user = 3\nfailures_per_source = 5\nwindow = \"1h\"\nremember = \"off\"\n";
    let route = "credentials = [\"certificate\", \"password\"]";
    let scene = Scene::new(&(users + limits + &password_user("bob", SHA256)), route);
    let client = scene.anonymous();
    let try_once = |user: &str, password: &str| {
        scene.judge_in(Version::Http1, &client, &[&basic(user, password)])
    };
    for _ in 0..3 {
        assert_eq!(try_once("alice", "wrong"), "401 wrong_password");
    }
    assert_eq!(
        try_once("alice", "correct horse"),
        "429 too_many_attempts",
        "also with the right one"
    );
    assert_eq!(
        try_once("bob", "correct horse"),
        "200 bob password",
        "another user is not held back yet"
    );
    assert_eq!(
        scene.judge(&scene.client("alice"), &[]),
        "200 alice certificate",
        "nor is the user's certificate"
    );
    for _ in 0..2 {
        assert_eq!(try_once("nobody", "wrong"), "401 wrong_password");
    }
    assert_eq!(
        try_once("nobody", "wrong"),
        "429 too_many_attempts",
        "now the source is"
    );
    let mut request = get("/");
    request.headers_mut().insert(
        "authorization",
        basic("bob", "correct horse").parse().unwrap(),
    );
    let answer = client.send(Version::Http1, request).unwrap();
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(
        answer.status == 429 && (1..=3601).contains(&wait),
        "{answer:?}"
    );
    let limited = [("kind", "password"), ("result", "limited")];
    scene
        .gateway
        .wait_for_metric("portcullis_credential_checks_total", &limited, 3.0);
}

#[test]
fn a_right_password_is_remembered_and_forgotten_with_its_hash() {
    let mut scene = Scene::new(&password_user("alice", SHA512), PASSWORD);
    let (client, good) = (scene.anonymous(), basic("alice", "correct horse"));
    let checks = |scene: &Scene, result| {
        scene.gateway.metric(
            "portcullis_credential_checks_total",
            &[("kind", "password"), ("result", result)],
        )
    };
    assert_eq!(scene.judge(&client, &[&good]), "200 alice password");
    // The second was remembered.
    eventually_is("checks", &(1.0, 1.0), || {
        (checks(&scene, "verified"), checks(&scene, "remembered"))
    });
    // Another hash of the same password, so that it has to be hashed again; then none at all.
    scene.reload(&password_user("alice", SHA256), PASSWORD);
    assert_eq!(scene.judge(&client, &[&good]), "200 alice password");
    eventually_is("checks", &2.0, || checks(&scene, "verified"));
    scene.reload(&user("alice", &["*"]), PASSWORD);
    assert_eq!(scene.judge(&client, &[&good]), "401 wrong_password");
}

#[test]
fn an_open_connection_loses_its_password_with_a_reload() {
    let mut scene = Scene::new(&password_user("alice", SHA512), PASSWORD);
    let client = scene.anonymous();
    let mut connections =
        [Version::Http1, Version::Http2].map(|version| client.connect(version).unwrap());
    let mut statuses = || {
        connections.each_mut().map(|connection| {
            let mut request = get("/");
            request.headers_mut().insert(
                "authorization",
                basic("alice", "correct horse").parse().unwrap(),
            );
            connection.send(request).unwrap().status
        })
    };
    assert_eq!(statuses(), [200, 200]);
    scene.reload(&password_user("bob", SHA512), PASSWORD);
    assert_eq!(statuses(), [401, 401]);
    scene.reload(&password_user("alice", SHA512), PASSWORD);
    assert_eq!(statuses(), [200, 200]);
}
