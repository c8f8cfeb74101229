//! Where processes run: on which core, in which network. What is started here ends with us, whatever happens.

use super::precedence::Precedence;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::error::Error;
use std::ffi::OsStr;
use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// A network of its own, loopback only, with a congestion control of its own.
pub struct Network {
    /// The namespace; `None` is the machine's own network.
    namespace: Option<String>,
    /// What governs bulk figures: bbr, cubic, reno.
    pub congestion_control: String,
}

impl Network {
    /// The machine's own network as it is.
    pub fn own() -> Self {
        let found = read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
        Self {
            namespace: None,
            congestion_control: found.map_or("unknown".to_owned(), |name| name.trim().to_owned()),
        }
    }

    /// Makes one with this congestion control.
    ///
    /// # Errors
    /// Not root, no `ip`, or no such congestion control here.
    pub fn with(congestion_control: &str) -> Result<Self, Box<dyn Error>> {
        let name = format!(
            "portcullis-bench-{}-{congestion_control}",
            std::process::id()
        );
        output(Command::new("ip").args(["netns", "add", &name]))?;
        let network = Self {
            namespace: Some(name),
            congestion_control: congestion_control.to_owned(),
        };
        output(network.command("ip").args(["link", "set", "lo", "up"]))?;
        let setting = format!("net.ipv4.tcp_congestion_control={congestion_control}");
        output(network.command("sysctl").args(["-q", "-w", &setting]))?;
        Ok(network)
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(name) = &self.namespace else {
            return Command::new(program);
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name]).arg(program);
        command
    }

    /// A command on this core, which ends when we end and, where we may say so, goes before other work. Every program
    /// on the way replaces itself by the next, so the process is the program's own.
    pub fn command_on(&self, core: Option<usize>, program: &Path) -> Command {
        let mut command = self.command("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        if let Some(core) = core {
            command.args(["taskset", "--cpu-list", &core.to_string()]);
        }
        Precedence::give(&mut command);
        command.arg(program).stdin(Stdio::null());
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(name) = &self.namespace
            && let Err(error) = output(Command::new("ip").args(["netns", "delete", name]))
        {
            eprintln!("portcullis-bench: {error}");
        }
    }
}

/// A process of ours. Dropping it ends it.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it prints goes to the file `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<Self, Box<dyn Error>> {
        let file = File::create(log)?;
        let child = command.stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` is true.
    ///
    /// # Errors
    /// The process has ended, or the deadline has passed; with what it printed.
    pub fn wait_until(
        &mut self,
        ready: impl Fn() -> bool,
        deadline: Duration,
    ) -> Result<(), Box<dyn Error>> {
        let begun = Instant::now();
        while !ready() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > deadline {
                let said = read_to_string(&self.log).unwrap_or_default();
                return Err(format!("does not start ({ended:?}): {said}").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Process {
    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// It has ended before, or does not end in time.
    pub fn end(mut self, deadline: Duration) -> Result<(), Box<dyn Error>> {
        kill(Pid::from_raw(self.id() as i32), Signal::SIGTERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > deadline {
                return Err("the process does not end".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A failure means that it has ended already.
        let _ = kill(Pid::from_raw(self.id() as i32), Signal::SIGTERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > STOP_DEADLINE {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started or fails; with what it printed.
pub fn output(command: &mut Command) -> Result<Output, Box<dyn Error>> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    )
    .into())
}
