//! How long a certificate is valid, and its serial number.

use super::PkiError;
use rcgen::SerialNumber;
use time::{Duration, OffsetDateTime};

const LONGEST_DAYS: u32 = 36_500;
/// Clocks differ a little; a certificate made now must already be valid elsewhere.
const BACKDATED: Duration = Duration::minutes(5);

/// From when until when, in whole seconds.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
}

impl Validity {
    /// Some minutes ago until `days` from now.
    pub(super) fn from_now(days: u32) -> Result<Self, PkiError> {
        if !(1..=LONGEST_DAYS).contains(&days) {
            return Err(PkiError::Days(days));
        }
        let now = OffsetDateTime::now_utc();
        let now = now - Duration::nanoseconds(now.nanosecond().into());
        Ok(Self {
            not_before: now - BACKDATED,
            not_after: now + Duration::days(days.into()),
        })
    }
}

/// 16 random octets; the two top bits make it positive and of full length (RFC 5280, 4.1.2.2).
pub(super) fn random_serial() -> Result<SerialNumber, PkiError> {
    let mut octets = [0; 16];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| PkiError::Random)?;
    let number = u128::from_be_bytes(octets) & !(1 << 127) | (1 << 126);
    Ok(SerialNumber::from_slice(&number.to_be_bytes()))
}
