//! A terminal for programs that look for one: what they print is gathered, and keys can be typed.

use super::eventually;
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

/// A pseudo terminal.
pub struct Terminal {
    keyboard: File,
    slave: OwnedFd,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    pub fn open() -> Self {
        let pair = openpty(None, None).expect("a pseudo terminal");
        let mut source = File::from(pair.master.try_clone().expect("a descriptor"));
        let screen: Arc<Mutex<String>> = Arc::default();
        let sink = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = source.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                sink.lock().expect("no panic while locked").push_str(&text);
            }
        });
        Self {
            keyboard: File::from(pair.master),
            slave: pair.slave,
            screen,
        }
    }

    /// A standard stream on this terminal.
    pub fn stdio(&self) -> Stdio {
        Stdio::from(self.slave.try_clone().expect("a descriptor"))
    }

    /// Waits until a text is on the screen.
    pub fn wait_for(&self, text: &str) {
        eventually(text, || self.screen().contains(text).then_some(()));
    }

    pub fn type_in(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("an open terminal");
    }

    /// Everything that was printed so far.
    pub fn screen(&self) -> String {
        self.screen.lock().expect("no panic while locked").clone()
    }

    /// Whether typed keys are shown, and Ctrl-C sends a signal.
    pub fn is_as_usual(&self) -> bool {
        let flags = tcgetattr(self.slave.as_fd())
            .expect("a terminal")
            .local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ISIG)
    }
}
