//! What the config says about the audit log, and the share of decisions that is written.

use super::{Place, Spanned};
use serde::{Serialize, Serializer};
use std::fmt;

/// `[audit_log]`: decisions, and what comes into force.
#[derive(Debug)]
pub struct AuditLog {
    /// Where the table stands.
    pub place: Place,
    /// File to append to.
    pub path: Option<Spanned<String>>,
    /// Which decisions are written.
    pub decisions: Option<AuditedDecisions>,
    /// Longest file; `Some(None)` is off.
    pub size_limit: Option<Option<u64>>,
    /// How many older files are kept.
    pub keep: Option<u32>,
}

/// Which decisions are written. Refusals always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditedDecisions {
    /// Every one.
    All,
    /// Only refusals.
    Refused,
    /// Refusals, and some of the others.
    Sample(Share),
}

/// A part of a whole, more than nothing and less than all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    millionths: u32,
}

impl Share {
    const WHOLE: u32 = 1_000_000;
    /// Digits behind the point of a percentage, as far as millionths go.
    const DIGITS: usize = 4;

    /// Reads a percentage such as `1%` or `0.05%`. `None` for what is none between 0 and 100, or too fine.
    pub fn percent(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
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

    /// Whether it takes this one of numbers that are spread over all that there are.
    pub fn takes(self, number: u64) -> bool {
        number < u64::from(self.millionths) * (u64::MAX / u64::from(Self::WHOLE))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.millionths / 10_000, self.millionths % 10_000);
        let fraction = format!("{fraction:04}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            some => write!(f, "{whole}.{some}%"),
        }
    }
}

impl Serialize for Share {
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
                Share::percent(good)
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
            assert_eq!(Share::percent(bad), None, "{bad}");
        }
    }

    #[test]
    fn half_of_all_numbers_are_the_lower_half() {
        let half = Share::percent("50%").unwrap();
        assert!(
            half.takes(0) && half.takes(u64::MAX / 2 - 1_000_000) && !half.takes(u64::MAX / 2 + 1)
        );
    }
}
