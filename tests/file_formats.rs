//! The commands that `check` proposes for files in other formats are run as they are printed, and make files that it takes.

use crate::support::{PORTCULLIS, Pki, require_program, run};
use std::process::Command;

/// Runs a line of shell in the folder of the files.
fn shell(pki: &Pki, line: &str) {
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(pki.folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{line}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn check(pki: &Pki, certificate: &str, key: &str) -> (String, i32) {
    check_with_anchor(pki, certificate, key, "ca.crt")
}

fn check_with_anchor(pki: &Pki, certificate: &str, key: &str, anchor: &str) -> (String, i32) {
    let config = format!(
        "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"{certificate}\"\nprivate_key = \"{key}\"\n\
         [trust_domain.test]\nanchors = [\"{anchor}\"]\n[api_user.alice]\nclient_cn = \"alice\"\n\
         [[route]]\npath = \"/\"\nrespond = \"whoami\"\n"
    );
    let file = pki.path("gateway.toml");
    std::fs::write(&file, config).unwrap();
    let (_, report, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
    (report, code)
}

/// The command in the hint of the only error.
fn command(report: &str) -> String {
    let hint = report.split("= help: ").nth(1).expect("a hint");
    hint.split('`').nth(1).expect("a command").to_owned()
}

/// `make` writes the file "given" in another format. It is rejected, and what the command of the hint makes of it is not.
fn assert_converts(make: &str, check: impl Fn(&Pki, &str) -> (String, i32)) {
    let pki = Pki::new();
    shell(&pki, make);
    let (report, code) = check(&pki, "given");
    assert_eq!(code, 1, "{make}");
    let convert = command(&report);
    // It asks for the password on a terminal.
    shell(&pki, &convert.replace("pkcs12 ", "pkcs12 -passin pass: "));
    let (report, code) = check(&pki, written_by(&convert));
    assert_eq!(code, 0, "{make}\n{convert}\n{report}");
}

/// The file that a command writes.
fn written_by(command: &str) -> &str {
    command.rsplit("-out ").next().unwrap()
}

#[test]
fn certificates_in_other_formats_are_converted_by_the_command_of_the_hint() {
    if !require_program("openssl") {
        return;
    }
    for make in [
        "openssl x509 -in server.crt -outform DER -out given",
        "openssl x509 -in server.crt -trustout -addtrust serverAuth -out given",
        "openssl crl2pkcs7 -nocrl -certfile server.crt -out given",
        "openssl crl2pkcs7 -nocrl -certfile server.crt -outform DER -out given",
        "openssl x509 -in server.crt | grep -v -e ----- > given",
    ] {
        assert_converts(make, |pki, certificate| {
            check(pki, certificate, "server.key")
        });
    }
}

/// Certificates of the gateway itself may be PKCS#12 (`encrypted_keys`); anchors are PEM.
#[test]
fn anchors_in_pkcs12_are_converted_by_the_command_of_the_hint() {
    if require_program("openssl") {
        let make = "openssl pkcs12 -export -nokeys -in ca.crt -passout pass: -out given";
        assert_converts(make, |pki, anchor| {
            check_with_anchor(pki, "server.crt", "server.key", anchor)
        });
    }
}

#[test]
fn private_keys_in_other_formats_are_converted_by_the_command_of_the_hint() {
    if !require_program("openssl") {
        return;
    }
    for make in [
        "openssl pkey -in server.key -outform DER -out given",
        "openssl pkey -in server.key | grep -v -e ----- > given",
    ] {
        assert_converts(make, |pki, key| check(pki, "server.crt", key));
    }
}

#[test]
fn swapped_files_are_named_as_such_and_are_good_the_other_way_round() {
    let pki = Pki::new();
    let (report, code) = check(&pki, "server.key", "server.crt");
    assert_eq!(code, 1);
    assert_eq!(
        report.matches("the two may be swapped").count(),
        2,
        "{report}"
    );
    let (report, code) = check(&pki, "server.crt", "server.key");
    assert_eq!((report.as_str(), code), ("", 0));
}

#[test]
fn a_key_of_openssh_is_converted_by_the_command_of_the_hint() {
    if !require_program("openssl") || !require_program("ssh-keygen") {
        return;
    }
    let pki = Pki::new();
    shell(
        &pki,
        "openssl ecparam -name prime256v1 -genkey -noout -out own.key && chmod 600 own.key && cp own.key given",
    );
    shell(
        &pki,
        "openssl req -x509 -new -key own.key -subj /CN=localhost -days 60 -out own.crt",
    );
    shell(&pki, "ssh-keygen -q -p -N '' -f given");
    assert!(
        std::fs::read_to_string(pki.path("given"))
            .unwrap()
            .contains("OPENSSH"),
        "the format of OpenSSH"
    );
    let (report, code) = check(&pki, "own.crt", "given");
    assert_eq!(code, 1);
    let convert = command(&report);
    shell(&pki, &convert);
    let (report, code) = check(&pki, "own.crt", "given");
    assert_eq!(code, 0, "{convert}\n{report}");
}
