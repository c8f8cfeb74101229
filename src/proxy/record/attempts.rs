//! What is known of the way of a request to its upstream: which endpoint, how often it was sent, and when the response came.
//! Sends nothing.

use super::Record;
use crate::proxy::texts::Text;
use crate::respond::Refusal;
use std::time::Instant;

impl Record {
    /// A connection to this endpoint is being made for it.
    pub(in crate::proxy) fn connects_to(&mut self, endpoint: &str) {
        self.texts.set(Text::Endpoint, endpoint);
    }

    /// It is sent to this endpoint.
    pub(in crate::proxy) fn sent_to(&mut self, endpoint: &str) {
        self.texts.set(Text::Endpoint, endpoint);
        self.attempts = self.attempts.saturating_add(1);
    }

    /// Nothing of it was sent by the last attempt, so that is none.
    pub(in crate::proxy) fn was_not_sent(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
    }

    /// The response's head came at this moment.
    pub(in crate::proxy) fn answered_at(&mut self, at: Instant) {
        self.upstream_time = Some(at.saturating_duration_since(self.begun));
    }

    /// Of several endpoints that were tried, the last is named.
    pub(super) fn note_endpoint(&mut self, refusal: &Refusal<'_>) {
        if let Refusal::Upstream(error) = refusal
            && let Some(endpoint) = error.endpoint()
        {
            self.texts.set(Text::Endpoint, endpoint);
        }
    }

    /// How often it was sent, where that is more than once.
    pub(super) fn repeated_attempts(&self) -> Option<u8> {
        Some(self.attempts).filter(|attempts| *attempts > 1)
    }
}
