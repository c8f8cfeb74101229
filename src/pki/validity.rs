//! Validity periods and serial numbers of certificates.

use super::PkiError;
use rcgen::SerialNumber;
use time::{Duration, OffsetDateTime};

const LONGEST_DAYS: u32 = 36_500;
/// Tolerance for clock differences: a new certificate must already be valid on other machines.
const BACKDATED: Duration = Duration::minutes(5);

/// A validity period, in whole seconds.
#[derive(Clone, Copy)]
pub(super) struct CertificateValidity {
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
}

impl CertificateValidity {
    /// From [`BACKDATED`] ago until `days` from now.
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

/// 16 random bytes. The two top bits make the number positive and of full length (RFC 5280 section 4.1.2.2).
pub(super) fn random_serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| PkiError::Random)?;
    let number = u128::from_be_bytes(bytes) & !(1 << 127) | (1 << 126);
    Ok(SerialNumber::from_slice(&number.to_be_bytes()))
}
