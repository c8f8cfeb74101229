//! Polls a running gateway until its active deny list is the one on disk.

use super::super::{admin_listener, say, say_error};
use super::{NOT_CONFIRMED, is_same_file};
use crate::snapshot::AdminPlace;
use crate::tls::DenyList;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The gateway to poll, and the deny list.
pub(super) struct GatewayPoll {
    /// The admin listener, or a message why it is unknown.
    pub(super) place: Result<AdminPlace, String>,
    /// The trust domain; `None` if only the list is known.
    pub(super) domain: Option<String>,
    pub(super) list: PathBuf,
    pub(super) timeout: Duration,
}

/// The desired state of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DesiredEntry {
    /// On the list.
    Present,
    /// Not on the list.
    Absent,
}

/// The result of the polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// The list on disk is active.
    InForce,
    /// It was not active within the timeout.
    NotInTime,
    /// No gateway could be asked.
    NotConfirmed,
}

impl Confirmation {
    pub(super) fn exit_code(self) -> ExitCode {
        match self {
            Self::InForce => ExitCode::SUCCESS,
            Self::NotInTime => ExitCode::FAILURE,
            Self::NotConfirmed => ExitCode::from(NOT_CONFIRMED),
        }
    }
}

impl GatewayPoll {
    /// Polls until the active list is the one on disk, and `is_wanted` holds for it.
    pub(super) fn confirm(
        &self,
        wanted: DesiredEntry,
        is_wanted: impl Fn(&DenyList) -> bool,
    ) -> Confirmation {
        const POLL_INTERVAL: Duration = Duration::from_millis(100);
        let place = match &self.place {
            Ok(place) => place,
            Err(reason) => {
                say_error(&format!("not confirmed: {reason}"));
                return Confirmation::NotConfirmed;
            }
        };
        let start = Instant::now();
        loop {
            let status = match status(place) {
                Ok(status) => status,
                Err(error) => {
                    say_error(&format!(
                        "not confirmed: the admin listener {place} gives no status: {error}"
                    ));
                    return Confirmation::NotConfirmed;
                }
            };
            let active = self.active_list(&status);
            let loaded = active.and_then(|list| list.get("sha256")?.as_str());
            let retained = active
                .and_then(|list| list.get("retained")?.as_u64())
                .unwrap_or(0);
            // Another program may change the list, so it is read in each round.
            let on_disk = DenyList::load_usable(&self.list)
                .ok()
                .map(|(list, _)| list)
                .filter(&is_wanted);
            let is_read = on_disk.is_some_and(|list| Some(list.sha256().as_str()) == loaded);
            // A removed entry still denies until a config is loaded.
            let still_denies = wanted == DesiredEntry::Absent && is_read && retained > 0;
            if is_read && !still_denies {
                say(&format!("active since {}", version(&status)));
                return Confirmation::InForce;
            }
            if start.elapsed() >= self.timeout {
                say_error(&self.too_late(&status, loaded, still_denies));
                return Confirmation::NotInTime;
            }
            sleep(POLL_INTERVAL);
        }
    }

    /// The status of the deny list: that of the domain, or the one with this file.
    fn active_list<'s>(&self, status: &'s Value) -> Option<&'s Value> {
        let mut domains = status.get("trust_domains")?.as_array()?.iter();
        let matches = |domain: &&Value| match &self.domain {
            Some(name) => domain.get("name").and_then(Value::as_str) == Some(name),
            None => {
                let path = domain.pointer("/deny_list/path").and_then(Value::as_str);
                path.is_some_and(|path| is_same_file(Path::new(path), &self.list))
            }
        };
        domains
            .find(matches)?
            .get("deny_list")
            .filter(|list| !list.is_null())
    }

    fn too_late(&self, status: &Value, loaded: Option<&str>, still_denies: bool) -> String {
        let time = humantime::format_duration(self.timeout);
        let reload_error = status.pointer("/last_reload/error").and_then(Value::as_str);
        let reload_error =
            reload_error.map(|error| format!("its last reload was refused: {error}"));
        if still_denies {
            let why = reload_error.unwrap_or_else(|| "none was loaded since".to_owned());
            return format!(
                "error: written, but it still denies until a config is loaded; after {time}: {why}"
            );
        }
        let why = match (reload_error, loaded, &self.domain) {
            (Some(error), ..) => error,
            (None, None, Some(domain)) => {
                format!("the running gateway has no deny list for trust domain \"{domain}\"")
            }
            (None, None, None) => {
                "no trust domain of the running gateway reads this file".to_owned()
            }
            (None, Some(_), _) => "it uses another list; does it read this file?".to_owned(),
        };
        format!("error: written, but NOT active after {time}: {why}")
    }
}

/// The active generation, with its overlay if there is one.
fn version(status: &Value) -> String {
    let generation = status.get("generation").unwrap_or(&Value::Null);
    match status.get("overlay").and_then(Value::as_u64) {
        Some(overlay @ 1..) => format!("generation {generation}, overlay {overlay}"),
        _ => format!("generation {generation}"),
    }
}

/// `GET /status`.
fn status(place: &AdminPlace) -> Result<Value, String> {
    serde_json::from_str(&admin_listener::get(place, "/status")?)
        .map_err(|_| "its answer is no JSON".to_owned())
}
