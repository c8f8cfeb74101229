//! The time of a verification, and whether it has side effects.

use rustls::pki_types::UnixTime;

/// Whether a verification has side effects: cached verdicts, log lines, CRL URLs to fetch. A verification for a time
/// other than now must have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerificationMode {
    Live,
    DryRun,
}

/// The time of a verification and its mode.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerificationContext {
    pub(super) now: UnixTime,
    pub(super) mode: VerificationMode,
}

impl VerificationContext {
    /// A verification at the current time.
    pub(super) fn live(now: UnixTime) -> Self {
        Self {
            now,
            mode: VerificationMode::Live,
        }
    }

    /// A verification at any time, without side effects.
    pub(super) fn dry_run(at: UnixTime) -> Self {
        Self {
            now: at,
            mode: VerificationMode::DryRun,
        }
    }
}
