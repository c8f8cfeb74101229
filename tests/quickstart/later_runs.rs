//! What reaches the upstream, a config that changes, and later runs in the same folder.

use super::*;

#[test]
fn what_reaches_the_upstream_names_the_user() {
    if !require_program("curl") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    let text = quickstart.wait_for_instructions();
    let command = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("curl "))
        .unwrap();
    let (body, _) = quickstart.shell(&format!("{command} -H 'X-Client-User: root'"));
    assert!(
        body.contains("x-client-user: my-api-client") && !body.contains("root"),
        "{body}"
    );
    assert_eq!(quickstart.interrupt(), 0);
}

#[test]
fn a_config_change_is_active_at_once() {
    if !require_program("curl") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    let text = quickstart.wait_for_instructions();
    let post = text
        .lines()
        .map(str::trim)
        .find(|line| line.contains("-X POST"))
        .unwrap();
    assert_eq!(quickstart.shell(post).1, 403);
    let config = home.path().join("quickstart/gateway.toml");
    let old = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, old.replace("[\"GET /*\"]", "[\"*\"]")).unwrap();
    eventually("the new permission", || {
        (quickstart.shell(post).1 == 200).then_some(())
    });
    eventually("a line about it", || {
        quickstart
            .errors
            .lock()
            .unwrap()
            .contains("reloaded")
            .then_some(())
    });
    assert_eq!(quickstart.interrupt(), 0);
}

/// The later run tests what the config says by then.
#[test]
fn a_second_run_tests_what_the_edited_config_says() {
    let home = tempfile::tempdir().unwrap();
    let mut first = Quickstart::start(home.path());
    first.wait_for_instructions();
    assert_eq!(first.interrupt(), 0);
    let config = home.path().join("quickstart/gateway.toml");
    let made = std::fs::read_to_string(&config).unwrap();
    let stranger = "[api_user.stranger]\nclient_cn = \"stranger\"\npermissions = [\"*\"]\n";
    let authority = home.path().join("other");
    let (_, error, code) = run(
        PORTCULLIS,
        &["pki", "new-ca", "--ca-dir", authority.to_str().unwrap()],
    );
    assert_eq!(code, 0, "{error}");
    let other_anchor = format!("anchors = [\"{}/ca.crt\"]", authority.display());
    for (edited, lines) in [
        (
            made.replace("\"GET /*\"", "\"POST /*\"") + stranger,
            ["403 denied (no_permission)", "200 allowed"],
        ),
        (
            made.replace("anchors = [\"pki/ca.crt\"]", &other_anchor),
            [
                "TLS alert, rejected (unknown_issuer)",
                "TLS alert, rejected (unknown_issuer)",
            ],
        ),
        (
            made.replace("path = \"/whoami\"", "path = \"/hello\""),
            [
                "not tested: it does not go to upstream \"hello\"",
                "403 denied (unknown_user)",
            ],
        ),
    ] {
        std::fs::write(&config, edited).unwrap();
        let mut later = Quickstart::start(home.path());
        let text = later.wait_for_instructions();
        assert!(
            text.starts_with("Using the certificates and the config in ./quickstart\n"),
            "{text}"
        );
        let [client, other] = lines;
        assert!(
            text.contains(&format!("GET /hello as my-api-client  {client}\n")),
            "{text}"
        );
        assert!(
            text.contains(&format!("GET /hello as stranger       {other}\n")),
            "{text}"
        );
        assert_eq!(later.interrupt(), 0);
    }
}

