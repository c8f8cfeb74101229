//! Runs all proxies through all modes and writes the results. Within a mode the proxies take turns, round by round, so
//! that what disturbs the machine disturbs all of them alike.

/// A network with everything running in it.
pub mod arena;
/// Instructions for each request.
pub mod instructions;
/// Versions, processor, kernel.
pub mod machine;
/// What is measured.
mod modes;
/// Certificates.
pub mod pki;
/// Cores, networks, processes.
pub mod place;
/// A picture.
mod plot;
/// Before other work on the machine.
mod precedence;
/// Who is measured.
mod proxies;
/// Medians.
mod results;
/// Markdown.
mod table;

use arena::Arena;
use clap::Args;
use machine::Machine;
use modes::{Group, Mode, Scale, Unit};
use place::Network;
use precedence::Precedence;
use proxies::{Contender, Kind, Peer, Programs, Running};
use results::Row;
use serde::Serialize;
use std::error::Error;
use std::fs::{create_dir_all, write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::load::Report;

/// A round in which others took more of the proxy's core than this is measured again.
const FOREIGN_SHARE: f64 = 0.1;
const ATTEMPTS: usize = 2;

/// What to compare, and how long.
#[derive(Args)]
pub struct Options {
    /// The gateway's binary; default: beside this program
    #[arg(long)]
    portcullis: Option<PathBuf>,
    /// Where results.json, results.md and results.svg go
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
    /// Rounds of each mode; their median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that each round counts
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds before each round
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Only these modes, such as get-64,download-1m
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these proxies: floor, portcullis, nginx, haproxy, and names of --peer
    #[arg(long, value_delimiter = ',')]
    proxies: Vec<String>,
    /// A further nginx, HAProxy or Portcullis, such as nginx-new=/opt/nginx/sbin/nginx or portcullis-old=/tmp/portcullis;
    /// may be repeated
    #[arg(long, value_name = "NAME=BINARY")]
    peer: Vec<Peer>,
    /// Bulk is measured with each of these, too, in networks of their own; needs root
    #[arg(long, value_delimiter = ',', default_value = "reno")]
    congestion_control: Vec<String>,
    /// KiB of each of nginx's buffers for large bodies
    #[arg(long, default_value_t = 64)]
    nginx_buffer: u32,
    /// KiB of each of HAProxy's buffers
    #[arg(long, default_value_t = 64)]
    haproxy_buffer: u32,
    /// The core for the proxy; the load generator and the upstream get the other
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// The core for load generator and upstream
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Only see that everything works: small, short, figures without meaning
    #[arg(long)]
    smoke: bool,
}

/// How long a round takes.
#[derive(Clone, Copy)]
pub struct Timing {
    /// Seconds that do not count.
    pub warm_up: f64,
    /// Seconds that count.
    pub seconds: f64,
}

/// Who runs where; `None` on machines with a single core.
#[derive(Clone, Copy)]
pub struct Cores {
    /// The proxy.
    pub proxy: Option<usize>,
    /// Load generator and upstream.
    pub load: Option<usize>,
}

#[derive(Serialize)]
struct Results<'a> {
    machine: &'a Machine,
    rows: &'a [Row],
}

/// Compares.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::Builder::new()
        .prefix("portcullis-bench")
        .tempdir()?;
    let pki = folder.path().join("pki");
    create_dir_all(&pki)?;
    pki::write_all(&pki)?;
    let programs = options.programs(pki)?;
    let scale = if options.smoke {
        Scale::SMOKE
    } else {
        Scale::FULL
    };
    let contenders = options.contenders(&programs, folder.path(), scale.users[0])?;
    let machine = Machine::look(&programs.portcullis, &contenders);
    let mut rows = Vec::new();
    // A smoke run does not measure, and may be one test among others.
    let _precedence = (!options.smoke).then(Precedence::take);
    for (number, group) in scale
        .groups(&contenders, &options.congestion_control)
        .into_iter()
        .enumerate()
    {
        let folder = folder.path().join(format!("group-{number}"));
        rows.extend(options.run_group(group, &programs, &folder)?);
        // Now already: what is measured stays, whatever happens to the next group.
        options.write(&machine, &rows)?;
    }
    println!("{}", tables(&machine, &rows));
    eprintln!(
        "written: {}/results.json, .md, .svg",
        options.output.display()
    );
    Ok(())
}

fn tables(machine: &Machine, rows: &[Row]) -> String {
    format!(
        "{}{}{}\n{}",
        table::ratios(rows),
        machine.render(),
        table::disturbance(rows),
        table::figures(rows)
    )
}

impl Options {
    fn programs(&self, pki: PathBuf) -> Result<Programs, Box<dyn Error>> {
        let programs = Programs::new(self.portcullis.as_deref(), pki)?;
        let nginx_buffer = self.nginx_buffer * 1024;
        Ok(Programs {
            nginx_buffer,
            haproxy_buffer: self.haproxy_buffer * 1024,
            ..programs
        })
    }

