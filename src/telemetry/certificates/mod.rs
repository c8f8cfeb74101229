//! The known client certificates, for renewal. Connections report without waiting; one task of the
//! control runtime keeps the list and logs warnings.

mod list;

pub use list::SeenCertificate;

use super::Telemetry;
use list::{CertificateList, Warning};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Maximum number of listed certificates.
pub const MOST_CERTIFICATES: usize = 1000;

/// Maximum number of queued sightings. After a reload all open connections report at once; dropped
/// ones are reported with the next connection.
const MAX_QUEUED: usize = 4096;

/// Names are truncated to this many bytes, since a certificate may be long and the list is kept in
/// memory.
const MAX_NAME_BYTES: usize = 300;

/// Whether a certificate expires soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Within the configured warning period.
    Soon,
    /// Later.
    Later,
}

/// A client certificate that was verified on a connection.
#[derive(Clone, Debug)]
pub struct CertificateSighting {
    /// The ApiUser of the certificate, if any.
    pub user: Option<Arc<str>>,
    /// The common name, if there is exactly one.
    pub common_name: Option<Box<str>>,
    /// Subject as in RFC 4514.
    pub subject: Box<str>,
    /// Serial number in lower-case hexadecimal.
    pub serial: Box<str>,
    /// SHA-256 of the DER, lower-case hexadecimal.
    pub fingerprint: Arc<str>,
    /// The trust domain that verified it.
    pub trust_domain: Box<str>,
    /// The last second of validity, in seconds since 1970.
    pub not_after: i64,
    /// When it was seen, in seconds since 1970.
    pub seen: i64,
    /// Whether to warn about its user.
    pub urgency: Urgency,
}

/// A name, truncated to `MAX_NAME_BYTES`.
pub fn kept(name: &str) -> Box<str> {
    if name.len() <= MAX_NAME_BYTES {
        return name.into();
    }
    let mut end = MAX_NAME_BYTES;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().into()
}

/// The list of known certificates, and the queue of sightings.
pub struct CertificatesSeen {
    list: Mutex<CertificateList>,
    sender: mpsc::Sender<CertificateSighting>,
    /// `None` once [`Telemetry::follow_certificates`] has taken it.
    receiver: Mutex<Option<mpsc::Receiver<CertificateSighting>>>,
}

impl Default for CertificatesSeen {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        let list = CertificateList::with_capacity(MOST_CERTIFICATES);
        Self {
            list: Mutex::new(list),
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }
}

impl CertificatesSeen {
    /// Returns up to `count` certificates that expire first, soonest first, and the number of known
    /// ones. `now` is in seconds since 1970.
    pub fn soonest(&self, count: usize, now: i64) -> (Vec<SeenCertificate>, usize) {
        self.list().soonest(count, now)
    }

    /// Locked by the following task and by readers of the list, never by a connection.
    fn list(&self) -> MutexGuard<'_, CertificateList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Telemetry {
    /// Reports a client certificate. Never waits: if the queue is full, the sighting is counted as
    /// lost and reported with the next connection.
    pub fn certificate_seen(&self, sighting: CertificateSighting) {
        if self.certificates.sender.try_send(sighting).is_err() {
            self.metrics.certificate_sightings_lost.inc();
        }
    }

    /// Keeps the list and logs the warnings while it is polled. A second call has no effect.
    pub async fn follow_certificates(self: Arc<Self>) {
        let receiver = self
            .certificates
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut receiver) = receiver else { return };
        while let Some(sighting) = receiver.recv().await {
            let reported = sighting.clone();
            let warning = self.certificates.list().add(sighting);
            if warning == Warning::Due {
                warn(&reported);
            }
        }
    }
}

fn warn(sighting: &CertificateSighting) {
    let CertificateSighting {
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
