//! Precedence over other work on the machine, where we may take it: a busy neighbour would show in every figure.

use nix::unistd::geteuid;
use std::fs::{read_to_string, write};
use std::process::Command;

/// Where the scheduler groups processes by session, niceness counts only within a session, and this is the session's.
const GROUP: &str = "/proc/self/autogroup";
const NICENESS: &str = "-15";

/// Our session's precedence. Dropping it gives it back.
pub struct Precedence {
    before: Option<String>,
}

impl Precedence {
    /// Takes it, if we are root.
    pub fn take() -> Self {
        if !geteuid().is_root() {
            return Self { before: None };
        }
        let before = read_to_string(GROUP)
            .ok()
            .and_then(|text| Some(text.trim().rsplit_once(' ')?.1.to_owned()));
        Self {
            before: before.filter(|_| write(GROUP, NICENESS).is_ok()),
        }
    }

    /// Whatever the command then runs takes precedence within the session.
    pub fn give(command: &mut Command) {
        if geteuid().is_root() {
            command.arg("nice").arg(format!("--adjustment={NICENESS}"));
        }
    }
}

impl Drop for Precedence {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && let Err(error) = write(GROUP, before)
        {
            eprintln!("portcullis-bench: {GROUP}: {error}");
        }
    }
}
