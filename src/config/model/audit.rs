//! The config of the audit log, and its sample rate.

use super::{Place, Spanned};
use serde::{Serialize, Serializer};
use std::fmt;

/// `[audit_log]`: decisions and activated snapshots.
#[derive(Debug)]
pub struct AuditLogTable {
    /// Place of the table.
    pub place: Place,
    /// File to append to.
    pub path: Option<Spanned<String>>,
    /// The decisions that are written.
    pub decisions: Option<AuditedDecisions>,
    /// Maximum size of a file in bytes; `Some(None)` means no limit.
    pub size_limit: Option<Option<u64>>,
    /// Number of rotated files that are kept.
    pub keep: Option<u32>,
}

/// The decisions that are written. Denials are always written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditedDecisions {
    /// All decisions.
    #[default]
    All,
    /// Only denials.
    Refused,
    /// Denials, and a sample of the rest.
    Sample(SampleRate),
}

/// A sample rate above 0% and below 100%, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleRate {
    millionths: u32,
}

impl SampleRate {
    const WHOLE: u32 = 1_000_000;
    /// Fraction digits of a percentage with the resolution of a millionth.
    const DIGITS: usize = 4;

    /// Parses a percentage such as `1%` or `0.05%`. `None` if it is not between 0 and 100, or has too many digits.
    pub fn percent(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > Self::DIGITS {
            return None;
        }
        let whole: u32 = whole.parse().ok().filter(|percent| *percent < 100)?;
        let fraction: u32 = format!("{fraction:0<width$}", width = Self::DIGITS)
            .parse()
            .ok()?;
        let millionths = whole * (Self::WHOLE / 100) + fraction;
        (millionths > 0).then_some(Self { millionths })
    }

    /// Whether a number is in the sample, for numbers that are uniformly distributed over `u64`.
    pub fn takes(self, number: u64) -> bool {
        number < u64::from(self.millionths) * (u64::MAX / u64::from(Self::WHOLE))
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.millionths / 10_000;
        let fraction = format!("{:04}", self.millionths % 10_000);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            some => write!(f, "{whole}.{some}%"),
        }
    }
}

impl Serialize for SampleRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_and_written_the_same() {
        for good in ["1%", "0.05%", "99.9999%", "50%", "0.0001%", "12.5%"] {
            assert_eq!(
                SampleRate::percent(good)
                    .map(|share| share.to_string())
                    .as_deref(),
                Some(good)
            );
        }
        for bad in [
            "",
            "%",
            "1",
            "0%",
            "0.0%",
            "100%",
            "101%",
            "-1%",
            "1.%",
            ".5%",
            "0.00001%",
            "1e1%",
            "1 %",
            "99999999999%",
        ] {
            assert_eq!(SampleRate::percent(bad), None, "{bad}");
        }
    }

    #[test]
    fn half_of_all_numbers_are_the_lower_half() {
        let half = SampleRate::percent("50%").unwrap();
        assert!(
            half.takes(0) && half.takes(u64::MAX / 2 - 1_000_000) && !half.takes(u64::MAX / 2 + 1)
        );
    }
}
