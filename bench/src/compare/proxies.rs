//! The proxies: what each needs to run, and its config, from the files in `bench/configs`.

use super::arena::ReservedPort;
use super::pki::CLIENT;
use super::place::{Network, Process, output};
use std::error::Error;
use std::fmt::Write;
use std::fs::{create_dir_all, read_to_string, write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

const NGINX: &str = include_str!("../../configs/nginx.conf");
const HAPROXY: &str = include_str!("../../configs/haproxy.cfg");
const PORTCULLIS: &str = include_str!("../../configs/portcullis.toml");

/// Valgrind's arguments: count instructions, write no profile.
const COUNT_INSTRUCTIONS: [&str; 3] = [
    "--tool=cachegrind",
    "--cache-sim=no",
    "--cachegrind-out-file=/dev/null",
];
/// Open files that nginx may have: as many as we.
const FILES: u32 = 20_000;
/// Connections that a proxy accepts at once; each may need one more to the upstream.
const CONNECTIONS: u32 = 9_000;

/// Which program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The blind relay.
    Floor,
    /// Ours, with a `record_layer` if it knows that key.
    Portcullis(Option<&'static str>),
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
}

/// One proxy with a config.
#[derive(Clone, Debug)]
pub struct Contender {
    /// As it stands in tables.
    pub name: String,
    /// Which program.
    pub kind: Kind,
    /// Its binary; `None` is the usual one of its kind.
    pub program: Option<PathBuf>,
    /// ApiUsers in its config.
    pub users: usize,
    /// Routes in its config; for Portcullis only.
    pub routes: usize,
    /// What it writes down; for Portcullis only.
    pub logs: Logs,
}

/// What Portcullis writes down of each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Logs {
    /// Nothing, as all others.
    Off,
    /// A line of the access log.
    Access,
    /// A line of the audit log.
    Audit,
    /// What the admin listener shows of late.
    Recent,
}

impl Logs {
    /// The config with this.
    fn switch_on(self, config: &str) -> String {
        match self {
            Self::Off => config.to_owned(),
            Self::Access => config.replace("format = \"off\"", "path = \"access.log\""),
            Self::Audit => config.to_owned() + "\n[audit_log]\npath = \"audit.log\"\n",
            Self::Recent => config.to_owned() + "\n[admin]\nrecent_decisions = \"10m\"\n",
        }
    }
}

impl Contender {
    /// A usual one: some users, one route.
    pub fn new(name: &str, kind: Kind, users: usize) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            program: None,
            users,
            routes: 1,
            logs: Logs::Off,
        }
    }

    /// Its binary, or else the installed one of this name.
    pub fn program_or<'a>(&'a self, installed: &'a str) -> &'a Path {
        self.program.as_deref().unwrap_or(Path::new(installed))
    }
}

/// A peer that the command line names: `NAME=BINARY`.
#[derive(Clone, Debug)]
pub struct Peer {
    /// As it stands in tables.
    pub name: String,
    /// Whose config it gets.
    pub kind: Kind,
    /// Its program.
    pub program: PathBuf,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, program) = text
            .split_once('=')
            .ok_or("expected NAME=BINARY, such as nginx-new=/opt/nginx/sbin/nginx")?;
        let lower = name.to_ascii_lowercase();
        let kind = match lower.as_str() {
            "nginx" | "haproxy" => {
                return Err(format!(
                    "`{name}` is the installed one; choose another name"
                ));
            }
            nginx if nginx.starts_with("nginx") => Kind::Nginx,
            haproxy if haproxy.starts_with("haproxy") => Kind::Haproxy,
            ours if ours.starts_with("portcullis-") => Kind::Portcullis(None),
            _ => {
                let known = "nginx, haproxy or portcullis-";
                return Err(format!(
                    "`{name}` must begin with {known}, which says what config it gets"
                ));
            }
        };
        let program = Path::new(program)
            .canonicalize()
            .map_err(|error| format!("{program}: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            kind,
            program,
        })
    }
}

/// Where everything is.
pub struct Programs {
    /// The gateway.
    pub portcullis: PathBuf,
    /// Ourselves.
    pub bench: PathBuf,
    /// The folder with the certificates.
    pub pki: PathBuf,
    /// Whether valgrind counts the gateway's instructions.
    pub valgrind: bool,
    /// Bytes of nginx's buffers for large bodies.
    pub nginx_buffer: u32,
    /// Bytes of HAProxy's buffers.
    pub haproxy_buffer: u32,
}

impl Programs {
    /// The gateway, by default the one beside this program, and buffers of 64 KiB for all.
    ///
    /// # Errors
    /// There is no such gateway.
    pub fn new(portcullis: Option<&Path>, pki: PathBuf) -> Result<Self, Box<dyn Error>> {
        let bench = std::env::current_exe()?;
        let beside = bench.with_file_name("portcullis");
        let portcullis = portcullis.unwrap_or(&beside).canonicalize()?;
        Ok(Self {
            portcullis,
            bench,
            pki,
            valgrind: false,
            nginx_buffer: 64 * 1024,
            haproxy_buffer: 64 * 1024,
        })
    }

