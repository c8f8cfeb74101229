//! `portcullis pki`: the real program makes keys, requests and certificates, and the real `openssl` judges them. It
//! does not test that the gateway accepts them: see `handshake`.

mod certificates;
mod files;
mod requests;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair,
};
use time::{Duration, OffsetDateTime};

use crate::support::require_program;

// === the seed's way ===

/// What `sign-csr` proposes for the config.
const HINT: &str = "[api_user.my-api-client]\nclient_cn = \"my-api-client\"\n\
                    permissions = [\"GET /*\"]   # what it may do; `*` stands for any text\n";

#[test]
fn a_client_certificate_is_made_in_three_commands_as_in_icinga() {
    let Some(desk) = Desk::new() else { return };
    let made = desk.succeeds("pki new-ca");
    assert!(
        made.contains("information: wrote ./pki/ca.crt (certificate, valid until 20"),
        "{made}"
    );
    desk.succeeds("pki new-cert --cn my-api-client --key my.key --csr my.csr");
    let signed = desk.succeeds("pki sign-csr --csr my.csr --cert my.crt");
    assert!(
        signed.contains("information: wrote my.crt (certificate, valid until 20"),
        "{signed}"
    );
    assert!(
        !signed.contains("not in the certificate"),
        "nobody asked for more than `new-cert` did: {signed}"
    );
    assert_eq!(
        signed.split("add to the config:\n\n").nth(1),
        Some(HINT),
        "{signed}"
    );
    let config = "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
                  [trust_domain.internal]\nanchors = [\"pki/ca.crt\"]\n\
                  [[route]]\npath = \"/me\"\nrespond = \"whoami\"\n";
    desk.succeeds("pki new-cert --cn localhost --key server.key --csr server.csr");
    desk.succeeds("pki sign-csr --csr server.csr --cert server.crt --server --dns localhost");
    fs::write(desk.path("gateway.toml"), config.to_owned() + HINT).unwrap();
    let allowed = desk.succeeds("explain -c gateway.toml --cert my.crt GET /me");
    assert!(allowed.starts_with("decision:    permit\n"), "{allowed}");

    desk.openssl_succeeds("verify -x509_strict -CAfile pki/ca.crt -purpose sslclient my.crt");
    desk.openssl_fails("verify -CAfile pki/ca.crt -purpose sslserver my.crt");
    let request = desk.openssl_succeeds("req -in my.csr -noout -verify -text");
    assert!(request.contains("DNS:my-api-client"), "{request}");
    let key = desk.openssl_succeeds("pkey -in my.key -noout -text");
    assert!(key.contains("prime256v1"), "{key}");
    assert!(
        desk.read("my.key")
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
}

#[test]
fn the_authority_may_sign_certificates_but_no_other_authorities() {
    let Some(desk) = Desk::new() else { return };
    desk.succeeds("pki new-ca --cn Test --ca-dir deep/down --days 30");
    let text = desk.openssl_succeeds("x509 -in deep/down/ca.crt -noout -text -nameopt RFC2253");
    for part in [
        "Subject: CN=Test\n",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    desk.openssl_succeeds("x509 -in deep/down/ca.crt -noout -checkend 2505600");
    assert!(
        !desk
            .openssl("x509 -in deep/down/ca.crt -noout -checkend 2678400")
            .status
            .success()
    );
}

#[test]
fn a_new_revocation_list_contains_the_previous_entries() {
    let Some(desk) = Desk::new() else { return };
    desk.succeeds("pki new-ca");
    for name in ["alice", "bob", "carol"] {
        desk.succeeds(&format!(
            "pki new-cert --cn {name} --key {name}.key --csr {name}.csr"
        ));
        desk.succeeds(&format!("pki sign-csr --csr {name}.csr --cert {name}.crt"));
    }
    let verify = "verify -CAfile pki/ca.crt -CRLfile pki/ca.crl -crl_check";
    desk.succeeds("pki new-crl --crl pki/ca.crl");
    desk.openssl_succeeds(&format!("{verify} alice.crt bob.crt carol.crt"));
    let serial = desk.openssl_succeeds("x509 -in bob.crt -noout -serial");
    let serial = serial.trim().trim_start_matches("serial=").to_owned();
    let made = desk.succeeds("pki new-crl --crl pki/ca.crl --cert alice.crt --days 3");
    assert!(
        made.contains("information: wrote pki/ca.crl (revocation list, counts until 20"),
        "{made}"
    );
    let made = desk.succeeds(&format!("pki new-crl --crl pki/ca.crl --serial {serial}"));
    assert!(made.contains("revoked certificates: 2"), "{made}");
    for revoked in ["alice", "bob"] {
        desk.openssl_fails(&format!("{verify} {revoked}.crt"));
    }
    desk.openssl_succeeds(&format!("{verify} carol.crt"));
    desk.openssl_succeeds("crl -in pki/ca.crl -noout -CAfile pki/ca.crt");
    let before = desk.read("pki/ca.crl");
    // What another authority has made is neither continued nor revoked.
    desk.succeeds("pki new-ca --ca-dir other");
    for wrong in [
        "pki new-crl --crl pki/ca.crl --ca-dir other",
        "pki new-crl --crl other/ca.crl --ca-dir other --cert alice.crt",
        "pki new-crl --crl pki/ca.crl --serial 4g",
        "pki new-crl --crl pki/ca.crt",
    ] {
        desk.fails(wrong);
    }
    assert_eq!(desk.read("pki/ca.crl"), before);
    assert!(!desk.path("other/ca.crl").exists());
}

#[test]
fn a_name_that_is_no_dns_name_is_not_requested_as_one() {
    let Some(desk) = Desk::new() else { return };
    desk.run(
        &[
            "pki",
            "new-cert",
            "--cn",
            "Jörg Müller",
            "--key",
            "k",
            "--csr",
            "r",
        ],
        Expect::Success,
    );
    let text = desk.openssl_succeeds("req -in r -noout -text");
    assert!(!text.contains("Alternative Name"), "{text}");
    desk.succeeds("pki new-ca");
    let signed = desk.succeeds("pki sign-csr --csr r --cert c");
    assert!(!signed.contains("not in the certificate"), "{signed}");
    assert!(
        signed.contains("[api_user.\"Jörg Müller\"]\nclient_cn = \"Jörg Müller\"\n"),
        "{signed}"
    );
}

// === the desk: a temporary folder with the two programs ===

enum Expect {
    Success,
    Failure,
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// None if there is no openssl to check with.
    fn new() -> Option<Self> {
        let desk = require_program("openssl").then(|| Self {
            folder: tempfile::tempdir().unwrap(),
        })?;
        // Not the system's: its extensions would mix with those of the tests.
        desk.write("openssl.cnf", "[req]\ndistinguished_name = dn\n[dn]\n");
        Some(desk)
    }

    fn with_authority() -> Option<Self> {
        let desk = Self::new()?;
        desk.succeeds("pki new-ca");
        Some(desk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    fn listing(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.folder.path())
            .env("OPENSSL_CONF", self.path("openssl.cnf"));
        command
    }

    /// Runs portcullis; returns standard output on success, standard error on failure.
    fn run(&self, arguments: &[&str], expected: Expect) -> String {
        let output = self
            .command(env!("CARGO_BIN_EXE_portcullis"))
            .args(arguments)
            .output()
            .unwrap();
        match expected {
            Expect::Success => success(arguments, output),
            Expect::Failure => {
                assert!(
                    !output.status.success(),
                    "{arguments:?} succeeded: {output:?}"
                );
                String::from_utf8(output.stderr).unwrap()
            }
        }
    }

    fn succeeds(&self, line: &str) -> String {
        self.run(&words(line), Expect::Success)
    }

    fn fails(&self, line: &str) -> String {
        self.run(&words(line), Expect::Failure)
    }

    /// It fails with `message` and leaves no certificate `c` behind that was not there before.
    fn refuses(&self, line: &str, message: &str) {
        let before = self.listing();
        let error = self.fails(line);
        assert!(
            error.contains(message),
            "{line}: {error:?} does not say {message:?}"
        );
        assert_eq!(self.listing(), before, "{line}");
    }

    fn openssl(&self, line: &str) -> Output {
        self.command("openssl").args(words(line)).output().unwrap()
    }

    fn openssl_succeeds(&self, line: &str) -> String {
        success(&words(line), self.openssl(line))
    }

    fn openssl_fails(&self, line: &str) {
        let output = self.openssl(line);
        assert!(
            !output.status.success(),
            "openssl {line} succeeded: {output:?}"
        );
    }

    /// Puts an authority into `pki` that `new-ca` would not make.
    fn install_authority(
        &self,
        is_ca: IsCa,
        usages: Vec<rcgen::KeyUsagePurpose>,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        (parameters.is_ca, parameters.key_usages) = (is_ca, usages);
        (parameters.not_before, parameters.not_after) = (from, until);
        self.write("pki/ca.crt", &parameters.self_signed(&key).unwrap().pem());
        self.write("pki/ca.key", &key.serialize_pem());
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn success(arguments: &[&str], output: Output) -> String {
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn certifier() -> IsCa {
    IsCa::Ca(BasicConstraints::Unconstrained)
}

/// A request that openssl would not make: any value as common name, or none.
fn request_named(name: Option<DnValue>) -> String {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    if let Some(name) = name {
        parameters.distinguished_name.push(DnType::CommonName, name);
    }
    parameters
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap()
        .pem()
        .unwrap()
}
