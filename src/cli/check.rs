//! `portcullis check`: everything that is wrong, or will hurt, without binding anything; and whether the config decides as it
//! is expected to.

use super::{ConfigFlag, say, say_error};
use crate::config::{Excerpt, Expectation, Problem, Problems, Severity, load_expectations, render};
use crate::explain::meets;
use crate::snapshot::{Depth, Outcome, Snapshot, load};
use crate::telemetry::Telemetry;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 good, 1 bad; warnings do not count.")]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFlag,
    /// A file with further `[[expect]]` tables; may be given several times
    #[arg(long, value_name = "FILE")]
    expect: Vec<PathBuf>,
}

impl Check {
    pub(super) fn run(&self) -> ExitCode {
        let config = &self.config.config;
        let mut outcome = load(config, None, &Arc::new(Telemetry::default()), Depth::Warnings);
        let met = self.expectations(&mut outcome);
        let count = |severity| outcome.problems.iter().filter(|problem| problem.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let report = render(&outcome.problems, &outcome.sources);
        if !report.is_empty() {
            say_error(&report);
        }
        let several = |count: usize, what: &str| match count {
            0 => String::new(),
            1 => format!(", 1 {what}"),
            more => format!(", {more} {what}s"),
        };
        let met = match several(met, "expectation") {
            none if none.is_empty() => none,
            some => some + " met",
        };
        let more = met + &several(warnings, "warning");
        if outcome.snapshot.is_some() && errors == 0 {
            say(&format!("{}: good{more}", config.display()));
            return ExitCode::SUCCESS;
        }
        let plural = if errors == 1 { "error" } else { "errors" };
        say_error(&format!("{}: {errors} {plural}{more}", config.display()));
        ExitCode::FAILURE
    }

    /// Holds all expectations against what was loaded, adds what is not met to the problems, and counts what is.
    fn expectations(&self, outcome: &mut Outcome) -> usize {
        let problems = Problems::default();
        for file in &self.expect {
            outcome.expectations.extend(load_expectations(file, &mut outcome.sources, &problems));
        }
        let mut found = problems.into_sorted();
        let before = found.len();
        let all = outcome.expectations.iter().filter_map(|expected| {
            let snapshot = outcome.snapshot.as_ref()?;
            Some(problem(snapshot, expected, outcome))
        });
        let held: Vec<Option<Problem>> = all.collect();
        let total = held.len();
        found.extend(held.into_iter().flatten());
        let met = total - (found.len() - before);
        found.append(&mut outcome.problems);
        found.sort_by_key(|problem| (problem.severity == Severity::Warning, problem.place));
        outcome.problems = found;
        met
    }
}

fn problem(snapshot: &Snapshot, expected: &Expectation, outcome: &Outcome) -> Option<Problem> {
    let unmet = meets(snapshot, expected, outcome.sources.folder(expected.place.file)).err()?;
    Some(Problem {
        severity: Severity::Error,
        message: unmet.message,
        place: Some(unmet.place),
        excerpt: Excerpt::Shown,
        hint: Some(unmet.hint),
    })
}
