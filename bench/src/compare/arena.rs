//! A network with an upstream and the proxies of a group, all running; measures one proxy at a time.

use super::modes::{Config, Mode};
use super::pki::{CLIENT, STRANGER};
use super::place::{Network, Process, output};
use super::proxies::{Contender, Kind, Programs, Running};
use super::{Cores, Timing};
use crate::load::Report;
use socket2::{Domain, Socket, Type};
use std::error::Error;
use std::fs::{create_dir_all, read_to_string, write};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A hundred thousand users take a while in a build without optimisation.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a measurement may take beyond the time that counts: connecting, warming up.
const SLACK: Duration = Duration::from_secs(120);
const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// All processes of a group. Dropping it ends them.
pub struct Arena<'a> {
    programs: &'a Programs,
    cores: Cores,
    /// The proxies, in the order of the contenders.
    pub proxies: Vec<Running>,
    upstream: Process,
    upstream_port: ReservedPort,
    /// The last to go.
    pub network: Network,
}

impl<'a> Arena<'a> {
    /// Starts the upstream; the proxies come with `start`.
    pub fn new(
        programs: &'a Programs,
        folder: &Path,
        network: Network,
        cores: Cores,
    ) -> Result<Self, Box<dyn Error>> {
        create_dir_all(folder)?;
        let port = ReservedPort::new()?;
        let address = port.address;
        let mut command = network.command_on(cores.load, &programs.bench);
        command.args(["upstream", "--address", &address.to_string()]);
        let mut upstream = Process::start(command, &folder.join("upstream.log"))?;
        wait_until_listening(&mut upstream, address)
            .map_err(|error| format!("upstream: {error}"))?;
        Ok(Self {
            programs,
            cores,
            proxies: Vec::new(),
            upstream,
            upstream_port: port,
            network,
        })
    }

    /// Starts one proxy and checks that it does its job.
    pub fn start(&mut self, contender: &Contender, folder: &Path) -> Result<(), Box<dyn Error>> {
        let port = ReservedPort::new()?;
        let address = port.address;
        let (addresses, place) = (
            (address, self.upstream_port.address),
            (&self.network, self.cores.proxy),
        );
        let command = self.programs.prepare(contender, folder, addresses, place)?;
        let mut process = Process::start(command, &folder.join("log"))?;
        wait_until_listening(&mut process, address)
            .map_err(|error| format!("{}: {error}", contender.name))?;
        if contender.kind != Kind::Floor {
            let mut command = self
                .network
                .command_on(self.cores.load, &self.programs.bench);
            command.args([
                "verify",
                "--target",
                &address.to_string(),
                "--client",
                CLIENT,
                "--stranger",
                STRANGER,
            ]);
            output(command.arg("--pki").arg(&self.programs.pki))?;
        }
        self.proxies.push(Running {
            contender: contender.clone(),
            port,
            process,
            folder: folder.to_owned(),
        });
        Ok(())
    }

    /// Measures one proxy once.
    pub fn measure(
        &self,
        proxy: &Running,
        mode: &Mode,
        timing: Timing,
    ) -> Result<Report, Box<dyn Error>> {
        let seconds = mode.seconds.unwrap_or(timing.seconds);
        let mut command = self
            .network
            .command_on(self.cores.load, &self.programs.bench);
        command.arg("load").args(&mode.arguments);
        command.args([
            "--target",
            &proxy.port.address.to_string(),
            "--client",
            CLIENT,
        ]);
        command.arg("--pki").arg(&self.programs.pki);
        command.args([
            format!("--warm-up={}", timing.warm_up),
            format!("--seconds={seconds}"),
        ]);
        command.args([
            format!("--proxy={}", proxy.process.id()),
            format!("--upstream={}", self.upstream.id()),
        ]);
        if let Some(core) = self.cores.proxy {
            command.arg(format!("--core={core}"));
        }
        let mut load = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let deadline = SLACK + Duration::from_secs_f64(seconds);
        let outcome = wait(&mut load, mode.config, &proxy.folder, deadline);
        if outcome.is_err() {
            load.kill()?;
            load.wait()?;
        }
        outcome.map_err(|error| format!("{}, {}: {error}", proxy.contender.name, mode.title).into())
    }
}

/// Waits for the report, and changes the users each second if the mode is about that.
fn wait(
    load: &mut Child,
    config: Config,
    folder: &Path,
    deadline: Duration,
) -> Result<Report, Box<dyn Error>> {
    let (begun, mut reloads) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = load.try_wait()? {
            break status;
        }
        if begun.elapsed() > deadline {
            return Err("the load generator does not end".into());
        }
        if config == Config::Reloaded && begun.elapsed() > RELOAD_EVERY * reloads {
            reloads += 1;
            let text = format!(
                "[api_user.newcomer-{reloads}]\nclient_cn = \"newcomer\"\npermissions = [\"GET /*\"]\n"
            );
            write(folder.join("users.d/newcomers.toml"), text)?;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let (mut said, mut complaint) = (String::new(), String::new());
    load.stdout
        .take()
        .ok_or("no output")?
        .read_to_string(&mut said)?;
    load.stderr
        .take()
        .ok_or("no output")?
        .read_to_string(&mut complaint)?;
    if !status.success() {
        return Err(complaint.into());
    }
    let report: Report = serde_json::from_str(&said)?;
    if report.failures > 0 {
        return Err(format!("{} failures; {complaint}", report.failures).into());
    }
    if report.requests == 0 && report.bytes == 0 {
        return Err("nothing came back".into());
    }
    Ok(report)
}

/// A port of 127.0.0.1 that the system gives to no other program. Nothing listens there until a server that sets
/// SO_REUSEADDR, as all of them do, binds exactly this address.
pub struct ReservedPort {
    _socket: Socket,
    /// The address with this port.
    pub address: SocketAddr,
}

impl ReservedPort {
    /// Reserves one, in the machine's own network.
    ///
    /// # Errors
    /// No port is free.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().ok_or("no IP address")?;
        Ok(Self {
            _socket: socket,
            address,
        })
    }
}

/// Looks into the process' own network, so nobody needs to connect.
pub fn wait_until_listening(
    process: &mut Process,
    address: SocketAddr,
) -> Result<(), Box<dyn Error>> {
    let (table, entry) = (
        format!("/proc/{}/net/tcp", process.id()),
        format!(":{:04X} 00000000:0000 0A", address.port()),
    );
    process.wait_until(
        || read_to_string(&table).is_ok_and(|table| table.contains(&entry)),
        START_DEADLINE,
    )
}
