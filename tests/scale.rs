//! Many users: a config of tens of thousands of ApiUsers loads, serves and reloads, and takes no more memory than is
//! promised. Prints figures, asserts no time.
//! `PORTCULLIS_SCALE_USERS=100000 cargo test --release scale` tries the number that is promised.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, peak_memory, route_to};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Enough to see what grows too fast, few enough for a build without optimisation.
const USERS: usize = 10_000;
const PERMISSIONS: usize = 20;
const FILES: usize = 10;

/// What may be had at most while a config is loaded: 400 MiB for 100,000 users with 20 permissions each.
fn most_memory(users: usize) -> u64 {
    const OF_A_USER: u64 = 3_858;
    // Without users it takes 31 MiB in a build without optimisation, which grows with the code.
    let without_users = if cfg!(debug_assertions) {
        36 << 20
    } else {
        32 << 20
    };
    without_users + OF_A_USER * users as u64
}

fn number_of_users() -> usize {
    std::env::var("PORTCULLIS_SCALE_USERS").map_or(USERS, |text| text.parse().expect("a number"))
}

/// Whose permissions are whose.
#[derive(Clone, Copy, Debug)]
enum Permissions {
    /// Nobody else's.
    Own,
    /// The same for all.
    Shared,
}

#[test]
fn many_users_with_many_permissions_take_no_more_memory_than_promised() {
    let (users, pki, upstream) = (number_of_users(), Pki::new(), Upstream::start());
    let config = pki.path("gateway.toml");
    for (form, files) in [
        (Permissions::Own, 1),
        (Permissions::Own, FILES),
        (Permissions::Shared, 1),
    ] {
        let folder = pki.path("users.d");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        for number in 0..files {
            let own = (0..users).filter(|user| user * files / users == number);
            let text: String = own.map(|user| user_with(user, form)).collect();
            std::fs::write(folder.join(format!("{number}.toml")), text).unwrap();
        }
        let text = "include = [\"users.d/*.toml\"]\n".to_owned()
            + &listener(&pki)
            + &route_to(upstream.address);
        std::fs::write(&config, text).unwrap();
        let begun = Instant::now();
        let arguments = ["check", "-c", config.to_str().unwrap()];
        let mut check = Command::new(PORTCULLIS)
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut peak = 0;
        while check.try_wait().unwrap().is_none() {
            peak = peak.max(peak_memory(check.id()).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(1));
        }
        eprintln!(
            "check of {users} users with {PERMISSIONS} permissions ({form:?}) in {files} files: {:?}, at most {} MiB",
            begun.elapsed(),
            peak >> 20
        );
        assert!(check.wait().unwrap().success());
        assert!(peak <= most_memory(users), "{} MiB", peak >> 20);
    }
}

fn user_with(user: usize, form: Permissions) -> String {
    let mut text = format!("[api_user.user-{user}]\nclient_cn = \"user-{user}\"\npermissions = [");
    for permission in 0..PERMISSIONS {
        match form {
            Permissions::Own => write!(text, "\"GET /v1/{user}/{permission}/*\", ").unwrap(),
            Permissions::Shared => write!(text, "\"GET /v{permission}/*\", ").unwrap(),
        }
    }
    text + "]\n"
}

#[test]
fn many_users_with_many_permissions_load_serve_and_reload() {
    let users = number_of_users();
    let (pki, upstream, folder) = (Pki::new(), Upstream::start(), tempfile::tempdir().unwrap());
    std::fs::create_dir(folder.path().join("users.d")).unwrap();
    for number in 0..FILES {
        write_users(folder.path(), number, users, "v1");
    }
    let config = folder.path().join("gateway.toml");
    let text = "include = [\"users.d/*.toml\"]\n".to_owned()
        + &listener(&pki)
        + &route_to(upstream.address);
    std::fs::write(&config, text).unwrap();

    let begun = Instant::now();
    let (out, err, code) = run(PORTCULLIS, &["check", "-c", config.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    eprintln!(
        "check of {users} users with {PERMISSIONS} permissions each: {:?}",
        begun.elapsed()
    );

    let root = folder.path().to_owned();
    let begun = Instant::now();
    let gateway = Gateway::start_in(folder, config);
    let resident = || gateway.metric("process_resident_memory_bytes", &[]) / f64::from(1 << 20);
    let peak = gateway.peak_memory().unwrap_or_default();
    eprintln!(
        "started in {:?}, resident {:.0} MiB, at most {} MiB",
        begun.elapsed(),
        resident(),
        peak >> 20
    );
    assert!(peak <= most_memory(users), "{} MiB", peak >> 20);
    gateway.wait_for_metric("portcullis_api_users", &[], users as f64);

    let last = users - 1;
    let client = Client::new(
        &pki,
        Some(&pki.client(&format!("user-{last}"))),
        gateway.address(),
    );
    for version in BOTH {
        assert_eq!(
            client
                .send(version, get(&format!("/v1/{last}/19/x")))
                .unwrap()
                .status,
            200
        );
        let others = client
            .send(version, get(&format!("/v1/{}/19/x", last - 1)))
            .unwrap();
        assert_eq!(
            others.reason(),
            "no_permission",
            "another user's permission is not ours"
        );
    }

    let begun = Instant::now();
    let before = gateway.generation();
    write_users(&root, FILES - 1, users, "v2");
    gateway.wait_for_generation_after(before);
    eprintln!(
        "reloaded in {:?}, resident {:.0} MiB",
        begun.elapsed(),
        resident()
    );
    assert_eq!(client.get(&format!("/v2/{last}/0/x")).status, 200);
    assert_eq!(
        client.get(&format!("/v1/{last}/0/x")).reason(),
        "no_permission"
    );
    gateway.wait_for_metric("portcullis_api_users", &[], users as f64);
}

/// The users of one file, each with permissions that nobody else has.
fn write_users(root: &Path, file: usize, users: usize, version: &str) {
    let mut text = String::new();
    for user in (0..users).filter(|user| user * FILES / users == file) {
        write!(
            text,
            "[api_user.user-{user}]\nclient_cn = \"user-{user}\"\npermissions = ["
        )
        .unwrap();
        for permission in 0..PERMISSIONS {
            write!(text, "\"GET /{version}/{user}/{permission}/*\", ").unwrap();
        }
        text.push_str("]\n");
    }
    let new = root.join("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, root.join(format!("users.d/{file}.toml"))).unwrap();
}
