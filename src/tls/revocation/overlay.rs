//! Updates of revocation data from changed files between loads. An update only adds revocations: entries removed from a
//! file and serial numbers missing in a newer list stay revoked until a load succeeds. Reads nothing.

use super::serials::Serials;
use super::{CrlFile, DenyList, Revocation};
use std::collections::HashMap;

/// Newly read revocation data of one trust domain.
#[derive(Debug, Default)]
pub struct RevocationUpdate {
    /// The deny list of the active config, and those of a rejected config.
    pub deny_lists: Vec<DenyList>,
    /// Files of the active config. Their newer lists replace older ones.
    pub crls: Vec<CrlFile>,
    /// Files that only a rejected config names. Their entries revoke, but their lists do not count as the list that an
    /// issuer needs.
    pub further_crls: Vec<CrlFile>,
}

impl Revocation {
    /// The revocation data with the update applied; `None` if nothing changes.
    pub fn updated(&self, update: &RevocationUpdate) -> Option<Self> {
        let mut updated = self.clone();
        let mut is_new = false;
        for list in &update.deny_lists {
            is_new |= updated.denied.add_all(list);
        }
        for file in &update.crls {
            is_new |= updated.replace_older(file);
        }
        for file in &update.further_crls {
            is_new |= updated.revoke_all(file);
        }
        is_new.then_some(updated)
    }

    fn replace_older(&mut self, file: &CrlFile) -> bool {
        let mut is_new = false;
        for crl in &file.content.crls {
            let key = (crl.issuer, crl.scope);
            let same = self.newest.entry(key).or_default();
            if same.iter().any(|other| other.replaces(crl)) {
                continue;
            }
            let (older, rest): (Vec<_>, Vec<_>) =
                same.drain(..).partition(|other| crl.replaces(other));
            *same = rest;
            same.push(crl.clone());
            for older in older {
                self.retained
                    .entry(key)
                    .or_default()
                    .add_all(&older.serials, &crl.serials);
            }
            is_new = true;
        }
        self.retained.retain(|_, serials| serials.len() > 0);
        if is_new {
            match self.files.iter_mut().find(|known| known.path == file.path) {
                Some(known) => *known = file.clone(),
                None => self.files.push(file.clone()),
            }
        }
        is_new
    }

    fn revoke_all(&mut self, file: &CrlFile) -> bool {
        let mut is_new = false;
        for crl in &file.content.crls {
            let key = (crl.issuer, crl.scope);
            let no_serials = Serials::default();
            // Nearly always one list. With several, serials of the others are stored again, which only costs memory.
            let first = self.newest.get(&key).and_then(|lists| lists.first());
            let known = first.map_or(&no_serials, |list| &list.serials);
            let mut retained = self.retained.remove(&key).unwrap_or_default();
            let before = retained.len();
            retained.add_all(&crl.serials, known);
            is_new |= retained.len() > before;
            if retained.len() > 0 {
                self.retained.insert(key, retained);
            }
        }
        is_new
    }

    /// Number of certificates that are revoked only by an earlier state, or by lists that only a rejected config names.
    pub fn retained_serials(&self) -> usize {
        self.retained.values().map(Serials::len).sum()
    }
}

/// Serial numbers that stay revoked, by issuer and scope.
pub(super) type RetainedSerials = HashMap<(super::AuthorityKey, super::CrlScope), Serials>;