    fn write(&self, machine: &Machine, rows: &[Row]) -> Result<(), Box<dyn Error>> {
        create_dir_all(&self.output)?;
        write(
            self.output.join("results.json"),
            serde_json::to_string_pretty(&Results { machine, rows })?,
        )?;
        write(self.output.join("results.md"), tables(machine, rows))?;
        if let Some(picture) = plot::render(rows, &machine.summary()) {
            write(self.output.join("results.svg"), picture)?;
        }
        Ok(())
    }

    /// Who takes part. A proxy that is not installed is left out, and that is said.
    fn contenders(
        &self,
        programs: &Programs,
        folder: &Path,
        users: usize,
    ) -> Result<Vec<Contender>, Box<dyn Error>> {
        let wanted =
            |name: &str| self.proxies.is_empty() || self.proxies.iter().any(|proxy| proxy == name);
        let mut contenders = Vec::new();
        if wanted("floor") {
            contenders.push(Contender::new("floor", Kind::Floor, users));
        }
        if wanted("portcullis") {
            let layers = programs.record_layers(&folder.join("check"))?;
            let named = |layer: &&'static str| {
                Contender::new(
                    &format!("Portcullis {layer}"),
                    Kind::Portcullis(Some(layer)),
                    users,
                )
            };
            contenders.extend(layers.iter().map(named));
            if layers.is_empty() {
                contenders.push(Contender::new("Portcullis", Kind::Portcullis(None), users));
            }
        }
        for (name, program, kind) in [
            ("nginx", "nginx", Kind::Nginx),
            ("HAProxy", "haproxy", Kind::Haproxy),
        ] {
            if wanted(program) && is_installed(program) {
                contenders.push(Contender::new(name, kind, users));
            } else if wanted(program) {
                eprintln!("portcullis-bench: {program} is not installed and left out");
            }
        }
        for Peer {
            name,
            kind,
            program,
        } in self.peer.iter().filter(|peer| wanted(&peer.name))
        {
            contenders.push(Contender {
                program: Some(program.clone()),
                ..Contender::new(name, *kind, users)
            });
        }
        Ok(contenders)
    }

    fn run_group(
        &self,
        group: Group,
        programs: &Programs,
        folder: &Path,
    ) -> Result<Vec<Row>, Box<dyn Error>> {
        let wanted = |mode: &Mode| self.only.is_empty() || self.only.contains(&mode.name);
        let modes: Vec<Mode> = group.modes.into_iter().filter(wanted).collect();
        if modes.is_empty() {
            return Ok(Vec::new());
        }
        let network = match &group.congestion_control {
            None => Network::own(),
            Some(name) => match Network::with(name) {
                Ok(network) => network,
                Err(error) => {
                    eprintln!("portcullis-bench: nothing is measured with {name}: {error}");
                    return Ok(Vec::new());
                }
            },
        };
        let mut arena = Arena::new(programs, folder, network, self.cores())?;
        for (number, contender) in group.contenders.iter().enumerate() {
            arena.start(contender, &folder.join(number.to_string()))?;
        }
        modes
            .iter()
            .map(|mode| self.run_mode(&arena, mode))
            .collect()
    }

    fn run_mode(&self, arena: &Arena<'_>, mode: &Mode) -> Result<Row, Box<dyn Error>> {
        let mut row = Row::new(mode, &arena.network.congestion_control);
        // What is allocated once is not given back, so memory is measured once.
        let rounds = if self.smoke || mode.unit == Unit::Memory {
            1
        } else {
            self.rounds
        };
        let mut reports: Vec<Vec<Report>> = arena.proxies.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            eprintln!(
                "{} ({}), round {} of {rounds}",
                mode.title,
                row.congestion_control,
                round + 1
            );
            for turn in 0..reports.len() {
                let place = (turn + round) % reports.len();
                reports[place].push(self.measure(arena, &arena.proxies[place], mode)?);
            }
        }
        for (proxy, reports) in arena.proxies.iter().zip(reports) {
            row.add(&proxy.contender.name, reports);
        }
        Ok(row)
    }

    /// The least disturbed of a few attempts.
    fn measure(
        &self,
        arena: &Arena<'_>,
        proxy: &Running,
        mode: &Mode,
    ) -> Result<Report, Box<dyn Error>> {
        let mut best = arena.measure(proxy, mode, self.timing())?;
        for _ in 1..ATTEMPTS {
            if best.foreign < FOREIGN_SHARE || self.smoke {
                break;
            }
            let again = arena.measure(proxy, mode, self.timing())?;
            if again.foreign < best.foreign {
                best = again;
            }
        }
        Ok(best)
    }

    fn timing(&self) -> Timing {
        if self.smoke {
            return Timing {
                warm_up: 0.0,
                seconds: 0.02,
            };
        }
        Timing {
            warm_up: self.warm_up,
            seconds: self.seconds,
        }
    }

    fn cores(&self) -> Cores {
        if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
            eprintln!(
                "portcullis-bench: only one core: proxy and load disturb each other, figures mean little"
            );
            return Cores {
                proxy: None,
                load: None,
            };
        }
        Cores {
            proxy: Some(self.proxy_core),
            load: Some(self.load_core),
        }
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