#[test]
fn a_folder_with_other_files_stays_as_it_is() {
    for (there, missing) in [("gateway.toml", "pki/ca.crt"), ("pki/ca.crt", "pki/ca.key")] {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("quickstart");
        std::fs::create_dir_all(folder.join(there).parent().unwrap()).unwrap();
        std::fs::write(folder.join(there), "mine").unwrap();
        let error = error_of(home.path());
        assert!(error.contains("is not a folder of quickstart"), "{error}");
        assert!(
            error.contains(&format!(
                "{there} exists, but {missing} does not. Nothing was written"
            )),
            "{error}"
        );
        let count = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
        assert_eq!(
            (count(&folder), count(folder.join(there).parent().unwrap())),
            (1, 1)
        );
        assert_eq!(std::fs::read_to_string(folder.join(there)).unwrap(), "mine");
    }
}

#[test]
fn a_config_that_was_removed_is_made_again_for_the_same_certificates() {
    let home = tempfile::tempdir().unwrap();
    let authority = home.path().join("quickstart/pki/ca.crt");
    let mut first = Quickstart::start(home.path());
    first.wait_for_instructions();
    assert_eq!(first.interrupt(), 0);
    let before = std::fs::read_to_string(&authority).unwrap();
    std::fs::remove_file(home.path().join("quickstart/gateway.toml")).unwrap();
    let mut second = Quickstart::start(home.path());
    assert!(
        second
            .wait_for_instructions()
            .contains("as my-api-client  200 allowed")
    );
    assert_eq!(second.interrupt(), 0);
    assert_eq!(std::fs::read_to_string(&authority).unwrap(), before);
}

#[test]
fn a_second_run_uses_what_is_there() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("quickstart");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut first = Quickstart::start(home.path());
    first.wait_for_instructions();
    assert_eq!(first.interrupt(), 0);
    std::fs::write(
        folder.join("gateway.toml"),
        read("gateway.toml") + "# mine\n",
    )
    .unwrap();
    let names = [
        "gateway.toml",
        "pki/ca.crt",
        "pki/ca.key",
        "pki/server.crt",
        "pki/my-api-client.key",
    ];
    let before = names.map(read);
    let mut second = Quickstart::start(home.path());
    second.wait_for_instructions();
    assert_eq!(second.interrupt(), 0);
    assert_eq!(names.map(read), before);
}

#[test]
fn private_keys_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    quickstart.wait_for_instructions();
    for name in ["ca", "server", "my-api-client", "stranger"] {
        let file = home.path().join(format!("quickstart/pki/{name}.key"));
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
    assert_eq!(quickstart.interrupt(), 0);
}

#[test]
fn a_port_in_use_is_reported_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    quickstart.wait_for_instructions();
    assert_eq!(quickstart.interrupt(), 0);
    let config = home.path().join("quickstart/gateway.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap();
    for (usual, other) in [
        (
            line("endpoints"),
            format!("endpoints = [\"http://{taken}\"]"),
        ),
        (line("address"), format!("address = \"{taken}\"")),
    ] {
        std::fs::write(&config, text.replacen(usual, &other, 1)).unwrap();
        let error = error_of(home.path());
        assert!(
            error.starts_with(&format!("error: the port of {taken} (")),
            "{error}"
        );
        assert!(
            error.contains("is in use; change the port in ") && error.contains(", or remove "),
            "{error}"
        );
    }
    drop(holder);
}

#[test]
fn a_broken_config_in_the_folder_is_reported_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    quickstart.wait_for_instructions();
    assert_eq!(quickstart.interrupt(), 0);
    let config = home.path().join("quickstart/gateway.toml");
    let text = std::fs::read_to_string(&config).unwrap() + "\n[unknown]\n";
    std::fs::write(&config, &text).unwrap();
    let error = error_of(home.path());
    assert!(
        error.contains("unknown key `unknown`") && !error.contains("error: error"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
}

#[test]
fn the_folder_can_be_chosen() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start_with(home.path(), &["quickstart", "elsewhere/deep"]);
    let text = quickstart.wait_for_instructions();
    assert!(text.contains("elsewhere/deep/gateway.toml"), "{text}");
    assert!(home.path().join("elsewhere/deep/pki/ca.crt").is_file());
    assert_eq!(quickstart.interrupt(), 0);
}
