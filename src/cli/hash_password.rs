//! `portcullis hash-password`: prints the hash of a password for a config. On a terminal it asks twice, without echo; otherwise
//! it reads standard input.

mod terminal;

use super::{say, say_error};
use crate::credentials::hash_password;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Maximum length of the input in bytes.
const MAX_LENGTH: u64 = 4096;

/// Why no hash is printed.
#[derive(Debug, thiserror::Error)]
enum PasswordInputError {
    #[error("cannot read the password: {0}")]
    Read(#[from] std::io::Error),
    #[error("interrupted")]
    Interrupted,
    #[error("the two passwords differ; nothing was hashed")]
    Different,
    #[error("a password is one line without control characters; a request could not carry it")]
    ControlCharacter,
    #[error("the password is empty; type one, or write it to standard input")]
    Empty,
}

pub(super) fn run() -> ExitCode {
    let hashed = password().and_then(|password| {
        if password.chars().any(char::is_control) {
            return Err(PasswordInputError::ControlCharacter);
        }
        hash_password(&password).map_err(|_| PasswordInputError::Empty)
    });
    match hashed {
        Ok(hash) => {
            say(&hash);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say_error(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn password() -> Result<Zeroizing<String>, PasswordInputError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let mut text = Zeroizing::new(String::new());
        stdin.lock().take(MAX_LENGTH).read_to_string(&mut text)?;
        return Ok(without_line_end(&text));
    }
    let first = terminal::ask("Password: ")?;
    // An empty password is rejected anyway, so it is not asked for again.
    if first.is_empty() {
        return Err(PasswordInputError::Empty);
    }
    if terminal::ask("The same password again: ")? != first {
        return Err(PasswordInputError::Different);
    }
    Ok(first)
}

/// The text without its line end, which is not part of the password.
fn without_line_end(text: &str) -> Zeroizing<String> {
    let line = text
        .strip_suffix('\n')
        .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Zeroizing::new(line.to_owned())
}
