//! How long queries take at a real Icinga 2, asked by a direct client and through Portcullis: one request after the other on
//! a kept connection. Icinga 2 writes small records without `TCP_NODELAY`, so who acknowledges late waits.

/// The server.
mod daemon;

use crate::compare::arena::{ReservedPort, wait_until_listening};
use crate::compare::machine::Machine;
use crate::compare::pki::{CLIENT, write_all};
use crate::compare::place::{Network, Process};
use crate::http::{head, require_ok};
use crate::local;
use crate::tls::{Channel, Sessions, anonymous_config, client_config};
use clap::Args;
use daemon::{CREDENTIALS, Icinga};
use rustls::ClientConfig;
use std::error::Error;
use std::fmt::Write;
use std::fs::{create_dir_all, write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONFIG: &str = include_str!("../../configs/icinga.toml");
/// `bench:secret`
const AUTHORIZATION: &str = "Basic YmVuY2g6c2VjcmV0";
/// A new connection is acknowledged at once for a while, whoever asks.
const WARM_UP: usize = 30;
/// Hosts with names that begin with these: their objects are some 13 and some 100 KB.
const HOSTS: [(char, usize); 2] = [('a', 8), ('b', 62)];

/// What to ask, and how often.
#[derive(Args)]
pub struct Options {
    /// The gateway's binary; default: beside this program
    #[arg(long)]
    portcullis: Option<PathBuf>,
    /// Where icinga.md goes
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
    /// How often each query is asked in each round
    #[arg(long, default_value_t = 200)]
    requests: usize,
    /// Rounds, in which all take turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only see that everything works
    #[arg(long)]
    smoke: bool,
}

/// Somebody who asks.
struct Asking {
    name: &'static str,
    target: SocketAddr,
    config: Arc<ClientConfig>,
    /// Further fields of its requests.
    fields: String,
}

/// Measures, and writes what came out.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if daemon::program().is_none() {
        eprintln!("portcullis-bench: icinga2 is not installed, and nothing is measured");
        return Ok(());
    }
    let bench = std::env::current_exe()?;
    let portcullis = options
        .portcullis
        .clone()
        .unwrap_or_else(|| bench.with_file_name("portcullis"))
        .canonicalize()?;
    let folder = tempfile::tempdir()?;
    let (pki, home) = (folder.path().join("pki"), folder.path().join("icinga"));
    create_dir_all(&pki)?;
    write_all(&pki)?;
    // Reserved until the end.
    let ports = [
        ReservedPort::new()?,
        ReservedPort::new()?,
        ReservedPort::new()?,
    ];
    let [address, quick, patient] = ports.each_ref().map(|port| port.address);
    let icinga = Icinga::start(&home, address, HOSTS)?;
    let _gateway = gateway(
        &portcullis,
        folder.path(),
        (&pki, &icinga.ca),
        [address, quick, patient],
    )?;
    let known = Arc::new(client_config(&pki, CLIENT, "http/1.1", Sessions::Full)?);
    let through = |name, target| Asking {
        name,
        target,
        config: Arc::clone(&known),
        fields: String::new(),
    };
    let direct = Asking {
        name: "direct",
        target: address,
        config: Arc::new(anonymous_config(&icinga.ca)?),
        fields: format!("Authorization: {AUTHORIZATION}\r\n"),
    };
    let asking = [
        direct,
        through("Portcullis", quick),
        through("Portcullis, `quick_ack = \"off\"`", patient),
    ];
    let report = local::run(measure(options, &asking))?;
    let text = format!("{}\n{report}", Machine::look(&portcullis, &[]).render());
    create_dir_all(&options.output)?;
    write(options.output.join("icinga.md"), &text)?;
    println!("{text}");
    Ok(())
}

