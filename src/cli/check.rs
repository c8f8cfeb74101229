//! `portcullis check`: reports all errors and warnings of a config without binding sockets, and evaluates its expectations.

mod json;

use super::{ConfigFlag, say, say_error};
use crate::config::{Excerpt, Expectation, Problem, Problems, Severity, load_expectations, render};
use crate::explain::meets;
use crate::gateway::{LoadedFrom, check_access_as_root};
use crate::snapshot::{ConfigSizes, Depth, Outcome, Snapshot, load};
use crate::telemetry::Telemetry;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 no error; 1 errors, or warnings with --strict; 2 wrong usage."
)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFlag,
    /// A file with further `[[expect]]` tables; may be given several times
    #[arg(long, value_name = "FILE")]
    expect: Vec<PathBuf>,
    /// Exit with 1 also if there are only warnings
    #[arg(long)]
    strict: bool,
    /// Print one JSON object on standard output in place of the report
    #[arg(long)]
    json: bool,
}

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CheckResult {
    Good,
    Errors,
    /// With `--strict`: at least one.
    TooManyWarnings,
}

/// The counts in the last line of the report.
struct CheckSummary {
    verdict: CheckResult,
    sizes: ConfigSizes,
    errors: usize,
    warnings: usize,
    expectations_met: usize,
}

impl Check {
    pub(super) fn run(&self) -> ExitCode {
        let mut outcome = load(
            &self.config.config,
            None,
            &Arc::new(Telemetry::default()),
            Depth::Warnings,
        );
        let expectations_met = self.expectations(&mut outcome);
        self.check_access(&mut outcome);
        let count = |severity| {
            outcome
                .problems
                .iter()
                .filter(|problem| problem.severity == severity)
                .count()
        };
        let errors = count(Severity::Error);
        let warnings = count(Severity::Warning);
        let summary = CheckSummary {
            verdict: match outcome.snapshot {
                None => CheckResult::Errors,
                Some(_) if errors > 0 => CheckResult::Errors,
                Some(_) if self.strict && warnings > 0 => CheckResult::TooManyWarnings,
                Some(_) => CheckResult::Good,
            },
            sizes: outcome
                .snapshot
                .as_ref()
                .map(|snapshot| snapshot.sizes)
                .unwrap_or_default(),
            errors,
            warnings,
            expectations_met,
        };
        match self.json {
            true => say(&json::json(
                &self.config.config,
                &summary,
                &outcome.problems,
                &outcome.sources,
            )),
            false => self.say_report(&summary, &render(&outcome.problems, &outcome.sources)),
        }
        if summary.verdict == CheckResult::Good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn say_report(&self, summary: &CheckSummary, problems: &str) {
        if !problems.is_empty() {
            say_error(problems);
        }
        let file = self.config.config.display();
        match summary.verdict {
            CheckResult::Good => say(&format!("{file}: {}", summary.of_success())),
            CheckResult::Errors => say_error(&format!("{file}: {}", summary.of_errors())),
            CheckResult::TooManyWarnings => {
                say_error(&format!(
                    "{file}: {}, and --strict allows none",
                    counted(summary.warnings, "warning")
                ));
            }
        }
    }

    /// Checks that the gateway's user can read all files. Runs last, since it changes the user of this process.
    fn check_access(&self, outcome: &mut Outcome) {
        let Some(snapshot) = &outcome.snapshot else {
            return;
        };
        let from = LoadedFrom {
            config: &self.config.config,
            watched: &outcome.watched,
            snapshot,
        };
        if let Err(unreadable) = check_access_as_root(from) {
            let problem = Problem {
                severity: Severity::Error,
                message: unreadable.to_string(),
                place: None,
                excerpt: Excerpt::Shown,
                hint: None,
            };
            outcome.problems.insert(0, problem);
        }
    }

    /// Evaluates all expectations, adds the unmet ones to the problems, and returns the number of those met.
    fn expectations(&self, outcome: &mut Outcome) -> usize {
        let problems = Problems::default();
        for file in &self.expect {
            outcome
                .expectations
                .extend(load_expectations(file, &mut outcome.sources, &problems));
        }
        let mut all_problems = problems.into_sorted();
        let before = all_problems.len();
        let all = outcome.expectations.iter().filter_map(|expected| {
            let snapshot = outcome.snapshot.as_ref()?;
            Some(problem(snapshot, expected, outcome))
        });
        let evaluated: Vec<Option<Problem>> = all.collect();
        let total = evaluated.len();
        all_problems.extend(evaluated.into_iter().flatten());
        let met = total - (all_problems.len() - before);
        all_problems.append(&mut outcome.problems);
        all_problems.sort_by_key(|problem| (problem.severity == Severity::Warning, problem.place));
        outcome.problems = all_problems;
        met
    }
}

impl CheckSummary {
    fn of_success(&self) -> String {
        let ConfigSizes {
            users,
            routes,
            upstreams,
        } = self.sizes;
        let sizes = [
            counted(users, "user"),
            counted(routes, "route"),
            counted(upstreams, "upstream"),
        ]
        .join(", ");
        format!(
            "OK: {sizes}, {}{}",
            counted(self.warnings, "warning"),
            self.met()
        )
    }

    /// Names the warnings only if there are any.
    fn of_errors(&self) -> String {
        let warnings = if self.warnings > 0 {
            format!(", {}", counted(self.warnings, "warning"))
        } else {
            String::new()
        };
        format!("{}{}{warnings}", counted(self.errors, "error"), self.met())
    }

    fn met(&self) -> String {
        match self.expectations_met {
            0 => String::new(),
            met => format!(", {} met", counted(met, "expectation")),
        }
    }
}

/// `0 users`, `1 user`, `2 users`.
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn problem(snapshot: &Snapshot, expected: &Expectation, outcome: &Outcome) -> Option<Problem> {
    let unmet = meets(
        snapshot,
        expected,
        outcome.sources.folder(expected.place.file),
    )
    .err()?;
    Some(Problem {
        severity: Severity::Error,
        message: unmet.message,
        place: Some(unmet.place),
        excerpt: Excerpt::Shown,
        hint: Some(unmet.hint),
    })
}
