//! The attempts of a request at its upstream: the endpoint, the number of attempts, and the time of the response. Sends
//! nothing.

use super::Record;
use crate::proxy::texts::RecordField;
use crate::respond::Rejection;
use crate::upstream::AttemptObserver;
use std::time::Instant;

impl Record {
    /// The head of the response was received at this moment.
    pub(in crate::proxy) fn responded_at(&mut self, at: Instant) {
        self.upstream_time = Some(at.saturating_duration_since(self.begun));
    }

    /// Notes the last of several endpoints that were tried.
    pub(super) fn note_endpoint(&mut self, rejection: &Rejection<'_>) {
        if let Rejection::Upstream(error) = rejection
            && let Some(endpoint) = error.endpoint()
        {
            self.texts.set(RecordField::Endpoint, endpoint);
        }
    }

    /// The number of attempts, if it is more than one.
    pub(super) fn repeated_attempts(&self) -> Option<u8> {
        Some(self.attempts).filter(|attempts| *attempts > 1)
    }
}

impl AttemptObserver for Record {
    fn connects_to(&mut self, endpoint: &str) {
        self.texts.set(RecordField::Endpoint, endpoint);
    }

    fn sent_to(&mut self, endpoint: &str) {
        self.texts.set(RecordField::Endpoint, endpoint);
        self.attempts = self.attempts.saturating_add(1);
    }

    fn was_not_sent(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
    }
}
