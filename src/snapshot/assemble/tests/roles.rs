//! Roles: what they include, circles, and unknown names.

use super::*;

/// A role and the roles that it includes.
fn role(name: &str, included: &[&str]) -> String {
    format!("[role.{name}]\npermissions = [\"GET /{name}\"]\nroles = {included:?}\n")
}

/// The permissions of the user alice, who has these roles.
fn permissions(roles: &str, of_alice: &[&str]) -> Vec<String> {
    let user = format!("[api_user.alice]\nclient_cn = \"alice\"\nroles = {of_alice:?}\n");
    let snapshot = Scene::new().snapshot(&format!("{roles}{user}"));
    let alice = snapshot.users.named("alice").unwrap();
    let granted = snapshot.policy.sets(&alice).flat_map(|set| &set.granted);
    let mut texts: Vec<String> = granted
        .map(|permission| permission.text().to_owned())
        .collect();
    texts.sort_unstable();
    texts
}

#[test]
fn a_role_brings_what_it_includes_each_once_and_nothing_else() {
    let roles = role("a", &["b", "c"])
        + &role("b", &["d"])
        + &role("c", &["d"])
        + &role("d", &[])
        + &role("e", &["a"]);
    assert_eq!(
        permissions(&roles, &["a", "b"]),
        ["GET /a", "GET /b", "GET /c", "GET /d"]
    );
    assert_eq!(permissions(&roles, &["d"]), ["GET /d"]);
    assert!(permissions(&roles, &[]).is_empty());
}

#[test]
fn roles_in_a_circle_are_an_error_that_names_the_circle() {
    let scene = Scene::new();
    let circle = role("a", &["b"]) + &role("b", &["c"]) + &role("c", &["a"]);
    let errors = scene.errors_of(&format!("{BASE}{circle}"));
    let expected = "\"a\" holds \"b\" holds \"c\" holds \"a\"";
    assert!(
        errors.iter().any(|error| error.contains(expected)),
        "{errors:#?}"
    );
    assert!(
        scene
            .error(&role("a", &["a"]))
            .contains("\"a\" holds \"a\"")
    );
    let open = role("a", &["b"]) + &role("b", &["c"]) + &role("c", &[]);
    let _ = scene.snapshot(&open);
}

#[test]
fn an_unknown_role_is_an_error_for_users_and_roles() {
    let scene = Scene::new();
    let user =
        |role: &str| format!("[api_user.alice]\nclient_cn = \"alice\"\nroles = [\"{role}\"]\n");
    let known = role("reader", &[]);
    let expected = "there is no role \"raeder\"";
    assert!(
        scene
            .error(&(known.clone() + &user("raeder")))
            .contains(expected)
    );
    assert!(
        scene
            .error(&(known.clone() + &role("writer", &["raeder"])))
            .contains(expected)
    );
    let _ = scene.snapshot(&(known.clone() + &user("reader") + &role("writer", &["reader"])));
}
