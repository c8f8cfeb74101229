//! A gateway in a folder of its own, whose config and files change. No client connects.

mod activation;
mod crl_fetch;
mod overlay;
mod reload;

use super::reload::ReloadCause;
use super::{Gateway, GatewayError};
use crate::pki::Authority;
use crate::pki::test_certificates::write_certificates;
use crate::proxy::Shared;
use crate::snapshot::{Depth, Snapshot, load};
use crate::telemetry::Telemetry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A listener, a trust domain with a deny list, and an upstream; without users.
const BASE: &str = r#"
include = ["users.d/*.toml"]

[gateway]
workers = 1

[admin]
address = "off"

[access_log]
format = "off"

[listener.main]
address = "127.0.0.1:0"
certificate = "server.crt"
private_key = "server.key"

[trust_domain.test]
anchors = ["ca.crt"]
deny_list = "denied"

[upstream.api]
endpoints = ["http://127.0.0.1:1"]

[[route]]
path = "/"
upstream = "api"
"#;

/// Makes each config invalid, without a word about users.
const BROKEN: &str = "[[route]]\npath = \"/broken\"\nupstream = \"none\"\n";

fn user(name: &str) -> String {
    format!("[api_user.{name}]\nclient_cn = \"{name}\"\npermissions = [\"GET /*\"]\n")
}

/// The files of a gateway.
struct Scene {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Scene {
    /// With the users alice, in the main file, and bob, in an included one.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = write_certificates(folder.path());
        let scene = Self { folder, authority };
        std::fs::create_dir(scene.path("users.d")).unwrap();
        scene.write("denied", "");
        scene.write("users.d/bob.toml", &user("bob"));
        scene.configure(&user("alice"));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file as tools do: beside it, and then in its place.
    fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// Writes the main file: [`BASE`] and these tables.
    fn configure(&self, tables: &str) {
        self.write("gateway.toml", &format!("{BASE}{tables}"));
    }

    async fn start(&self) -> Gateway {
        let config = self.path("gateway.toml");
        let telemetry = Arc::new(Telemetry::default());
        let outcome = load(&config, None, &telemetry, Depth::Errors);
        Gateway::start(config, outcome, telemetry, None)
            .await
            .unwrap()
    }
}

impl Gateway {
    fn active(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Generation and overlay of the active snapshot.
    fn version(&self) -> (u64, u64) {
        version(&self.shared)
    }

    /// The names of the users that the active snapshot still has.
    fn users(&self) -> Vec<String> {
        let active = self.active();
        let left = active
            .users
            .with_ids()
            .filter(|(id, _)| active.users.get_left(*id).is_some());
        let mut names: Vec<String> = left.map(|(_, user)| user.name.to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Loads once, as after a signal.
    async fn load_again(&mut self) {
        self.reload(ReloadCause::Requested).await;
    }
}

fn version(shared: &Shared) -> (u64, u64) {
    let version = shared.snapshot.load().version();
    (version.generation, version.overlay)
}

fn denies(snapshot: &Snapshot, user: &str) -> bool {
    snapshot.trust_domains[0].revocation().denies_user(user)
}

/// Waits until something is so.
async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let deadline = Duration::from_secs(60);
    assert!(
        tokio::time::timeout(deadline, wait).await.is_ok(),
        "not in time"
    );
}
