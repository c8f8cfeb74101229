//! `portcullis plan`: compares past decisions with those of a new config, and lists the users that gain or lose access.
//! Activates nothing.

mod client;
mod lacking;
mod replay;
mod report;

use super::decisions::{DecisionSource, LoggedDecision, LoggedDecisions, LoggedOutcome};
use super::{say, say_error};
use crate::snapshot::{Depth, Snapshot, load};
use crate::telemetry::Telemetry;
use replay::{ReplayResult, ReplayedDecision, can_be_replayed, replay};
pub(in crate::cli) use report::thousands;
use report::{AccessChange, PlanReport};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis plan`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 no user gains or loses anything, 1 a user does or it cannot be told, 2 the comparison is not possible.\n\n\
    Example:\n  portcullis plan -c gateway.new.toml --audit audit.log audit.log.1"
)]
pub(super) struct Plan {
    /// The config that is to come
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The config that is active, to compare with; without it, what was decided then
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

    fn compare(&self) -> Result<PlanReport, String> {
        let candidate = loaded(&self.config)?;
        let current = self.current.as_deref().map(loaded).transpose()?;
        let has_conditions = candidate.has_conditions
            || current
                .as_ref()
                .is_some_and(|current| current.has_conditions);
        let decisions = self.source.read(
            Some(self.current.as_deref().unwrap_or(&self.config)),
            |decision| {
                // The port never matters, and the address only to conditions.
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

fn compare(
    decisions: &LoggedDecisions,
    candidate: &Snapshot,
    current: Option<&Snapshot>,
) -> PlanReport {
    let mut report = PlanReport::new(decisions, candidate.content.sha256());
    for (decision, occurrences) in &decisions.distinct {
        if !can_be_replayed(decision) {
            report.skipped(occurrences);
            continue;
        }
        let old = match current {
            Some(current) => replay(current, decision, occurrences),
            None => ReplayResult::Decided(ReplayedDecision::recorded(decision)),
        };
        let new = replay(candidate, decision, occurrences);
        let group = match (&old, &new) {
            (ReplayResult::Decided(old), ReplayResult::Decided(new)) => {
                changed(old.outcome, new.outcome)
            }
            _ => Some(AccessChange::Unknown),
        };
        if let Some(group) = group {
            report.add(group, decision, occurrences, old, new);
        }
    }
    report
}

/// The change of access between two outcomes. Shadow mode permits.
fn changed(old: LoggedOutcome, new: LoggedOutcome) -> Option<AccessChange> {
    match (old == LoggedOutcome::Refuse, new == LoggedOutcome::Refuse) {
        (false, true) => Some(AccessChange::Loses),
        (true, false) => Some(AccessChange::Gains),
        _ => None,
    }
}

/// The label of the client in reports: the user, or else a name of the certificate.
fn client_label(decision: &LoggedDecision) -> String {
    let certificate = decision.certificate.as_deref();
    let named = |certificate: &super::decisions::LoggedCertificate| match &certificate.cn {
        Some(cn) => format!("(certificate with cn \"{cn}\")"),
        None => format!("(certificate of {})", certificate.subject),
    };
    match (&decision.user, certificate) {
        (Some(user), _) => user.clone(),
        (None, Some(certificate)) => named(certificate),
        (None, None) => "(no user)".to_owned(),
    }
}