fn gateway(
    program: &Path,
    folder: &Path,
    (pki, ca): (&Path, &Path),
    [icinga, quick, patient]: [SocketAddr; 3],
) -> Result<Process, Box<dyn Error>> {
    let (config, credentials) = (folder.join("gateway.toml"), folder.join("credentials"));
    write(&credentials, CREDENTIALS)?;
    let text = CONFIG
        .replace("@QUICK@", &quick.to_string())
        .replace("@PATIENT@", &patient.to_string())
        .replace("@PKI@", &pki.display().to_string())
        .replace("@ICINGA@", &icinga.port().to_string())
        .replace("@ICINGA_CA@", &ca.display().to_string())
        .replace("@CREDENTIALS@", &credentials.display().to_string());
    write(&config, text)?;
    let mut command = Network::own().command_on(None, program);
    command.args(["run", "--config"]).arg(config);
    let mut process = Process::start(command, &folder.join("gateway.log"))?;
    for address in [quick, patient] {
        wait_until_listening(&mut process, address)
            .map_err(|error| format!("portcullis: {error}"))?;
    }
    Ok(process)
}

/// A table: a row for each query, a column for each who asks.
async fn measure(options: &Options, asking: &[Asking]) -> Result<String, Box<dyn Error>> {
    let queries = [
        ("one host", "/v1/objects/hosts/a0"),
        (
            "8 hosts",
            "/v1/objects/hosts?filter=match(%22a*%22,host.name)",
        ),
        (
            "62 hosts",
            "/v1/objects/hosts?filter=match(%22b*%22,host.name)",
        ),
    ];
    let (rounds, requests, warm_up) = if options.smoke {
        (1, 3, 1)
    } else {
        (options.rounds, options.requests, WARM_UP)
    };
    let mut report = "| query | bytes |".to_owned();
    asking
        .iter()
        .try_for_each(|who| write!(report, " {}, ms: median (90 %) |", who.name))?;
    writeln!(
        report,
        " direct ÷ Portcullis |\n|:--|--:|{}--:|",
        "--:|".repeat(asking.len())
    )?;
    for (name, path) in queries {
        let mut times: Vec<Vec<Duration>> = asking.iter().map(|_| Vec::new()).collect();
        let mut bytes = Vec::new();
        for _ in 0..rounds {
            for (who, times) in asking.iter().zip(&mut times) {
                let length = ask(who, path, (warm_up, requests), times)
                    .await
                    .map_err(|error| format!("{}: {error}", who.name))?;
                bytes.push(length);
            }
        }
        // The time in each object's answer may have a digit more or less.
        let (least, most) = (
            bytes.iter().min().copied().unwrap_or(0),
            bytes.iter().max().copied().unwrap_or(0),
        );
        if least == 0 || most - least > most / 10 {
            return Err(format!("{name}: answers of {least} and of {most} bytes").into());
        }
        let medians: Vec<f64> = times.iter_mut().map(|times| quantile(times, 0.5)).collect();
        write!(report, "| {name} | {most} |")?;
        for (median, times) in medians.iter().zip(&mut times) {
            write!(report, " {median:.2} ({:.2}) |", quantile(times, 0.9))?;
        }
        writeln!(report, " {:.1} |", medians[0] / medians[1])?;
    }
    Ok(report)
}

/// Milliseconds.
fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times
        .get(place)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

/// Asks again and again, and gives how long the last answer's body was.
async fn ask(
    who: &Asking,
    path: &str,
    (warm_up, requests): (usize, usize),
    times: &mut Vec<Duration>,
) -> Result<usize, Box<dyn Error>> {
    let mut channel = Channel::open(who.target, &who.config).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{}\r\n",
        who.fields
    );
    let mut length = 0;
    for number in 0..warm_up + requests {
        let begun = Instant::now();
        channel.send(request.as_bytes()).await?;
        let mut answer = Vec::new();
        length = loop {
            answer.extend_from_slice(channel.receive().await?);
            let Some(found) = head(&answer)? else {
                continue;
            };
            require_ok(found.first_line)?;
            let body = usize::try_from(found.body)?;
            if answer.len() >= found.length + body {
                break body;
            }
        };
        if number >= warm_up {
            times.push(begun.elapsed());
        }
    }
    Ok(length)
}
