//! The real binary with a config of its own, in a temporary folder.

mod memory;

pub use memory::{peak_memory, resident_memory};

use super::{PORTCULLIS, Pki, eventually, eventually_is};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A running gateway. Dropping it kills the process.
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<Vec<serde_json::Value>>>,
    access: Arc<Mutex<Vec<serde_json::Value>>>,
    pub config_file: PathBuf,
    _folder: tempfile::TempDir,
}

/// The beginning of most configs: one listener `main` on a free port that demands certificates of one domain.
/// Admin on a free port. Logs in JSON, so that tests can read them.
pub fn listener(pki: &Pki) -> String {
    listener_with(pki, "")
}

/// The same with further lines in the table of the listener.
pub fn listener_with(pki: &Pki, lines: &str) -> String {
    named_listener("main", pki, lines) + &trust_domain("test", pki) + &process()
}

/// A listener on a free port with the server certificate of `pki`. With `PORTCULLIS_TEST_RECORD_LAYER` all tests run on
/// another record layer than the default.
pub fn named_listener(name: &str, pki: &Pki, lines: &str) -> String {
    let layer = match std::env::var("PORTCULLIS_TEST_RECORD_LAYER") {
        Ok(word) if !lines.contains("record_layer") => format!("record_layer = \"{word}\"\n"),
        _ => String::new(),
    };
    format!(
        "[listener.{name}]\naddress = \"127.0.0.1:0\"\ncertificate = \"{0}/server.crt\"\nprivate_key = \"{0}/server.key\"\n{layer}{lines}\n",
        pki.folder.path().display(),
    )
}

/// A trust domain whose only anchor is the CA of `pki`.
pub fn trust_domain(name: &str, pki: &Pki) -> String {
    format!(
        "[trust_domain.{name}]\nanchors = [\"{}/ca.crt\"]\n",
        pki.folder.path().display()
    )
}

/// Admin on a free port and logs in JSON. Without the frames of HTTP/2: a flood of them would be one of lines.
pub fn process() -> String {
    "[admin]\naddress = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\nlevel = \"debug,h2=info\"\n"
        .to_owned()
}

/// For tests of what one worker keeps for itself: pools and turns.
pub const ONE_WORKER: &str = "[gateway]\nworkers = 1\n";

/// A folder with this config.
fn written(config: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config_file = folder.path().join("gateway.toml");
    std::fs::write(&config_file, config).expect("a writable folder");
    (folder, config_file)
}

/// With `PORTCULLIS_TEST_WORKERS=4`, all gateways of tests that do not say themselves have so many workers.
fn with_workers_of_environment(config: &str) -> String {
    match std::env::var("PORTCULLIS_TEST_WORKERS") {
        Ok(count) if !config.contains("[gateway]") => {
            format!("{config}\n[gateway]\nworkers = {count}\n")
        }
        _ => config.to_owned(),
    }
}

/// One upstream `api` and a route for everything to it.
pub fn route_to(upstream: SocketAddr) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"http://{upstream}\"]\n[[route]]\npath = \"/\"\nupstream = \"api\"\n"
    )
}

/// One ApiUser whose name is its common name.
pub fn user(name: &str, permissions: &[&str]) -> String {
    format!("[api_user.{name}]\nclient_cn = \"{name}\"\npermissions = {permissions:?}\n")
}

impl Gateway {
    /// Starts a gateway and waits until it listens.
    pub fn start(config: &str) -> Self {
        let (folder, config_file) = written(&with_workers_of_environment(config));
        Self::start_in(folder, config_file)
    }

    /// Starts a gateway with these soft and hard limits of file descriptors.
    pub fn start_with_descriptors(config: &str, soft: u32, hard: u32) -> Self {
        let (folder, config_file) = written(config);
        Self::start_command(limited(soft, hard), folder, config_file)
    }

    /// Starts a gateway with this environment variable.
    pub fn start_with_variable(config: &str, name: &str, value: &str) -> Self {
        let (folder, config_file) = written(config);
        let mut command = Command::new(PORTCULLIS);
        command.env(name, value);
        Self::start_command(command, folder, config_file)
    }

    /// Starts a gateway with a config that is there already.
    pub fn start_in(folder: tempfile::TempDir, config_file: PathBuf) -> Self {
        Self::start_command(Command::new(PORTCULLIS), folder, config_file)
    }

    fn start_command(
        mut command: Command,
        folder: tempfile::TempDir,
        config_file: PathBuf,
    ) -> Self {
        let mut child = command
            .arg("run")
            .arg("--config")
            .arg(&config_file)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let log = collect(child.stderr.take().expect("standard error"), "log");
        let access = collect(child.stdout.take().expect("standard output"), "access");
        let has_admin =
            std::fs::read_to_string(&config_file).is_ok_and(|text| text.contains("[admin]"));
        // The admin listener comes last.
        let last = if has_admin {
            "admin listening"
        } else {
            "listening"
        };
        let mut gateway = Self {
            child,
            log,
            access,
            config_file,
            _folder: folder,
        };
        eventually("the gateway listens", || {
            if let Ok(Some(status)) = gateway.child.try_wait() {
                panic!("the gateway ended at once: {status}\n{:#?}", gateway.log());
            }
            gateway.find_log(last)
        });
        gateway
    }

