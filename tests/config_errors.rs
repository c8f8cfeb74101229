//! What `portcullis check` says about each mistake, word for word: `config_errors/*.toml`, each with the expected
//! report below a marker. `PORTCULLIS_GOLDEN=write cargo test config_errors` writes the reports anew, to be read in the
//! difference.

use crate::support::gateway::{process, route_to};
use crate::support::pki::Kind;
use crate::support::{PORTCULLIS, Pki, Upstream, run};
use rcgen::KeyPair;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// Below it stands what is expected, as comments, so that the file stays TOML for editors.
const MARKER: &str = "# === portcullis check says ===\n";
/// Below it stands another file of the same config.
const FILE_MARKER: &str = "# --- file ";

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
    assert!(wrong.is_empty(), "other than expected:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_refused_by_check_is_refused_by_run_with_the_same_words() {
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
        let errors_of = |report: &str| report.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors_of(&refused), errors_of(&checked), "{}\n{refused}", path.display());
    }
}

#[test]
fn many_mistakes_are_reported_in_one_run_before_any_port_is_bound() {
    let pki = fixtures();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
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
            assert!(report.contains(part), "{command}: {part} is missing in\n{report}");
        }
        TcpStream::connect(free).expect_err("nobody listens");
    }
}

#[test]
fn the_port_of_a_good_config_is_not_bound_by_check() {
    let (pki, upstream) = (fixtures(), Upstream::start());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listener = format!(
        "[listener.main]\naddress = \"{address}\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n"
    );
    let config = listener + "[trust_domain.test]\nanchors = [\"ca.crt\"]\n" + &process() + &route_to(upstream.address);
    let file = write_config(&pki, &config);
    let (out, err, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let (_, err, code) = run(PORTCULLIS, &["run", "-c", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(err.contains("cannot listen on") && err.contains("in use"), "{err}");
}

#[test]
fn a_config_that_is_not_there_is_said_so_and_where_to_name_it() {
    for command in ["check", "run"] {
        let (_, err, code) = run(PORTCULLIS, &[command, "-c", "/nowhere/gateway.toml"]);
        assert_eq!(code, 1);
        assert!(err.contains("cannot read /nowhere/gateway.toml") && err.contains("--config FILE"), "{err}");
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

/// The files that the golden configs name, good and bad.
fn fixtures() -> Pki {
    let pki = Pki::new();
    pki.server("other", &["localhost"]);
    for (name, kind) in [("soon", Kind::ExpiresIn(24 * 3600)), ("expired", Kind::Expired)] {
        let identity = pki.of_kind(name, kind);
        std::fs::write(pki.path(&format!("{name}.crt")), identity.certificate).unwrap();
        std::fs::write(pki.path(&format!("{name}.key")), identity.key).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(pki.path(name), text).unwrap();
    write("empty.pem", "");
    write("garbage.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    write("encrypted.key", &encrypted_key());
    write("bad-credentials", "nobody\n");
    std::fs::copy(Pki::named("Strange CA").ca_file(), pki.path("strange-ca.crt")).unwrap();
    let other_curve = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    write("p384.key", &other_curve.serialize_pem());
    write(
        "base.toml",
        "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
         [trust_domain.test]\nanchors = [\"ca.crt\"]\n[upstream.api]\nendpoints = [\"http://127.0.0.1:1\"]\n\
         [[route]]\npath = \"/\"\nupstream = \"api\"\n",
    );
    pki
}

/// Only its label matters: it is refused before anybody looks inside.
fn encrypted_key() -> String {
    KeyPair::generate().unwrap().serialize_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
}

fn golden_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config_errors");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
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
    let text = format!("{err}{out}exit code {code}\n").replace(&pki.folder.path().display().to_string(), "FOLDER");
    text.lines().map(|line| without_time(line) + "\n").collect()
}

/// `… at 2026-01-02T03:04:05Z` becomes `… at TIME`.
fn without_time(line: &str) -> String {
    match line.rsplit_once(" at ") {
        Some((before, time)) if time.ends_with('Z') && time.len() == 20 => format!("{before} at TIME"),
        _ => line.to_owned(),
    }
}

fn as_comments(text: &str) -> String {
    text.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}
