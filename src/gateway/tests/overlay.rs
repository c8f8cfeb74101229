//! What takes rights away waits for nothing, and gives none back before a load succeeds.

use super::*;
use crate::pki::RevocationList;

#[tokio::test]
async fn a_deny_entry_is_active_while_a_load_hangs() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let shared = gateway.shared.clone();
    assert!(!denies(&gateway.active(), "alice"));
    let hanging_load = async {
        scene.write("denied", "user alice\n");
        until(|| version(&shared) == (1, 1)).await;
    };
    gateway.revoker.during(hanging_load).await;
    assert!(denies(&gateway.active(), "alice"));
    assert!(!denies(&gateway.active(), "bob"));
}

#[tokio::test]
async fn an_entry_that_is_removed_denies_until_a_load_succeeds() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    scene.configure(&(user("alice") + BROKEN));
    scene.write("denied", "user alice\n");
    gateway.load_again().await;
    assert!(denies(&gateway.active(), "alice"));
    assert_eq!(gateway.version(), (1, 1));
    scene.write("denied", "");
    gateway.load_again().await;
    assert!(denies(&gateway.active(), "alice"), "the load failed");
    scene.configure(&user("alice"));
    gateway.load_again().await;
    assert!(!denies(&gateway.active(), "alice"));
    assert_eq!(gateway.version(), (2, 0));
}

#[tokio::test]
async fn a_user_that_a_rejected_config_has_no_more_is_removed_and_no_other() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    scene.configure(&(user("alice") + BROKEN));
    gateway.load_again().await;
    assert_eq!(gateway.users(), ["alice", "bob"], "nothing is missing");
    assert_eq!(gateway.version(), (1, 0));
    scene.configure(BROKEN);
    gateway.load_again().await;
    assert_eq!(gateway.users(), ["bob"]);
    // Back again in a config that is still rejected: nothing is granted.
    scene.configure(&(user("alice") + BROKEN));
    gateway.load_again().await;
    assert_eq!(gateway.users(), ["bob"]);
    scene.configure(&user("alice"));
    gateway.load_again().await;
    assert_eq!(gateway.users(), ["alice", "bob"]);
}

#[tokio::test]
async fn users_in_a_file_that_cannot_be_read_stay() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    scene.write("users.d/bob.toml", "[[");
    gateway.load_again().await;
    assert_eq!(gateway.users(), ["alice", "bob"]);
    scene.write("gateway.toml", "");
    gateway.load_again().await;
    assert_eq!(
        gateway.users(),
        ["alice", "bob"],
        "another file, or a full disk"
    );
    assert_eq!(gateway.version(), (1, 0));
    scene.configure(&user("alice"));
    std::fs::remove_file(scene.path("users.d/bob.toml")).unwrap();
    gateway.load_again().await;
    assert_eq!(gateway.users(), ["alice"]);
}

#[tokio::test]
async fn lists_that_only_a_rejected_config_names_revoke_and_an_unreadable_one_stops_no_other() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let serial = "2a".parse().unwrap();
    let mut list = RevocationList::default();
    list.revoke(&serial);
    let signed = list.sign(&scene.authority, 1).unwrap();
    scene.write("ca.crl", &signed.pem);
    scene.write("broken.crl", "nonsense");
    let tables = |crls: &str| {
        let base = BASE.replace("deny_list", &format!("crls = [{crls}]\ndeny_list"));
        format!("{base}{}{}", user("alice"), user("bob"))
    };
    std::fs::remove_file(scene.path("users.d/bob.toml")).unwrap();
    scene.write("gateway.toml", &tables("\"broken.crl\", \"ca.crl\""));
    gateway.load_again().await;
    assert_eq!(gateway.version().0, 1, "the config is rejected");
    let retained = |gateway: &Gateway| {
        let active = gateway.active();
        active.trust_domains[0].revocation().retained_serials()
    };
    assert_eq!(retained(&gateway), 1);
    assert!(!gateway.revoker.faults().is_empty());
    scene.write("gateway.toml", &tables("\"ca.crl\""));
    gateway.load_again().await;
    assert_eq!(gateway.version(), (2, 0));
    assert_eq!(retained(&gateway), 0, "the list itself is active");
    assert_eq!(
        gateway.active().trust_domains[0].revocation().facts().len(),
        1
    );
    assert!(gateway.revoker.faults().is_empty());
}
