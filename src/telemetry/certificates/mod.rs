//! Which client certificates were seen, for those who renew them: connections tell without waiting, and one task of the
//! control runtime keeps the list and warns. Verifies nothing.

mod list;

pub use list::SeenCertificate;

use super::Telemetry;
use list::{CertificateList, Warning};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// How many certificates are listed at most.
pub const MOST_CERTIFICATES: usize = 1000;

/// How many sightings may wait. After a reload all open connections tell at once; what does not fit is told the next
/// time.
const MOST_WAITING: usize = 4096;

/// Names are cut to this, since a certificate may be long and the list is kept in memory.
const MOST_OCTETS: usize = 300;

/// How near a certificate's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Within the time that the config wants warnings for.
    Soon,
    /// Not yet.
    Later,
}

/// A client certificate that was verified on a connection.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The ApiUser, if it is one's.
    pub user: Option<Arc<str>>,
    /// Its one common name, if it has one.
    pub common_name: Option<Box<str>>,
    /// RFC 4514.
    pub subject: Box<str>,
    /// Lower-case hexadecimal.
    pub serial: Box<str>,
    /// SHA-256 of the DER, lower-case hexadecimal.
    pub fingerprint: Arc<str>,
    /// The domain that vouched for it.
    pub trust_domain: Box<str>,
    /// The last second of validity, in seconds since 1970.
    pub not_after: i64,
    /// When it was seen, in seconds since 1970.
    pub seen: i64,
    /// Whether its user is to be warned about.
    pub urgency: Urgency,
}

/// A name as it is kept: of bounded length.
pub fn kept(name: &str) -> Box<str> {
    let (mut end, mut whole) = (MOST_OCTETS, name);
    if name.len() > end {
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        whole = name.get(..end).unwrap_or_default();
    }
    whole.into()
}

/// The certificates seen, and the way to tell of one.
pub struct CertificatesSeen {
    list: Mutex<CertificateList>,
    sender: mpsc::Sender<Sighting>,
    /// Until somebody follows.
    receiver: Mutex<Option<mpsc::Receiver<Sighting>>>,
}

impl Default for CertificatesSeen {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let list = CertificateList::with_capacity(MOST_CERTIFICATES);
        Self {
            list: Mutex::new(list),
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }
}

impl CertificatesSeen {
    /// Those that expire first, first, and how many are known. `now` is in seconds since 1970.
    pub fn soonest(&self, count: usize, now: i64) -> (Vec<SeenCertificate>, usize) {
        self.list().soonest(count, now)
    }

    /// Held by the task that follows and by who looks at the list, never by a connection.
    fn list(&self) -> MutexGuard<'_, CertificateList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Telemetry {
    /// Tells of a client certificate. Never waits: what does not fit is counted, and told with the next connection.
    pub fn certificate_seen(&self, sighting: Sighting) {
        if self.certificates.sender.try_send(sighting).is_err() {
            self.metrics.certificate_sightings_lost.inc();
        }
    }

    /// Keeps the list and writes the warnings, for as long as it is polled. A second follower has nothing to do.
    pub async fn follow_certificates(self: Arc<Self>) {
        let receiver = self
            .certificates
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut receiver) = receiver else { return };
        while let Some(sighting) = receiver.recv().await {
            let told = sighting.clone();
            let warning = self.certificates.list().see(sighting);
            if warning == Warning::Due {
                warn(&told);
            }
        }
    }
}

fn warn(sighting: &Sighting) {
    let Sighting {
        user,
        subject,
        serial,
        fingerprint,
        trust_domain,
        not_after,
        seen,
        ..
    } = sighting;
    let user = user.as_deref().unwrap_or("-");
    let end = time::OffsetDateTime::from_unix_timestamp(*not_after).ok();
    let end = end
        .and_then(|end| {
            end.format(&time::format_description::well_known::Rfc3339)
                .ok()
        })
        .unwrap_or_default();
    let days = (not_after - seen).div_euclid(24 * 3600);
    let expiry = if not_after < seen {
        "has expired"
    } else {
        "expires soon"
    };
    tracing::warn!(
        user,
        subject,
        serial,
        fingerprint = &**fingerprint,
        trust_domain,
        not_after = end,
        days,
        "a client certificate {expiry}"
    );
}

#[cfg(test)]
mod tests;
