//! The benchmark works: every mode, with every proxy that is installed. Says nothing about speed.

use std::path::Path;
use std::process::Command;

const BENCH: &str = env!("CARGO_BIN_EXE_portcullis-bench");

#[test]
fn every_mode_works_with_every_proxy_and_the_results_are_written() {
    let portcullis = Path::new(BENCH).with_file_name("portcullis");
    let required = std::env::var_os("PORTCULLIS_TESTS_REQUIRE").is_some();
    if !portcullis.exists() {
        assert!(!required, "{} is not built", portcullis.display());
        eprintln!("skipped: {} is not built", portcullis.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(BENCH)
        .args(["compare", "--smoke", "--output"])
        .arg(folder.path())
        .arg("--portcullis")
        .arg(&portcullis)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!(
        "{}",
        said.lines()
            .filter(|line| line.starts_with("portcullis-bench"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert!(!required || !said.contains("is not installed"), "{said}");

    let text = std::fs::read_to_string(folder.path().join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = results["rows"].as_array().unwrap();
    for mode in [
        "get-1",
        "get-64",
        "full",
        "resumed",
        "http2",
        "latency",
        "download-1m",
        "upload-1m",
        "idle",
        "reload",
    ] {
        let row = rows
            .iter()
            .find(|row| row["mode"] == mode)
            .unwrap_or_else(|| panic!("no {mode}"));
        let cells = row["cells"].as_array().unwrap();
        assert!(
            cells.iter().all(|cell| cell["rounds"][0]["failures"] == 0),
            "{mode}"
        );
    }
    let tables = std::fs::read_to_string(folder.path().join("results.md")).unwrap();
    assert!(
        tables.contains("Portcullis") && tables.contains("| floor |"),
        "{tables}"
    );
    assert!(
        std::fs::read_to_string(folder.path().join("results.svg"))
            .unwrap()
            .ends_with("</svg>\n")
    );
}

#[test]
fn icinga_answers_direct_and_through_the_gateway() {
    let portcullis = Path::new(BENCH).with_file_name("portcullis");
    let required = std::env::var_os("PORTCULLIS_TESTS_REQUIRE").is_some();
    if !portcullis.exists() {
        assert!(!required, "{} is not built", portcullis.display());
        eprintln!("skipped: {} is not built", portcullis.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(BENCH)
        .args(["icinga", "--smoke", "--output"])
        .arg(folder.path())
        .arg("--portcullis")
        .arg(&portcullis)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    if said.contains("is not installed") {
        assert!(!required, "{said}");
        eprintln!("skipped: {said}");
        return;
    }
    let table = std::fs::read_to_string(folder.path().join("icinga.md")).unwrap();
    for query in ["one host", "8 hosts", "62 hosts"] {
        assert!(table.contains(&format!("| {query} | ")), "{table}");
    }
}

/// `tests/run` checks the real budget, which is kept.
#[test]
fn more_instructions_than_the_budget_are_an_error() {
    let portcullis = Path::new(BENCH).with_file_name("portcullis");
    let required = std::env::var_os("PORTCULLIS_TESTS_REQUIRE").is_some();
    let installed = Command::new("valgrind").arg("--version").output().is_ok();
    if !portcullis.exists() || !installed {
        assert!(!required, "no {} or no valgrind", portcullis.display());
        eprintln!("skipped: no {} or no valgrind", portcullis.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let budget = folder.path().join("budget.txt");
    std::fs::write(&budget, "get-64 1\n").unwrap();
    let output = Command::new(BENCH)
        .args(["instructions", "--only", "get-64", "--budget"])
        .arg(&budget)
        .arg("--portcullis")
        .arg(&portcullis)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("over the budget"),
        "{said}"
    );
}
