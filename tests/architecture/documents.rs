//! Documents as they are written: each heading once in a document, and each test that SECURITY.md names exists.

use super::read;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// All Markdown of the repository that people read.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.to_owned(), root.join("docs"), root.join("bench")];
    folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// Headings that stand twice in a text; what looks like one in a fenced block is none. The changelog repeats the headings of
/// each version, so a heading counts with the ones above it.
fn repeated_headings(text: &str) -> Vec<String> {
    let (mut seen, mut repeated) = (HashSet::new(), Vec::new());
    let mut above: Vec<&str> = Vec::new();
    let mut is_fenced = false;
    for line in text.lines() {
        is_fenced ^= line.trim_start().starts_with("```");
        let level = line
            .chars()
            .take_while(|character| *character == '#')
            .count();
        if is_fenced || level == 0 || !line[level..].starts_with(' ') {
            continue;
        }
        above.truncate(level - 1);
        above.push(line);
        if !seen.insert(above.clone()) {
            repeated.push(line.to_owned());
        }
    }
    repeated
}

#[test]
fn no_document_has_a_heading_twice() {
    let documents = documents();
    assert!(documents.len() > 8, "{documents:?}");
    for document in documents {
        let repeated = repeated_headings(&read(&document));
        assert!(repeated.is_empty(), "{}: {repeated:?}", document.display());
    }
}

#[test]
fn a_repeated_heading_is_found() {
    assert_eq!(repeated_headings("# a\n## b\n## b\n"), ["## b"]);
    assert_eq!(
        repeated_headings("# a\n```\n# a\n```\n## b\n# c\n## b\n"),
        [""; 0]
    );
}

#[test]
fn tests_named_in_the_threat_model_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = read(&root.join("SECURITY.md"));
    let lists = text
        .split("\nTests: ")
        .skip(1)
        .map(|rest| rest.split("\n\n").next().unwrap());
    let named: Vec<&str> = lists
        .flat_map(|list| list.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    let is_missing = |name: &&&str| {
        let below_tests = root.join("tests").join(name);
        !below_tests.exists() && !root.join(name).exists()
    };
    let missing: Vec<_> = named.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_small_get_crosses_files_that_exist_and_no_more_than_can_be_read() {
    const MOST_FILES: usize = 40;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let architecture = read(&root.join("ARCHITECTURE.md"));
    let list = architecture
        .split_once("### A small GET, file by file")
        .and_then(|(_, rest)| rest.split("```").nth(1))
        .expect("a list in a fenced block");
    let files: Vec<&str> = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(
        files.len() > 30 && files.len() <= MOST_FILES,
        "{}",
        files.len()
    );
    let missing = files
        .iter()
        .filter(|file| !root.join("src").join(file).is_file());
    assert_eq!(missing.collect::<Vec<_>>(), [] as [&&str; 0]);
}
