//! A question on a terminal with the echo turned off. The terminal is restored in every case, also on Ctrl-C.

use super::{MAX_LENGTH, PasswordInputError, without_line_end};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use std::io::{BufRead, Read, Write};
use zeroize::Zeroizing;

/// Ctrl-C and Ctrl-\ as characters. They send no signal during the input: a signal would end the process and leave the echo
/// off.
const INTERRUPT: char = '\u{3}';
const QUIT: char = '\u{1c}';

/// Prints `question` on standard error, and reads a line without echo.
pub(super) fn ask(question: &str) -> Result<Zeroizing<String>, PasswordInputError> {
    let hidden = EchoOff::begin()?;
    write!(std::io::stderr(), "{question}")?;
    std::io::stderr().flush()?;
    let mut line = Zeroizing::new(Vec::new());
    let read = read_line(&mut line);
    drop(hidden);
    // The line end was not echoed either.
    writeln!(std::io::stderr())?;
    read?;
    let text = std::str::from_utf8(&line).map_err(std::io::Error::other)?;
    if text.contains([INTERRUPT, QUIT]) {
        return Err(PasswordInputError::Interrupted);
    }
    Ok(without_line_end(text))
}

/// Reads one line; Ctrl-C and Ctrl-\ end it, too.
fn read_line(line: &mut Vec<u8>) -> std::io::Result<()> {
    let mut stdin = std::io::stdin().lock().take(MAX_LENGTH);
    loop {
        let available = stdin.fill_buf()?;
        let end = available
            .iter()
            .position(|byte| matches!(*byte, b'\n' | 3 | 0x1c));
        let taken = end.map_or(available.len(), |at| at + 1);
        line.extend_from_slice(available.get(..taken).unwrap_or_default());
        stdin.consume(taken);
        if end.is_some() || taken == 0 {
            return Ok(());
        }
    }
}

/// Turns the echo off. Dropping this restores the terminal.
struct EchoOff {
    before: Termios,
}

impl EchoOff {
    fn begin() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut hidden = before.clone();
        hidden
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ISIG);
        // As line ends, they are delivered at once.
        for (index, key) in [
            (SpecialCharacterIndices::VEOL, INTERRUPT),
            (SpecialCharacterIndices::VEOL2, QUIT),
        ] {
            if let Some(character) = hidden.control_chars.get_mut(index as usize) {
                *character = key as u8;
            }
        }
        tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // A failure cannot be handled here.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.before);
    }
}
