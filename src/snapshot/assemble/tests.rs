//! Configs and what becomes of them: each that is rejected has a twin that loads and differs in that for which it is rejected.

mod roles;
mod routes;
mod trust;
mod upstreams;
mod users;
mod warnings;

use super::{Depth, Outcome, load};
use crate::pki::test_certificates::write_certificates;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use std::path::Path;
use std::sync::Arc;

/// One listener, one trust domain and one upstream.
const BASE: &str = r#"
[listener.main]
address = "127.0.0.1:0"
certificate = "server.crt"
private_key = "server.key"

[trust_domain.test]
anchors = ["ca.crt"]

[upstream.api]
endpoints = ["http://127.0.0.1:1"]
"#;

/// A route to the upstream.
const ROUTE: &str = "[[route]]\npath = \"/\"\nupstream = \"api\"\n";

/// A folder with certificates, in which configs are loaded.
struct Scene {
    folder: tempfile::TempDir,
    telemetry: Arc<Telemetry>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_certificates(folder.path());
        Self {
            folder,
            telemetry: Arc::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn load(&self, config: &str, previous: Option<&Snapshot>, depth: Depth) -> Outcome {
        let file = self.path().join("gateway.toml");
        std::fs::write(&file, config).unwrap();
        load(&file, previous, &self.telemetry, depth)
    }

    /// The snapshot of a whole config without errors.
    fn snapshot_of(&self, config: &str) -> Snapshot {
        let outcome = self.load(config, None, Depth::Warnings);
        let report = outcome.report();
        outcome.snapshot.unwrap_or_else(|| panic!("{report}"))
    }

    /// The snapshot of [`BASE`] and these tables.
    fn snapshot(&self, tables: &str) -> Snapshot {
        self.snapshot_of(&format!("{BASE}{tables}"))
    }

    /// The errors of a whole config, of which there is at least one.
    fn errors_of(&self, config: &str) -> Vec<String> {
        let outcome = self.load(config, None, Depth::Warnings);
        let errors = outcome.errors();
        assert_eq!(outcome.snapshot.is_none(), !errors.is_empty());
        assert!(!errors.is_empty(), "no error:\n{config}");
        errors
    }

    /// The only error of [`BASE`] and these tables.
    fn error(&self, tables: &str) -> String {
        let errors = self.errors_of(&format!("{BASE}{tables}"));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors.into_iter().next().unwrap()
    }

    /// The warnings of a whole config without errors.
    fn warnings_of(&self, config: &str, depth: Depth) -> String {
        let outcome = self.load(config, None, depth);
        assert!(outcome.snapshot.is_some(), "{}", outcome.report());
        outcome.warnings().join("\n")
    }

    /// The warnings of `check` about [`BASE`] and these tables.
    fn warnings(&self, tables: &str) -> String {
        self.warnings_of(&format!("{BASE}{tables}"), Depth::Warnings)
    }
}

#[test]
fn all_errors_are_reported_at_once_each_with_its_place() {
    let scene = Scene::new();
    let tables = "[[route]]\npath = \"api\"\nupstream = \"ap\"\n[api_user.alice]\nclient_cn = \"alice\"\nroles = [\"none\"]\n";
    let errors = scene.errors_of(&format!("{BASE}{tables}"));
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert!(
        errors.iter().all(|error| error.contains("gateway.toml:")),
        "{errors:#?}"
    );
}

#[test]
fn each_load_that_succeeds_has_the_next_generation_and_no_overlay() {
    let scene = Scene::new();
    let config = format!("{BASE}{ROUTE}");
    let first = scene.snapshot_of(&config);
    let second = scene.load(&config, Some(&first), Depth::Errors);
    let second = second.snapshot.unwrap();
    assert_eq!((first.generation, first.overlay), (1, 0));
    assert_eq!((second.generation, second.overlay), (2, 0));
}

#[test]
fn a_rejected_config_withdraws_its_missing_users_alone() {
    let scene = Scene::new();
    let users = |names: &[&str]| -> String {
        let user = |name: &&str| format!("[api_user.{name}]\nclient_cn = \"{name}\"\n");
        names.iter().map(user).collect()
    };
    let both = users(&["alice", "bob"]);
    let active = scene.snapshot(&both);
    let broken = "[[route]]\npath = \"/\"\nupstream = \"none\"\n";
    let alice = users(&["alice"]);
    let rejected = scene.load(
        &format!("{BASE}{alice}{broken}"),
        Some(&active),
        Depth::Errors,
    );
    assert!(rejected.snapshot.is_none());
    let bob = active.users.named("bob").unwrap().id;
    assert_eq!(rejected.rejected.users.removed, [bob]);
    let complete = scene.load(
        &format!("{BASE}{both}{broken}"),
        Some(&active),
        Depth::Errors,
    );
    assert_eq!(complete.rejected.users.removed, []);
    // Text that is no TOML says nothing about users.
    let unreadable = scene.load("[[", Some(&active), Depth::Errors);
    assert!(unreadable.snapshot.is_none());
    assert_eq!(unreadable.rejected.users.removed, []);
}
