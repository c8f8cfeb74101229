//! Files in other formats that are given to `explain`, `verify`, `revoke` and `pki`: the error names the format, and the
//! command that it proposes makes a file that is accepted.

use crate::support::gateway::{listener, route_to, user};
use crate::support::{PORTCULLIS, Pki, require_program};
use std::process::Command;

/// A folder with a CA (`pki/ca.crt`, `pki/ca.key`), a client and a config that accepts it.
struct Desk {
    pki: Pki,
}

impl Desk {
    fn new() -> Option<Self> {
        if !require_program("openssl") {
            return None;
        }
        let pki = Pki::new();
        let nobody = "127.0.0.1:1".parse().unwrap();
        let deny_list = format!(
            "[trust_domain.test]\ndeny_list = \"{}\"\n",
            pki.path("denied").display()
        );
        let config = listener(&pki).replace("[trust_domain.test]\n", &deny_list)
            + &user("alice", &["*"])
            + &route_to(nobody);
        std::fs::write(pki.path("gateway.toml"), config).unwrap();
        std::fs::write(pki.path("denied"), "").unwrap();
        pki.client("alice");
        let desk = Self { pki };
        desk.shell(
            "portcullis pki new-ca && portcullis pki new-cert --cn bob --key bob.key --csr bob.csr",
        );
        Some(desk)
    }

    /// Runs a line of shell in the folder: standard output, standard error and exit code.
    fn run(&self, line: &str) -> (String, String, i32) {
        let own = std::path::Path::new(PORTCULLIS)
            .parent()
            .unwrap()
            .display()
            .to_string();
        let path = format!("{own}:{}", std::env::var("PATH").unwrap_or_default());
        let folder = self.pki.folder.path();
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(folder)
            .env("PATH", path)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            text(&output.stdout),
            text(&output.stderr),
            output.status.code().unwrap_or(-1),
        )
    }

    fn shell(&self, line: &str) {
        let (out, error, code) = self.run(line);
        assert_eq!(code, 0, "{line}\n{out}{error}");
    }
}

/// How an odd file is made, the command that gets it (as FILE), and what the error says.
const CONVERTED: [(&str, &str, &str); 7] = [
    (
        "openssl x509 -in alice.crt -outform DER -out odd",
        "explain -c gateway.toml --cert FILE GET /",
        "a certificate in DER",
    ),
    (
        "openssl pkcs12 -export -in alice.crt -inkey alice.key -passout pass: -out odd",
        "explain -c gateway.toml --cert FILE GET /",
        "PKCS#12",
    ),
    (
        "openssl x509 -in alice.crt -outform DER -out odd",
        "revoke -c gateway.toml --cert FILE --timeout 0s",
        "a certificate in DER",
    ),
    (
        "openssl req -in bob.csr -outform DER -out odd",
        "pki sign-csr --csr FILE --cert bob.crt",
        "a certificate signing request (CSR) in DER",
    ),
    (
        "grep -v -e ----- bob.csr > odd",
        "pki sign-csr --csr FILE --cert bob.crt",
        "base64 without the lines",
    ),
    (
        "portcullis pki sign-csr --csr bob.csr --cert bob.crt && openssl x509 -in bob.crt -outform DER -out odd",
        "pki new-crl --crl list --cert FILE",
        "a certificate in DER",
    ),
    (
        "openssl pkey -in alice.key -outform DER -out odd",
        "verify --live -c gateway.toml --connect 127.0.0.1:1 --cert alice.crt --key FILE",
        "a private key in DER",
    ),
];

#[test]
fn the_command_that_an_error_proposes_makes_a_file_that_is_accepted() {
    for (make, command, format) in CONVERTED {
        let Some(desk) = Desk::new() else { return };
        desk.shell(make);
        let (_, error, code) = desk.run(&format!("portcullis {}", command.replace("FILE", "odd")));
        assert!(
            code != 0 && error.contains(&format!("odd is {format}")),
            "{command}: {error}"
        );
        let convert = error
            .split('`')
            .find(|part| part.contains("openssl"))
            .unwrap_or_else(|| panic!("no command: {error}"));
        // On a terminal it asks for the password.
        desk.shell(&convert.replace("pkcs12 ", "pkcs12 -passin pass: "));
        let converted = convert.rsplit("-out ").next().unwrap();
        let (out, error, _) = desk.run(&format!(
            "portcullis {}",
            command.replace("FILE", converted)
        ));
        assert!(
            !error.contains(converted),
            "{command}: {convert}\n{out}{error}"
        );
    }
}

#[test]
fn a_swapped_certificate_and_key_are_named() {
    let Some(desk) = Desk::new() else { return };
    let (_, error, code) = desk.run("portcullis explain -c gateway.toml --cert alice.key GET /");
    assert_eq!(code, 2);
    assert!(
        error.contains(
            "alice.key is a private key, not a certificate in PEM; the certificate and its key"
        ),
        "{error}"
    );
    let (_, error, code) =
        desk.run("portcullis verify --live -c gateway.toml --connect 127.0.0.1:1 --cert alice.crt --key alice.crt");
    assert_eq!(code, 2);
    assert!(
        error.contains(
            "alice.crt is a certificate, not a private key in PEM; the certificate and its key"
        ),
        "{error}"
    );
    desk.shell("cp pki/ca.key kept && cp pki/ca.crt pki/ca.key");
    let (_, error, code) = desk.run("portcullis pki sign-csr --csr bob.csr --cert bob.crt");
    assert!(
        code == 1 && error.contains("pki/ca.key is a certificate, not a private key in PEM; "),
        "{error}"
    );
    desk.shell("cp kept pki/ca.key && portcullis pki sign-csr --csr bob.csr --cert bob.crt");
    desk.shell("portcullis explain -c gateway.toml --cert alice.crt GET /");
}
