//! What `tests/run` says of passes that fail, and of those that leave something behind.

use crate::support::require_program;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs these passes in a checkout of their own: what was said, and whether they passed.
fn run_passes(passes: &str) -> (String, bool) {
    run_passes_by(Command::new("bash"), passes)
}

/// The same by another shell.
fn run_passes_by(mut bash: Command, passes: &str) -> (String, bool) {
    let checkout = tempfile::tempdir().unwrap();
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes.sh");
    let script = format!(
        "set -euo pipefail\nsay() {{ printf '%s\\n' \"$*\"; }}\nsource {functions:?}\n\
         git init --quiet\nbegin_passes\n{passes}\nend_passes\n"
    );
    bash.args(["-c", &script])
        .current_dir(checkout.path())
        .stdin(Stdio::null());
    let output = bash.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&said).into_owned(),
        output.status.success(),
    )
}

#[test]
fn passes_that_leave_nothing_behind_pass() {
    if !require_program("git") {
        return;
    }
    let (said, passed) = run_passes(
        "pass one true\npass two bash -c 'touch $TMPDIR/file; rm $TMPDIR/file; sleep 0.1 &'",
    );
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
    let (said, passed) = run_passes(
        "pass_deadline=1s\npass one sleep 600.4\npass two bash -c 'echo the second runs'",
    );
    assert!(!passed && said.contains("the second runs"), "{said}");
    assert!(said.contains("FAILED: pass \"one\" failed"), "{said}");
}

#[test]
fn what_a_pass_leaves_behind_is_named_and_removed() {
    if !require_program("git") {
        return;
    }
    let table = [
        ("sleep 600.1 &", "process "),
        // In a session of its own, and without what its parent had in its environment.
        ("setsid --fork sleep 600.2", "process "),
        ("env -i sleep 600.3 &", "process "),
        ("touch $TMPDIR/file", "temporary file file"),
        ("touch file", "in the checkout: ?? file"),
        ("echo nothing", ""),
    ];
    let passes = table
        .iter()
        .enumerate()
        .map(|(number, (command, _))| format!("pass {number} bash -c '{command}'\n"));
    let (said, passed) = run_passes(&format!("patience=0\n{}", passes.collect::<String>()));
    assert!(!passed, "{said}");
    for (number, (command, left)) in table.into_iter().enumerate() {
        let lines = said
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("FAILED: pass \"{number}\" ")));
        let lines: Vec<&str> = lines.collect();
        let expected = usize::from(!left.is_empty());
        let is_named = lines
            .iter()
            .all(|line| line.starts_with(&format!("left behind: {left}")));
        assert!(lines.len() == expected && is_named, "{command}: {said}");
    }
}

/// A shell for which the only named network namespaces are those that it makes. Without root, it is root of its own user
/// namespace. `None` where the system does not permit that.
fn bash_with_own_namespaces() -> Option<Command> {
    let in_own_namespaces = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--net", "bash", "-c"]);
        command.args([
            "mount -t tmpfs tmpfs /run && mkdir /run/netns && exec bash \"$@\"",
            "bash",
        ]);
        command
    };
    if !["git", "ip", "unshare"].into_iter().all(require_program) {
        return None;
    }
    let tried = in_own_namespaces()
        .args(["-c", "ip netns add test"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if !tried.status.success() {
        eprintln!(
            "skipped: no network namespace of its own: {}",
            String::from_utf8_lossy(&tried.stderr).trim()
        );
        return None;
    }
    Some(in_own_namespaces())
}

#[test]
fn a_network_namespace_that_a_pass_leaves_behind_is_named() {
    let Some(bash) = bash_with_own_namespaces() else {
        return;
    };
    let (said, passed) = run_passes_by(
        bash,
        "pass one bash -c 'ip netns add portcullis-bench-$$-x'\npass two true",
    );
    assert!(
        !passed
            && said
                .contains("FAILED: pass \"one\" left behind: network namespace portcullis-bench-"),
        "{said}"
    );
    assert_eq!(said.matches("FAILED").count(), 1, "{said}");
}

#[test]
fn network_namespaces_that_are_removed_or_anothers_are_not_left_behind() {
    let Some(bash) = bash_with_own_namespaces() else {
        return;
    };
    let passes = "pass one bash -c 'ip netns add portcullis-bench-$$-x; ip netns delete portcullis-bench-$$-x'\n\
                  pass two ip netns add portcullis-bench-1-of-a-running-benchmark\n\
                  pass three ip netns add of-another-program";
    let (said, passed) = run_passes_by(bash, passes);
    assert!(passed && said.contains("nothing was left behind"), "{said}");
}
