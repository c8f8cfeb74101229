//! An attempt: its expected and its observed result, and the outcome.

use super::probe::Observation;
use crate::error_text::alert_name;
use rustls::AlertDescription;
use std::fmt;

/// The result that the config implies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedResult {
    /// TLS rejects with one of these alerts.
    Alert(&'static [AlertDescription]),
    /// HTTP responds with this status.
    Status(u16),
    /// TLS accepts the client. The HTTP status does not matter, as long as the certificate is accepted.
    Accepted,
    /// The client is rejected by an alert, by 403 or by a closed connection.
    Refused,
    /// The server presents the certificate of the config.
    Certificate,
}

/// The role of an attempt in the proof: a rejection proves something only if a valid certificate is accepted (the control).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptProof {
    /// Conclusive by itself.
    Standalone,
    /// Conclusive only with a successful control at the same entry: otherwise the gateway may reject everything.
    NeedsControl,
    /// A control: a valid certificate is accepted.
    Control,
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// As expected.
    Good,
    /// As expected, but without a successful control, so the cause is unproven.
    Unproven,
    /// Not as expected.
    Failed,
    /// Not tried, since a flag is missing; the reason is in the line.
    Skipped,
    /// Nothing to try with this config; the reason is in the line.
    NotApplicable,
    /// There was no connection.
    NotRun,
}

/// An attempt: one line of the table.
#[derive(Clone, Debug)]
pub(super) struct VerifyAttempt {
    pub(super) listener: String,
    /// The names of the entry; empty for an attempt at the listener.
    pub(super) host: String,
    pub(super) tried: String,
    pub(super) expected: String,
    pub(super) happened: String,
    pub(super) outcome: AttemptOutcome,
    pub(super) proof: AttemptProof,
}

impl AttemptOutcome {
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

impl ExpectedResult {
    /// The outcome of an observation.
    pub(super) fn evaluate(self, observation: &Observation) -> AttemptOutcome {
        let as_expected = match (self, observation) {
            (_, Observation::Unreachable(_)) => return AttemptOutcome::NotRun,
            (Self::Alert(alerts), Observation::Alert(alert)) => alerts.contains(alert),
            (Self::Status(expected), Observation::Response { status, .. }) => *status == expected,
            (Self::Accepted, Observation::Response { status, .. }) => ![403, 421].contains(status),
            (Self::Refused, observation) => matches!(
                observation,
                Observation::Alert(_)
                    | Observation::Closed
                    | Observation::Response { status: 403, .. }
            ),
            _ => false,
        };
        if as_expected {
            AttemptOutcome::Good
        } else {
            AttemptOutcome::Failed
        }
    }

    /// The observation as text; an unexpected acceptance is marked.
    pub(super) fn comment(self, observation: &Observation) -> String {
        let must_refuse = matches!(self, Self::Alert(_) | Self::Refused);
        match (self.evaluate(observation), observation) {
            (AttemptOutcome::Failed, Observation::Response { .. }) if must_refuse => {
                format!("LET IN: {observation}")
            }
            _ => observation.to_string(),
        }
    }
}

impl fmt::Display for ExpectedResult {
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

impl fmt::Display for Observation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(formatter, "alert {}", alert_name(*alert)),
            Self::Response { status, reason } if reason.is_empty() => write!(formatter, "{status}"),
            Self::Response { status, reason } => write!(formatter, "{status} {reason}"),
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

    const EXPIRED: ExpectedResult = ExpectedResult::Alert(&[AlertDescription::CertificateExpired]);

    fn answer(status: u16) -> Observation {
        Observation::Response {
            status,
            reason: "x".to_owned(),
        }
    }

    #[test]
    fn only_what_is_expected_is_good() {
        use AttemptOutcome::{Failed, Good, NotRun};
        use ExpectedResult::{Accepted, Refused, Status};
        use Observation::{Alert, Closed, Silent, Unreachable};
        for (expected, observation, outcome) in [
            (EXPIRED, Alert(AlertDescription::CertificateExpired), Good),
            (EXPIRED, Alert(AlertDescription::UnknownCA), Failed),
            (EXPIRED, answer(403), Failed),
            (EXPIRED, Closed, Failed),
            (EXPIRED, Silent, Failed),
            (EXPIRED, Unreachable(String::new()), NotRun),
            (Status(401), answer(401), Good),
            (Status(401), answer(200), Failed),
            (Status(401), Alert(AlertDescription::AccessDenied), Failed),
            (Accepted, answer(400), Good),
            (Accepted, answer(403), Failed),
            (Accepted, Closed, Failed),
            (Refused, answer(403), Good),
            (Refused, Closed, Good),
            (Refused, answer(400), Failed),
        ] {
            assert_eq!(
                expected.evaluate(&observation),
                outcome,
                "{expected:?} {observation:?}"
            );
        }
        assert_eq!(EXPIRED.comment(&answer(200)), "LET IN: 200 x");
    }
}
