//! `portcullis quickstart`: from an empty folder to a gateway that works, with commands that work when they are copied.

mod later_runs;

use crate::support::{PORTCULLIS, assert_valid_config, eventually, require_program, run};
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

#[test]
fn the_commands_that_it_prints_work() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    let text = quickstart.wait_for_instructions();
    let config = home.path().join("quickstart/gateway.toml");
    assert_valid_config("quickstart", &std::fs::read_to_string(config).unwrap());
    assert!(text.contains("as my-api-client  200 allowed"), "{text}");
    assert!(
        text.contains("as stranger       403 denied (unknown_user)"),
        "{text}"
    );
    if !require_program("curl") {
        return;
    }
    let commands: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!(commands.len(), 5, "{text}");
    let expected = [
        (200, "Hello from the upstream"),
        (200, "\"user\":\"my-api-client\""),
        (403, "unknown_user"),
        (403, "no_permission"),
        (200, "portcullis_build_info"),
    ];
    for (command, (status, part)) in commands.into_iter().zip(expected) {
        let (body, code) = quickstart.shell(command);
        assert!(
            body.contains(part) && code == status,
            "{command}\n{code}\n{body}"
        );
    }
    let explain = text
        .lines()
        .map(str::trim)
        .find(|line| line.contains(" explain -c "))
        .unwrap();
    let output = Command::new("sh")
        .args(["-c", explain])
        .current_dir(home.path())
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "POST is not permitted: {output:?}"
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("no_permission"));
    assert_eq!(quickstart.interrupt(), 0);
}

/// What is printed can be copied also where names need quotes, and `portcullis` is in no folder of `PATH`.
#[test]
fn commands_are_quoted_for_the_shell() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start_with(home.path(), &["quickstart", "it's mine"]);
    let text = quickstart.wait_for_instructions();
    let commands: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("curl ") || line.contains(" explain -c "))
        .collect();
    assert!(
        commands.len() == 6 && commands[5].starts_with(PORTCULLIS),
        "{text}"
    );
    if require_program("curl") {
        assert_eq!(quickstart.shell(commands[0]).1, 200);
    }
    let output = Command::new("sh")
        .args(["-c", commands[5]])
        .current_dir(home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(quickstart.interrupt(), 0);
}

#[test]
fn the_explanation_comes_first_and_in_one_piece() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    let text = quickstart.wait_for_instructions();
    let (explanation, _) = text.split_once("Below is its access log.").unwrap();
    let lines: Vec<&str> = explanation.lines().collect();
    assert_eq!(lines[0], "Making certificates and a config in ./quickstart");
    assert!(
        lines[1].starts_with("Port 8443 is in use: the gateway gets port "),
        "{text}"
    );
    assert!(
        !explanation.contains(" main permit "),
        "no line of the access log stands in it: {text}"
    );
    if require_program("curl") {
        let command = text
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("curl "))
            .unwrap();
        assert_eq!(quickstart.shell(command).1, 200);
        eventually("the access log below", || {
            let all = quickstart.output.lock().unwrap().clone();
            all.split("access log.")
                .nth(1)
                .is_some_and(|log| log.contains("/hello"))
                .then_some(())
        });
    }
    assert_eq!(quickstart.interrupt(), 0);
}

/// Both commands that are printed, and that a later run finds the deny list as it was left.
#[test]
fn the_user_is_revoked_and_that_is_undone_by_the_commands_that_it_prints() {
    let home = tempfile::tempdir().unwrap();
    let mut first = Quickstart::start(home.path());
    let text = first.wait_for_instructions();
    let commands: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.contains(" revoke -c "))
        .collect();
    assert!(
        commands.len() == 2 && commands[0].starts_with(PORTCULLIS),
        "{text}"
    );
    let run_command = |command: &str| {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(home.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let request = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("curl "))
        .unwrap();
    let has_curl = require_program("curl");
    for (command, status) in [(commands[0], 403), (commands[1], 200), (commands[0], 403)] {
        assert!(run_command(command).contains("active since"), "{command}");
        assert!(!has_curl || first.shell(request).1 == status, "{command}");
    }
    assert_eq!(first.interrupt(), 0);
    // Also where the config is made again.
    std::fs::remove_file(home.path().join("quickstart/gateway.toml")).unwrap();
    let mut later = Quickstart::start(home.path());
    let text = later.wait_for_instructions();
    assert!(
        text.contains("GET /hello as my-api-client  403 denied (revoked)\n"),
        "{text}"
    );
    assert_eq!(later.interrupt(), 0);
    // A config without a deny list has nothing that could be revoked by.
    let config = home.path().join("quickstart/gateway.toml");
    let made = std::fs::read_to_string(&config).unwrap();
    let without: String = made
        .lines()
        .filter(|line| !line.starts_with("deny_list"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&config, without).unwrap();
    let mut last = Quickstart::start(home.path());
    let text = last.wait_for_instructions();
    assert!(
        text.contains("as my-api-client  200 allowed") && !text.contains(" revoke "),
        "{text}"
    );
    assert_eq!(last.interrupt(), 0);
}

/// With the usual ports taken, each quickstart chooses free ones, and none of them gets in another's way. Another run of the
/// tests may hold them at the same time and end earlier, hence `SO_REUSEPORT`: a quickstart does not set it.
fn hold_the_usual_ports() {
    static HELD: std::sync::OnceLock<Vec<std::io::Result<Socket>>> = std::sync::OnceLock::new();
    HELD.get_or_init(|| [8443, 8080, 9190].map(hold).into());
}

fn hold(port: u16) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(1)?;
    Ok(socket)
}

