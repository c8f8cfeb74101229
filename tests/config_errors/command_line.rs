//! Ports, flags and exit codes of `check`.

use super::*;

#[test]
fn the_port_of_a_good_config_is_not_bound_by_check() {
    let (pki, upstream) = (fixtures(), Upstream::start());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listener = format!(
        "[listener.main]\naddress = \"{address}\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n"
    );
    let config = listener
        + "[trust_domain.test]\nanchors = [\"ca.crt\"]\n[api_user.alice]\nclient_cn = \"alice\"\n"
        + &process()
        + &route_to(upstream.address);
    let file = write_config(&pki, &config);
    let (out, err, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let (_, err, code) = run(PORTCULLIS, &["run", "-c", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        err.contains("cannot listen on") && err.contains("in use"),
        "{err}"
    );
    assert!(
        err.contains(&format!(
            "  = help: `ss -ltnp 'sport = :{}'` shows which process",
            address.port()
        )),
        "{err}"
    );
}

#[test]
fn a_config_without_flag_and_a_missing_config_are_reported_with_the_command() {
    for command in ["check", "run", "verify"] {
        let (_, error, code) = run(PORTCULLIS, &[command, "gateway.toml"]);
        assert_eq!(code, 2, "{error}");
        let tip =
            format!("tip: name the config with a flag: `portcullis {command} -c gateway.toml`");
        assert!(error.contains(&tip), "{error}");
    }
    let (_, error, code) = run(PORTCULLIS, &["check", "other"]);
    assert!(code == 2 && !error.contains("name the config"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("gateway.toml");
    let (_, error, code) = run(PORTCULLIS, &["run", "-c", missing.to_str().unwrap()]);
    assert!(
        code == 1 && error.contains("--config FILE; `portcullis quickstart` makes a config"),
        "{error}"
    );
}

#[test]
fn each_command_says_once_that_a_bad_config_is_an_error() {
    let pki = fixtures();
    let file = write_config(&pki, "listener: x\n");
    let file = file.to_str().unwrap();
    for arguments in [
        &["check", "-c", file][..],
        &["run", "-c", file],
        &[
            "explain",
            "-c",
            file,
            "--cn",
            "x",
            "GET",
            "https://localhost/",
        ],
        &["plan", "-c", file, "--audit", "/dev/null"],
        &["verify", "--live", "-c", file],
        &["revoke", "-c", file, "--user", "x"],
    ] {
        let (_, err, code) = run(PORTCULLIS, arguments);
        assert_ne!(code, 0, "{arguments:?}: {err}");
        assert!(
            err.contains("error: ") && !err.contains("error: error:"),
            "{arguments:?}: {err}"
        );
    }
}

#[test]
fn a_missing_config_is_reported_with_how_to_name_one() {
    for command in ["check", "run"] {
        let (_, err, code) = run(PORTCULLIS, &[command, "-c", "/nowhere/gateway.toml"]);
        assert_eq!(code, 1);
        assert!(
            err.contains("cannot read /nowhere/gateway.toml") && err.contains("--config FILE"),
            "{err}"
        );
    }
}

#[test]
fn wrong_usage_has_an_exit_code_of_its_own() {
    for arguments in [&["chekc"][..], &["run", "--confg", "x"], &[]] {
        let (_, err, code) = run(PORTCULLIS, arguments);
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains("Usage:"), "{err}");
    }
    let (out, _, code) = run(PORTCULLIS, &["--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("quickstart") && out.contains("check"), "{out}");
}

#[test]
fn text_that_is_not_utf8_and_a_folder_are_no_config() {
    let pki = fixtures();
    let file = pki.path("gateway.toml");
    std::fs::write(&file, b"include = [\"\xff\"]").unwrap();
    for path in [file.as_path(), pki.folder.path()] {
        let (_, err, code) = run(PORTCULLIS, &["check", "-c", path.to_str().unwrap()]);
        assert_eq!(code, 1);
        assert!(err.contains("cannot read"), "{err}");
    }
}
