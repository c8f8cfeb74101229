//! Past decisions, from files of the audit log or from a running gateway: parsed strictly, and deduplicated with count and
//! time span.

mod read;

use super::admin_listener;
use crate::config::{self, Occasion};
use crate::snapshot::AdminPlace;
use read::DecisionReader;
use serde::{Deserialize, Deserializer};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The source of decisions.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct DecisionSource {
    /// Files of the audit log, rotated ones too, in any order
    #[arg(long, value_name = "FILE", num_args = 1..)]
    audit: Vec<PathBuf>,
    /// Ask the admin listener of a running gateway, which needs `recent_decisions`; without a value, where the config says
    #[arg(long, value_name = "unix:PATH|IP:PORT", num_args = 0..=1, default_missing_value = "")]
    live: Option<String>,
}

/// One decision of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub(super) struct LoggedDecision {
    pub(super) listener: String,
    pub(super) client: Option<SocketAddr>,
    pub(super) server_name: Option<String>,
    pub(super) host: Option<String>,
    pub(super) method_sent: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) path_sent: Option<String>,
    pub(super) query: Option<String>,
    pub(super) user: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) forwarded_by: Option<String>,
    pub(super) trust_domain: Option<String>,
    #[serde(default, deserialize_with = "shared")]
    pub(super) certificate: Option<Rc<LoggedCertificate>>,
    pub(super) route: Option<String>,
    pub(super) preset: Option<String>,
    pub(super) requirement: Option<String>,
    pub(super) permission: Option<String>,
    pub(super) role: Option<String>,
    pub(super) authorizer: Option<String>,
    pub(super) authorizer_says: Option<String>,
    pub(super) decision: LoggedOutcome,
    pub(super) reason: String,
}

fn shared<'d, D: Deserializer<'d>>(
    deserializer: D,
) -> Result<Option<Rc<LoggedCertificate>>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(Rc::new))
}

/// The result of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LoggedOutcome {
    Permit,
    /// Forwarded in shadow mode; enforcement would have denied it.
    Shadow,
    Refuse,
}

/// A certificate in the log. One without a fingerprint was rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(super) struct LoggedCertificate {
    pub(super) cn: Option<String>,
    pub(super) dns: Vec<Box<str>>,
    pub(super) uris: Vec<Box<str>>,
    pub(super) emails: Vec<Box<str>>,
    pub(super) o: Vec<Box<str>>,
    pub(super) ou: Vec<Box<str>>,
    pub(super) other_names: Vec<Box<str>>,
    pub(super) unusable: Vec<String>,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) serial: String,
    pub(super) fingerprint: Option<String>,
    pub(super) spki: String,
    pub(super) not_before: Option<String>,
    pub(super) not_after: Option<String>,
}

/// The count and the time span of equal decisions. Times are RFC 3339 in UTC, so they sort as texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Occurrences {
    pub(super) count: u64,
    pub(super) first: String,
    pub(super) last: String,
}

impl Occurrences {
    pub(super) fn once(time: &str) -> Self {
        Self {
            count: 1,
            first: time.to_owned(),
            last: time.to_owned(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        if other.first < self.first {
            self.first.clone_from(&other.first);
        }
        if other.last > self.last {
            self.last.clone_from(&other.last);
        }
    }

    /// Adds `seen` to the entry of `key`, or inserts it.
    pub(super) fn count_in<K: Eq + Hash>(all: &mut HashMap<K, Self>, key: K, seen: &Self) {
        match all.get_mut(&key) {
            Some(known) => known.add(seen),
            None => drop(all.insert(key, seen.clone())),
        }
    }
}

/// The distinct decisions.
#[derive(Debug, Default)]
pub(super) struct LoggedDecisions {
    pub(super) distinct: HashMap<LoggedDecision, Occurrences>,
    /// Notes about the source, such as skipped lines.
    pub(super) notes: Vec<String>,
}

impl LoggedDecisions {
    /// The sum over all decisions.
    pub(super) fn seen(&self) -> Option<Occurrences> {
        self.distinct.values().cloned().reduce(|mut all, one| {
            all.add(&one);
            all
        })
    }
}

impl DecisionSource {
    /// Reads all decisions. `keep` clears irrelevant fields of each before the deduplication.
    ///
    /// # Errors
    /// A message with file, line and remedy.
    pub(super) fn read(
        &self,
        config: Option<&Path>,
        keep: impl FnMut(&mut LoggedDecision),
    ) -> Result<LoggedDecisions, String> {
        let mut reader = DecisionReader::new(keep);
        match &self.live {
            Some(address) => {
                let place = place_of(address, config)?;
                let lines = admin_listener::get(&place, "/decisions").map_err(|error| {
                    format!("the admin listener {place} gives no decisions: {error}")
                })?;
                reader.read(&format!("/decisions of {place}"), &mut lines.as_bytes())?;
            }
            None => reader.read_files(&self.audit)?,
        }
        Ok(reader.finish())
    }
}

/// The admin listener of the flag, or else of the config.
fn place_of(flag: &str, config: Option<&Path>) -> Result<AdminPlace, String> {
    if !flag.is_empty() {
        return admin_listener::parse(flag);
    }
    let file = config.ok_or(
        "name the admin listener with --live unix:PATH or --live IP:PORT, or the config with -c",
    )?;
    let loaded = config::load(file, Occasion::First);
    admin_listener::of_config(&loaded.config, &loaded.sources)?.ok_or_else(|| {
        format!(
            "{} has no admin listener with a socket or a fixed port: name one with --live unix:PATH",
            file.display()
        )
    })
}