    /// The address of a listener. The last one, if it was bound again.
    pub fn address_of(&self, listener: &str) -> SocketAddr {
        // What is active already may have to be read yet.
        let line = eventually("a listener of this name", || {
            let mut lines = self.log().into_iter().rev();
            lines.find(|line| line["message"] == "listening" && line["listener"] == listener)
        });
        line["address"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .expect("an address")
    }

    /// The address of listener `main`.
    pub fn address(&self) -> SocketAddr {
        self.address_of("main")
    }

    /// The address of the admin listener. The last one, if it was bound again.
    pub fn admin_address(&self) -> SocketAddr {
        // The line about a listener that serves already may have to be read yet; the last may be about a unix socket.
        eventually("an admin listener at a port", || {
            let mut lines = self.log().into_iter().rev();
            let line = lines.find(|line| line["message"] == "admin listening")?;
            line["address"].as_str()?.parse().ok()
        })
    }

    /// `GET` from the admin listener: status line and body.
    pub fn admin(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin_address()).expect("the admin listener");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .expect("a status");
        (status, body.to_owned())
    }

    /// The sum of all series of a metric whose labels include these.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (_, text) = self.admin("/metrics");
        let wanted: HashMap<&str, String> = labels
            .iter()
            .map(|(key, value)| (*key, format!("{key}=\"{value}\"")))
            .collect();
        text.lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter(|line| wanted.values().all(|label| line.contains(label.as_str())))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Waits until a metric has this value. A worker may count after the client has its response.
    pub fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        eventually_is(&format!("{name} {labels:?}"), &value, || {
            self.metric(name, labels)
        });
    }

    /// The gateway's own log so far.
    pub fn log(&self) -> Vec<serde_json::Value> {
        self.log.lock().expect("no panic while locked").clone()
    }

    /// The access log so far.
    pub fn access_log(&self) -> Vec<serde_json::Value> {
        self.access.lock().expect("no panic while locked").clone()
    }

    /// A line of the own log with this message.
    pub fn find_log(&self, message: &str) -> Option<serde_json::Value> {
        self.log().into_iter().find(|line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(message))
        })
    }

    /// Waits for a line of the own log with this message. It may be read after what it tells of has been seen.
    pub fn wait_for_log(&self, message: &str) -> serde_json::Value {
        eventually("a line of the gateway's own log", || self.find_log(message))
    }

    /// The own log with each line that was written before this call: the line about a signal without a meaning comes after
    /// them.
    pub fn settled_log(&self) -> Vec<serde_json::Value> {
        let markers = || {
            self.log()
                .iter()
                .filter(|line| line["signal"] == "SIGUSR2")
                .count()
        };
        let before = markers();
        self.signal("USR2");
        eventually("the line of a signal", || {
            (markers() > before).then_some(())
        });
        self.log()
    }

    /// Waits for an access log line for which the condition holds.
    pub fn wait_for_access(
        &self,
        condition: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        eventually("an access log line", || {
            self.access_log().into_iter().find(|line| condition(line))
        })
    }

    /// Replaces the config file, as an editor does: a new file renamed over the old one.
    pub fn write_config(&self, config: &str) {
        let new = self.config_file.with_extension("new");
        std::fs::write(&new, with_workers_of_environment(config)).expect("a writable folder");
        std::fs::rename(&new, &self.config_file).expect("a rename");
    }

    /// The most memory that the process has had so far, in octets.
    pub fn peak_memory(&self) -> Option<u64> {
        peak_memory(self.child.id())
    }

    /// The process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name: `HUP`, `TERM`.
    pub fn signal(&self, name: &str) {
        let signal: nix::sys::signal::Signal = format!("SIG{name}").parse().expect("a signal");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, signal).expect("a living gateway");
    }

    /// The active generation.
    pub fn generation(&self) -> u64 {
        self.metric("portcullis_snapshot_generation", &[]) as u64
    }

    /// Replaces the config and waits until it is active.
    pub fn reload_with(&self, config: &str) -> u64 {
        let before = self.generation();
        self.write_config(config);
        self.wait_for_generation_after(before)
    }

    /// How many reloads ended with this result.
    pub fn reloads(&self, result: &str) -> f64 {
        self.metric("portcullis_reloads_total", &[("result", result)])
    }

    /// Waits until a snapshot newer than `before` is active.
    pub fn wait_for_generation_after(&self, before: u64) -> u64 {
        eventually("a new generation", || {
            Some(self.generation()).filter(|now| *now > before)
        })
    }

    /// Waits for the end of the process and gives its exit code.
    pub fn wait_for_exit(&mut self) -> i32 {
        eventually("the end of the gateway", || {
            self.child.try_wait().expect("a child")
        })
        .code()
        .unwrap_or(-1)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail = &log[log.len().saturating_sub(30)..];
            eprintln!("the gateway's log ends with:");
            tail.iter().for_each(|line| eprintln!("  {line}"));
            self.access_log()
                .iter()
                .for_each(|line| eprintln!("  access: {line}"));
        }
    }
}

/// The real binary, with these soft and hard limits of file descriptors.
pub fn limited(soft: u32, hard: u32) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$0\" \"$@\""),
        PORTCULLIS,
    ]);
    command
}

/// Reads JSON lines as they come. What is no JSON is kept as a string.
fn collect(
    source: impl Read + Send + 'static,
    what: &'static str,
) -> Arc<Mutex<Vec<serde_json::Value>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    std::thread::Builder::new()
        .name(what.to_owned())
        .spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(serde_json::Value::String(line));
                sink.lock().expect("no panic while locked").push(value);
            }
        })
        .expect("a thread");
    lines
}
