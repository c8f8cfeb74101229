//! Asks a running gateway until it has a deny list in force as it is on disk. Changes nothing.

use super::super::{admin_listener, say, say_error};
use super::NOT_CONFIRMED;
use crate::snapshot::AdminPlace;
use crate::tls::DenyList;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Whom to ask about what.
pub(super) struct Gateway {
    /// The admin listener; `None` if nobody knows it.
    pub(super) place: Option<AdminPlace>,
    pub(super) domain: String,
    pub(super) list: PathBuf,
    pub(super) timeout: Duration,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    InForce,
    NotInTime,
    /// Nobody could be asked.
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

impl Gateway {
    /// Waits until the list that is in force is the one on disk, and says what is wanted.
    pub(super) fn confirm(&self, is_wanted: impl Fn(&DenyList) -> bool) -> Confirmation {
        const PAUSE: Duration = Duration::from_millis(100);
        let Some(place) = &self.place else {
            say_error(
                "not confirmed: the config has no admin listener with a socket or a fixed port: add `[admin]`, or name one \
                 with --admin",
            );
            return Confirmation::NotConfirmed;
        };
        let began = Instant::now();
        loop {
            let status = match status(place) {
                Ok(status) => status,
                Err(error) => {
                    say_error(&format!("not confirmed: the admin listener {place} gives no status: {error}"));
                    return Confirmation::NotConfirmed;
                }
            };
            let loaded = self.loaded_digest(&status);
            // Others may change the list meanwhile, so it is read each time.
            let on_disk = DenyList::load(&self.list).ok().filter(&is_wanted);
            if on_disk.is_some_and(|list| Some(list.sha256().as_str()) == loaded) {
                say(&format!("in force since generation {}", status.get("generation").unwrap_or(&Value::Null)));
                return Confirmation::InForce;
            }
            if began.elapsed() >= self.timeout {
                say_error(&self.too_late(&status, loaded));
                return Confirmation::NotInTime;
            }
            sleep(PAUSE);
        }
    }

    fn loaded_digest<'s>(&self, status: &'s Value) -> Option<&'s str> {
        let mut domains = status.get("trust_domains")?.as_array()?.iter();
        let domain = domains.find(|domain| domain.get("name").and_then(Value::as_str) == Some(&*self.domain))?;
        domain.pointer("/deny_list/sha256")?.as_str()
    }

    fn too_late(&self, status: &Value, loaded: Option<&str>) -> String {
        let time = humantime::format_duration(self.timeout);
        let why = match (status.pointer("/last_reload/error").and_then(Value::as_str), loaded) {
            (Some(error), _) => format!("its last reload was refused: {error}"),
            (None, None) => format!("the running gateway has no deny list for trust domain \"{}\"", self.domain),
            (None, Some(_)) => "it has another list in force; does it read this file?".to_owned(),
        };
        format!("error: written, but NOT in force after {time}: {why}")
    }
}

/// `GET /status`.
fn status(place: &AdminPlace) -> Result<Value, String> {
    serde_json::from_str(&admin_listener::get(place, "/status")?).map_err(|_| "its answer is no JSON".to_owned())
}
