//! The real Icinga 2, started in a temporary directory: a TLS upstream for the gateway under test.
//!
//! It has one user with all permissions, two users that see one host each, hosts `web1` (with `vars.os = "Linux"`) and
//! `web2` that nothing checks, and a certificate for `localhost` from a CA made by Icinga's own commands. It touches neither `/etc/icinga2` nor
//! `/var/lib/icinga2` and needs no service manager. It knows nothing about the gateway.
//!
//! # What Icinga answers
//!
//! Measured with curl on 2.13.6. `curl` stands for `curl --cacert $CA -u gateway:$PASSWORD`, `$URL` for
//! `https://localhost:$PORT`. Every answer below also carries `Server: Icinga/r2.13.6-1` and, except where said
//! otherwise, `Content-Type: application/json` and a `Content-Length`.
//!
//! ```text
//! curl $URL/v1/objects/hosts
//! 200 {"results":[{"attrs":{"__name":"web1",…},"joins":{},"meta":{},"name":"web1","type":"Host"}]}   (about 1.6 KiB)
//!
//! curl -u gateway:wrong $URL/v1/objects/hosts
//! 401 WWW-Authenticate: Basic realm="Icinga 2", Connection: close
//!     {"error":401,"status":"Unauthorized. Please check your user credentials."}
//! ```
//!
//! A query with a body, in three spellings. Icinga reads the body of a real `GET` exactly as that of an overridden
//! `POST`, with `Content-Length` and with `Transfer-Encoding: chunked`, and keeps the connection alive after it. So a
//! gateway may apply the override itself and send on `GET` with the body. (`Expect: 100-continue` is answered on a
//! `GET`, too; the `Content-Type` of the request does not matter; a `GET` needs no `Accept` header.)
//!
//! ```text
//! QUERY='{"filter":"host.vars.os==os","filter_vars":{"os":"Linux"},"attrs":["name","vars"]}'
//! curl -X POST -H 'Accept: application/json' -H 'X-HTTP-Method-Override: GET' -d "$QUERY" $URL/v1/objects/hosts
//! curl -X GET  -H 'Accept: application/json'                                  -d "$QUERY" $URL/v1/objects/hosts
//! curl -X GET  -H 'Accept: application/json' -H 'Transfer-Encoding: chunked'  -d "$QUERY" $URL/v1/objects/hosts
//! 200 {"results":[{"attrs":{"name":"web1","vars":{"os":"Linux"}},"joins":{},"meta":{},"name":"web1","type":"Host"}]}
//!     with "os":"Windows" in filter_vars: 200 {"results":[]}
//!
//! curl -X GET -d '[1]' $URL/v1/objects/hosts
//! 400 {"error":400,"status":"Invalid request body: Error: std::bad_cast\n"}
//! ```
//!
//! Actions:
//!
//! ```text
//! RESULT='{"type":"Host","host":"web1","exit_status":1,"plugin_output":"DOWN by test"}'
//! curl -X POST -H 'Accept: application/json' -d "$RESULT" $URL/v1/actions/process-check-result
//! 200 {"results":[{"code":200,"status":"Successfully processed check result for object 'web1'."}]}
//!     a filter that finds no host: 500 {"results":[]}
//!
//! curl -X POST -d "$RESULT" $URL/v1/actions/process-check-result          (curl's own "Accept: */*")
//! 400 Content-Type: text/html, Connection: close
//!     <h1>Accept header is missing or not set to 'application/json'.</h1>
//! ```
//!
//! Event streams: the head comes at once, without `Content-Length`, `Transfer-Encoding` and `Connection`; then one
//! line for each event until one side closes.
//!
//! ```text
//! curl -N -X POST -H 'Accept: application/json' "$URL/v1/events?queue=x&types=CheckResult"
//! 200 {"acknowledgement":false,"check_result":{…,"output":"DOWN by test",…,"type":"CheckResult",…},
//!      "downtime_depth":0,"host":"web1","timestamp":1795373730.322197,"type":"CheckResult"}\n
//!
//! curl -X GET "$URL/v1/events?queue=x&types=CheckResult"
//! 404 {"error":404,"status":"The requested path 'v1/events' could not be found or the request method is not valid …"}
//!
//! curl -X POST -H 'Accept: application/json' "$URL/v1/events?queue=x"
//! 400 {"error":400,"status":"'types' query parameter is required."}
//! ```
//!
//! **Icinga itself often delivers an event late, by up to 5.0 seconds** (it loses the wake-up and finds the event when
//! its 5-second timer ends; nothing is lost and the order is kept). A test that waits for an event needs a deadline of
//! at least 10 seconds and can say nothing about delay. The log has a stream's request line only when the stream ends.

