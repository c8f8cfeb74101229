//! Files that `portcullis pki` writes: their modes, what is overwritten, and failures.

use super::*;

#[test]
fn private_keys_are_readable_by_the_owner_alone() {
    let Some(desk) = Desk::new() else { return };
    let commands =
        "umask 0; \"$0\" pki new-ca && \"$0\" pki new-cert --cn alice --key k --csr r --cert c";
    let run = |force: &str| {
        let script = commands
            .replace("new-ca", &format!("new-ca {force}"))
            .replace("--cn", &format!("{force} --cn"));
        let output = desk
            .command("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_portcullis")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let modes = ["pki/ca.key", "k", "pki/ca.crt", "r", "c"].map(|name| desk.mode(name));
        assert_eq!(modes, [0o600, 0o600, 0o644, 0o644, 0o644]);
    };
    run("");
    // A key that was open to all is not so when it is replaced.
    fs::set_permissions(desk.path("k"), fs::Permissions::from_mode(0o666)).unwrap();
    run("--force");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r --cert self");
    desk.succeeds("pki sign-csr --csr r --cert c");
    for (command, outputs) in [
        ("pki new-ca", &["pki/ca.key", "pki/ca.crt"][..]),
        (
            "pki new-cert --cn alice --key k --csr r --cert self",
            &["k", "r", "self"],
        ),
        ("pki sign-csr --csr r --cert c", &["c"]),
    ] {
        let before: Vec<String> = outputs.iter().map(|name| desk.read(name)).collect();
        desk.refuses(
            command,
            "exists already: choose another name, or replace it with --force",
        );
        for (name, before) in outputs.iter().zip(&before) {
            assert_eq!(desk.read(name), *before, "{command}: {name}");
        }
        desk.succeeds(&format!("{command} --force"));
        for (name, before) in outputs.iter().zip(&before) {
            assert_ne!(desk.read(name), *before, "{command}: {name}");
        }
    }
    assert_eq!(
        desk.listing(),
        ["c", "k", "openssl.cnf", "pki", "r", "self"],
        "no temporary files stay"
    );
}

#[test]
fn when_one_output_cannot_be_written_none_is() {
    let Some(desk) = Desk::new() else { return };
    desk.write("r", "precious");
    desk.refuses(
        "pki new-cert --cn alice --key k --csr r",
        "r exists already",
    );
    desk.refuses(
        "pki new-cert --cn alice --key k --csr absent/r",
        "the folder absent does not exist",
    );
    desk.refuses(
        "pki new-cert --cn alice --key k --csr r/r --force",
        "the folder r does not exist",
    );
    desk.refuses(
        "pki new-cert --cn alice --key k --csr ./k",
        "./k is named twice",
    );
    fs::create_dir(desk.path("folder")).unwrap();
    desk.refuses(
        "pki new-cert --cn alice --key k --csr folder --force",
        "folder is not a regular file",
    );
    std::os::unix::fs::symlink("nowhere", desk.path("link")).unwrap();
    desk.refuses(
        "pki new-cert --cn alice --key k --csr link",
        "link exists already",
    );
    assert_eq!(desk.listing(), ["folder", "link", "openssl.cnf", "r"]);
    assert_eq!(desk.read("r"), "precious");
    desk.succeeds("pki new-cert --cn alice --key k --csr folder/r");
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let Some(desk) = Desk::new() else { return };
    let run = |limit: &str, force: &str| {
        // Without the trap, the signal that announces the limit would end the program.
        let script = format!(
            "trap '' XFSZ; {limit} exec \"$0\" pki new-cert --cn alice --key k --csr r {force}"
        );
        desk.command("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_portcullis")])
            .output()
            .unwrap()
    };
    for force in ["", "--force"] {
        let before = desk.listing();
        let output = run("ulimit -f 0;", force);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains("cannot write k"),
            "{output:?}"
        );
        assert_eq!(desk.listing(), before);
        assert!(run("", force).status.success());
        let key = desk.read("k");
        assert!(!run("ulimit -f 0;", "--force").status.success());
        assert_eq!(desk.read("k"), key, "the old key stays whole");
    }
}

#[test]
fn force_does_not_destroy_what_the_command_reads() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    for target in ["r", "./r", "pki/ca.key", "./pki/../pki/ca.crt"] {
        desk.refuses(
            &format!("pki sign-csr --csr r --cert {target} --force"),
            "is named twice in this command",
        );
    }
    desk.succeeds("pki sign-csr --csr r --cert c --force");
}
