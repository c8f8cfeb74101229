//! `portcullis learn`: prints the smallest permissions that grant each user its past requests, as TOML to copy.

mod permissions;
mod report;

use super::decisions::{DecisionSource, LoggedDecision, LoggedDecisions, LoggedOutcome};
use super::{say, say_error};
use crate::reason::{DecisionReason, GrantReason};
use crate::snapshot::{Depth, load};
use crate::telemetry::Telemetry;
use permissions::{LearnedNeed, NeedUse};
use report::{CurrentConfig, report};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis learn`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 2 it cannot be done.\n\n\
    Example:\n  portcullis learn --audit audit.log audit.log.1 \\\n    \
        -c gateway.toml --user my-api-client")]
pub(super) struct Learn {
    #[command(flatten)]
    source: DecisionSource,
    /// Also list the permissions of this config that were not used
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only this ApiUser; may be repeated
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// A segment of a path that takes so many values becomes a wildcard; 2 are enough where the route has a capture
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..))]
    threshold: u32,
    /// Without requests that only shadow mode permitted
    #[arg(long)]
    without_shadow: bool,
}

/// Exit code for an error.
const CANNOT: u8 = 2;

/// The needs by user.
type UserNeeds = BTreeMap<String, BTreeMap<LearnedNeed, NeedUse>>;

impl Learn {
    pub(super) fn run(&self) -> ExitCode {
        match self.learn() {
            Ok(text) => {
                say(&text);
                ExitCode::SUCCESS
            }
            Err(message) => {
                say_error(&message);
                ExitCode::from(CANNOT)
            }
        }
    }

    fn learn(&self) -> Result<String, String> {
        let outcome = self
            .config
            .as_deref()
            .map(|config| load(config, None, &Arc::new(Telemetry::default()), Depth::Errors));
        let config = match &outcome {
            Some(outcome) => Some(CurrentConfig {
                snapshot: outcome.snapshot.as_ref().ok_or_else(|| outcome.report())?,
                outcome,
            }),
            None => None,
        };
        let decisions = self.source.read(self.config.as_deref(), |decision| {
            // These fields do not affect the needs.
            decision.client = None;
            decision.certificate = None;
            decision.permission = None;
            decision.server_name = None;
            decision.host = None;
            decision.path_sent = None;
            decision.trust_domain = None;
            decision.role = None;
            decision.query = None;
            decision.preset = None;
            decision.authorizer = None;
            decision.authorizer_says = None;
            let texts = [
                &mut decision.listener,
                &mut decision.method_sent,
                &mut decision.method,
                &mut decision.path,
            ];
            texts.into_iter().for_each(String::clear);
        });
        let decisions = decisions.map_err(|error| format!("error: {error}"))?;
        let threshold = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        Ok(report(
            &decisions,
            &self.needs(&decisions),
            threshold,
            config.as_ref(),
        ))
    }

    fn needs(&self, decisions: &LoggedDecisions) -> UserNeeds {
        let mut needs = UserNeeds::new();
        for (decision, seen) in &decisions.distinct {
            let (Some(user), Some(requirement)) = (&decision.user, &decision.requirement) else {
                continue;
            };
            if !self.is_granted(decision) || !(self.user.is_empty() || self.user.contains(user)) {
                continue;
            }
            let on_trial = if decision.decision == LoggedOutcome::Shadow {
                seen.count
            } else {
                0
            };
            for need in LearnedNeed::all_of(requirement) {
                let captures = captures(decision.route.as_deref().unwrap_or_default());
                let needed = NeedUse {
                    seen: seen.clone(),
                    on_trial,
                    captures,
                };
                let all = needs.entry(user.clone()).or_default();
                all.entry(need)
                    .and_modify(|known| known.add(&needed))
                    .or_insert(needed);
            }
        }
        needs
    }

    fn is_granted(&self, decision: &LoggedDecision) -> bool {
        let is_permitted = match decision.decision {
            LoggedOutcome::Permit => true,
            LoggedOutcome::Shadow => !self.without_shadow,
            LoggedOutcome::Refuse => false,
        };
        // A public route needs no permission.
        let is_public = DecisionReason::Granted(GrantReason::PublicRoute);
        is_permitted && DecisionReason::from_word(&decision.reason) != Some(is_public)
    }
}

impl NeedUse {
    fn add(&mut self, other: &Self) {
        self.seen.add(&other.seen);
        self.on_trial += other.on_trial;
        // Only segments that are captures in all routes.
        self.captures = self
            .captures
            .intersection(&other.captures)
            .copied()
            .collect();
    }
}

/// The indexes of the captures among the path segments of a route. The route name may begin with a host.
fn captures(route: &str) -> BTreeSet<usize> {
    let path = route
        .find('/')
        .and_then(|at| route.get(at..))
        .unwrap_or_default();
    let is_capture = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
    path.split('/')
        .skip(1)
        .enumerate()
        .filter(|(_, segment)| is_capture(segment))
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_found_behind_the_host() {
        assert_eq!(captures("/v1/{type}/x/{name}"), BTreeSet::from([1, 3]));
        assert_eq!(captures("*.example.org/{a}"), BTreeSet::from([0]));
        assert!(captures("-").is_empty() && captures("/").is_empty());
    }
}
