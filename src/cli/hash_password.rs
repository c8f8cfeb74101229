//! `portcullis hash-password`: a password from standard input to the hash that stands in a config. Stores nothing.

use super::{say, say_error};
use crate::credentials::hash_password;
use std::io::Read;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// More is no password.
const LONGEST: u64 = 4096;

pub(super) fn run() -> ExitCode {
    let mut text = Zeroizing::new(String::new());
    if let Err(error) = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text) {
        return failed(&format!("cannot read the password: {error}"));
    }
    // One line end belongs to whoever pressed the key.
    let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.chars().any(char::is_control) {
        return failed("a password is one line without control characters; a request could not carry it");
    }
    match hash_password(password) {
        Ok(hash) => {
            say(&hash);
            ExitCode::SUCCESS
        }
        Err(_) => failed("the password is empty: write it to standard input"),
    }
}

fn failed(message: &str) -> ExitCode {
    say_error(&format!("error: {message}"));
    ExitCode::FAILURE
}
