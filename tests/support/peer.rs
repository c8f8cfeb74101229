//! Programs that tests start beside the gateway. They end with the test, and so do the processes that they start.

use super::eventually;
use super::eventually::PATIENCE;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A running program, in a process group of its own. Dropping it ends the whole group, also if the test panics.
#[derive(Debug)]
pub struct Peer {
    leader: Child,
    group: Group,
}

/// Whether there may be processes in the group.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Group {
    Running,
    Ended,
}

impl Peer {
    /// Starts it. What the command says about standard input, output and error holds; it inherits nothing else.
    pub fn start(command: &mut Command) -> Self {
        let leader = command
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        watch("add", leader.id());
        Self {
            leader,
            group: Group::Running,
        }
    }

    /// The process that was started, for its pipes.
    pub fn process(&mut self) -> &mut Child {
        &mut self.leader
    }

    /// Its process id, which is also that of the group.
    pub fn id(&self) -> u32 {
        self.leader.id()
    }

    /// The exit status of the process that was started, if it has ended. What it has left running is killed.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let leader_runs = self.group == Group::Running && is_running(self.id());
        (!leader_runs).then(|| self.kill())
    }

    /// Waits for the end of the process that was started.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the end of a program", || self.ended())
    }

    /// Sends a signal to the process that was started, not to its children.
    pub fn signal(&self, signal: Signal) {
        if self.group == Group::Running {
            // It fails for a process that has just ended.
            let _ = kill(pid(self.id()), signal);
        }
    }

    /// Kills all of the group, and gives the exit status of the process that was started.
    fn kill(&mut self) -> ExitStatus {
        if self.group == Group::Running {
            // The leader has not been waited for yet, so its id, which is also that of the group, is not used again.
            let _ = killpg(pid(self.id()), Signal::SIGKILL);
            watch("remove", self.id());
            self.group = Group::Ended;
        }
        self.leader.wait().expect("a child")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An orderly end first: a server stops its workers itself, and Icinga 2 removes its files.
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("a process id"))
}

/// Whether a child runs: it exists and is no zombie. Does not wait for it, which would free its id.
fn is_running(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The state follows the name, which is in parentheses and may contain any character.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Tells the watchdog about a process group.
///
/// The watchdog is one shell for the whole test process. When its standard input closes, which the kernel does for a
/// process that ends in whatever way, it kills the groups that are left: after an abort, after SIGKILL, and where a
/// peer lies in a static. It is in a group of its own, so that Ctrl-C does not end it first.
fn watch(change: &str, group: u32) {
    const SCRIPT: &str = r#"
        kept=" "
        while read -r change group; do
            case $change in
                add) kept="$kept$group " ;;
                remove) kept="${kept%%" $group "*} ${kept#*" $group "}" ;;
            esac
        done
        for group in $kept; do
            kill -s KILL -- "-$group"
        done
    "#;
    static WATCHDOG: OnceLock<Mutex<Child>> = OnceLock::new();
    let watchdog = WATCHDOG.get_or_init(|| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Mutex::new(shell.process_group(0).spawn().expect("a shell"))
    });
    let mut watchdog = watchdog.lock().expect("no panic while locked");
    writeln!(
        watchdog.stdin.as_mut().expect("standard input"),
        "{change} {group}"
    )
    .expect("the watchdog runs");
}

/// Starts a shell that starts another process, and gives the ids of both.
#[cfg(test)]
fn family() -> (Peer, [u32; 2]) {
    use std::io::{BufRead, BufReader};
    let mut command = Command::new("sh");
    // The shell ends at SIGTERM and leaves its child behind, as a server does whose master is killed.
    command
        .args(["-c", "sleep 600 & echo $!; wait"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut peer = Peer::start(&mut command);
    let mut line = String::new();
    BufReader::new(peer.process().stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ids = [peer.id(), line.trim().parse().unwrap()];
    (peer, ids)
}

#[test]
fn a_peer_ends_with_its_children() {
    let (peer, ids) = family();
    assert!(ids.into_iter().all(is_running));
    drop(peer);
    super::eventually("both have ended", || {
        (!ids.into_iter().any(is_running)).then_some(())
    });
}

#[test]
fn a_peer_ends_with_its_children_if_the_test_panics() {
    let (sender, ids) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let (_peer, ids) = family();
        sender.send(ids).unwrap();
        // Unwinds as a failed assertion does, without a message that looks like a failure.
        std::panic::resume_unwind(Box::new("the test fails"));
    });
    let ids = ids.recv().unwrap();
    assert!(test.join().is_err());
    super::eventually("both have ended", || {
        (!ids.into_iter().any(is_running)).then_some(())
    });
}

#[test]
fn a_peer_has_no_descriptors_but_the_standard_ones() {
    use std::os::fd::AsRawFd;
    let socket = super::reserved_port::ReservedPort::new().listen();
    let file = tempfile::tempfile().unwrap();
    let (mut peer, _) = family();
    let descriptor = |number: i32| std::fs::read_link(format!("/proc/{}/fd/{number}", peer.id()));
    for number in [socket.as_raw_fd(), file.as_raw_fd()] {
        let own = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        assert_ne!(descriptor(number).ok(), Some(own));
    }
    assert!(descriptor(0).is_ok(), "the standard ones are seen");
    assert!(peer.ended().is_none());
}
