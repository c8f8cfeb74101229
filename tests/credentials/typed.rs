//! `portcullis hash-password` on a terminal: it asks twice and shows nothing of what is typed.

use crate::support::PORTCULLIS;
use crate::support::terminal::Terminal;
use std::process::{Command, Output, Stdio};

/// Types an answer to each question, and gives the output, the screen and the terminal afterwards.
fn typed(answers: &[&str]) -> (Output, String, Terminal) {
    let mut terminal = Terminal::open();
    let child = Command::new(PORTCULLIS)
        .arg("hash-password")
        .stdin(terminal.stdio())
        .stderr(terminal.stdio())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for (question, answer) in ["Password: ", "The same password again: "]
        .into_iter()
        .zip(answers)
    {
        terminal.wait_for(question);
        terminal.type_in(answer);
    }
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        terminal.wait_for("error: ");
    }
    (output, terminal.screen(), terminal)
}

#[test]
fn a_password_that_is_typed_twice_is_hashed_and_never_shown() {
    let (output, screen, terminal) = typed(&["geheim äöü\n", "geheim äöü\n"]);
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && hash.starts_with("$argon2id$"),
        "{hash}{screen}"
    );
    assert!(
        !screen.contains("geheim") && terminal.is_as_usual(),
        "{screen}"
    );
}

#[test]
fn two_different_passwords_an_empty_one_and_ctrl_c_give_no_hash() {
    for (answers, error) in [
        (
            ["one\n", "other\n"].as_slice(),
            "error: the two passwords differ",
        ),
        (&["\n"], "error: the password is empty"),
        (&["half\u{3}"], "error: interrupted"),
        (
            &["tab\t\n", "tab\t\n"],
            "error: a password is one line without control characters",
        ),
    ] {
        let (output, screen, terminal) = typed(answers);
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(1), 0),
            "{screen}"
        );
        terminal.wait_for(error);
        assert!(terminal.is_as_usual());
    }
}
