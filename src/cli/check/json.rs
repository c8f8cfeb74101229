//! The output of `portcullis check --json`: one object, without lines of files.

use super::{CheckResult, CheckSummary};
use crate::config::{Location, Problem, Severity, Sources};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct CheckReport<'a> {
    file: String,
    result: &'static str,
    users: usize,
    routes: usize,
    upstreams: usize,
    errors: usize,
    warnings: usize,
    expectations_met: usize,
    problems: Vec<ReportedProblem<'a>>,
}

#[derive(Serialize)]
struct ReportedProblem<'a> {
    severity: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<ReportedPlace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct ReportedPlace {
    file: String,
    line: usize,
    column: usize,
}

pub(super) fn json(
    file: &Path,
    summary: &CheckSummary,
    problems: &[Problem],
    sources: &Sources,
) -> String {
    let report = CheckReport {
        file: file.display().to_string(),
        result: match summary.verdict {
            CheckResult::Good => "ok",
            CheckResult::Errors => "errors",
            CheckResult::TooManyWarnings => "warnings",
        },
        users: summary.sizes.users,
        routes: summary.sizes.routes,
        upstreams: summary.sizes.upstreams,
        errors: summary.errors,
        warnings: summary.warnings,
        expectations_met: summary.expectations_met,
        problems: problems
            .iter()
            .map(|problem| reported(problem, sources))
            .collect(),
    };
    // Serialization cannot fail.
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

fn reported<'p>(problem: &'p Problem, sources: &Sources) -> ReportedProblem<'p> {
    let place = problem.place.and_then(|place| sources.locate(place));
    ReportedProblem {
        severity: match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: &problem.message,
        place: place.map(|Location { path, line, column }| ReportedPlace {
            file: path,
            line,
            column,
        }),
        hint: problem.hint.as_deref(),
    }
}
