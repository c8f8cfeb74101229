//! Rights that a rejected config removes although it is not activated: ApiUsers that it no longer has, and new
//! revocation sources. Files that cannot be read remove nothing.

use super::{
    ConfigOrigin, RevocationSource, RevocationSourceKind, Snapshot, WithdrawnUsers, parse_end,
};
use crate::config::{Loaded, Place};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The rights that a rejected config removes. The rest of it is ignored.
#[derive(Clone, Debug, Default)]
pub struct RejectedConfig {
    /// Users that are removed or end sooner.
    pub users: WithdrawnUsers,
    /// Revocation sources that the active config does not name.
    pub sources: Vec<RevocationSource>,
}

impl RejectedConfig {
    /// Compares the readable part of a config with the active snapshot.
    pub(super) fn compare(main: &Path, loaded: &Loaded, active: &Snapshot) -> Self {
        let is_main_read = !loaded.unread.iter().any(|path| path == main);
        // A file without any of the active listeners is not a newer state of this config, but another file, or one that
        // was truncated by a full disk.
        let is_newer_state = loaded
            .config
            .listeners
            .iter()
            .any(|table| active.listeners.contains_key(table.name.value.as_str()));
        if is_main_read && !is_newer_state {
            return Self::default();
        }
        Self {
            users: withdrawn_users(loaded, active),
            sources: new_sources(loaded, active),
        }
    }
}

fn withdrawn_users(loaded: &Loaded, active: &Snapshot) -> WithdrawnUsers {
    let remaining: HashMap<&str, _> = loaded
        .config
        .api_users
        .iter()
        .map(|user| (user.name.value.as_str(), user.enabled_until.as_ref()))
        .collect();
    let unread = |place: Place| {
        active
            .places
            .path(place)
            .is_none_or(|path| is_unread(&loaded.unread, path))
    };
    let mut withdrawn = WithdrawnUsers::default();
    for (id, user) in active.users.with_ids() {
        match remaining.get(&*user.name) {
            Some(until) => withdrawn
                .ends
                .extend(until.and_then(|text| Some((id, parse_end(&text.value)?)))),
            None if unread(user.place) => {}
            None => withdrawn.removed.push(id),
        }
    }
    withdrawn
}

/// Whether a file or its folder cannot be read now.
fn is_unread(unread: &[PathBuf], path: &Path) -> bool {
    unread
        .iter()
        .any(|unread| unread == path || path.parent() == Some(unread))
}

fn new_sources(loaded: &Loaded, active: &Snapshot) -> Vec<RevocationSource> {
    let mut sources = Vec::new();
    for table in &loaded.config.trust_domains {
        let Some(domain) = active
            .trust_domains
            .iter()
            .find(|domain| *domain.name == *table.name.value)
        else {
            continue;
        };
        let deny_lists = table
            .deny_list
            .iter()
            .map(|path| (RevocationSourceKind::DenyList, path));
        let crls = table
            .crls
            .iter()
            .map(|path| (RevocationSourceKind::Crls, path));
        for (kind, path) in deny_lists.chain(crls) {
            let path = loaded.sources.folder(path.place.file).join(&path.value);
            let is_known =
                |source: &RevocationSource| source.domain == domain.id && source.path == path;
            if !active.revocation_sources.iter().any(is_known) {
                sources.push(RevocationSource {
                    domain: domain.id,
                    kind,
                    path,
                    origin: ConfigOrigin::Rejected,
                });
            }
        }
    }
    sources
}