    /// Writes a contender's config to `folder` and gives the command that runs it.
    pub fn prepare(
        &self,
        contender: &Contender,
        folder: &Path,
        (address, upstream): (SocketAddr, SocketAddr),
        (network, core): (&Network, Option<usize>),
    ) -> Result<Command, Box<dyn Error>> {
        create_dir_all(folder)?;
        let fill = |template: &str| self.filled(template, contender, folder, (address, upstream));
        let config = folder.join("config");
        Ok(match contender.kind {
            Kind::Floor => self.floor((address, upstream), (network, core)),
            Kind::Portcullis(record_layer) => {
                let config = folder.join("gateway.toml");
                let text = fill(PORTCULLIS).replace("@LISTENER@", &listener_keys(record_layer));
                write(
                    &config,
                    contender.logs.switch_on(&text) + &routes(contender.routes),
                )?;
                write_users(folder, contender.users)?;
                let program = contender.program.as_deref().unwrap_or(&self.portcullis);
                let mut command = if self.valgrind {
                    let mut command = network.command_on(core, Path::new("valgrind"));
                    command.args(COUNT_INSTRUCTIONS).arg(program);
                    command
                } else {
                    network.command_on(core, program)
                };
                command.args(["run", "--config"]).arg(config);
                command
            }
            Kind::Nginx => {
                write(
                    folder.join("users.nginx"),
                    lines(contender.users, |name| format!("\"CN={name}\" \"{name}\";")),
                )?;
                write(&config, fill(NGINX))?;
                let mut command = network.command_on(core, contender.program_or("nginx"));
                command
                    .args(["-e", "stderr", "-p"])
                    .arg(folder)
                    .arg("-c")
                    .arg(config);
                command
            }
            Kind::Haproxy => {
                write(
                    folder.join("users.haproxy"),
                    lines(contender.users, |name| format!("{name} {name}")),
                )?;
                write(&config, fill(HAPROXY))?;
                let mut command = network.command_on(core, contender.program_or("haproxy"));
                command.arg("-db").arg("-f").arg(config);
                command
            }
        })
    }

    fn filled(
        &self,
        template: &str,
        contender: &Contender,
        folder: &Path,
        (address, upstream): (SocketAddr, SocketAddr),
    ) -> String {
        template
            .replace("@ADDRESS@", &address.to_string())
            .replace("@UPSTREAM@", &upstream.to_string())
            .replace("@PKI@", &self.pki.display().to_string())
            .replace("@FOLDER@", &folder.display().to_string())
            .replace("@FILES@", &FILES.to_string())
            .replace("@CONNECTIONS@", &CONNECTIONS.to_string())
            .replace("@NGINX_BUFFER@", &self.nginx_buffer.to_string())
            .replace("@HAPROXY_BUFFER@", &self.haproxy_buffer.to_string())
            .replace(
                "@MAP_SIZE@",
                &(contender.users * 2)
                    .max(2048)
                    .next_power_of_two()
                    .to_string(),
            )
    }

    fn floor(
        &self,
        (address, upstream): (SocketAddr, SocketAddr),
        (network, core): (&Network, Option<usize>),
    ) -> Command {
        let mut command = network.command_on(core, &self.bench);
        command.args([
            "floor",
            "--address",
            &address.to_string(),
            "--upstream",
            &upstream.to_string(),
        ]);
        command.arg("--pki").arg(&self.pki);
        command
    }

    /// The record layers that this Portcullis lets one choose; none if it does not know the key.
    pub fn record_layers(&self, folder: &Path) -> Result<Vec<&'static str>, Box<dyn Error>> {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let checks = |layer: Option<&'static str>| {
            let contender = Contender::new("check", Kind::Portcullis(layer), 1);
            self.prepare(
                &contender,
                folder,
                (nowhere, nowhere),
                (&Network::own(), None),
            )?;
            output(
                Command::new(&self.portcullis)
                    .args(["check", "--config"])
                    .arg(folder.join("gateway.toml")),
            )
        };
        checks(None)?;
        Ok(["in-place", "rustls"]
            .into_iter()
            .filter(|layer| checks(Some(layer)).is_ok())
            .collect())
    }
}

/// A proxy that runs.
pub struct Running {
    /// What it is.
    pub contender: Contender,
    /// Where it listens.
    pub port: ReservedPort,
    /// Its process.
    pub process: Process,
    /// Its config.
    pub folder: PathBuf,
}

/// Writes the ApiUsers of Portcullis, in files that fit its limit on size. The client stands last.
pub fn write_users(folder: &Path, users: usize) -> Result<(), Box<dyn Error>> {
    const EACH: usize = 10_000;
    create_dir_all(folder.join("users.d"))?;
    let names: Vec<String> = names(users).collect();
    for (number, names) in names.chunks(EACH).enumerate() {
        let mut text = String::new();
        for name in names {
            writeln!(
                text,
                "[api_user.\"{name}\"]\nclient_cn = \"{name}\"\npermissions = [\"GET /*\", \"POST /*\"]\n"
            )?;
        }
        write_if_changed(&folder.join(format!("users.d/{number:02}.toml")), &text)?;
    }
    Ok(())
}

fn write_if_changed(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    if read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    Ok(write(path, text)?)
}

fn names(users: usize) -> impl Iterator<Item = String> {
    (1..users)
        .map(|number| format!("user-{number:06}"))
        .chain([CLIENT.to_owned()])
}

fn lines(users: usize, line: impl Fn(&str) -> String) -> String {
    names(users).fold(String::new(), |text, name| text + &line(&name) + "\n")
}

fn listener_keys(record_layer: Option<&str>) -> String {
    record_layer.map_or(String::new(), |layer| format!("record_layer = \"{layer}\""))
}

/// Further routes, beside the one that is used.
fn routes(count: usize) -> String {
    (1..count).fold(String::new(), |text, number| {
        text + &format!("\n[[route]]\npath = \"/service-{number}/objects\"\nupstream = \"api\"\n")
    })
}
