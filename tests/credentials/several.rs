//! `any` and `all`: several credentials on one request.

use super::*;
use crate::support::PORTCULLIS;
use crate::support::gateway::user;
use crate::support::run;

/// alice has a certificate and a password, bob a password, carol a certificate.
fn users() -> String {
    let alice = format!(
        "[api_user.alice]\nclient_cn = \"alice\"\npassword_hash = '{SHA512}'\npermissions = [\"*\"]\n"
    );
    alice + &password_user("bob", SHA256) + &user("carol", &["*"])
}

#[test]
fn any_of_them_is_enough_and_all_that_are_shown_must_agree() {
    let scene = Scene::new(&users(), "credentials = [\"certificate\", \"password\"]");
    let (alice, bob) = (
        basic("alice", "correct horse"),
        basic("bob", "correct horse"),
    );
    let table = [
        (scene.anonymous(), None, "401 no_credentials"),
        (scene.anonymous(), Some(&bob), "200 bob password"),
        (scene.client("carol"), None, "200 carol certificate"),
        (scene.client("alice"), Some(&alice), "200 alice password"),
        (
            scene.client("carol"),
            Some(&bob),
            "403 contradictory_credentials",
        ),
        (scene.client("unknown"), None, "403 unknown_user"),
        (scene.client("unknown"), Some(&bob), "403 unknown_user"),
    ];
    for (client, shown, expected) in &table {
        let shown: Vec<&str> = shown.iter().map(|value| value.as_str()).collect();
        assert_eq!(scene.judge(client, &shown), *expected, "{shown:?}");
    }
    assert_eq!(
        scene.judge(&scene.client("carol"), &[&basic("carol", "wrong")]),
        "401 wrong_password"
    );
}

#[test]
fn all_of_them_are_needed_and_must_agree() {
    let keys = "credentials = [\"certificate\", \"password\"]\ncredentials_required = \"all\"";
    let scene = Scene::new(&users(), keys);
    let (alice, bob) = (
        basic("alice", "correct horse"),
        basic("bob", "correct horse"),
    );
    assert_eq!(
        scene.judge(&scene.client("alice"), &[&alice]),
        "200 alice password"
    );
    assert_eq!(
        scene.judge(&scene.client("alice"), &[]),
        "401 no_credentials"
    );
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&alice]),
        "401 no_certificate"
    );
    assert_eq!(
        scene.judge(&scene.client("alice"), &[&bob]),
        "403 contradictory_credentials"
    );
    assert_eq!(
        scene.judge(&scene.client("alice"), &[&basic("alice", "wrong")]),
        "401 wrong_password"
    );
    let up = scene.upstream.recorded();
    assert_eq!(up[0].values("x-client-cn"), ["alice"]);
}

#[test]
fn explain_checks_passwords_too() {
    let scene = Scene::new(&users(), "credentials = [\"password\"]");
    let explain = |arguments: &[&str]| {
        let config = scene.gateway.config_file.to_str().unwrap();
        run(
            PORTCULLIS,
            &[
                &["explain", "-c", config],
                arguments,
                &["GET", "https://localhost/x"],
            ]
            .concat(),
        )
    };
    let (out, _, code) = explain(&["--user", "bob"]);
    assert!(code == 0 && out.contains("by password"), "{out}");
    let (out, _, code) = explain(&["--cn", "carol"]);
    assert!(code == 1 && out.contains("no_credentials"), "{out}");
}

#[test]
fn a_reserved_certificate_identifies_no_user_even_with_a_password() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = Scene::config(
        &pki,
        &upstream,
        &password_user("alice", SHA512),
        "credentials = [\"password\"]",
    );
    let config = config.replace(
        "[trust_domain.test]\n",
        "[trust_domain.test]\nreserved_names = [\"node-*\"]\n",
    );
    let scene = Scene {
        gateway: Gateway::start(&config),
        pki,
        upstream,
        users: String::new(),
    };
    let good = basic("alice", "correct horse");
    assert_eq!(
        scene.judge(&scene.client("node-1"), &[&good]),
        "403 reserved_name"
    );
    assert_eq!(
        scene.judge(&scene.client("laptop"), &[&good]),
        "200 alice password"
    );
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&good]),
        "200 alice password"
    );
}
