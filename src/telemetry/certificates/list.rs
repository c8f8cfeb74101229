//! The list of known client certificates by expiry, and of users that were warned about today.
//! Bounded; uses no clock, lock or log: the caller passes the time.

use super::{CertificateSighting, Urgency};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

const DAY: i64 = 24 * 3600;
/// Seconds after which an unused certificate is removed.
const FORGOTTEN_AFTER: i64 = 30 * DAY;
/// Seconds after which an unused replaced certificate is removed.
const REPLACED_FORGOTTEN_AFTER: i64 = DAY;
/// Seconds between two sweeps, since each goes through the whole list.
const BETWEEN_SWEEPS: i64 = 60;

/// A certificate of the list.
#[derive(Clone, Debug)]
pub struct SeenCertificate {
    /// The latest sighting.
    pub sighting: CertificateSighting,
    /// The fingerprint of a newer certificate of the same user, if there is one.
    pub replaced_by: Option<Arc<str>>,
}

/// Whether a sighting is to be logged as a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Warning {
    Due,
    NotDue,
}

/// Sort key. When the list is full, the greatest one is removed: replaced certificates first, then
/// those that expire last.
type Rank = (Usage, i64, Arc<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Usage {
    InUse,
    Replaced,
}

/// The list. All times are seconds since 1970.
pub(super) struct CertificateList {
    capacity: usize,
    by_fingerprint: HashMap<Arc<str>, SeenCertificate>,
    by_rank: BTreeSet<Rank>,
    by_user: BTreeSet<(Arc<str>, Arc<str>)>,
    /// When each user was last warned about. Holds at most the users of the configs of one day.
    warned: HashMap<Arc<str>, i64>,
    swept: i64,
}

impl CertificateList {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            by_fingerprint: HashMap::new(),
            by_rank: BTreeSet::new(),
            by_user: BTreeSet::new(),
            warned: HashMap::new(),
            swept: 0,
        }
    }

    /// Adds a sighting.
    pub(super) fn add(&mut self, sighting: CertificateSighting) -> Warning {
        let now = sighting.seen;
        if (now - self.swept).abs() >= BETWEEN_SWEEPS {
            self.forget(now);
        }
        let warning = self.warning(&sighting);
        self.replace_older(&sighting);
        self.remove(&sighting.fingerprint.clone());
        self.insert(SeenCertificate {
            sighting,
            replaced_by: None,
        });
        if self.by_fingerprint.len() > self.capacity
            && let Some((_, _, last)) = self.by_rank.last().cloned()
        {
            self.remove(&last);
        }
        warning
    }

    /// Returns up to `count` certificates that expire first, soonest first, and the number of known
    /// ones.
    pub(super) fn soonest(&mut self, count: usize, now: i64) -> (Vec<SeenCertificate>, usize) {
        self.forget(now);
        let mut all: Vec<&SeenCertificate> = self.by_fingerprint.values().collect();
        all.sort_unstable_by_key(|seen| (seen.sighting.not_after, &seen.sighting.fingerprint));
        (
            all.into_iter().take(count).cloned().collect(),
            self.by_fingerprint.len(),
        )
    }

    /// Due once per user and day; a clock that was set back a day counts as a new day.
    fn warning(&mut self, sighting: &CertificateSighting) -> Warning {
        let Some(user) = sighting
            .user
            .as_ref()
            .filter(|_| sighting.urgency == Urgency::Soon)
        else {
            return Warning::NotDue;
        };
        if self
            .warned
            .get(user)
            .is_some_and(|last| (sighting.seen - last).abs() < DAY)
        {
            return Warning::NotDue;
        }
        self.warned.insert(user.clone(), sighting.seen);
        Warning::Due
    }

    /// Marks the user's other certificates that expire sooner as replaced. A new sighting removes
    /// the mark.
    fn replace_older(&mut self, newer: &CertificateSighting) {
        let Some(user) = &newer.user else { return };
        let first = (user.clone(), Arc::from(""));
        let of_user = self.by_user.range(first..).take_while(|(of, _)| of == user);
        let fingerprints: Vec<_> = of_user
            .map(|(_, fingerprint)| fingerprint.clone())
            .collect();
        for fingerprint in fingerprints {
            let known = self.by_fingerprint.get(&fingerprint);
            if known.is_none_or(|known| {
                known.replaced_by.is_some() || known.sighting.not_after >= newer.not_after
            }) {
                continue;
            }
            if let Some(mut known) = self.remove(&fingerprint) {
                known.replaced_by = Some(newer.fingerprint.clone());
                self.insert(known);
            }
        }
    }

    fn forget(&mut self, now: i64) {
        self.swept = now;
        self.warned.retain(|_, last| (now - *last).abs() < DAY);
        let is_over = |seen: &SeenCertificate| {
            let unseen = now - seen.sighting.seen;
            let replaced = seen.replaced_by.is_some();
            unseen >= FORGOTTEN_AFTER
                || replaced && (unseen >= REPLACED_FORGOTTEN_AFTER || seen.sighting.not_after < now)
        };
        let over = self.by_fingerprint.iter().filter(|(_, seen)| is_over(seen));
        let over: Vec<_> = over.map(|(fingerprint, _)| fingerprint.clone()).collect();
        for fingerprint in over {
            self.remove(&fingerprint);
        }
    }

    fn insert(&mut self, seen: SeenCertificate) {
        self.by_rank.insert(rank(&seen));
        self.by_user.extend(of_user(&seen));
        self.by_fingerprint
            .insert(seen.sighting.fingerprint.clone(), seen);
    }

    fn remove(&mut self, fingerprint: &str) -> Option<SeenCertificate> {
        let seen = self.by_fingerprint.remove(fingerprint)?;
        self.by_rank.remove(&rank(&seen));
        if let Some(key) = of_user(&seen) {
            self.by_user.remove(&key);
        }
        Some(seen)
    }
}

fn rank(seen: &SeenCertificate) -> Rank {
    let usage = if seen.replaced_by.is_some() {
        Usage::Replaced
    } else {
        Usage::InUse
    };
    (
        usage,
        seen.sighting.not_after,
        seen.sighting.fingerprint.clone(),
    )
}

fn of_user(seen: &SeenCertificate) -> Option<(Arc<str>, Arc<str>)> {
    Some((
        seen.sighting.user.clone()?,
        seen.sighting.fingerprint.clone(),
    ))
}

#[cfg(test)]
mod tests;
