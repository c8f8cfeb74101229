//! What files say by now, on top of what a snapshot was loaded with. It only takes away: entries that are gone from a file
//! and serial numbers that a newer list leaves out stay revoked until a load succeeds. Reads nothing.

use super::serials::Serials;
use super::{CrlFile, DenyList, Revocation};
use std::collections::HashMap;

/// What was read again of one trust domain.
#[derive(Debug, Default)]
pub struct RevocationUpdate {
    /// The deny list that the active config names, and those that a rejected one does.
    pub deny_lists: Vec<DenyList>,
    /// Files that the active config names. Newer lists of theirs replace older ones.
    pub crls: Vec<CrlFile>,
    /// Files that only a rejected config names. They revoke; that nothing is revoked they cannot say.
    pub further_crls: Vec<CrlFile>,
}

impl Revocation {
    /// The same with what the files say by now. `None` if that is nothing new.
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
            let nothing = Serials::default();
            let lists = self.newest.get(&key).into_iter().flatten();
            let known: Vec<_> = lists.map(|list| &list.serials).collect();
            // Nearly always one list; with several, what any of them lacks is kept, which costs only memory.
            let known = known.first().copied().unwrap_or(&nothing);
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

    /// How many certificates are revoked only because they were before, or by lists that only a rejected config names.
    pub fn retained_serials(&self) -> usize {
        self.retained.values().map(Serials::len).sum()
    }
}

/// Serial numbers by issuer and scope.
pub(super) type Retained = HashMap<(super::AuthorityKey, super::Scope), Serials>;
