//! Every example of the documents: configs are checked, commands run, and what is shown is what comes out. It does not test
//! what the examples mean; the other modules do.

mod block;
mod commands;
mod config;

use crate::support::{PORTCULLIS, run};
use block::{Block, Kind, blocks_of};
use std::path::Path;

/// All blocks of all documents.
fn blocks() -> Vec<Block> {
    let documents = documents_of_the_repository();
    documents
        .iter()
        .flat_map(|document| blocks_of(document, &file_of_the_repository(document)))
        .collect()
}

fn file_of_the_repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A block that no test knows would be an example that nobody runs.
#[test]
fn every_block_belongs_to_a_class() {
    let unknown: Vec<String> = blocks()
        .iter()
        .filter(|block| block.kind == Kind::Unknown)
        .map(|block| {
            format!(
                "{}: the class of the block is missing: ```{}",
                block.place(),
                block.info
            )
        })
        .collect();
    assert!(
        unknown.is_empty(),
        "{unknown:#?}\nwrite toml, cel, sh, console (`$ ` before commands) or text"
    );
}

/// No block of these kinds has a failure.
fn assert_no_failure(kinds: &[Kind], failure: impl Fn(&Block) -> Option<String>) {
    let failures: Vec<String> = blocks()
        .iter()
        .filter(|block| kinds.contains(&block.kind))
        .filter_map(failure)
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_config_passes_check() {
    let folder = config::folder();
    assert_no_failure(&[Kind::Toml], |block| {
        failure(folder.path(), block, &config::completed(&block.text))
    });
}

#[test]
fn every_condition_passes_check() {
    let folder = config::folder();
    assert_no_failure(&[Kind::Condition], |block| {
        failure(folder.path(), block, &config::with_condition(&block.text))
    });
}

#[test]
fn every_command_runs_and_prints_what_is_shown() {
    if !commands::can_run() {
        return;
    }
    assert_no_failure(&[Kind::Commands, Kind::Session], commands::failure);
}

#[test]
fn the_first_commands_of_readme_get_a_response_from_the_upstream_and_503_without_one() {
    if !commands::can_run() {
        return;
    }
    let blocks = blocks();
    let first = blocks
        .iter()
        .find(|block| block.text.contains("pki new-ca"))
        .unwrap();
    let printed = commands::printed(first, "none of them");
    assert!(printed.lines().any(|line| line == "hello"), "{printed}");
    let printed = commands::printed(first, "python3");
    assert!(
        printed.contains("\"status\":503") && printed.contains("connect_failed"),
        "{printed}"
    );
}

/// What is not run is listed with its reason, and the list has nothing that is not in the documents.
#[test]
fn the_list_of_what_is_not_run_is_short_and_true() {
    let all: Vec<String> = blocks()
        .iter()
        .filter(|block| matches!(block.kind, Kind::Commands | Kind::Session))
        .flat_map(commands::commands)
        .collect();
    for (line, reason) in commands::NOT_RUN {
        assert!(
            all.iter().any(|command| command.starts_with(line)),
            "no document has `{line}`"
        );
        eprintln!("not run: {line}: {reason}");
    }
    let run = all
        .iter()
        .filter(|command| commands::reason_not_to_run(command).is_none())
        .count();
    assert!(run > 3 * commands::NOT_RUN.len(), "{run} commands are run");
}

#[test]
fn output_that_differs_from_what_is_shown_is_found() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (document, printed, expected) in [
        ("a\nb", "a\nb\n", true),
        ("a\nb", "a\n", false),
        ("a", "a\nb\n", false),
        ("a\n...\nc", "a\nb\nb\nc\n", true),
        ("a\n...\nc", "a\nb\nc\nd\n", false),
        ("a\n...", "a\nb\nc\n", true),
        (
            "last 2026-11-28T10:00:00.000Z: x",
            "last 2027-01-01T00:00:00.123Z: x",
            true,
        ),
        (
            "last 2026-11-28T10:00:00.000Z: x",
            "last 2027-01-01T00:00:00.123Z: y",
            false,
        ),
    ] {
        assert_eq!(
            commands::is_as_shown(&shown(document), printed),
            expected,
            "{document:?} {printed:?}"
        );
    }
}

/// The sample in README is the file in the clone, so that its first commands find it.
#[test]
fn the_smallest_config_of_readme_is_the_sample() {
    let sample = file_of_the_repository("gateway.toml");
    assert!(
        blocks().iter().any(|block| block.text == sample),
        "README does not show gateway.toml"
    );
}

/// What `check` says of a config if it is bad.
fn failure(folder: &Path, block: &Block, config: &str) -> Option<String> {
    let file = folder.join("gateway.toml");
    std::fs::write(&file, config).unwrap();
    let (_, error, code) = run(PORTCULLIS, &["check", "--config", file.to_str().unwrap()]);
    (code != 0).then(|| format!("{}:\n{error}", block.place()))
}

/// A check that passes everything would be none.
#[test]
fn an_example_that_is_wrong_is_found() {
    let folder = config::folder();
    let check = |text: &str| {
        let document = format!("# Title\n```toml\n{text}\n```\n");
        let block = blocks_of("x.md", &document).remove(0);
        failure(folder.path(), &block, &config::completed(&block.text))
    };
    assert_eq!(
        check("[api_user.a]\nclient_cn = \"a\"\npermissions = [\"*\"]"),
        None
    );
    let error = check("[api_user.a]\nclient_cm = \"a\"").unwrap();
    assert!(
        error.starts_with("x.md:3:\n") && error.contains("client_cm"),
        "{error}"
    );
    assert_eq!(blocks_of("x.md", "```\nls\n```\n")[0].kind, Kind::Unknown);
}

/// Two headings of one name: one of them is the copy that somebody forgot.
#[test]
fn no_document_repeats_a_heading() {
    for document in documents_of_the_repository() {
        let text = file_of_the_repository(&document);
        let headings = block::headings(&text);
        let mut sorted = headings.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let repeated: Vec<&String> = sorted
            .iter()
            .filter(|one| headings.iter().filter(|other| other == one).count() > 1)
            .collect();
        assert!(repeated.is_empty(), "{document} repeats {repeated:?}");
    }
}

/// All Markdown files at the root and in `docs`.
fn documents_of_the_repository() -> Vec<String> {
    let files = ["", "docs/"].into_iter().flat_map(|folder| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        entries
            .map(move |name| format!("{folder}{}", name.to_str().unwrap()))
            .collect::<Vec<_>>()
    });
    files.filter(|file| file.ends_with(".md")).collect()
}
