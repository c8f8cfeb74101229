//! `portcullis learn`: the smallest permissions that grant each user what it was seen to do, as TOML to copy. Changes no
//! config.

mod permissions;
mod report;

use super::decisions::{Decision, DecisionSource, Decisions, Outcome};
use super::{say, say_error};
use crate::snapshot::{Depth, load};
use crate::telemetry::Telemetry;
use permissions::{Need, Needed};
use report::{Config, report};
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
    /// Also say which permissions of this config nobody has used
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only of this ApiUser; may be said several times
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// A segment of a path that takes so many values becomes a wildcard; 2 are enough where the route has a capture
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..))]
    threshold: u32,
    /// Without what was let through on trial only
    #[arg(long)]
    without_shadow: bool,
}

/// Exit code for what cannot be done.
const CANNOT: u8 = 2;

/// By user.
type Needs = BTreeMap<String, BTreeMap<Need, Needed>>;

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
            Some(outcome) => Some(Config {
                snapshot: outcome.snapshot.as_ref().ok_or_else(|| outcome.report())?,
                outcome,
            }),
            None => None,
        };
        let decisions = self.source.read(self.config.as_deref(), |decision| {
            // Nothing else makes what somebody needs another thing.
            (decision.client, decision.certificate, decision.permission) = (None, None, None);
            (decision.server_name, decision.host, decision.path_sent) = (None, None, None);
            (decision.trust_domain, decision.role, decision.query) = (None, None, None);
            (
                decision.preset,
                decision.authorizer,
                decision.authorizer_says,
            ) = (None, None, None);
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

    fn needs(&self, decisions: &Decisions) -> Needs {
        let mut needs = Needs::new();
        for (decision, seen) in &decisions.distinct {
            let (Some(user), Some(requirement)) = (&decision.user, &decision.requirement) else {
                continue;
            };
            if !self.counts(decision) || !(self.user.is_empty() || self.user.contains(user)) {
                continue;
            }
            let on_trial = if decision.decision == Outcome::Shadow {
                seen.count
            } else {
                0
            };
            for need in Need::all_of(requirement) {
                let captures = captures(decision.route.as_deref().unwrap_or_default());
                let needed = Needed {
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

    fn counts(&self, decision: &Decision) -> bool {
        let is_granted = match decision.decision {
            Outcome::Permit => true,
            Outcome::Shadow => !self.without_shadow,
            Outcome::Refuse => false,
        };
        // A public route needs no permission.
        is_granted && decision.reason != "public_route"
    }
}

impl Needed {
    fn add(&mut self, other: &Self) {
        self.seen.add(&other.seen);
        self.on_trial += other.on_trial;
        // Where one route has a capture and another has none, there is none.
        self.captures = self
            .captures
            .intersection(&other.captures)
            .copied()
            .collect();
    }
}

/// Which segments of a route's path are captures; its name begins with its host, if it has one.
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
