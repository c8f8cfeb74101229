//! Runs the commands of a block word for word: in a folder of its own, and in a network of its own, so that the ports that
//! the documents name are free and nobody outside is asked. All that the commands start ends with them.

use super::block::{Block, Kind};
use super::file_of_the_repository;
use crate::support::{PORTCULLIS, require_program};
use std::path::Path;
use std::process::{Command, Output};

/// Lines that are not run, each with its reason.
pub const NOT_RUN: [(&str, &str); 4] = [
    (
        "cargo run --release -- quickstart",
        "builds the program; `quickstart` runs what the built one does",
    ),
    ("cargo install --path .", "builds the program"),
    ("tests/run", "runs the tests, of which this is one"),
    (
        "icinga2 object list --type ApiUser > users.txt",
        "needs the objects of a running Icinga 2; files/users.txt is such a list",
    ),
];

/// What the commands read, in the form in which others made it.
const FILES: [(&str, &str); 4] = [
    ("users.txt", include_str!("files/users.txt")),
    ("api.conf", include_str!("files/api.conf")),
    ("haproxy.cfg", include_str!("files/haproxy.cfg")),
    ("password.txt", include_str!("files/password.txt")),
];

/// What the programs need that go on in the background (`&`): the port on which they are ready.
const PORTS: [(&str, u16); 2] = [("portcullis run ", 8443), ("python3 -m http.server ", 8080)];

/// A gateway that runs already, for commands that ask one.
const START_GATEWAY: &str = "portcullis run -c gateway.toml &";

/// For commands that read an audit log.
const AUDITED: &str = include_str!("files/audited.sh");

/// Certificates as the first steps of README make them.
const CERTIFICATES: [&str; 6] = [
    "portcullis pki new-ca",
    "portcullis pki new-cert --cn server --key pki/server.key --csr server.csr",
    "portcullis pki sign-csr --csr server.csr --cert pki/server.crt --server --dns localhost --ip 127.0.0.1",
    "portcullis pki new-cert --cn my-api-client --key my-api-client.key --csr my-api-client.csr",
    "portcullis pki sign-csr --csr my-api-client.csr --cert my-api-client.crt",
    "portcullis pki new-crl --crl pki/ca.crl",
];

/// Whether the programs are there that the blocks and this module need, and the system permits a network of its own, as
/// some containers do not.
pub fn can_run() -> bool {
    if !["bash", "curl", "ip", "openssl", "python3", "unshare"]
        .into_iter()
        .all(require_program)
    {
        return false;
    }
    let network = in_a_network(Path::new("/"), "true");
    if !network.status.success() {
        let why = String::from_utf8_lossy(&network.stderr);
        eprintln!(
            "skipped: the commands of the documents need a network namespace: {}",
            why.trim()
        );
    }
    network.status.success()
}

/// A command of a block, and what the document says that it prints.
struct Step {
    command: String,
    /// The lines below it, in a session.
    shown: Vec<String>,
}

