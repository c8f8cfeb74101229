//! What `tests/run` says of passes that fail, and of those that leave something behind.

use crate::support::require_program;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs these passes in a checkout of their own: what was said, and whether they passed.
fn run_passes(passes: &str) -> (String, bool) {
    let checkout = tempfile::tempdir().unwrap();
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes.sh");
    let script = format!(
        "set -euo pipefail\nsay() {{ printf '%s\\n' \"$*\"; }}\nsource {functions:?}\n\
         git init --quiet\nbegin_passes\n{passes}\nend_passes\n"
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(checkout.path()).stdin(Stdio::null());
    let output = bash.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.success())
}

#[test]
fn passes_that_leave_nothing_behind_pass() {
    if !require_program("git") {
        return;
    }
    let (said, passed) =
        run_passes("pass one true\npass two bash -c 'touch $TMPDIR/file; rm $TMPDIR/file; sleep 0.1 &'");
    assert!(passed && said.contains("nothing was left behind"), "{said}");
}

#[test]
fn a_pass_that_fails_is_named_and_the_passes_after_it_run() {
    if !require_program("git") {
        return;
    }
    let (said, passed) = run_passes("pass one false\npass two bash -c 'echo the second runs'");
    assert!(!passed && said.contains("the second runs"), "{said}");
    assert!(said.contains("FAILED: pass \"one\" failed"), "{said}");
    assert!(!said.contains("FAILED: pass \"two\""), "{said}");
}

#[test]
fn a_pass_that_hangs_fails_and_the_passes_after_it_run() {
    if !require_program("git") {
        return;
    }
    let (said, passed) = run_passes("pass_deadline=1s\npass one sleep 600.4\npass two bash -c 'echo the second runs'");
    assert!(!passed && said.contains("the second runs"), "{said}");
    assert!(said.contains("FAILED: pass \"one\" failed"), "{said}");
}

#[test]
fn what_a_pass_leaves_behind_is_named_and_removed() {
    if !require_program("git") {
        return;
    }
    for (command, left) in [
        ("sleep 600.1 &", "process "),
        // In a session of its own, and without what its parent had in its environment.
        ("setsid --fork sleep 600.2", "process "),
        ("env -i sleep 600.3 &", "process "),
        ("touch $TMPDIR/file", "temporary file file"),
        ("touch file", "in the checkout: ?? file"),
    ] {
        let (said, passed) = run_passes(&format!("patience=1\npass one bash -c '{command}'\npass two true"));
        assert!(!passed && said.contains(&format!("FAILED: pass \"one\" left behind: {left}")), "{command}: {said}");
        assert_eq!(said.matches("FAILED").count(), 1, "{command}: {said}");
    }
}