mod identity;

use identity::Identity;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::{Peer, ReservedPort};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// The node's name, the name in its certificate and the one a client connects to.
const NODE_NAME: &str = "localhost";
const USER: &str = "gateway";
/// The colon is there because basic authentication splits at the first one only.
const PASSWORD: &str = "icinga:secret";
/// Users that see one host each, by filters of their permissions.
const SEES_WEB1: &str = "sees-web1";
const SEES_WEB2: &str = "sees-web2";

/// A daemon usually needs 0.2 seconds, but the tests share the machine.
const START_DEADLINE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running Icinga 2, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Icinga {
    /// The API's port on 127.0.0.1.
    pub(crate) port: u16,
    /// The CA certificate that the API's certificate is verified with.
    pub(crate) ca_file: PathBuf,
    /// The name in the API's certificate, `localhost`.
    pub(crate) node_name: String,
    /// The name of the ApiUser with all permissions.
    pub(crate) user: String,
    /// This user's password for basic authentication.
    pub(crate) password: String,
    daemon: Daemon,
    _port: ReservedPort,
    directory: TempDir,
}

impl Icinga {
    /// Whether Icinga 2 is on this machine; without it `start` panics.
    pub(crate) fn is_installed() -> bool {
        program().is_some()
    }

    /// Starts a daemon on a free port and returns when its API takes connections.
    ///
    /// Several may run at once. They share one CA and one node key, because making these takes seconds.
    ///
    /// # Panics
    /// If Icinga 2 is not installed, or ends or does not answer within a minute; with the end of its log.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// As [`Self::start`], with further objects.
    pub(crate) fn start_with(objects: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("icinga-")
            .tempdir()
            .unwrap();
        // Icinga binds with SO_REUSEPORT: were the port only looked up, another Icinga could silently share it.
        let reservation = ReservedPort::new();
        let port = reservation.address().port();
        let configuration = write_configuration(directory.path(), port, objects);
        Identity::of_this_process().write(directory.path());
        let mut daemon = Daemon::spawn(directory.path(), &configuration);
        daemon.wait_until_it_listens(port);
        Self {
            port,
            ca_file: directory.path().join("data/certs/ca.crt"),
            node_name: NODE_NAME.to_owned(),
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            daemon,
            _port: reservation,
            directory,
        }
    }

    /// The client certificate of a user that may query `web1` alone, and its key.
    pub(crate) fn who_sees_web1(&self) -> (PathBuf, PathBuf) {
        (
            self.directory.path().join("client.crt"),
            self.directory.path().join("client.key"),
        )
    }

    /// Name and password of a user that may query `web2` alone.
    pub(crate) fn who_sees_web2(&self) -> (&str, &str) {
        (SEES_WEB2, PASSWORD)
    }

    /// Makes the daemon read its configuration anew, and waits until the new process serves.
    pub(crate) fn reload(&self) {
        let started = || self.log().matches("Activated all objects").count();
        let before = started();
        self.daemon.outer.signal(Signal::SIGHUP);
        let serves = eventually(START_DEADLINE, || started() > before);
        assert!(
            serves,
            "icinga2 does not reload; its log ends with\n{}",
            self.daemon.end_of_log()
        );
    }

    /// What the daemon has logged until now: among others a line for each finished request, and the missing
    /// permission of each request it denied.
    pub(crate) fn log(&self) -> String {
        read_log(&log_file(self.directory.path()))
    }
}

// === the processes ===

/// Icinga's processes: an outer one that was started here, the inner one with the API, and that one's helper. All are
/// in the process group of a [`Peer`].
#[derive(Debug)]
struct Daemon {
    outer: Peer,
    log_file: PathBuf,
}

