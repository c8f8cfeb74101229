//! On what a run was made: versions of everything that takes part, processor, kernel.

use super::place::Network;
use super::proxies::{Contender, Kind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

const LOCK: &str = include_str!("../../../Cargo.lock");
const LIBRARIES: [&str; 4] = ["rustls", "aws-lc-rs", "tokio", "hyper"];

/// The machine and what is installed there.
#[derive(Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Cores.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The default congestion control.
    pub congestion_control: String,
    /// Of programs and libraries.
    pub versions: BTreeMap<String, String>,
    /// The command line of this run.
    pub command: String,
}

impl Machine {
    /// Looks at everything.
    pub fn look(portcullis: &Path, peers: &[Contender]) -> Self {
        let file = |path: &str| read_to_string(path).unwrap_or_default();
        let processor = file("/proc/cpuinfo").lines().find_map(|line| {
            line.strip_prefix("model name")?
                .split(':')
                .nth(1)
                .map(str::to_owned)
        });
        let mut versions: BTreeMap<String, String> = LIBRARIES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), locked_version(name)?)))
            .collect();
        for (name, program, arguments, line) in [
            ("Portcullis", portcullis, &["--version"][..], ""),
            (
                "Portcullis' commit",
                Path::new("git"),
                &["describe", "--always", "--dirty"][..],
                "",
            ),
            ("Rust", Path::new("rustc"), &["--version"][..], ""),
        ] {
            if let Some(version) = line_of(program, arguments, line) {
                versions.insert(name.to_owned(), version);
            }
        }
        for peer in peers {
            let (program, option, lines) = match peer.kind {
                Kind::Nginx => (
                    peer.program_or("nginx"),
                    "-V",
                    ["nginx version", "built with "],
                ),
                Kind::Haproxy => (
                    peer.program_or("haproxy"),
                    "-vv",
                    ["HAProxy version", "Running on "],
                ),
                Kind::Floor | Kind::Portcullis(_) => continue,
            };
            // Lines of its own description: its version and that of its TLS library.
            for (suffix, line) in ["", "'s TLS"].into_iter().zip(lines) {
                if let Some(version) = line_of(program, &[option], line) {
                    versions.insert(format!("{}{suffix}", peer.name), version);
                }
            }
        }
        Self {
            processor: processor.unwrap_or_default().trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion_control: Network::own().congestion_control.clone(),
            versions,
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        }
    }

    /// In one line, for the picture.
    pub fn summary(&self) -> String {
        let Self {
            processor,
            cores,
            kernel,
            ..
        } = self;
        format!(
            "{processor}, {cores} cores, Linux {kernel}; the proxy has one core, TLS 1.3, client certificates"
        )
    }

    /// As a list, for the tables.
    pub fn render(&self) -> String {
        let mut text = format!(
            "- Machine: {}, {} cores, Linux {}, congestion control {}\n",
            self.processor, self.cores, self.kernel, self.congestion_control
        );
        for (name, version) in &self.versions {
            let _ = writeln!(text, "- {name}: {version}");
        }
        text + &format!(
            "- Command: `bench/run {}`\n",
            self.command.trim_start_matches("compare").trim()
        )
    }
}

/// The first line that begins with `begin`, on standard output or error.
fn line_of(program: &Path, arguments: &[&str], begin: &str) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .find(|line| line.starts_with(begin) && !line.is_empty())
        .map(|line| line.trim().to_owned())
}

/// From the lock file, where `version` follows `name`.
fn locked_version(name: &str) -> Option<String> {
    let (_, behind) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    behind
        .split_once('"')
        .map(|(version, _)| version.to_owned())
}
