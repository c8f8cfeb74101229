//! What was tried, what was expected, what happened, and what that means. Tries nothing itself.

use super::knock::Seen;
use crate::error_text::alert_name;
use rustls::AlertDescription;
use std::fmt;

/// What a gateway with this config does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// TLS refuses with one of these alerts.
    Alert(&'static [AlertDescription]),
    /// HTTP answers with this status.
    Status(u16),
    /// TLS lets the client in; what HTTP says then does not matter, as long as it takes the certificate.
    Accepted,
    /// The client is refused, by an alert, by 403 or by closing.
    Refused,
    /// The certificate of the config is shown.
    Certificate,
}

/// What an attempt proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// What it says.
    Itself,
    /// Only something if a good certificate gets in at the same door: else everything might be refused.
    WithTwin,
    /// That a good certificate gets in.
    Twin,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As expected.
    Good,
    /// As expected, but no good certificate was there to show that it is because of what is wrong.
    Unproven,
    /// Let in, or refused, or refused otherwise than expected.
    Failed,
    /// Not tried, though it could be; the reason is in the line.
    Skipped,
    /// Nothing to try with this config; the reason is in the line.
    NotApplicable,
    /// There was no connection.
    NotRun,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) listener: String,
    /// The entry's names; empty for what is the listener's.
    pub(super) host: String,
    pub(super) tried: String,
    pub(super) expected: String,
    pub(super) happened: String,
    pub(super) outcome: Outcome,
    pub(super) proof: Proof,
}

impl Outcome {
    /// The word in the JSON form, and in the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Unproven => "unproven",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotApplicable => "not_applicable",
            Self::NotRun => "not_run",
        }
    }
}

impl Expected {
    /// What this sight means.
    pub(super) fn judge(self, seen: &Seen) -> Outcome {
        let as_expected = match (self, seen) {
            (_, Seen::Unreachable(_)) => return Outcome::NotRun,
            (Self::Alert(alerts), Seen::Alert(alert)) => alerts.contains(alert),
            (Self::Status(expected), Seen::Answer { status, .. }) => *status == expected,
            (Self::Accepted, Seen::Answer { status, .. }) => ![403, 421].contains(status),
            (Self::Refused, seen) => matches!(
                seen,
                Seen::Alert(_) | Seen::Closed | Seen::Answer { status: 403, .. }
            ),
            _ => false,
        };
        if as_expected {
            Outcome::Good
        } else {
            Outcome::Failed
        }
    }

    /// What happened, with what is wrong about it.
    pub(super) fn comment(self, seen: &Seen) -> String {
        let must_refuse = matches!(self, Self::Alert(_) | Self::Refused);
        match (self.judge(seen), seen) {
            (Outcome::Failed, Seen::Answer { .. }) if must_refuse => format!("LET IN: {seen}"),
            _ => seen.to_string(),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alerts) => {
                let words: Vec<String> = alerts.iter().copied().map(alert_name).collect();
                write!(formatter, "alert {}", words.join(" or "))
            }
            Self::Status(status) => write!(formatter, "{status}"),
            Self::Accepted => formatter.write_str("TLS lets it in"),
            Self::Refused => formatter.write_str("refused"),
            Self::Certificate => formatter.write_str("that of the config"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(formatter, "alert {}", alert_name(*alert)),
            Self::Answer { status, reason } if reason.is_empty() => write!(formatter, "{status}"),
            Self::Answer { status, reason } => write!(formatter, "{status} {reason}"),
            Self::Closed => formatter.write_str("closed without a word"),
            Self::Silent => formatter.write_str("no answer within 10 seconds"),
            Self::OtherCertificate => formatter.write_str("another certificate is shown"),
            Self::Unreachable(error) => write!(formatter, "no connection: {error}"),
            Self::Other(what) => formatter.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_expected_is_good() {
        const EXPIRED: Expected = Expected::Alert(&[AlertDescription::CertificateExpired]);
        let answer = |status| Seen::Answer {
            status,
            reason: "x".to_owned(),
        };
        for (expected, seen, outcome) in [
            (
                EXPIRED,
                Seen::Alert(AlertDescription::CertificateExpired),
                Outcome::Good,
            ),
            (
                EXPIRED,
                Seen::Alert(AlertDescription::UnknownCA),
                Outcome::Failed,
            ),
            (EXPIRED, answer(403), Outcome::Failed),
            (EXPIRED, Seen::Closed, Outcome::Failed),
            (EXPIRED, Seen::Silent, Outcome::Failed),
            (EXPIRED, Seen::Unreachable(String::new()), Outcome::NotRun),
            (Expected::Status(401), answer(401), Outcome::Good),
            (Expected::Status(401), answer(200), Outcome::Failed),
            (
                Expected::Status(401),
                Seen::Alert(AlertDescription::AccessDenied),
                Outcome::Failed,
            ),
            (Expected::Accepted, answer(400), Outcome::Good),
            (Expected::Accepted, answer(403), Outcome::Failed),
            (Expected::Accepted, Seen::Closed, Outcome::Failed),
            (Expected::Refused, answer(403), Outcome::Good),
            (Expected::Refused, Seen::Closed, Outcome::Good),
            (Expected::Refused, answer(400), Outcome::Failed),
        ] {
            assert_eq!(expected.judge(&seen), outcome, "{expected:?} {seen:?}");
        }
        assert_eq!(EXPIRED.comment(&answer(200)), "LET IN: 200 x");
    }
}
