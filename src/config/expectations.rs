//! Files of expectations (`--expect FILE`), which contain only `[[expect]]`.

use super::decode;
use super::keys::root::EXPECTATIONS;
use super::model::{Config, Expectation};
use super::problem::Problems;
use super::source::{Place, Sources};
use super::syntax::{self, SyntaxSource};
use super::table::{ReaderContext, TableReader};
use crate::file_read::{self, FileKind};
use std::path::Path;
use std::sync::Arc;
use toml::de::DeTable;

/// Reads a file of expectations. Errors are added to the problems.
pub fn load_expectations(
    path: &Path,
    sources: &mut Sources,
    problems: &Problems,
) -> Vec<Expectation> {
    let text = match file_read::read_text_or_pipe(path, FileKind::Config) {
        Ok(text) => Arc::new(text),
        Err(error) => {
            problems.error_without_place(
                format!("cannot read {}: {error}", path.display()),
                "check --expect FILE",
            );
            return Vec::new();
        }
    };
    let Some(file) = sources.add(path.to_owned(), (*text).clone()) else {
        problems.error_without_place("more than 65,535 config files", "");
        return Vec::new();
    };
    let (root, errors) = DeTable::parse_recoverable(&text);
    syntax::report(
        &errors,
        SyntaxSource {
            path,
            file,
            text: &text,
        },
        problems,
    );
    if !errors.is_empty() {
        return Vec::new();
    }
    let mut config = Config::default();
    let context = ReaderContext {
        problems,
        text: &text,
        offset: 0,
    };
    let mut reader = TableReader::new(
        String::new(),
        &EXPECTATIONS,
        root.get_ref(),
        Place::new(file, &(0..0)),
        context,
    );
    decode::expectations(&mut reader, &mut config);
    config.expectations
}
