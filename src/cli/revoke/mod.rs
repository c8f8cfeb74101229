//! `portcullis revoke`: puts a certificate or a user on a deny list, and confirms that it is active in a running gateway.

mod confirm;
mod entry;
mod config_faults;

use super::deny_list_file::LockedList;
use super::{ConfigFlag, admin_listener, as_error, say, say_error};
use crate::clock::{self, rfc3339};
use crate::config::{self, Config, Loaded, Occasion, Sources};
use crate::snapshot::AdminPlace;
use crate::tls::DenyList;
use config_faults::ConfigFaults;
use confirm::{Confirmation, DesiredEntry, GatewayPoll};
use entry::DenyListEntry;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The flags of `portcullis revoke`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").required(true).args(["user", "cn", "serial", "fingerprint", "cert"]))]
#[command(
    after_help = "The entry goes into the `deny_list` of the trust domain, and running gateways that read that \
    file reload it\nby themselves. The command then asks the gateway's admin listener until the entry is active.\n\n\
    Exit codes: 0 active; 1 nothing was written, or it was not active in time; 2 wrong usage;\n\
    3 written, but no gateway could be asked whether it is active.\n\n\
    Examples:\n  portcullis revoke --user my-api-client --reason \"laptop stolen\"\n  \
    portcullis revoke --cert my-api-client.crt\n  \
    portcullis revoke --undo --user my-api-client"
)]
pub(super) struct Revoke {
    #[command(flatten)]
    config: ConfigFlag,
    /// An ApiUser, with all its certificates and credentials
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
    /// The deny list, if the config has none or cannot be read
    #[arg(long, value_name = "FILE")]
    deny_list: Option<PathBuf>,
    /// The reason, as a comment in the list
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Take the entry off the list again
    #[arg(long, conflicts_with = "reason")]
    undo: bool,
    /// How long it may take until it is active
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// The admin listener of the gateway, if it is not that of the config
    #[arg(long, value_name = "unix:PATH|IP:PORT", value_parser = admin_listener::parse)]
    admin: Option<AdminPlace>,
}

/// Exit code if the entry was written, but no gateway could be asked.
const NOT_CONFIRMED: u8 = 3;

/// Whether the file was changed.
enum ListChange {
    Made,
    /// The list had the desired state already.
    None,
}

impl Revoke {
    pub(super) fn run(&self) -> ExitCode {
        match self.revoke() {
            Ok(confirmation) => confirmation.exit_code(),
            Err(message) => {
                say_error(&as_error(&message));
                ExitCode::FAILURE
            }
        }
    }

    fn revoke(&self) -> Result<Confirmation, String> {
        let loaded = config::load(&self.config.config, Occasion::Lenient);
        let faults = ConfigFaults::of(&loaded);
        let target = self
            .target(&loaded)
            .map_err(|message| faults.explain(message))?;
        let entry = self.entry(&loaded.config, &faults)?;
        if let Some(warning) = faults.warning() {
            say_error(&warning);
        }
        let RevocationTarget { domain, list } = target;
        let change = self
            .change(&list, &entry)
            .map_err(|error| format!("{}: {error}", list.display()))?;
        let domain_of_list = domain
            .as_ref()
            .map_or_else(String::new, |name| format!(" (trust domain {name})"));
        let place = format!("on {}{domain_of_list}", list.display());
        match (&change, self.undo) {
            (ListChange::Made, false) => say(&format!("put {place}: {}", entry.line)),
            (ListChange::Made, true) => say(&format!("no longer {place}: {}", entry.line)),
            (ListChange::None, false) => say(&format!("already {place}: {}", entry.line)),
            (ListChange::None, true) => say(&format!("not {place}: {}", entry.line)),
        }
        let place = self.admin_place(&loaded, &faults);
        let gateway = GatewayPoll {
            place,
            domain,
            list,
            timeout: self.timeout,
        };
        let wanted = if self.undo {
            DesiredEntry::Absent
        } else {
            DesiredEntry::Present
        };
        Ok(gateway.confirm(wanted, |list| list.includes(&entry.as_list) != self.undo))
    }

    /// The admin listener of the flag, or else of the config.
    ///
    /// # Errors
    /// A message: why it is unknown.
    fn admin_place(&self, loaded: &Loaded, faults: &ConfigFaults) -> Result<AdminPlace, String> {
        if let Some(place) = &self.admin {
            return Ok(place.clone());
        }
        if let Some(place) = admin_listener::of_config(&loaded.config, &loaded.sources)? {
            return Ok(place);
        }
        let default = AdminPlace::default_in(self.config.config.parent().unwrap_or(Path::new("")));
        match &default {
            AdminPlace::Unix(path) if loaded.config.admin.is_none() && path.exists() => Ok(default),
            _ if loaded.config.admin.is_none() && faults.is_incomplete() => {
                Err("the part of the config that says the admin listener could not be read: name it with --admin"
                    .to_owned())
            }
            _ => {
                Err("the config has no admin listener with a socket or a fixed port: add `[admin]`, or name one with \
                      --admin"
                    .to_owned())
            }
        }
    }