impl Daemon {
    fn spawn(directory: &Path, configuration: &Path) -> Self {
        let log_file = log_file(directory);
        let log = File::create(&log_file).unwrap();
        let mut command = icinga(
            directory,
            &["daemon", "--config", configuration.to_str().unwrap()],
        );
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Self {
            outer: Peer::start(&mut command),
            log_file,
        }
    }

    /// The port is open only after hosts and users have been loaded, so there is nothing else to wait for.
    fn wait_until_it_listens(&mut self, port: u16) {
        let listens = eventually(START_DEADLINE, || {
            if let Some(status) = self.outer.ended() {
                panic!(
                    "icinga2 ended, {status}; its log ends with\n{}",
                    self.end_of_log()
                );
            }
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(
            listens,
            "icinga2 does not listen on port {port} after {START_DEADLINE:?}; its log ends with\n{}",
            self.end_of_log()
        );
    }

    fn end_of_log(&self) -> String {
        let log = read_log(&self.log_file);
        let lines: Vec<&str> = log.lines().collect();
        lines.split_at(lines.len().saturating_sub(40)).1.join("\n")
    }
}

fn eventually(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn log_file(directory: &Path) -> PathBuf {
    directory.join("icinga2.log")
}

fn read_log(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

// === the configuration ===

/// Without the feature `checker` nothing is checked: check results come by the API alone.
fn write_configuration(directory: &Path, port: u16, objects: &str) -> PathBuf {
    for folder in ["etc/zones.d", "data/certs", "cache", "log", "run", "spool"] {
        fs::create_dir_all(directory.join(folder)).unwrap();
    }
    let text = format!(
        r#"
const NodeName = "{NODE_NAME}"
const ZoneName = NodeName
include <itl>
object Endpoint NodeName {{}}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object ApiListener "api" {{
  bind_host = "127.0.0.1"
  bind_port = {port}
}}
object ApiUser "{USER}" {{
  password = "{PASSWORD}"
  permissions = [ "*" ]
}}
object ApiUser "{SEES_WEB1}" {{
  client_cn = "{SEES_WEB1}"
  permissions = [ {{ permission = "objects/query/Host", filter = {{{{ host.name == "web1" }}}} }} ]
}}
object ApiUser "{SEES_WEB2}" {{
  password = "{PASSWORD}"
  permissions = [ {{ permission = "objects/query/Host", filter = {{{{ host.name == "web2" }}}} }} ]
}}
object Host "web1" {{
  check_command = "dummy"
  enable_active_checks = false
  vars.os = "Linux"
}}
{objects}
object Host "web2" {{
  check_command = "dummy"
  enable_active_checks = false
}}
"#
    );
    let file = directory.join("etc/icinga2.conf");
    fs::write(&file, text).unwrap();
    file
}

// === the program ===

/// `icinga2` with everything it reads and writes below `directory`, running as the user that runs the tests: by itself
/// it would become the user `nagios`, who cannot read there.
fn icinga(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program().expect("icinga2 is not installed"));
    command.args(arguments).current_dir(directory);
    for (constant, folder) in [
        ("ConfigDir", "etc"),
        ("ZonesDir", "etc/zones.d"),
        ("DataDir", "data"),
        ("CacheDir", "cache"),
        ("LogDir", "log"),
        ("InitRunDir", "run"),
        ("SpoolDir", "spool"),
    ] {
        command.arg("--define");
        command.arg(format!("{constant}={}", directory.join(folder).display()));
    }
    for (constant, question) in [("RunAsUser", "-un"), ("RunAsGroup", "-gn")] {
        command
            .arg("--define")
            .arg(format!("{constant}={}", own_name(question)));
    }
    command
}

fn own_name(question: &str) -> String {
    let output = Command::new("id").arg(question).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The program, also where the search path of an ordinary user does not lead: Debian has a wrapper in `/usr/sbin`.
fn program() -> Option<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    std::env::split_paths(&search_path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .chain(libraries.map(|folder| folder.path().join("icinga2/sbin")))
        .map(|folder| folder.join("icinga2"))
        .find(|file| file.is_file())
}
