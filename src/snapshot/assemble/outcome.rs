//! What a load gave: a snapshot or none, and all that is to be said about the config.

use crate::config::{self, Expectation, Problem, Severity, Sources, WatchedFile};
use crate::snapshot::{Content, RejectedConfig, Snapshot};

/// How much is looked at beside what must be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All errors, and warnings that cost little to find: for start and reload.
    Errors,
    /// All warnings, too: for `check`.
    Warnings,
}

/// What a load gave.
pub struct Outcome {
    /// `None` if anything is wrong.
    pub snapshot: Option<Snapshot>,
    /// What it takes away from the snapshot before, should it be rejected.
    pub rejected: RejectedConfig,
    /// Errors, then warnings.
    pub problems: Vec<Problem>,
    /// The files, for showing places.
    pub sources: Sources,
    /// Everything whose change could change the outcome.
    pub watched: Vec<WatchedFile>,
    /// Digests of what was read.
    pub content: Content,
    /// What the config expects of itself: for `check`, and nobody else.
    pub expectations: Vec<Expectation>,
}

impl Outcome {
    /// The errors, each in one line with its place. Shows no line of a file: there may be a secret in it.
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

    /// The warnings, each in one line with its place and what to do.
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

    /// The problems as people read them.
    pub fn report(&self) -> String {
        config::render(&self.problems, &self.sources)
    }
}
