//! `portcullis check`: everything that is wrong, or will hurt, without binding anything.

use super::{say, say_error};
use crate::config::Severity;
use crate::snapshot::{Depth, load};
use crate::telemetry::Telemetry;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn check(config: &Path) -> ExitCode {
    let outcome = load(config, None, &Arc::new(Telemetry::default()), Depth::Warnings);
    let count = |severity| outcome.problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let report = outcome.report();
    if !report.is_empty() {
        say_error(&report);
    }
    let warned = match warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        more => format!(", {more} warnings"),
    };
    if outcome.snapshot.is_some() {
        say(&format!("{}: good{warned}", config.display()));
        return ExitCode::SUCCESS;
    }
    let plural = if errors == 1 { "error" } else { "errors" };
    say_error(&format!("{}: {errors} {plural}{warned}", config.display()));
    ExitCode::FAILURE
}
