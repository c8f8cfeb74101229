//! Many users: a config of tens of thousands of ApiUsers loads, serves and reloads. Prints figures, asserts no time.
//! `PORTCULLIS_SCALE_USERS=100000 cargo test --release scale` tries the number that is promised.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, route_to};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

/// Enough to see what grows too fast, few enough for a build without optimisation.
const USERS: usize = 10_000;
const PERMISSIONS: usize = 20;
const FILES: usize = 10;

#[test]
fn many_users_with_many_permissions_load_serve_and_reload() {
    let users = std::env::var("PORTCULLIS_SCALE_USERS").map_or(USERS, |text| text.parse().expect("a number"));
    let (pki, upstream, folder) = (Pki::new(), Upstream::start(), tempfile::tempdir().unwrap());
    std::fs::create_dir(folder.path().join("users.d")).unwrap();
    for number in 0..FILES {
        write_users(folder.path(), number, users, "v1");
    }
    let config = folder.path().join("gateway.toml");
    let text = "include = [\"users.d/*.toml\"]\n".to_owned() + &listener(&pki) + &route_to(upstream.address);
    std::fs::write(&config, text).unwrap();

    let begun = Instant::now();
    let (out, err, code) = run(PORTCULLIS, &["check", "-c", config.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    eprintln!("check of {users} users with {PERMISSIONS} permissions each: {:?}", begun.elapsed());

    let root = folder.path().to_owned();
    let begun = Instant::now();
    let gateway = Gateway::start_in(folder, config);
    let resident = || gateway.metric("process_resident_memory_bytes", &[]) / f64::from(1 << 20);
    eprintln!("started in {:?}, resident {:.0} MiB", begun.elapsed(), resident());
    assert_eq!(gateway.metric("portcullis_api_users", &[]), users as f64);

    let last = users - 1;
    let client = Client::new(&pki, Some(&pki.client(&format!("user-{last}"))), gateway.address());
    for version in BOTH {
        assert_eq!(client.send(version, get(&format!("/v1/{last}/19/x"))).unwrap().status, 200);
        let others = client.send(version, get(&format!("/v1/{}/19/x", last - 1))).unwrap();
        assert_eq!(others.reason(), "no_permission", "another user's permission is not ours");
    }

    let begun = Instant::now();
    let before = gateway.generation();
    write_users(&root, FILES - 1, users, "v2");
    gateway.wait_for_generation_after(before);
    eprintln!("reloaded in {:?}, resident {:.0} MiB", begun.elapsed(), resident());
    assert_eq!(client.get(&format!("/v2/{last}/0/x")).status, 200);
    assert_eq!(client.get(&format!("/v1/{last}/0/x")).reason(), "no_permission");
    assert_eq!(gateway.metric("portcullis_api_users", &[]), users as f64);
}

/// The users of one file, each with permissions that nobody else has.
fn write_users(root: &Path, file: usize, users: usize, version: &str) {
    let mut text = String::new();
    for user in (0..users).filter(|user| user * FILES / users == file) {
        write!(text, "[api_user.user-{user}]\nclient_cn = \"user-{user}\"\npermissions = [").unwrap();
        for permission in 0..PERMISSIONS {
            write!(text, "\"GET /{version}/{user}/{permission}/*\", ").unwrap();
        }
        text.push_str("]\n");
    }
    let new = root.join("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, root.join(format!("users.d/{file}.toml"))).unwrap();
}