/// A running quickstart in a folder of its own.
struct Quickstart {
    child: Child,
    arguments: Vec<String>,
    home: PathBuf,
    /// What this run makes: the whole folder, or the config in it.
    made: Option<PathBuf>,
    output: Arc<Mutex<String>>,
    errors: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Quickstart {
    fn start(home: &Path) -> Self {
        Self::start_with(home, &["quickstart"])
    }

    fn start_with(home: &Path, arguments: &[&str]) -> Self {
        hold_the_usual_ports();
        let folder = home.join(arguments.get(1).unwrap_or(&"quickstart"));
        let made = [folder.clone(), folder.join("gateway.toml")]
            .into_iter()
            .find(|path| !path.exists());
        let mut child = Command::new(PORTCULLIS)
            .args(arguments)
            .current_dir(home)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, output_reader) = gathered(child.stdout.take().unwrap());
        let (errors, errors_reader) = gathered(child.stderr.take().unwrap());
        let readers = vec![output_reader, errors_reader];
        let arguments = arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect();
        Self {
            child,
            arguments,
            home: home.to_owned(),
            made,
            output,
            errors,
            readers,
        }
    }

    /// Starts it again where it was, with new ports if it chose them itself.
    fn start_again(&mut self) {
        match &self.made {
            Some(folder) if folder.is_dir() => std::fs::remove_dir_all(folder).unwrap(),
            Some(config) => std::fs::remove_file(config).unwrap(),
            None => {}
        }
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        *self = Self::start_with(&self.home, &arguments);
    }

    fn wait_for_instructions(&mut self) -> String {
        eventually("the instructions", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.readers
                    .drain(..)
                    .for_each(|reader| reader.join().unwrap());
                let errors = self.errors.lock().unwrap().clone();
                // Nothing reserves its ports before it listens, and the system may have given one to another test.
                assert!(
                    errors.contains("is in use; change the port"),
                    "quickstart ended: {status}\n{errors}"
                );
                self.start_again();
            }
            let text = self.output.lock().unwrap().clone();
            text.contains("Ctrl-C ends the gateway.").then_some(text)
        })
    }

    /// Runs a printed command as somebody would who copies it, and gives body and status.
    fn shell(&self, command: &str) -> (String, u16) {
        let command = format!("{command} -sS -w '\n%{{http_code}}'");
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&self.home)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text
            .rsplit_once('\n')
            .unwrap_or_else(|| panic!("{command}: {output:?}"));
        (body.to_owned(), status.parse().unwrap())
    }

    /// Ctrl-C; gives the exit code.
    fn interrupt(&mut self) -> i32 {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        eventually("the end", || self.child.try_wait().unwrap())
            .code()
            .unwrap_or(-1)
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that come, as far as they have come.
fn gathered(source: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text: Arc<Mutex<String>> = Arc::default();
    let sink = text.clone();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            *sink.lock().unwrap() += &(line + "\n");
        }
    });
    (text, reader)
}

/// What a quickstart that ends by itself says on standard error.
fn error_of(home: &Path) -> String {
    let folder = home.join("quickstart");
    let (out, error, code) = run(PORTCULLIS, &["quickstart", folder.to_str().unwrap()]);
    assert_eq!(code, 1, "{out}{error}");
    error
}
