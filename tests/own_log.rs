//! The gateway's own log: who sets its level, and when it has colours.

use crate::support::gateway::{trust_domain, user};
use crate::support::terminal::Terminal;
use crate::support::{PORTCULLIS, Pki, eventually, run};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A gateway with this level in its config. It writes an audit log, from which it is seen to run whatever it logs.
struct Scene {
    pki: Pki,
}

impl Scene {
    fn new(level: &str) -> Self {
        let scene = Self { pki: Pki::new() };
        scene.configure(level);
        scene
    }

    fn configure(&self, level: &str) {
        let config = format!(
            "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
             [admin]\naddress = \"off\"\n[audit_log]\npath = \"audit.log\"\n[log]\nlevel = \"{level}\"\n\
             [[route]]\npath = \"/me\"\nrespond = \"whoami\"\n"
        ) + &trust_domain("test", &self.pki)
            + &user("alice", &["*"]);
        // In one step: half a config is an error, and its line in the log has the words that the tests look for.
        std::fs::write(self.pki.path("gateway.new"), config).unwrap();
        std::fs::rename(self.pki.path("gateway.new"), self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.pki.path("gateway.toml")
    }

    /// `portcullis run`, without what the environment of the tests says.
    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(PORTCULLIS);
        command.args(["run", "-c"]).arg(self.file()).args(arguments);
        command
            .env_remove("RUST_LOG")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Waits until so many snapshots have come into force.
    fn wait_for_snapshots(&self, count: usize) {
        let lines = || std::fs::read_to_string(self.pki.path("audit.log")).unwrap_or_default();
        eventually("a snapshot", || {
            (lines().matches("\"kind\":\"snapshot\"").count() >= count).then_some(())
        });
    }
}

fn terminate(child: &Child) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
}

/// All that a gateway logs from its start over a reload to its end.
fn logged(level: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let scene = Scene::new(level);
    let child = scene
        .command(arguments, variables)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    scene.wait_for_snapshots(1);
    // Two reloads: what the first one logs has been written when the second one is done.
    for (reloads, target) in [(1, "one"), (2, "two")] {
        scene.configure(&format!("{level},portcullis::{target}=error"));
        scene.wait_for_snapshots(1 + reloads);
    }
    terminate(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_flag_goes_before_the_environment_and_that_before_the_config_also_after_a_reload() {
    for (level, arguments, variables, is_verbose) in [
        ("info", [].as_slice(), [].as_slice(), true),
        ("error", &[], &[], false),
        ("error", &[], &[("RUST_LOG", "info")], true),
        ("info", &[], &[("RUST_LOG", "error")], false),
        (
            "error",
            &["--log-level", "info"],
            &[("RUST_LOG", "error")],
            true,
        ),
        (
            "info",
            &["--log-level", "error"],
            &[("RUST_LOG", "info")],
            false,
        ),
        ("info", &[], &[("RUST_LOG", "")], true),
    ] {
        let log = logged(level, arguments, variables);
        for line in ["listening", "reloaded", "drained"] {
            assert_eq!(
                log.contains(line),
                is_verbose,
                "{line}: {level} {arguments:?} {variables:?}\n{log}"
            );
        }
    }
}

#[test]
fn a_level_that_is_none_is_an_error() {
    let scene = Scene::new("info");
    let file = scene.file();
    let (_, error, code) = run(
        PORTCULLIS,
        &[
            "run",
            "-c",
            file.to_str().unwrap(),
            "--log-level",
            "info,=x=y",
        ],
    );
    assert!(
        code == 2 && error.contains("--log-level and RUST_LOG take a level such as `debug`"),
        "{error}"
    );
    let output = scene
        .command(&[], &[("RUST_LOG", "info,=x=y")])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_mistyped_level_is_an_error_wherever_it_is_written() {
    let scene = Scene::new("info");
    let file = scene.file();
    for (word, advice) in [
        ("warning", "did you mean `warn`?"),
        ("debg", "did you mean `debug`?"),
        ("loud", "is no level"),
    ] {
        let (_, error, code) = run(
            PORTCULLIS,
            &["run", "-c", file.to_str().unwrap(), "--log-level", word],
        );
        assert!(code == 2 && error.contains(advice), "{error}");
        let output = scene
            .command(&[], &[("RUST_LOG", word)])
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && error.contains(advice),
            "{error}"
        );
        let mistyped = Scene::new(word);
        let (_, error, code) = run(
            PORTCULLIS,
            &["check", "-c", mistyped.file().to_str().unwrap()],
        );
        assert!(
            code == 1 && error.contains(advice) && error.contains("gateway.toml:"),
            "{error}"
        );
    }
    for filter in [
        "warn,portcullis::gateway::reload=info",
        "WARN",
        "portcullis=debug",
    ] {
        let good = Scene::new(filter);
        let (_, error, code) = run(PORTCULLIS, &["check", "-c", good.file().to_str().unwrap()]);
        assert_eq!(code, 0, "{filter}: {error}");
    }
    let log = logged("error", &["--log-level", "warn,portcullis=info"], &[]);
    assert!(log.contains("listening"), "{log}");
}

#[test]
fn colours_are_for_terminals_and_can_be_disabled() {
    const ESCAPE: char = '\u{1b}';
    for (variables, has_colours) in [
        (&[][..], true),
        (&[("NO_COLOR", "")], true),
        (&[("NO_COLOR", "1")], false),
    ] {
        let scene = Scene::new("info");
        let terminal = Terminal::open();
        let mut child = scene
            .command(&[], variables)
            .stderr(terminal.stdio())
            .spawn()
            .unwrap();
        terminal.wait_for("listening");
        terminate(&child);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(
            terminal.screen().contains(ESCAPE),
            has_colours,
            "{variables:?}"
        );
    }
    assert!(
        !logged("info", &[], &[]).contains(ESCAPE),
        "a pipe is no terminal"
    );
    // Help and usage errors, too.
    for (variables, has_colours) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let terminal = Terminal::open();
        let mut command = Command::new(PORTCULLIS);
        command
            .arg("chekc")
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(variables.iter().copied());
        assert_eq!(
            command.stderr(terminal.stdio()).status().unwrap().code(),
            Some(2)
        );
        terminal.wait_for("a similar subcommand exists");
        assert_eq!(
            terminal.screen().contains(ESCAPE),
            has_colours,
            "{variables:?}"
        );
    }
}
