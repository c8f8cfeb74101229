//! Loads that fail: what stays, what is watched, and how often one is tried again.

use super::*;

#[tokio::test]
async fn the_watched_files_only_grow_until_a_load_succeeds() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let before = gateway.watch.paths();
    let included = scene.path("users.d/bob.toml");
    assert!(before.contains(&included) && before.contains(&scene.path("ca.crt")));
    // A load of this file reads no other.
    scene.write("gateway.toml", "[[");
    gateway.load_again().await;
    assert!(before.is_subset(&gateway.watch.paths()));
    // This one names a file that is not there.
    let tables = BASE.replace("ca.crt", "other.crt") + &user("alice");
    scene.write("gateway.toml", &tables);
    gateway.load_again().await;
    let grown = gateway.watch.paths();
    assert!(before.is_subset(&grown) && grown.contains(&scene.path("other.crt")));
    let alone = BASE.replace("include = [\"users.d/*.toml\"]", "") + &user("alice");
    scene.write("gateway.toml", &alone);
    gateway.load_again().await;
    let after = gateway.watch.paths();
    assert!(!after.contains(&included) && !after.contains(&scene.path("other.crt")));
    assert!(after.contains(&scene.path("ca.crt")));
}

#[tokio::test]
async fn a_load_that_fails_changes_nothing_and_is_tried_again_and_one_that_succeeds_is_not() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let active = gateway.active();
    assert!(!gateway.retry.is_scheduled());
    scene.configure(&(user("alice") + &user("carol") + BROKEN));
    gateway.load_again().await;
    assert!(
        Arc::ptr_eq(&active, &gateway.active()),
        "no half of it counts"
    );
    assert!(gateway.retry.is_scheduled());
    scene.configure(&(user("alice") + &user("carol")));
    gateway.reload(ReloadCause::Retry).await;
    assert_eq!(gateway.users(), ["alice", "bob", "carol"]);
    assert!(!gateway.retry.is_scheduled());
}

#[tokio::test]
async fn retries_with_the_same_errors_are_counted_apart_and_back_off() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let metrics = |gateway: &Gateway| {
        let metrics = &gateway.shared.telemetry.metrics;
        let failures = metrics.reloads.with_label_values(&["failure"]).get();
        (failures, metrics.reload_retries.get())
    };
    scene.configure(BROKEN);
    gateway.load_again().await;
    assert_eq!(metrics(&gateway), (1, 0));
    gateway.reload(ReloadCause::Retry).await;
    gateway.reload(ReloadCause::Retry).await;
    assert_eq!(metrics(&gateway), (1, 2));
    assert_eq!(gateway.retry.failures(), 3);
    scene.configure(&BROKEN.replace("none", "other"));
    gateway.reload(ReloadCause::Retry).await;
    assert_eq!(metrics(&gateway), (2, 2), "another error");
    assert_eq!(gateway.retry.failures(), 4);
    gateway.load_again().await;
    assert_eq!(gateway.retry.failures(), 1, "a new cause begins anew");
}

#[tokio::test]
async fn revocations_that_are_written_during_a_load_are_part_of_its_snapshot() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let config = scene.path("gateway.toml");
    let active = gateway.active();
    let outcome = load(
        &config,
        Some(&active),
        &gateway.shared.telemetry,
        Depth::Errors,
    );
    let stamps = super::super::stamps_of(&outcome.watched);
    scene.write("denied", "user alice\n");
    let loaded = outcome.snapshot.unwrap();
    assert!(!denies(&loaded, "alice"));
    let (newest, _) = super::super::Revoker::with_newest_revocations(loaded, &stamps)
        .await
        .unwrap();
    assert!(denies(&newest, "alice"));
    gateway.load_again().await;
    assert!(denies(&gateway.active(), "alice"));
}
