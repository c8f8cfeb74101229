//! Result of a load: the snapshot, if the config has no errors, and all problems.

use crate::config::{self, Expectation, Problem, Severity, Sources, WatchedFile};
use crate::snapshot::{ContentDigest, RejectedConfig, Snapshot};

/// How many warnings a load looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All errors and cheap warnings, for start and reload.
    Errors,
    /// All errors and warnings, for `check`.
    Warnings,
}

/// Result of a load.
pub struct Outcome {
    /// `None` if there is any error.
    pub snapshot: Option<Snapshot>,
    /// Rights that it removes from the active snapshot if it is rejected.
    pub rejected: RejectedConfig,
    /// Errors, followed by warnings.
    pub problems: Vec<Problem>,
    /// The config files, to show places.
    pub sources: Sources,
    /// Every file and folder that the outcome depends on.
    pub watched: Vec<WatchedFile>,
    /// Digests of the files.
    pub content: ContentDigest,
    /// Expectations (`[[expect]]`), for `check` alone.
    pub expectations: Vec<Expectation>,
}

impl Outcome {
    /// The errors, one line each with its place. Source lines are not shown, since they may contain secrets.
    pub fn errors(&self) -> Vec<String> {
        let errors = self
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error);
        let placed = |problem: &Problem| match problem.place {
            Some(place) => format!("{}: {}", self.sources.describe(place), problem.message),
            None => problem.message.clone(),
        };
        errors.map(placed).collect()
    }

    /// The warnings, one line each with place and hint.
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Warning);
        let line = |problem: &Problem| {
            let place = problem
                .place
                .map(|place| self.sources.describe(place) + ": ")
                .unwrap_or_default();
            let hint = problem
                .hint
                .as_ref()
                .map(|hint| format!(" ({hint})"))
                .unwrap_or_default();
            format!("{place}{}{hint}", problem.message)
        };
        warnings.map(line).collect()
    }

    /// All problems, rendered with their source lines.
    pub fn report(&self) -> String {
        config::render(&self.problems, &self.sources)
    }
}
