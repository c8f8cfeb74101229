//! ApiUsers: identities, permissions and end times.

use super::*;
use crate::authorize::PermissionSet;

fn texts(set: &PermissionSet) -> Vec<&str> {
    set.granted
        .iter()
        .map(|permission| permission.text())
        .collect()
}

#[test]
fn a_user_has_its_own_permissions_and_no_others() {
    let snapshot = Scene::new().snapshot(
        "[api_user.alice]\nclient_cn = \"alice\"\npermissions = [\"GET /a/*\"]\ndeny = [\"GET /a/b\"]\n\
         [api_user.bob]\nclient_cn = \"bob\"\n",
    );
    let own = |name: &str| {
        let principal = snapshot.users.named(name).unwrap();
        snapshot.policy.user(&principal).unwrap().own.clone()
    };
    let alice = own("alice");
    assert_eq!(texts(&alice), ["GET /a/*"]);
    assert_eq!(alice.denied.len(), 1);
    let bob = own("bob");
    assert!(bob.granted.is_empty() && bob.denied.is_empty());
    assert!(snapshot.users.named("carol").is_none());
}

#[test]
fn a_name_belongs_to_one_user() {
    let scene = Scene::new();
    let users = |first: &str, second: &str| {
        format!(
            "[api_user.alice]\nclient_cn = \"{first}\"\n[api_user.bob]\nclient_cn = \"{second}\"\n"
        )
    };
    let error = scene.error(&users("shared", "shared"));
    assert!(error.contains("shared"), "{error}");
    assert_eq!(scene.snapshot(&users("one", "two")).users.len(), 2);
}

#[test]
fn a_permission_that_can_never_match_is_an_error_wherever_it_is() {
    let scene = Scene::new();
    let user = |key: &str, text: &str| {
        format!("[api_user.alice]\nclient_cn = \"alice\"\n{key} = [\"{text}\"]\n")
    };
    for text in ["", "/a", "GET", "GET  /a", "GET /a b", "GET /a/../b"] {
        for key in ["permissions", "deny"] {
            let error = scene.error(&user(key, text));
            assert!(error.contains("can never match"), "{key} {text}: {error}");
        }
        let role = format!("[role.reader]\npermissions = [\"{text}\"]\n");
        assert!(scene.error(&role).contains("can never match"), "{text}");
    }
    for key in ["permissions", "deny"] {
        let _ = scene.snapshot(&user(key, "GET /a"));
    }
}

#[test]
fn a_user_ends_when_the_config_says_and_otherwise_never() {
    let scene = Scene::new();
    let user = |line: &str| format!("[api_user.alice]\nclient_cn = \"alice\"\n{line}");
    let end = |line: &str| {
        let snapshot = scene.snapshot(&user(line));
        let alice = snapshot.users.named("alice").unwrap().id;
        let end = snapshot.policy.enabled_until(alice);
        assert_eq!(snapshot.changes_with_time, end.is_some());
        end
    };
    assert_eq!(
        end("enabled_until = \"2099-12-31T18:00:00Z\"\n"),
        Some(4_102_423_200)
    );
    assert_eq!(end(""), None);
    for bad in ["tomorrow", "2099-13-01", ""] {
        let _ = scene.error(&user(&format!("enabled_until = \"{bad}\"\n")));
    }
}

#[test]
fn equal_permissions_are_in_memory_once_and_conditions_make_them_differ() {
    let snapshot = Scene::new().snapshot(
        "[api_user.alice]\nclient_cn = \"alice\"\npermissions = [\"GET /a\", { permission = \"GET /a\", when = 'user == \"alice\"' }]\n\
         [api_user.bob]\nclient_cn = \"bob\"\npermissions = [\"GET /a\"]\n",
    );
    let identities: Vec<_> = snapshot
        .policy
        .granted()
        .map(|permission| permission.identity())
        .collect();
    let [plain, conditional, of_bob] = identities.as_slice() else {
        panic!("{identities:?}");
    };
    assert_eq!(plain, of_bob);
    assert_ne!(plain, conditional);
    assert!(snapshot.has_conditions);
}
