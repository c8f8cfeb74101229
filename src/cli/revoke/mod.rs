//! `portcullis revoke`: puts a certificate or a user on a deny list, and says when a running gateway has it in force.
//! Judges no certificate.

mod confirm;
mod entry;

use super::deny_list_file::LockedList;
use super::{ConfigFlag, admin_listener, say, say_error};
use crate::clock;
use crate::config::{self, Config, Readable, Sources};
use crate::snapshot::AdminPlace;
use crate::tls::{DenyList, rfc3339};
use confirm::{Confirmation, Gateway};
use entry::Entry;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The flags of `portcullis revoke`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").required(true).args(["user", "cn", "serial", "fingerprint", "cert"]))]
#[command(after_help = "The entry goes into the `deny_list` of the trust domain, and running gateways that read that \
    file reload it\nby themselves. The command then asks the gateway's admin listener until the entry is in force.\n\n\
    Exit codes: 0 in force; 1 nothing was written, or it was not in force in time; 2 wrong usage;\n\
    3 written, but no gateway could be asked whether it is in force.\n\n\
    Examples:\n  portcullis revoke --user my-api-client --reason \"laptop stolen\"\n  \
    portcullis revoke --cert my-api-client.crt\n  \
    portcullis revoke --undo --user my-api-client")]
pub(super) struct Revoke {
    #[command(flatten)]
    config: ConfigFlag,
    /// An ApiUser, whatever certificate or credential it comes with
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All certificates with this common name
    #[arg(long, value_name = "CN")]
    cn: Option<String>,
    /// All certificates with this serial number, also of CAs
    #[arg(long, value_name = "HEX")]
    serial: Option<String>,
    /// The certificate with this SHA-256
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// This certificate (PEM; the first in the file), by its SHA-256
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The trust domain, if there are several
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// Why, for those who read the list
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Take the entry off the list again
    #[arg(long, conflicts_with = "reason")]
    undo: bool,
    /// How long it may take until it is in force
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// The admin listener of the gateway, if it is another than the config says
    #[arg(long, value_name = "unix:PATH|IP:PORT", value_parser = admin_listener::parse)]
    admin: Option<AdminPlace>,
}

/// Exit code of what was written, while nobody could say whether it is in force.
const NOT_CONFIRMED: u8 = 3;

/// What became of the file.
enum Change {
    Made,
    /// The list says so already.
    None,
}

impl Revoke {
    pub(super) fn run(&self) -> ExitCode {
        match self.revoke() {
            Ok(confirmation) => confirmation.exit_code(),
            Err(message) => {
                say_error(&format!("error: {message}"));
                ExitCode::FAILURE
            }
        }
    }

    fn revoke(&self) -> Result<Confirmation, String> {
        let loaded = config::load(&self.config.config, config::Occasion::First);
        if loaded.readable == Readable::No {
            return Err(config::render(&loaded.problems.into_sorted(), &loaded.sources));
        }
        let (config, sources) = (loaded.config, loaded.sources);
        let domain = self.domain(&config)?;
        let entry = self.entry(&config)?;
        let path = deny_list(&config, &sources, domain)?;
        let change = self.change(&path, &entry).map_err(|error| format!("{}: {error}", path.display()))?;
        let place = format!("on {} (trust domain {domain})", path.display());
        match (&change, self.undo) {
            (Change::Made, false) => say(&format!("put {place}: {}", entry.line)),
            (Change::Made, true) => say(&format!("no longer {place}: {}", entry.line)),
            (Change::None, false) => say(&format!("already {place}: {}", entry.line)),
            (Change::None, true) => say(&format!("not {place}: {}", entry.line)),
        }
        let place = match &self.admin {
            Some(place) => Some(place.clone()),
            None => admin_listener::of_config(&config, &sources)?,
        };
        let gateway = Gateway { place, domain: domain.to_owned(), list: path, timeout: self.timeout };
        Ok(gateway.confirm(|list| list.includes(&entry.as_list) != self.undo))
    }

    /// The domain that is meant: the one named, the user's, or the only one there is.
    fn domain<'c>(&'c self, config: &'c Config) -> Result<&'c str, String> {
        let names: Vec<&str> = config.trust_domains.iter().map(|domain| domain.name.value.as_str()).collect();
        let user = config.api_users.iter().find(|user| Some(&user.name.value) == self.user.as_ref());
        let of_user = user.and_then(|user| user.trust_domain.as_ref()).map(|named| named.value.as_str());
        let known = || format!("trust domains: {}", names.join(", "));
        match (self.trust_domain.as_deref().or(of_user), names.as_slice()) {
            (Some(name), _) if names.contains(&name) => Ok(name),
            (Some(name), _) => Err(format!("there is no trust domain \"{name}\"; {}", known())),
            (None, [only]) => Ok(only),
            (None, []) => Err("the config has no trust domain, so nobody has a certificate that counts".to_owned()),
            (None, _) => Err(format!("say which is meant with --trust-domain; {}", known())),
        }
    }

    fn entry(&self, config: &Config) -> Result<Entry, String> {
        if let Some(reason) = self.reason.as_ref().filter(|reason| reason.chars().any(char::is_control)) {
            return Err(format!("the reason {reason:?} must be one line without control characters"));
        }
        match (&self.user, &self.cn, &self.serial, &self.fingerprint, &self.cert) {
            // Whoever is no user any more may still be on the list.
            (Some(name), ..) if self.undo => Entry::new("user", name),
            (Some(name), ..) => Entry::user(name, config),
            (_, Some(name), ..) => Entry::new("cn", name),
            (_, _, Some(serial), ..) => Entry::new("serial", serial),
            (_, _, _, Some(fingerprint), _) => Entry::new("fingerprint", fingerprint),
            (.., Some(file)) => Entry::certificate(file),
            _ => Err("say who: --user, --cn, --serial, --fingerprint or --cert".to_owned()),
        }
    }

    fn change(&self, path: &Path, entry: &Entry) -> Result<Change, String> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file; make it, empty, before it is in a config".to_owned()
            }
            _ => format!("the deny list cannot be changed: {error}"),
        };
        let file = LockedList::lock(path).map_err(failed)?;
        let before = file.read().map_err(failed)?;
        let list = DenyList::parse(&before)
            .map_err(|(line, reason)| format!("line {line}: {reason}; correct it first, since no gateway takes it"))?;
        if list.includes(&entry.as_list) != self.undo {
            return Ok(Change::None);
        }
        let after = match self.undo {
            true => entry.taken_from(&before),
            false => entry.put_on(&before, &rfc3339(clock::signed_seconds()), self.reason.as_deref()),
        };
        file.replace(&after).map_err(failed)?;
        Ok(Change::Made)
    }
}

/// The file of a domain, which must have one.
fn deny_list(config: &Config, sources: &Sources, domain: &str) -> Result<PathBuf, String> {
    let said = config.trust_domains.iter().find(|said| said.name.value == domain);
    let list = said.and_then(|said| said.deny_list.as_ref()).ok_or_else(|| {
        format!(
            "trust domain \"{domain}\" has no deny list: make an empty file, and write `deny_list = \"FILE\"` under \
             [trust_domain.{domain}]"
        )
    })?;
    Ok(sources.folder(list.place.file).join(&list.value))
}
