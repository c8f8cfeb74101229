//! `portcullis quickstart`: from an empty folder to a gateway that works, with commands that work when they are copied.

use crate::support::{PORTCULLIS, eventually, require_program, run};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

#[test]
fn the_commands_that_it_prints_work() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    let text = quickstart.wait_for_instructions();
    assert!(text.contains("as my-api-client  200 allowed"), "{text}");
    assert!(text.contains("as stranger       403 refused"), "{text}");
    if !require_program("curl") {
        return;
    }
    let commands: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
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
        assert!(body.contains(part) && code == status, "{command}\n{code}\n{body}");
    }
    let explain = text.lines().map(str::trim).find(|line| line.starts_with("portcullis explain")).unwrap();
    let arguments: Vec<&str> = explain.split(' ').skip(1).collect();
    let output = Command::new(PORTCULLIS).args(&arguments).current_dir(home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "POST is not permitted");
    assert!(String::from_utf8_lossy(&output.stdout).contains("no_permission"));
    assert_eq!(quickstart.interrupt(), 0);
}

#[test]
fn what_reaches_the_upstream_names_the_user() {
    if !require_program("curl") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    let text = quickstart.wait_for_instructions();
    let command = text.lines().map(str::trim).find(|line| line.starts_with("curl ")).unwrap();
    let (body, _) = quickstart.shell(&format!("{command} -H 'X-Client-User: root'"));
    assert!(body.contains("x-client-user: my-api-client") && !body.contains("root"), "{body}");
    assert_eq!(quickstart.interrupt(), 0);
}

#[test]
fn a_change_of_the_config_is_in_force_at_once() {
    if !require_program("curl") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    let text = quickstart.wait_for_instructions();
    let post = text.lines().map(str::trim).find(|line| line.contains("-X POST")).unwrap();
    assert_eq!(quickstart.shell(post).1, 403);
    let config = home.path().join("quickstart/gateway.toml");
    let old = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, old.replace("[\"GET /*\"]", "[\"*\"]")).unwrap();
    eventually("the new permission", || (quickstart.shell(post).1 == 200).then_some(()));
    assert_eq!(quickstart.interrupt(), 0);
}

#[test]
fn a_second_run_uses_what_is_there() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("quickstart");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut first = Quickstart::start(home.path());
    first.wait_for_instructions();
    assert_eq!(first.interrupt(), 0);
    std::fs::write(folder.join("gateway.toml"), read("gateway.toml") + "# mine\n").unwrap();
    let names = ["gateway.toml", "pki/ca.crt", "pki/ca.key", "pki/server.crt", "pki/my-api-client.key"];
    let before = names.map(read);
    let mut second = Quickstart::start(home.path());
    second.wait_for_instructions();
    assert_eq!(second.interrupt(), 0);
    assert_eq!(names.map(read), before);
}

#[test]
fn private_keys_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    quickstart.wait_for_instructions();
    for name in ["ca", "server", "my-api-client", "stranger"] {
        let file = home.path().join(format!("quickstart/pki/{name}.key"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(quickstart.interrupt(), 0);
}

#[test]
fn a_port_that_somebody_has_is_said_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    quickstart.wait_for_instructions();
    assert_eq!(quickstart.interrupt(), 0);
    let config = home.path().join("quickstart/gateway.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let usual = text.lines().find(|line| line.starts_with("endpoints")).unwrap().to_owned();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    std::fs::write(&config, text.replace(&usual, &format!("endpoints = [\"http://{taken}\"]"))).unwrap();
    let error = error_of(home.path());
    assert!(error.contains(&format!("cannot start the small upstream on {taken}")), "{error}");
    assert!(error.contains("gateway.toml") && error.contains("in use"), "{error}");
}

#[test]
fn a_broken_config_in_the_folder_is_reported_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start(home.path());
    quickstart.wait_for_instructions();
    assert_eq!(quickstart.interrupt(), 0);
    let config = home.path().join("quickstart/gateway.toml");
    let text = std::fs::read_to_string(&config).unwrap() + "\n[unknown]\n";
    std::fs::write(&config, &text).unwrap();
    let error = error_of(home.path());
    assert!(error.contains("unknown key `unknown`"), "{error}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
}

#[test]
fn the_folder_can_be_chosen() {
    let home = tempfile::tempdir().unwrap();
    let mut quickstart = Quickstart::start_with(home.path(), &["quickstart", "elsewhere/deep"]);
    let text = quickstart.wait_for_instructions();
    assert!(text.contains("elsewhere/deep/gateway.toml"), "{text}");
    assert!(home.path().join("elsewhere/deep/pki/ca.crt").is_file());
    assert_eq!(quickstart.interrupt(), 0);
}

/// With the usual ports taken, each quickstart chooses free ones, and none of them gets in another's way.
fn hold_the_usual_ports() {
    static HELD: std::sync::OnceLock<Vec<std::io::Result<TcpListener>>> = std::sync::OnceLock::new();
    HELD.get_or_init(|| [8443, 8080, 9190].map(|port| TcpListener::bind(("127.0.0.1", port))).into());
}

/// A running quickstart in a folder of its own.
struct Quickstart {
    child: Child,
    home: std::path::PathBuf,
    output: Arc<Mutex<String>>,
}

impl Quickstart {
    fn start(home: &Path) -> Self {
        Self::start_with(home, &["quickstart"])
    }

    fn start_with(home: &Path, arguments: &[&str]) -> Self {
        hold_the_usual_ports();
        let mut child = Command::new(PORTCULLIS)
            .args(arguments)
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output: Arc<Mutex<String>> = Arc::default();
        let (sink, source) = (output.clone(), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                *sink.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, home: home.to_owned(), output }
    }

    fn wait_for_instructions(&mut self) -> String {
        eventually("the instructions", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("quickstart ended: {status}");
            }
            let text = self.output.lock().unwrap().clone();
            text.contains("Ctrl-C ends it.").then_some(text)
        })
    }

    /// Runs a printed command as somebody would who copies it, and gives body and status.
    fn shell(&self, command: &str) -> (String, u16) {
        let command = format!("{command} -sS -w '\n%{{http_code}}'");
        let output = Command::new("sh").args(["-c", &command]).current_dir(&self.home).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{command}: {output:?}"));
        (body.to_owned(), status.parse().unwrap())
    }

    /// Ctrl-C; gives the exit code.
    fn interrupt(&mut self) -> i32 {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        eventually("the end", || self.child.try_wait().unwrap()).code().unwrap_or(-1)
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a quickstart that ends by itself says on standard error.
fn error_of(home: &Path) -> String {
    let folder = home.join("quickstart");
    let (out, error, code) = run(PORTCULLIS, &["quickstart", folder.to_str().unwrap()]);
    assert_eq!(code, 1, "{out}{error}");
    error
}
