//! Instructions of the gateway for each request, counted by valgrind (Debian: `valgrind`). Unlike CPU time, the count does
//! not depend on what else the machine does, so a budget can be checked on every machine. The kernel's instructions do not
//! count, and cryptography runs without the widest vector instructions, which valgrind does not know.

use super::arena::{ReservedPort, wait_until_listening};
use super::pki::{self, CLIENT};
use super::place::{Network, Process, output};
use super::proxies::{Contender, Kind, Programs};
use crate::load::Report;
use clap::Args;
use std::error::Error;
use std::fmt::Write;
use std::fs::{create_dir_all, read_to_string};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Valgrind writes its summary after the gateway has ended.
const END_DEADLINE: Duration = Duration::from_secs(60);
/// ApiUsers in the config. Their number is not felt by a request, but by a start under valgrind.
const USERS: usize = 10;

/// What to count.
#[derive(Args)]
pub struct InstructionOptions {
    /// The gateway's binary; default: beside this program
    #[arg(long)]
    portcullis: Option<PathBuf>,
    /// Fail if a load needs more instructions for each request than this file allows: lines of `LOAD COUNT`
    #[arg(long)]
    budget: Option<PathBuf>,
    /// Only these loads, such as get-64,http2
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// One kind of load.
struct CountedLoad {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Requests of the short run; the long one has [`LONG_RUN`] times as many. The difference between the two is what
    /// requests cost, without start and end.
    requests: u64,
}

const LONG_RUN: u64 = 5;

const LOADS: [CountedLoad; 7] = [
    CountedLoad {
        name: "get-64",
        arguments: &["closed", "--connections=64"],
        requests: 1_000,
    },
    CountedLoad {
        name: "post-1k",
        arguments: &["closed", "--connections=64", "--body=1024"],
        requests: 1_000,
    },
    CountedLoad {
        name: "http2",
        arguments: &["http2", "--connections=8", "--streams=16"],
        requests: 1_000,
    },
    CountedLoad {
        name: "full",
        arguments: &["handshakes", "--connections=16"],
        requests: 50,
    },
    CountedLoad {
        name: "resumed",
        arguments: &["handshakes", "--resume", "--connections=16"],
        requests: 50,
    },
    CountedLoad {
        name: "download-1m",
        arguments: &["closed", "--connections=4", "--path=/bytes/1048576"],
        requests: 10,
    },
    CountedLoad {
        name: "upload-1m",
        arguments: &["closed", "--connections=4", "--body=1048576"],
        requests: 10,
    },
];

/// Counts, prints a table, and compares with the budget.
///
/// # Errors
/// A load failed, valgrind is missing, the budget cannot be read or lacks a load, or a load is over its budget.
pub fn run(options: &InstructionOptions) -> Result<(), Box<dyn Error>> {
    let budget = options.budget.as_deref().map(read_budget).transpose()?;
    let folder = tempfile::Builder::new()
        .prefix("portcullis-bench")
        .tempdir()?;
    let pki = folder.path().join("pki");
    create_dir_all(&pki)?;
    pki::write_all(&pki)?;
    let programs = Programs {
        valgrind: true,
        ..Programs::new(options.portcullis.as_deref(), pki)?
    };
    let is_chosen = |load: &&CountedLoad| {
        options.only.is_empty() || options.only.iter().any(|name| name == load.name)
    };
    let mut exceeded = String::new();
    println!("| load | instructions for each request | budget |\n|:--|--:|--:|");
    for load in LOADS.iter().filter(is_chosen) {
        let allowed = budget
            .as_deref()
            .map(|budget| allowed(budget, load))
            .transpose()?;
        let folder = folder.path().join(load.name);
        let count = |requests: u64| {
            count(
                &programs,
                load,
                requests,
                &folder.join(requests.to_string()),
            )
        };
        let long = load.requests * LONG_RUN;
        let each = count(long)?.saturating_sub(count(load.requests)?) / (long - load.requests);
        println!(
            "| {} | {each} | {} |",
            load.name,
            allowed.map_or_else(|| "–".to_owned(), |count| count.to_string())
        );
        if let Some(allowed) = allowed.filter(|allowed| each > *allowed) {
            let _ = write!(
                exceeded,
                "\n  {}: {each} instructions for each request, {allowed} allowed",
                load.name
            );
        }
    }
    if exceeded.is_empty() {
        return Ok(());
    }
    Err(format!(
        "over the budget:{exceeded}\nif the work is worth it, raise the figure in the budget file and say why in the commit"
    )
    .into())
}

fn allowed(budget: &[(String, u64)], load: &CountedLoad) -> Result<u64, String> {
    let found = budget.iter().find(|(name, _)| name == load.name);
    found
        .map(|(_, count)| *count)
        .ok_or_else(|| format!("the budget has no line for {}", load.name))
}

/// Instructions of one gateway from start to end, with this many requests in between.
fn count(
    programs: &Programs,
    load: &CountedLoad,
    requests: u64,
    folder: &Path,
) -> Result<u64, Box<dyn Error>> {
    create_dir_all(folder)?;
    let (upstream_port, port) = (ReservedPort::new()?, ReservedPort::new()?);
    let network = Network::own();
    let mut command = network.command_on(None, &programs.bench);
    command.args(["upstream", "--address", &upstream_port.address.to_string()]);
    let mut upstream = Process::start(command, &folder.join("upstream.log"))?;
    wait_until_listening(&mut upstream, upstream_port.address)?;
    let contender = Contender::new("Portcullis", Kind::Portcullis(None), USERS);
    let command = programs.prepare(
        &contender,
        folder,
        (port.address, upstream_port.address),
        (&network, None),
    )?;
    let mut gateway = Process::start(command, &folder.join("log"))?;
    wait_until_listening(&mut gateway, port.address)?;

    let mut command = network.command_on(None, &programs.bench);
    command
        .arg("load")
        .args(load.arguments)
        .arg(format!("--requests={requests}"));
    command
        .args(["--target", &port.address.to_string(), "--client", CLIENT])
        .arg("--pki")
        .arg(&programs.pki);
    let printed = output(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let report: Report = serde_json::from_slice(&printed.stdout)?;
    if report.failures > 0 {
        let said = String::from_utf8_lossy(&printed.stderr).into_owned();
        return Err(format!(
            "{}: {} of {requests} requests failed; {said}",
            load.name, report.failures
        )
        .into());
    }
    gateway.end(END_DEADLINE)?;
    let log = read_to_string(folder.join("log"))?;
    parse_count(&log)
        .ok_or_else(|| format!("{}: valgrind printed no count: {log}", load.name).into())
}

/// From a line such as `==123== I   refs:      1,234,567`.
fn parse_count(log: &str) -> Option<u64> {
    let line = log
        .lines()
        .find(|line| line.starts_with("==") && line.contains("refs:"))?;
    line.rsplit_once("refs:")?
        .1
        .trim()
        .replace(',', "")
        .parse()
        .ok()
}

fn read_budget(path: &Path) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let text = read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse_budget(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn parse_budget(text: &str) -> Result<Vec<(String, u64)>, String> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let parsed = line
                .split_once(' ')
                .and_then(|(name, count)| Some((name, count.trim().parse().ok()?)));
            let (name, count) = parsed.ok_or_else(|| format!("`{line}`: expected LOAD COUNT"))?;
            if LOADS.iter().all(|load| load.name != name) {
                return Err(format!("`{name}` is no load"));
            }
            Ok((name.to_owned(), count))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{parse_budget, parse_count};

    #[test]
    fn counts_and_budgets_are_parsed() {
        assert_eq!(
            parse_count("==1== Command: x\n==1== I   refs:      1,234,567\n"),
            Some(1_234_567)
        );
        assert_eq!(parse_count("refs: none"), None);
        assert_eq!(
            parse_budget("# why\nget-64 31000  # as measured\n"),
            Ok(vec![("get-64".to_owned(), 31_000)])
        );
        assert!(
            parse_budget("get-65 1").is_err()
                && parse_budget("get-64 many").is_err()
                && parse_budget("x").is_err()
        );
    }
}
