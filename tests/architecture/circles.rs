//! No circles of imports between files. A file and the files below it are one direction: a parent declares its children.

use super::{read, shipping_code, source_files, sources_root};
use std::collections::{BTreeMap, BTreeSet};

/// `proxy::http1::upload` as its parts. Empty for `lib.rs`.
type ModulePath = Vec<String>;

/// The files of a crate by their module paths, without comments and tests.
struct Crate {
    files: BTreeMap<ModulePath, String>,
    /// What a `pub use` calls something, and what it is.
    exports: BTreeMap<ModulePath, ModulePath>,
}

impl Crate {
    fn new(files: BTreeMap<ModulePath, String>) -> Self {
        let mut found = Self {
            files,
            exports: BTreeMap::new(),
        };
        let mut exports = BTreeMap::new();
        for (at, code) in &found.files {
            for import in imports(code).into_iter().filter(|import| import.is_public) {
                if let Some(target) = found.absolute(&import.path, at) {
                    exports.insert([at.as_slice(), &[import.name]].concat(), target);
                }
            }
        }
        found.exports = exports;
        found
    }

    /// From the root of the crate. `None` for what is of another crate.
    fn absolute(&self, path: &[String], at: &[String]) -> Option<ModulePath> {
        let supers = path.iter().take_while(|part| *part == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([at, &path[1..]].concat()),
            "super" => Some([&at[..at.len().saturating_sub(supers)], &path[supers..]].concat()),
            first => {
                let child = [at, &[first.to_owned()]].concat();
                self.files.contains_key(&child).then(|| [at, path].concat())
            }
        }
    }

    /// The file that defines what this path means.
    fn file_of(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        /// Of exports of exports.
        const DEEPEST: usize = 8;
        let length = (0..=path.len())
            .rev()
            .find(|length| self.files.contains_key(&path[..*length]))?;
        if length < path.len()
            && depth < DEEPEST
            && let Some(target) = self
                .exports
                .get(&path[..=length])
                .filter(|target| target[..] != path[..=length])
        {
            return self.file_of(&[target, &path[length + 1..]].concat(), depth + 1);
        }
        Some(path[..length].to_vec())
    }

    fn imports_of(&self, at: &ModulePath) -> BTreeSet<ModulePath> {
        let code = &self.files[at];
        let used = imports(code)
            .into_iter()
            .map(|import| import.path)
            .chain(inline_paths(code));
        let targets = used.filter_map(|path| self.file_of(&self.absolute(&path, at)?, 0));
        targets
            .filter(|target| !target.starts_with(at) && !at.starts_with(target))
            .collect()
    }

    /// The files that import each other, directly or through others.
    fn in_circles(&self) -> BTreeSet<String> {
        let edges: BTreeMap<_, _> = self
            .files
            .keys()
            .map(|at| (at, self.imports_of(at)))
            .collect();
        let is_in_circle = |at: &&ModulePath| {
            let mut reached = BTreeSet::new();
            let mut waiting: Vec<&ModulePath> = edges[*at].iter().collect();
            while let Some(next) = waiting.pop() {
                if reached.insert(next) {
                    waiting.extend(&edges[next]);
                }
            }
            reached.contains(at)
        };
        self.files
            .keys()
            .filter(is_in_circle)
            .map(|at| at.join("/"))
            .collect()
    }
}

/// One name of a `use`.
struct Import {
    is_public: bool,
    path: ModulePath,
    /// Behind `as`, or else the last part.
    name: String,
}

fn imports(code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("use ") {
        let line = code[..start].rsplit('\n').next().unwrap_or_default().trim();
        let Some((tree, _)) = code[start + 4..].split_once(';') else {
            continue;
        };
        if line.is_empty() || line.starts_with("pub") {
            let tree = tree
                .replace(" as ", "@")
                .split_whitespace()
                .collect::<String>();
            flatten(&tree, &[], &mut |path| {
                found.push(Import::new(!line.is_empty(), path))
            });
        }
    }
    found
}

impl Import {
    fn new(is_public: bool, mut path: ModulePath) -> Self {
        let last = path.pop().unwrap_or_default();
        let (original, name) = last.split_once('@').unwrap_or((&last, &last));
        path.push(original.to_owned());
        Self {
            is_public,
            path,
            name: name.to_owned(),
        }
    }
}

/// The paths of a tree such as `a::{b, c::{self, d}}`.
fn flatten(tree: &str, prefix: &[String], take: &mut impl FnMut(ModulePath)) {
    let (head, group) = tree
        .split_once('{')
        .map_or((tree, None), |(head, group)| (head, Some(group)));
    let parts = head
        .split("::")
        .filter(|part| !part.is_empty())
        .map(str::to_owned);
    let path: ModulePath = prefix.iter().cloned().chain(parts).collect();
    let Some(group) = group else {
        return take(path);
    };
    let inner = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if start < at {
                    flatten(&inner[start..at], &path, take);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Paths such as `super::pool::Pool` in the middle of code.
fn inline_paths(code: &str) -> Vec<ModulePath> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (start, _) in code.match_indices(root) {
            let before = code[..start].chars().next_back();
            if before.is_none_or(|letter| !is_word(letter) && letter != ':') {
                let end = code[start..]
                    .find(|letter| !is_word(letter) && letter != ':')
                    .unwrap_or(code.len() - start);
                let parts = code[start..start + end]
                    .split("::")
                    .filter(|part| !part.is_empty());
                found.push(parts.map(str::to_owned).collect());
            }
        }
    }
    found
}

fn module_path(file: &str) -> ModulePath {
    let mut parts: ModulePath = file
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if parts
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        parts.pop();
    }
    parts
}

fn sources() -> Crate {
    let mut files = BTreeMap::new();
    for file in source_files() {
        let relative = file
            .strip_prefix(sources_root())
            .expect("a path below src")
            .to_str()
            .expect("UTF-8")
            .to_owned();
        let path = module_path(&relative);
        if !path.iter().any(|part| part == "tests") && relative != "main.rs" {
            files.insert(path, shipping_code(&read(&file)));
        }
    }
    Crate::new(files)
}

#[test]
fn files_import_each_other_in_one_direction() {
    let found = sources().in_circles();
    assert!(
        found.is_empty(),
        "these files import each other in a circle: {found:?}"
    );
}

#[test]
fn circles_are_found_through_exports_groups_and_inline_paths() {
    let with = |pool: &str, link: &str| {
        let files = [
            ("lib.rs", "pub mod a;\n"),
            (
                "a/mod.rs",
                "mod pool;\nmod link;\npub use pool::{Pool, Other as Kin};\npub use link::Link;\n",
            ),
            ("a/pool.rs", pool),
            ("a/link.rs", link),
        ];
        let files = files.map(|(file, code)| (module_path(file), code.to_owned()));
        Crate::new(files.into()).in_circles()
    };
    let circle = BTreeSet::from(["a/link", "a/pool"].map(str::to_owned));
    assert_eq!(
        with("use super::Link;\n", "use crate::a::{Link, Pool};\n"),
        circle
    );
    assert_eq!(
        with(
            "use super::link::Link;\n",
            "use crate::{\n    a::{Kin},\n};\n"
        ),
        circle
    );
    assert_eq!(
        with(
            "fn f() -> super::link::Link {}\n",
            "use super::pool as other;\n"
        ),
        circle
    );
    assert_eq!(
        with("use super::Link;\n", "use std::pool::Pool;\n"),
        BTreeSet::new()
    );
    assert_eq!(
        with("use super::*;\n", "use super::Pool;\n"),
        BTreeSet::new(),
        "a parent is no circle"
    );
}