    /// The list of the flag, or else of the selected domain.
    fn target(&self, loaded: &Loaded) -> Result<RevocationTarget, String> {
        let Loaded {
            config, sources, ..
        } = loaded;
        let Some(list) = &self.deny_list else {
            let domain = self.domain(loaded)?;
            return Ok(RevocationTarget {
                list: deny_list(config, sources, domain)?,
                domain: Some(domain.to_owned()),
            });
        };
        let has_list = |domain: &config::TrustDomainTable| {
            let path = domain
                .deny_list
                .as_ref()
                .map(|path| sources.folder(path.place.file).join(&path.value));
            path.is_some_and(|path| is_same_file(&path, list))
        };
        let domain = config
            .trust_domains
            .iter()
            .find(|domain| has_list(domain))
            .map(|domain| domain.name.value.clone());
        Ok(RevocationTarget {
            domain: self.trust_domain.clone().or(domain),
            list: list.clone(),
        })
    }

    /// The selected domain: that of the flag, that of the user, or the only one.
    fn domain<'c>(&'c self, loaded: &'c Loaded) -> Result<&'c str, String> {
        let config = &loaded.config;
        let names: Vec<&str> = config
            .trust_domains
            .iter()
            .map(|domain| domain.name.value.as_str())
            .collect();
        let user = config
            .api_users
            .iter()
            .find(|user| Some(&user.name.value) == self.user.as_ref());
        let of_user = user
            .and_then(|user| user.trust_domain.as_ref())
            .map(|named| named.value.as_str());
        let known = || format!("trust domains: {}", names.join(", "));
        match (self.trust_domain.as_deref().or(of_user), names.as_slice()) {
            (Some(name), _) if names.contains(&name) => Ok(name),
            (Some(name), _) => Err(format!("there is no trust domain \"{name}\"; {}", known())),
            (None, [only]) if !config_faults::may_hide_trust_domain(loaded) => Ok(only),
            (None, []) => Err("no trust domain is in what can be read of the config".to_owned()),
            (None, _) => Err(format!(
                "name the trust domain with --trust-domain; {}",
                known()
            )),
        }
    }

    fn entry(&self, config: &Config, faults: &ConfigFaults) -> Result<DenyListEntry, String> {
        if let Some(reason) = self
            .reason
            .as_ref()
            .filter(|reason| reason.chars().any(char::is_control))
        {
            return Err(format!(
                "the reason {reason:?} must be one line without control characters"
            ));
        }
        match (
            &self.user,
            &self.cn,
            &self.serial,
            &self.fingerprint,
            &self.cert,
        ) {
            // A user removed from the config may still be on the list.
            (Some(name), ..) if self.undo => DenyListEntry::new("user", name),
            (Some(name), ..) => match DenyListEntry::user(name, config) {
                // The user may be in an unreadable part.
                Err(_) if faults.is_incomplete() => {
                    let reason = "the config could not be read completely";
                    say_error(&format!(
                        "warning: api_user \"{name}\" was not found: {reason}"
                    ));
                    DenyListEntry::new("user", name)
                }
                Err(message) if faults.has_errors() => {
                    say_error(&format!("warning: {message}"));
                    DenyListEntry::new("user", name)
                }
                entry => entry,
            },
            (_, Some(name), ..) => DenyListEntry::new("cn", name),
            (_, _, Some(serial), ..) => DenyListEntry::new("serial", serial),
            (_, _, _, Some(fingerprint), _) => DenyListEntry::new("fingerprint", fingerprint),
            (.., Some(file)) => DenyListEntry::certificate(file),
            _ => Err("say who: --user, --cn, --serial, --fingerprint or --cert".to_owned()),
        }
    }

    fn change(&self, path: &Path, entry: &DenyListEntry) -> Result<ListChange, String> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file; make it, empty, before it is in a config".to_owned()
            }
            _ => format!("the deny list cannot be changed: {error}"),
        };
        let file = LockedList::lock(path).map_err(failed)?;
        let before = file.read().map_err(failed)?;
        let (list, errors) = DenyList::parse_usable(&before);
        for (line, reason) in errors {
            let place = format!("line {line} of {}", path.display());
            say_error(&format!(
                "warning: {place}: {reason}; correct it: with it no gateway starts and no config loads"
            ));
        }
        if list.includes(&entry.as_list) != self.undo {
            return Ok(ListChange::None);
        }
        let after = match self.undo {
            true => entry.remove_from(&before),
            false => entry.append_to(
                &before,
                &rfc3339(clock::signed_seconds()),
                self.reason.as_deref(),
            ),
        };
        file.replace(&after).map_err(failed)?;
        Ok(ListChange::Made)
    }
}

/// The deny list to change, and its trust domain if known.
struct RevocationTarget {
    domain: Option<String>,
    list: PathBuf,
}

/// Whether two paths name the same file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other
        || one
            .canonicalize()
            .is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// The deny list of a domain; an error if it has none.
fn deny_list(config: &Config, sources: &Sources, domain: &str) -> Result<PathBuf, String> {
    let table = config
        .trust_domains
        .iter()
        .find(|table| table.name.value == domain);
    let folder = table.map_or(Path::new(""), |table| sources.folder(table.name.place.file));
    let list = table.and_then(|table| table.deny_list.as_ref()).ok_or_else(|| {
        format!(
            "trust domain \"{domain}\" has no deny list: run `touch {}`, write `deny_list = \"denied\"` below \
             `[trust_domain.{domain}]`, and revoke again",
            folder.join("denied").display()
        )
    })?;
    Ok(sources.folder(list.place.file).join(&list.value))
}
