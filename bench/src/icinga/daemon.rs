//! A real Icinga 2 in a folder of its own, with hosts that nothing checks. It listens on loopback and ends with us.

use crate::compare::arena::wait_until_listening;
use crate::compare::place::{Network, Process, output};
use std::error::Error;
use std::fs::{copy, create_dir_all, write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may do everything.
pub const CREDENTIALS: &str = "bench:secret";

/// A running daemon.
pub struct Icinga {
    /// The CA that has signed its certificate, which is for `localhost`.
    pub ca: PathBuf,
    _process: Process,
}

impl Icinga {
    /// Makes a CA and a certificate as Icinga's users do, and starts it with so many hosts `a…` and `b…`.
    pub fn start(
        folder: &Path,
        address: SocketAddr,
        hosts: [(char, usize); 2],
    ) -> Result<Self, Box<dyn Error>> {
        for name in ["etc/zones.d", "data/certs", "cache", "log", "run", "spool"] {
            create_dir_all(folder.join(name))?;
        }
        let certificates = folder.join("data/certs");
        let path = |name: &str| certificates.join(name).display().to_string();
        let (key, request, certificate) = (
            path("localhost.key"),
            path("localhost.csr"),
            path("localhost.crt"),
        );
        output(&mut icinga(folder, &["pki", "new-ca"])?)?;
        output(&mut icinga(
            folder,
            &[
                "pki",
                "new-cert",
                "--cn",
                "localhost",
                "--key",
                &key,
                "--csr",
                &request,
            ],
        )?)?;
        output(&mut icinga(
            folder,
            &["pki", "sign-csr", "--csr", &request, "--cert", &certificate],
        )?)?;
        let ca = certificates.join("ca.crt");
        copy(folder.join("data/ca/ca.crt"), &ca)?;
        let config = folder.join("etc/icinga2.conf");
        write(&config, configuration(address, hosts))?;
        let command = icinga(
            folder,
            &["daemon", "--config", &config.display().to_string()],
        )?;
        let mut process = Process::start(command, &folder.join("log.txt"))?;
        wait_until_listening(&mut process, address).map_err(|error| format!("icinga2: {error}"))?;
        Ok(Self {
            ca,
            _process: process,
        })
    }
}

/// The program, also where the search path of an ordinary user does not lead.
pub fn program() -> Option<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&search_path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders
        .map(|folder| folder.join("icinga2"))
        .find(|file| file.is_file())
}

/// Everything that it reads and writes is below `folder`, and it stays the user that we are.
fn icinga(folder: &Path, arguments: &[&str]) -> Result<Command, Box<dyn Error>> {
    let mut command =
        Network::own().command_on(None, &program().ok_or("icinga2 is not installed")?);
    command.args(arguments).current_dir(folder);
    for (constant, name) in [
        ("ConfigDir", "etc"),
        ("ZonesDir", "etc/zones.d"),
        ("DataDir", "data"),
        ("CacheDir", "cache"),
        ("LogDir", "log"),
        ("InitRunDir", "run"),
        ("SpoolDir", "spool"),
    ] {
        command
            .arg("--define")
            .arg(format!("{constant}={}", folder.join(name).display()));
    }
    for (constant, question) in [("RunAsUser", "-un"), ("RunAsGroup", "-gn")] {
        let answer = output(Command::new("id").arg(question))?;
        let name = String::from_utf8(answer.stdout)?;
        command
            .arg("--define")
            .arg(format!("{constant}={}", name.trim()));
    }
    Ok(command)
}

fn configuration(address: SocketAddr, hosts: [(char, usize); 2]) -> String {
    let (user, password) = CREDENTIALS.split_once(':').unwrap_or_default();
    let (ip, port) = (address.ip(), address.port());
    let mut text = format!(
        "const NodeName = \"localhost\"\nconst ZoneName = NodeName\ninclude <itl>\n\
         object Endpoint NodeName {{}}\nobject Zone ZoneName {{ endpoints = [ NodeName ] }}\n\
         object ApiListener \"api\" {{\n  bind_host = \"{ip}\"\n  bind_port = {port}\n}}\n\
         object ApiUser \"{user}\" {{\n  password = \"{password}\"\n  permissions = [ \"*\" ]\n}}\n"
    );
    for (letter, count) in hosts {
        for number in 0..count {
            text += &format!(
                "object Host \"{letter}{number}\" {{\n  check_command = \"dummy\"\n  enable_active_checks = false\n}}\n"
            );
        }
    }
    text
}
