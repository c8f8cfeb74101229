//! What a config that is rejected takes away all the same: ApiUsers that it has no more, and files that revoke. Nothing
//! else of it counts, and what cannot be read takes nothing away.

use super::{NamedBy, RevocationSource, RevocationSourceKind, Snapshot, WithdrawnUsers, parse_end};
use crate::config::{Loaded, Place};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct RejectedConfig {
    /// Users that are gone, or end sooner.
    pub users: WithdrawnUsers,
    /// Files that revoke and that the active config does not name.
    pub sources: Vec<RevocationSource>,
}

impl RejectedConfig {
    /// Compares what a config says, as far as it could be read, with the active snapshot.
    pub(super) fn compare(main: &Path, loaded: &Loaded, active: &Snapshot) -> Self {
        let is_main_read = !loaded.unread.iter().any(|path| path == main);
        // A file that names none of the active listeners is another one (a disk that was full, the wrong file), and not
        // a newer state of this config.
        let is_newer_state = loaded
            .config
            .listeners
            .iter()
            .any(|said| active.listeners.contains_key(said.name.value.as_str()));
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
    let said: HashMap<&str, _> = loaded
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
        match said.get(&*user.name) {
            Some(until) => withdrawn
                .ends
                .extend(until.and_then(|text| Some((id, parse_end(&text.value)?)))),
            None if unread(user.place) => {}
            None => withdrawn.removed.push(id),
        }
    }
    withdrawn
}

/// Whether a file cannot be read now, or is in a folder that cannot.
fn is_unread(unread: &[PathBuf], path: &Path) -> bool {
    unread
        .iter()
        .any(|unread| unread == path || path.parent() == Some(unread))
}

fn new_sources(loaded: &Loaded, active: &Snapshot) -> Vec<RevocationSource> {
    let mut sources = Vec::new();
    for said in &loaded.config.trust_domains {
        let Some(domain) = active
            .trust_domains
            .iter()
            .find(|domain| *domain.name == *said.name.value)
        else {
            continue;
        };
        let deny_lists = said
            .deny_list
            .iter()
            .map(|path| (RevocationSourceKind::DenyList, path));
        let crls = said
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
                    named_by: NamedBy::Rejected,
                });
            }
        }
    }
    sources
}
