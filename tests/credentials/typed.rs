//! `portcullis hash-password` on a terminal: it asks twice and shows nothing of what is typed.

use crate::support::{PORTCULLIS, eventually};
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

/// The command with a terminal as standard input and standard error.
struct Typed {
    child: Child,
    keyboard: File,
    terminal: OwnedFd,
    screen: Arc<Mutex<String>>,
}

impl Typed {
    fn start() -> Self {
        let pair = openpty(None, None).unwrap();
        let copy = |fd: &OwnedFd| fd.try_clone().unwrap();
        let child = Command::new(PORTCULLIS)
            .arg("hash-password")
            .stdin(Stdio::from(copy(&pair.slave)))
            .stderr(Stdio::from(copy(&pair.slave)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let screen: Arc<Mutex<String>> = Arc::default();
        let (sink, mut source) = (screen.clone(), File::from(copy(&pair.master)));
        std::thread::spawn(move || {
            let mut bytes = [0; 256];
            while let Ok(count) = source.read(&mut bytes) {
                sink.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child, keyboard: File::from(pair.master), terminal: pair.slave, screen }
    }

    /// Waits for a question, and types an answer.
    fn answer(&mut self, question: &str, keys: &str) {
        eventually(question, || self.screen.lock().unwrap().contains(question).then_some(()));
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// The end, what stands on the screen, and whether the terminal shows again what is typed.
    fn end(self) -> (Output, String, bool) {
        let output = self.child.wait_with_output().unwrap();
        let echoes =
            tcgetattr(self.terminal.as_fd()).unwrap().local_flags.contains(LocalFlags::ECHO | LocalFlags::ISIG);
        eventually("the last line", || self.screen.lock().unwrap().ends_with('\n').then_some(()));
        let screen = self.screen.lock().unwrap().clone();
        (output, screen, echoes)
    }
}

#[test]
fn a_password_that_is_typed_twice_is_hashed_and_never_shown() {
    let mut typed = Typed::start();
    typed.answer("Password: ", "geheim äöü\n");
    typed.answer("The same password again: ", "geheim äöü\n");
    let (output, screen, echoes) = typed.end();
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && hash.starts_with("$argon2id$"), "{hash}{screen}");
    assert!(!screen.contains("geheim") && echoes, "{screen}");
}

#[test]
fn two_different_passwords_an_empty_one_and_ctrl_c_give_no_hash() {
    for (answers, error) in [
        (["one\n", "other\n"].as_slice(), "error: the two passwords differ"),
        (&["\n"], "error: the password is empty"),
        (&["half\u{3}"], "error: interrupted"),
        (&["tab\t\n", "tab\t\n"], "error: a password is one line without control characters"),
    ] {
        let mut typed = Typed::start();
        for (question, answer) in ["Password: ", "The same password again: "].into_iter().zip(answers) {
            typed.answer(question, answer);
        }
        let (output, screen, echoes) = typed.end();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{screen}");
        assert!(screen.contains(error) && echoes, "{screen}");
    }
}
