//! What `portcullis check` says about each mistake, word for word: `config_errors/*.toml`, each with the expected
//! report below a marker. `PORTCULLIS_GOLDEN=write cargo test config_errors` writes the reports anew, to be read in the
//! difference.

mod command_line;

use crate::support::gateway::{process, route_to};
use crate::support::pki::{Kind, subject, write_key};
use crate::support::{PORTCULLIS, Pki, ReservedPort, Upstream, run};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::Permissions;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

/// Below it stands what is expected, as comments, so that the file stays TOML for editors.
pub const MARKER: &str = "# === portcullis check says ===\n";
/// Below it stands another file of the same config.
pub const FILE_MARKER: &str = "# --- file ";

#[test]
fn each_mistake_is_reported_with_place_and_hint() {
    let pki = fixtures();
    let mut wrong = Vec::new();
    for path in golden_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (config, expected) = text.split_once(MARKER).unwrap_or((&text, ""));
        let report = as_comments(&check(&pki, config));
        if std::env::var_os("PORTCULLIS_GOLDEN").is_some_and(|word| word == "write") {
            std::fs::write(&path, format!("{config}{MARKER}{report}")).unwrap();
        } else if report != expected {
            wrong.push(format!("{}\n{report}", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "other than expected:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_is_rejected_by_check_is_rejected_by_run_with_the_same_words() {
    let pki = fixtures();
    for path in golden_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let config = text.split(MARKER).next().unwrap();
        let file = write_config(&pki, config);
        let (_, checked, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
        if code == 0 {
            continue;
        }
        let (_, refused, code) = run(PORTCULLIS, &["run", "-c", file.to_str().unwrap()]);
        assert_eq!(code, 1, "{}", path.display());
        let errors_of = |report: &str| {
            report
                .lines()
                .filter(|line| line.starts_with("error: "))
                .count()
        };
        assert_eq!(
            errors_of(&refused),
            errors_of(&checked),
            "{}\n{refused}",
            path.display()
        );
    }
}

#[test]
fn many_mistakes_are_reported_in_one_run_before_any_port_is_bound() {
    let pki = fixtures();
    let port = ReservedPort::new();
    let free = port.address();
    let config = format!(
        "[listener.main]\naddress = \"{free}\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
         [listener.second]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"other.key\"\n\
         [trust_domain.test]\nanchors = [\"ca.crt\"]\n\
         [trust_domain.empty]\nanchors = [\"empty.pem\"]\n\
         [api_user.alice]\nclient_cn = \"alice\"\ntrust_domain = \"test\"\nroles = [\"none\"]\npermisions = []\n\
         [upstream.api]\nendpoints = [\"htp://x\"]\nconnect_timeout = \"5\"\n\
         [[route]]\npath = \"/\"\nupstream = \"nowhere\"\n\
         [admin]\naddress = \"{free}\"\n[gateway]\nworkers = 0\n"
    );
    let file = write_config(&pki, &config);
    for command in ["check", "run"] {
        let (_, report, code) = run(PORTCULLIS, &[command, "-c", file.to_str().unwrap()]);
        assert_eq!(code, 1);
        for part in [
            "unknown key `api_user.alice.permisions`",
            "`upstream.api.connect_timeout` cannot be \"5\"",
            "`gateway.workers` cannot be 0",
            "empty.pem",
            "there is no role \"none\"",
            "is no endpoint",
            "there is no upstream \"nowhere\"",
            "does not say which trust domain it means",
        ] {
            assert!(
                report.contains(part),
                "{command}: {part} is missing in\n{report}"
            );
        }
        TcpStream::connect(free).expect_err("nobody listens");
    }
}

/// The files that the golden configs name, good and bad.
fn fixtures() -> Pki {
    let pki = Pki::new();
    pki.server("other", &["localhost"]);
    for (name, kind) in [
        ("soon", Kind::ExpiresIn(24 * 3600)),
        ("expired", Kind::Expired),
    ] {
        let identity = pki.of_kind(name, kind);
        std::fs::write(pki.path(&format!("{name}.crt")), identity.certificate).unwrap();
        write_key(&pki.path(&format!("{name}.key")), &identity.key);
    }
    lint_fixtures(&pki);
    fixtures_in_other_formats(&pki);
    let write = |name: &str, text: &str| std::fs::write(pki.path(name), text).unwrap();
    write("empty.pem", "");
    write(
        "garbage.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    write("encrypted.key", &encrypted_key());
    write("bad-credentials", "nobody\n");
    let other_curve = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    write_key(&pki.path("p384.key"), &other_curve.serialize_pem());
    let strange = Pki::named("Strange CA");
    std::fs::copy(strange.ca_file(), pki.path("strange-ca.crt")).unwrap();
    let forger = Pki::new();
    let old = (
        OffsetDateTime::UNIX_EPOCH,
        OffsetDateTime::UNIX_EPOCH + Duration::days(30),
    );
    write("ca.crl", &pki.crl(&[], 1));
    write("strange.crl", &strange.crl(&[], 1));
    write("forged.crl", &forger.crl(&[], 1));
    write("stale.crl", &pki.crl_valid(&[], 1, old));
    std::fs::create_dir(pki.path("no-crls")).unwrap();
    write("ghosts", "user nobody\nuser alice\n");
    write("denied", "# nobody\nserial 4a\nfingerprint 4a\n");
    write(
        "base.toml",
        "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
         [trust_domain.test]\nanchors = [\"ca.crt\"]\n[upstream.api]\nendpoints = [\"http://127.0.0.1:1\"]\n\
         [[route]]\npath = \"/\"\nupstream = \"api\"\n",
    );
    pki
}

/// What loads, but does not serve.
fn lint_fixtures(pki: &Pki) {
    let write = |name: &str, text: &str| std::fs::write(pki.path(name), text).unwrap();
    let read = |pki: &Pki, name: &str| std::fs::read_to_string(pki.path(name)).unwrap();
    let server = read(pki, "server.crt");
    pki.client("client");
    write("open.crt", &server);
    write("open.key", &read(pki, "server.key"));
    std::fs::set_permissions(pki.path("open.key"), Permissions::from_mode(0o644)).unwrap();
    let future = Pki::not_yet_valid("Future CA");
    write("future-ca.crt", &read(&future, "ca.crt"));
    write("future-server.crt", &read(&future, "server.crt"));
    write_key(&pki.path("future-server.key"), &read(&future, "server.key"));
    for (name, common_name) in [("third", "Third CA"), ("fourth", "Fourth CA")] {
        let other = Pki::named(common_name);
        write(&format!("{name}-ca.crt"), &read(&other, "ca.crt"));
        write(&format!("{name}.crl"), &other.crl(&[], 1));
    }
    let root = read(pki, "ca.crt");
    let middle = Chain::below(pki);
    write(
        "chained.crt",
        &[&*middle.leaf, &middle.authority, &root].concat(),
    );
    write(
        "disordered.crt",
        &[&*middle.leaf, &root, &middle.authority].concat(),
    );
    write(
        "reversed.crt",
        &[&*root, &middle.authority, &middle.leaf].concat(),
    );
    write("broken.crt", &[&*server, &middle.authority].concat());
    write_key(&pki.path("chained.key"), &middle.key);
}

/// What other programs write, given in place of PEM and TOML.
fn fixtures_in_other_formats(pki: &Pki) {
    let write = |name: &str, content: &[u8]| std::fs::write(pki.path(name), content).unwrap();
    let labelled = |label: &str| {
        format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n").into_bytes()
    };
    let server = CertificateDer::from_pem_file(pki.path("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pki.path("server.key")).unwrap();
    write("server.der", &server);
    write("server-key.der", key.secret_der());
    // How PKCS#12 begins: SEQUENCE { INTEGER 3, SEQUENCE {
    write("server.p12", &[0x30, 0x80, 2, 1, 3, 0x30, 0x80]);
    write("request.csr", &labelled("CERTIFICATE REQUEST"));
    write("openssh.key", &labelled("OPENSSH PRIVATE KEY"));
    write("bundle.p7b", &labelled("PKCS7"));
    write("trusted.crt", &labelled("TRUSTED CERTIFICATE"));
    write(
        "page.html",
        b"<!DOCTYPE html>\n<title>404 Not Found</title>\n",
    );
    let utf16 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    write(
        "utf16.pem",
        &utf16(&String::from_utf8(labelled("CERTIFICATE")).unwrap()),
    );
    write(
        "utf16.toml",
        &utf16("[api_user.alice]\nclient_cn = \"alice\"\n"),
    );
}

/// A server certificate by an intermediate of a CA, as PEM.
struct Chain {
    leaf: String,
    key: String,
    authority: String,
}

impl Chain {
    fn below(root: &Pki) -> Self {
        let named = |name: &str| {
            let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            params.distinguished_name = subject(&[name.into()]);
            params
        };
        let mut authority = named("Middle CA");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signed = root.sign("middle", authority.clone());
        let issuer = Issuer::new(authority, KeyPair::from_pem(&signed.key).unwrap());
        let key = KeyPair::generate().unwrap();
        let leaf = named("chained").signed_by(&key, &issuer).unwrap().pem();
        Self {
            leaf,
            key: key.serialize_pem(),
            authority: signed.certificate,
        }
    }
}

/// Only its label matters: it is refused before anybody looks inside.
fn encrypted_key() -> String {
    KeyPair::generate()
        .unwrap()
        .serialize_pem()
        .replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
}

/// The golden configs, sorted.
pub fn golden_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config_errors");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort_unstable();
    assert!(files.len() > 30, "the golden files are found");
    files
}

/// Writes the main file and those below file markers beside the fixtures.
fn write_config(pki: &Pki, text: &str) -> PathBuf {
    let mut parts = text.split(FILE_MARKER);
    let main = pki.path("gateway.toml");
    std::fs::write(&main, parts.next().unwrap()).unwrap();
    for part in parts {
        let (name, text) = part.split_once('\n').unwrap();
        std::fs::write(pki.path(name), text).unwrap();
    }
    main
}

/// The report of `check` with exit code, without what differs from run to run.
fn check(pki: &Pki, config: &str) -> String {
    let file = write_config(pki, config);
    let (out, err, code) = run(PORTCULLIS, &["check", "--config", file.to_str().unwrap()]);
    let text = format!("{err}{out}exit code {code}\n")
        .replace(&pki.folder.path().display().to_string(), "FOLDER");
    text.lines().map(|line| without_time(line) + "\n").collect()
}

/// `… at 2026-01-02T03:04:05Z` becomes `… at TIME`.
fn without_time(line: &str) -> String {
    match line.rsplit_once(" at ") {
        Some((before, time)) if time.ends_with('Z') && time.len() == 20 => {
            format!("{before} at TIME")
        }
        _ => line.to_owned(),
    }
}

fn as_comments(text: &str) -> String {
    text.lines()
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
        .collect()
}
