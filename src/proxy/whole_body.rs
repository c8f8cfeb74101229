//! Limits for request bodies that are read completely because the decision depends on them. Both HTTP engines use them, and send
//! upstream exactly the bytes that were decided on. Reads nothing.

use crate::forward::FramingError;
use crate::identity::Principal;
use crate::limit::{BodyEnd, LimitExceeded};
use crate::respond::{ExceededLimit, LimitOwner, Rejection};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Maximum length of a body that is read completely, in bytes. Icinga has the same limit. All of it is in memory.
const MAX_LENGTH: u64 = 1 << 20;

/// Icinga has the same timeout for a body.
const READ_DEADLINE: Duration = Duration::from_secs(15);

/// The places of the process. Their number bounds the memory of bodies for any number of connections.
static PLACES: ReadPlaces = ReadPlaces::new();

/// A body that is to be read, of an identified ApiUser.
pub(super) struct BodySource {
    user: Arc<str>,
    /// In bytes.
    pub(super) max_length: u64,
}

impl BodySource {
    /// A body of this user, on a route with this limit for bodies.
    pub(super) fn new(user: &Principal, limit: Option<u64>) -> Self {
        Self {
            user: user.name.clone(),
            max_length: limit.map_or(MAX_LENGTH, |limit| limit.min(MAX_LENGTH)),
        }
    }

    /// Runs a read once there is a place for it.
    ///
    /// # Errors
    /// Those of the read, [`BodyFault::ShareUsed`] at once if the user has its share of the places, and [`BodyEnd::Stalled`]
    /// at the deadline, which includes the wait for a place.
    pub(super) async fn read_in_time<T>(
        &self,
        read: impl Future<Output = Result<T, BodyFault>>,
    ) -> Result<T, BodyFault> {
        let _share = PLACES.share(&self.user).ok_or(BodyFault::ShareUsed)?;
        let read = async {
            let _place = PLACES.free.acquire().await;
            read.await
        };
        match timeout(READ_DEADLINE, read).await {
            Ok(read) => read,
            Err(_) => Err(BodyEnd::Stalled.into()),
        }
    }
}

/// Why a body is incomplete. The request is denied.
#[derive(Clone, Copy, Debug)]
pub(super) enum BodyFault {
    Framing(FramingError),
    Ended(BodyEnd),
    /// It was not read: its user has its share of the places.
    ShareUsed,
}

impl BodyFault {
    pub(super) fn rejection(self) -> Rejection<'static> {
        match self {
            Self::Framing(error) => Rejection::Framing(error),
            Self::Ended(end) => Rejection::Body(end),
            Self::ShareUsed => Rejection::Limited(ExceededLimit {
                owner: LimitOwner::BodyReads,
                exceeded: LimitExceeded::Concurrency {
                    most: ReadPlaces::OF_ONE_USER,
                },
            }),
        }
    }
}

impl From<BodyEnd> for BodyFault {
    fn from(end: BodyEnd) -> Self {
        Self::Ended(end)
    }
}

/// Places for bodies that are read at the same time. One user has at most a share of them, so its slow bodies do not keep
/// others from being read.
struct ReadPlaces {
    free: Semaphore,
    /// The reads of each ApiUser, by name, since a reload changes ids. Reads that wait for a place are included.
    users: Mutex<BTreeMap<Arc<str>, u32>>,
}

impl ReadPlaces {
    const OF_ONE_USER: NonZeroU32 = NonZeroU32::new(16).expect("not zero");
    const ALL: usize = 64;

    const fn new() -> Self {
        Self {
            free: Semaphore::const_new(Self::ALL),
            users: Mutex::new(BTreeMap::new()),
        }
    }

    /// Counts a read of this user until the share is dropped. `None` if the user has as many as it may have.
    fn share(&self, user: &Arc<str>) -> Option<UserShare<'_>> {
        let mut users = self.users();
        let reads = users.entry(user.clone()).or_default();
        if *reads >= Self::OF_ONE_USER.get() {
            return None;
        }
        *reads += 1;
        Some(UserShare {
            places: self,
            user: user.clone(),
        })
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, u32>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One read of a user.
struct UserShare<'p> {
    places: &'p ReadPlaces,
    user: Arc<str>,
}

impl Drop for UserShare<'_> {
    fn drop(&mut self) {
        let mut users = self.places.users();
        match users.get_mut(&self.user) {
            Some(reads) if *reads > 1 => *reads -= 1,
            _ => {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_quarter_of_the_places_and_no_name_stays() {
        let places = ReadPlaces::new();
        let [alice, bob]: [Arc<str>; 2] = ["alice".into(), "bob".into()];
        let mut shares: Vec<_> = std::iter::from_fn(|| places.share(&alice)).collect();
        assert_eq!(shares.len(), ReadPlaces::ALL / 4);
        assert!(places.share(&bob).is_some(), "others are read");
        shares.pop();
        assert!(places.share(&alice).is_some());
        drop(shares);
        assert!(places.users().is_empty());
    }
}
