//! The house stays as it is drawn: modules import only from those that stand above them in `lib.rs`, each file says
//! its job and stays short. Reads source text; runs nothing.

mod circles;
mod documents;
mod reasons;

use std::path::{Path, PathBuf};

#[test]
fn modules_import_only_from_modules_above_them() {
    let order = module_order(&read(&sources_root().join("lib.rs")));
    let wrong: Vec<String> = source_files()
        .iter()
        .filter_map(|path| Some((module_of(path)?, path)))
        .flat_map(|(module, path)| {
            let imports = wrong_imports(&order, &module, &read(path));
            imports
                .into_iter()
                .map(|wrong| format!("{}: {wrong}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "against the arrow:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_in_the_folder_is_in_the_map() {
    let order = module_order(&read(&sources_root().join("lib.rs")));
    let mut found: Vec<String> = source_files()
        .iter()
        .filter_map(|path| module_of(path))
        .collect();
    found.sort_unstable();
    found.dedup();
    let mut listed = order;
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn an_import_against_the_arrow_is_found() {
    let order = ["config", "tls", "proxy"].map(str::to_owned);
    let wrong = |text: &str| wrong_imports(&order, "tls", text);
    for bad in [
        "use crate::proxy::Shared;",
        "use crate::{config::Place, proxy::Shared};",
        "use crate::{\n    config::{Place, Sources},\n    proxy,\n};",
        "pub(crate) use crate::proxy;",
        "fn f() { crate::proxy::run() }",
        "use crate::nowhere::X;",
        "#[cfg(test)]\nmod tests {\n    use crate::proxy::X;\n}\nuse crate::proxy::Y;",
        "#[cfg(test)]\nmod tests;\nuse crate::proxy::Y;",
    ] {
        assert_eq!(wrong(bad).len(), 1, "{bad}");
    }
    for good in [
        "use crate::config::Place;\nuse crate::tls::Name;\nuse crate::{config, tls::Name};",
        "use super::name::rfc4514;",
        "//! As in crate::proxy::run.\n/// [`crate::proxy`] does it. // crate::proxy",
        "#[cfg(test)]\nmod tests {\n    use crate::proxy::X;\n}\n",
    ] {
        assert_eq!(wrong(good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn every_file_says_its_job_in_its_first_line() {
    let silent: Vec<_> = source_files()
        .into_iter()
        .filter(|path| !read(path).starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "without a first line: {silent:#?}");
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    const MOST_LINES: usize = 400;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = ["tests", "bench"].map(|folder| rust_files(&root.join(folder)));
    assert!(others.iter().all(|files| files.len() > 5), "they are found");
    let lengths = source_files()
        .into_iter()
        .chain(others.into_iter().flatten())
        .map(|path| (read(&path).lines().count(), path));
    let long: Vec<_> = lengths.filter(|(lines, _)| *lines > MOST_LINES).collect();
    assert!(long.is_empty(), "over {MOST_LINES} lines: {long:#?}");
}

#[test]
fn nothing_is_left_for_later() {
    let unfinished = ["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX"];
    let found: Vec<String> = source_files()
        .iter()
        .flat_map(|path| {
            let text = read(path);
            let words = unfinished.iter().filter(move |word| text.contains(**word));
            words
                .map(|word| format!("{}: {word}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What tests use that start no gateway by `tests/support`, so that the variable of `tests/run` does not change what they test.
const BESIDE_GATEWAYS: [&str; 6] = [
    "PORTCULLIS",
    "Pki",
    "assert_valid_config",
    "eventually",
    "require_program",
    "run",
];

#[test]
fn what_runs_in_the_first_pass_alone_starts_no_gateway_on_another_record_layer() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let script = read(&tests.join("run"));
    let list = script
        .split_once("local -a without_gateway=(")
        .and_then(|(_, rest)| rest.split_once(')'));
    let modules: Vec<&str> = list
        .expect("a list in tests/run")
        .0
        .split_whitespace()
        .collect();
    let mut files: Vec<PathBuf> = modules
        .iter()
        .map(|module| tests.join(module).with_extension("rs"))
        .collect();
    let folders = modules
        .iter()
        .map(|module| tests.join(module))
        .filter(|folder| folder.is_dir());
    files.extend(folders.flat_map(|folder| rust_files(&folder)));
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            used_of_other_modules(&read(file))
                .into_iter()
                .map(|used| format!("{}: {used}", file.display()))
        })
        .collect();
    assert!(
        modules.len() > 3 && wrong.is_empty(),
        "{modules:?} {wrong:#?}"
    );
    assert!(
        files[..modules.len()]
            .iter()
            .all(|file| !read(file).contains("super::")),
        "super is all other modules"
    );
    // `--skip` takes any part of a name.
    let others = rust_files(&tests)
        .into_iter()
        .filter(|file| !files.contains(file));
    let mut names = others.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()));
    assert!(!names.any(|name| modules.iter().any(|module| name.ends_with(module))));
}

#[test]
fn a_use_of_a_gateway_is_found() {
    for bad in [
        "use crate::support::Gateway;",
        "use crate::support::{Pki, gateway::listener};",
        "use crate::support::{\n    Pki,\n    Chain,\n};",
        "use crate::support::*;",
        "use crate::{support::Gateway};",
        "crate::icinga::Front",
        "use super::super::icinga;",
    ] {
        assert_eq!(used_of_other_modules(bad).len(), 1, "{bad}");
    }
    let good = "use crate::support::{PORTCULLIS, Pki};\nuse super::x;\ncrate::support::run(PORTCULLIS, &[])";
    assert_eq!(used_of_other_modules(good), Vec::<String>::new());
}

/// What a file of tests uses of other modules of the tests, and is not in [`BESIDE_GATEWAYS`].
fn used_of_other_modules(text: &str) -> Vec<String> {
    let mut used: Vec<String> = text.matches("super::super::").map(str::to_owned).collect();
    for path in text.split("crate::").skip(1) {
        let Some(path) = path.strip_prefix("support::") else {
            used.push(path.lines().next().unwrap_or_default().to_owned());
            continue;
        };
        let names: Vec<&str> = match path.strip_prefix('{') {
            // Behind the last comma of a list of several lines is nothing.
            Some(list) => list
                .split('}')
                .next()
                .unwrap_or_default()
                .trim_end_matches([',', '\n'])
                .split(',')
                .collect(),
            None => path
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .take(1)
                .collect(),
        };
        let others = names
            .into_iter()
            .map(str::trim)
            .filter(|name| !BESIDE_GATEWAYS.contains(name));
        used.extend(others.map(str::to_owned));
    }
    used
}

fn sources_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a source file in UTF-8")
}

fn source_files() -> Vec<PathBuf> {
    let files = rust_files(&sources_root());
    assert!(files.len() > 20, "the sources are found");
    files
}

/// All files of Rust in a folder and below it, but for what cargo has built.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.extend(Some(path).filter(|path| !path.ends_with("target")));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    files
}

/// The module that a file belongs to. `None` for `lib.rs` and `main.rs`, which stand above all, and for files of tests.
fn module_of(path: &Path) -> Option<String> {
    let relative = path.strip_prefix(sources_root()).expect("a path below src");
    let first = relative
        .iter()
        .next()?
        .to_str()?
        .trim_end_matches(".rs")
        .to_owned();
    let exempt = ["lib", "main"].contains(&first.as_str()) || path.file_name()? == "tests.rs";
    (!exempt).then_some(first)
}

/// The modules of `lib.rs` in their order.
fn module_order(lib: &str) -> Vec<String> {
    let modules = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    modules.map(str::to_owned).collect()
}

/// What `text`, a file of `module`, imports although it stands below the module, or nowhere.
fn wrong_imports(order: &[String], module: &str, text: &str) -> Vec<String> {
    let position = |name: &str| order.iter().position(|listed| listed == name);
    let own = position(module).expect("a module of lib.rs");
    let imports = imported_modules(&shipping_code(text));
    imports
        .into_iter()
        .filter(|import| position(import).is_none_or(|at| at > own))
        .collect()
}

/// The text without comments and without code that only tests compile.
fn shipping_code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // Either `mod tests;`, or a block that ends with a brace in the first column.
            let opened = lines.next().is_some_and(|next| next.ends_with('{'));
            if opened {
                lines.by_ref().find(|line| *line == "}");
            }
            continue;
        }
        code.push_str(without_comment(line));
        code.push('\n');
    }
    code
}

/// A line up to its comment. Two slashes behind an odd number of quotes are part of a string.
fn without_comment(line: &str) -> &str {
    let comment = line
        .match_indices("//")
        .find(|(at, _)| line[..*at].matches('"').count().is_multiple_of(2));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The `X` of each `crate::X` and of each `crate::{X, …}`.
fn imported_modules(code: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(group) => modules.extend(group_heads(group)),
            None => modules.push(first_word(after)),
        }
    }
    modules
}

/// The first words of a `use` group's entries, nested groups skipped.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 1;
    let mut entries = vec![String::new()];
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => entries.push(String::new()),
            _ => entries.last_mut().expect("an entry").push(letter),
        }
        if depth == 0 {
            break;
        }
    }
    entries
        .iter()
        .map(|entry| first_word(entry.trim()))
        .filter(|word| !word.is_empty())
        .collect()
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}