/// Runs a block. `None` if all went as the document says.
pub fn failure(block: &Block) -> Option<String> {
    let steps: Vec<Step> = steps(block)
        .into_iter()
        .filter(|step| reason_not_to_run(&step.command).is_none())
        .collect();
    if steps.is_empty() {
        return None;
    }
    let folder = folder();
    let output = in_a_network(folder.path(), &script(block, &steps));
    if !output.status.success() {
        return Some(format!(
            "{}: {}",
            block.place(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let sections = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !step.shown.is_empty());
    let different = sections.filter_map(|(number, step)| {
        let printed = std::fs::read_to_string(folder.path().join(format!("printed.{number}")))
            .unwrap_or_default();
        let is_shown = is_as_shown(&step.shown, &printed);
        (!is_shown).then(|| format!("{}: `{}` prints\n{printed}", block.place(), step.command))
    });
    let different: Vec<String> = different.collect();
    (!different.is_empty()).then(|| different.join("\n"))
}

/// What the commands of a block print, but for those that contain `without`.
pub fn printed(block: &Block, without: &str) -> String {
    let steps: Vec<Step> = steps(block)
        .into_iter()
        .filter(|step| !step.command.contains(without))
        .collect();
    let output = in_a_network(folder().path(), &script(block, &steps));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A clone of the repository, as far as the commands need it, and what they read.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("gateway.toml"),
        file_of_the_repository("gateway.toml"),
    )
    .unwrap();
    for (name, text) in FILES {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Why a line is not run.
pub fn reason_not_to_run(command: &str) -> Option<&'static str> {
    NOT_RUN
        .into_iter()
        .find(|(line, _)| command.starts_with(line))
        .map(|(_, reason)| reason)
}

/// The commands of a block.
pub fn commands(block: &Block) -> Vec<String> {
    steps(block).into_iter().map(|step| step.command).collect()
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.text.lines() {
        let command = match block.kind {
            Kind::Session => line.strip_prefix("$ "),
            _ => Some(line),
        };
        match (command, steps.last_mut()) {
            // The shell reads on behind a backslash.
            (Some(line), Some(last)) if last.command.ends_with('\\') => {
                last.command += &format!("\n{line}")
            }
            (Some(line), _) if line.trim().is_empty() || line.starts_with('#') => {}
            (Some(line), _) => steps.push(Step {
                command: line.to_owned(),
                shown: Vec::new(),
            }),
            (None, Some(last)) => last.shown.push(line.to_owned()),
            (None, None) => panic!("{}: a session begins with `$ `", block.place()),
        }
    }
    steps
}

/// The block as a script that ends at the first command that fails. What a session shows may be a failure.
fn script(block: &Block, steps: &[Step]) -> String {
    let mut lines = Vec::new();
    let says = |word: &str| block.text.contains(word);
    if !says("pki new-ca") {
        lines.extend(CERTIFICATES.map(|command| format!("{command} > /dev/null")));
    }
    if ["--live", " revoke ", "curl "].into_iter().any(says) && !says("portcullis run") {
        lines.push(in_the_background(START_GATEWAY));
    }
    if says("--audit") {
        lines.push(AUDITED.to_owned());
    }
    for (number, step) in steps.iter().enumerate() {
        let command = &step.command;
        lines.push(match block.kind {
            Kind::Session => format!("{{ {command}\n}} > printed.{number} 2>&1 || true"),
            _ if command
                .split('#')
                .next()
                .unwrap_or_default()
                .trim_end()
                .ends_with('&') =>
            {
                in_the_background(command)
            }
            _ => command.clone(),
        });
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Starts a program and waits until it takes connections.
fn in_the_background(command: &str) -> String {
    let port = PORTS
        .into_iter()
        .find(|(program, _)| command.starts_with(program))
        .map(|(_, port)| port);
    let port = port.unwrap_or_else(|| panic!("on which port is it ready? {command}"));
    format!(
        "{command}\nuntil (exec 3<> /dev/tcp/127.0.0.1/{port}) 2> /dev/null; do kill -0 $!; sleep 0.05; done"
    )
}

/// Runs a script with `portcullis` in its path. Every process in it ends with it.
fn in_a_network(folder: &Path, script: &str) -> Output {
    let path = std::env::var("PATH").unwrap_or_default();
    let own = Path::new(PORTCULLIS).parent().unwrap().display();
    Command::new("timeout")
        .args([
            "60",
            "unshare",
            "--map-root-user",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "bash",
            "-euc",
        ])
        .arg(format!("ip link set lo up\n{script}"))
        .current_dir(folder)
        .env("PATH", format!("{own}:{path}:/usr/sbin:/sbin"))
        .env_remove("PORTCULLIS_CONFIG")
        .output()
        .unwrap()
}

/// Whether a text is what a document shows: a line `...` stands for any lines, and times and digests differ each time.
pub fn is_as_shown(shown: &[String], printed: &str) -> bool {
    let printed: Vec<String> = printed.lines().map(without_what_differs).collect();
    let shown: Vec<String> = shown
        .iter()
        .map(|line| without_what_differs(line))
        .collect();
    let mut rest = printed.as_slice();
    let mut parts = shown.split(|line| line.trim() == "...");
    let first = parts.next().unwrap_or_default();
    if !rest.starts_with(first) {
        return false;
    }
    rest = &rest[first.len()..];
    let mut is_open = false;
    for part in parts {
        is_open = part.is_empty();
        let Some(at) = (0..=rest.len()).find(|at| rest[*at..].starts_with(part)) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    is_open || rest.is_empty()
}

/// Replaces times, and digests, of which a document shows the beginning.
fn without_what_differs(line: &str) -> String {
    let words = line.trim_end().split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ':', ';']);
        let is_time = bare.len() > 19 && bare.ends_with('Z') && bare.as_bytes()[10] == b'T';
        let is_digest = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        match is_time || is_digest || bare.ends_with("...") && bare.len() > 3 {
            true => format!("~{}", &word[bare.len()..]),
            false => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
