//! Sockets of a snapshot: all are bound before it becomes active, or none of it does.

use super::*;
use std::net::TcpListener;

fn second_listener(address: &str) -> String {
    format!(
        "[listener.second]\naddress = \"{address}\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n"
    )
}

fn names(gateway: &Gateway) -> Vec<String> {
    let addresses = gateway.addresses();
    addresses.iter().map(|(name, _)| name.to_string()).collect()
}

#[tokio::test]
async fn an_address_in_use_rejects_the_whole_config_and_a_free_one_is_bound() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let before = gateway.addresses();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    scene.configure(&(user("alice") + &user("carol") + &second_listener(&address)));
    gateway.load_again().await;
    assert_eq!(gateway.version(), (1, 0));
    assert_eq!(gateway.addresses(), before);
    assert_eq!(gateway.users(), ["alice", "bob"]);
    assert!(
        gateway.last_errors[0].contains(&address),
        "{:?}",
        gateway.last_errors
    );
    scene.configure(&(user("alice") + &user("carol") + &second_listener("127.0.0.1:0")));
    gateway.load_again().await;
    assert_eq!(gateway.version(), (2, 0));
    assert_eq!(names(&gateway), ["main", "second"]);
    assert_eq!(gateway.users(), ["alice", "bob", "carol"]);
    assert_eq!(
        gateway.addresses()[0],
        before[0],
        "a listener that stays keeps its socket"
    );
}

#[tokio::test]
async fn a_listener_that_is_removed_is_gone_and_none_moves_to_a_port_that_we_hold() {
    let scene = Scene::new();
    scene.configure(&(user("alice") + &second_listener("127.0.0.1:0")));
    let mut gateway = scene.start().await;
    assert_eq!(names(&gateway), ["main", "second"]);
    let (_, address) = gateway.addresses()[0].clone();
    let at_its_port = BASE.replace("127.0.0.1:0", &address.to_string()) + &user("alice");
    // The config now says which port it is, which makes it another socket that cannot be bound.
    scene.write("gateway.toml", &at_its_port);
    gateway.load_again().await;
    assert!(gateway.last_errors[0].contains("a listener of ours has this port"));
    scene.configure(&user("alice"));
    gateway.load_again().await;
    assert_eq!(names(&gateway), ["main"]);
    assert_eq!(gateway.addresses()[0].1, address);
}

#[tokio::test]
async fn a_start_with_an_address_in_use_is_an_error_that_names_it() {
    let scene = Scene::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    scene.configure(&second_listener(&address.to_string()));
    let config = scene.path("gateway.toml");
    let telemetry = Arc::new(Telemetry::default());
    let outcome = load(&config, None, &telemetry, Depth::Errors);
    let error = Gateway::start(config, outcome, telemetry, None).await.err();
    assert!(
        matches!(&error, Some(GatewayError::Bind { address: named, .. }) if *named == address),
        "{:?}",
        error.map(|error| error.to_string())
    );
}

#[tokio::test]
async fn metrics_follow_the_active_snapshot_and_its_overlay() {
    let scene = Scene::new();
    let mut gateway = scene.start().await;
    let told = |gateway: &Gateway| {
        let metrics = &gateway.shared.telemetry.metrics;
        let entries = metrics.deny_list_entries.with_label_values(&["test"]).get();
        (metrics.generation.get(), metrics.overlay.get(), entries)
    };
    assert_eq!(told(&gateway), (1, 0, 0));
    scene.write("denied", "user alice\ncn bob\n");
    gateway.revoker.read().await;
    assert_eq!(told(&gateway), (1, 1, 2));
    gateway.load_again().await;
    assert_eq!(told(&gateway), (2, 0, 2));
}
