//! `portcullis plan`: who would gain or lose what by a config that is not in force yet, by the decisions of the past. Puts
//! nothing into force.

mod client;
mod lacking;
mod replay;
mod report;

use super::decisions::{Decision, DecisionSource, Decisions, Outcome};
use super::{say, say_error};
use crate::snapshot::{Depth, Snapshot, load};
use crate::telemetry::Telemetry;
use replay::{Replayed, Verdict, can_be_replayed, replay};
pub(in crate::cli) use report::thousands;
use report::{Group, Report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis plan`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 nobody gains or loses anything, 1 somebody does or that cannot be told, 2 it cannot be done.\n\n\
    Example:\n  portcullis plan -c gateway.new.toml --audit audit.log audit.log.1"
)]
pub(super) struct Plan {
    /// The config that is to come
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The config that is in force, to compare with; without it, what was decided then
    #[arg(long, value_name = "FILE")]
    current: Option<PathBuf>,
    #[command(flatten)]
    source: DecisionSource,
    /// As one JSON value
    #[arg(long)]
    json: bool,
}

/// Exit code for what cannot be done.
const CANNOT: u8 = 2;

impl Plan {
    pub(super) fn run(&self) -> ExitCode {
        match self.compare() {
            Ok(report) => {
                say(&if self.json {
                    report.json()
                } else {
                    report.text()
                });
                if report.changes_nothing() {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                }
            }
            Err(message) => {
                say_error(&message);
                ExitCode::from(CANNOT)
            }
        }
    }

    fn compare(&self) -> Result<Report, String> {
        let candidate = loaded(&self.config)?;
        let current = self.current.as_deref().map(loaded).transpose()?;
        let has_conditions = candidate.has_conditions
            || current
                .as_ref()
                .is_some_and(|current| current.has_conditions);
        let decisions = self.source.read(
            Some(self.current.as_deref().unwrap_or(&self.config)),
            |decision| {
                // Nobody's port matters, and addresses do only to conditions.
                decision.client = decision
                    .client
                    .filter(|_| has_conditions)
                    .map(|client| (client.ip(), 0).into());
            },
        );
        let decisions = decisions.map_err(|error| format!("error: {error}"))?;
        Ok(compare(&decisions, &candidate, current.as_ref()))
    }
}

fn loaded(config: &Path) -> Result<Snapshot, String> {
    let outcome = load(config, None, &Arc::new(Telemetry::default()), Depth::Errors);
    let report = outcome.report();
    outcome.snapshot.ok_or(report)
}

fn compare(decisions: &Decisions, candidate: &Snapshot, current: Option<&Snapshot>) -> Report {
    let mut report = Report::new(decisions, candidate.content.sha256());
    for (decision, seen) in &decisions.distinct {
        if !can_be_replayed(decision) {
            report.passed_over(seen);
            continue;
        }
        let old = match current {
            Some(current) => replay(current, decision, seen),
            None => Replayed::Decided(Verdict::recorded(decision)),
        };
        match (old, replay(candidate, decision, seen)) {
            (Replayed::Decided(old), Replayed::Decided(new)) => {
                if let Some(group) = changed(old.outcome, new.outcome) {
                    report.add(group, decision, seen, (Some(old), Some(new)), Vec::new());
                }
            }
            (Replayed::Lacks(lacks), Replayed::Decided(new)) => {
                report.add(
                    Group::CannotBeTold,
                    decision,
                    seen,
                    (None, Some(new)),
                    lacks,
                );
            }
            (Replayed::Decided(old), Replayed::Lacks(lacks)) => {
                report.add(
                    Group::CannotBeTold,
                    decision,
                    seen,
                    (Some(old), None),
                    lacks,
                );
            }
            (Replayed::Lacks(old), Replayed::Lacks(new)) => {
                report.add(
                    Group::CannotBeTold,
                    decision,
                    seen,
                    (None, None),
                    [old, new].concat(),
                );
            }
        }
    }
    report
}

/// Whether somebody can do more or less. What is let through on trial is let through.
fn changed(old: Outcome, new: Outcome) -> Option<Group> {
    match (old == Outcome::Refuse, new == Outcome::Refuse) {
        (false, true) => Some(Group::Loses),
        (true, false) => Some(Group::Gains),
        _ => None,
    }
}

/// Who asked, for people: the user, or else what is known of the certificate.
fn who(decision: &Decision) -> String {
    let certificate = decision.certificate.as_deref();
    let named = |certificate: &super::decisions::Certificate| match &certificate.cn {
        Some(cn) => format!("(certificate with cn \"{cn}\")"),
        None => format!("(certificate of {})", certificate.subject),
    };
    match (&decision.user, certificate) {
        (Some(user), _) => user.clone(),
        (None, Some(certificate)) => named(certificate),
        (None, None) => "(nobody known)".to_owned(),
    }
}
