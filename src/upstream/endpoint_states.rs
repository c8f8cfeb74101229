//! The endpoints of one upstream as one worker sees them: whose turn it is, which are ejected, and the budget for retries.
//! Each worker learns for itself, so a request takes no lock and writes no shared memory. Opens no connection.

use super::endpoint_record::EndpointRecord;
use super::endpoint_set::EndpointSet;
use super::health::{EndpointHealth, HealthSettings};
use super::retry_budget::RetryBudget;
use crate::clock;
use crate::reason::Reason;
use crate::thread_state::ThreadState;
use std::any::Any;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Instant;

/// The endpoints of one upstream on one worker.
pub(super) struct EndpointStates {
    endpoints: Vec<EndpointState>,
    /// How many of them are not active.
    ejected: usize,
    turn: usize,
    budget: RetryBudget,
    random: RandomNumbers,
}

/// The endpoints that are considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Candidates {
    Active,
    All,
}

/// The endpoint for a further attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextToConnect {
    Active(usize),
    /// No active endpoint is left.
    Ejected(usize),
}

/// Why no retry follows on another endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRetry {
    /// All endpoints were tried.
    NoEndpoint,
    /// The retry budget is used up.
    Budget,
}

struct EndpointState {
    health: EndpointHealth,
    record: Arc<EndpointRecord>,
}

impl ThreadState for EndpointStates {
    fn take_stale(&mut self) -> Box<dyn Any> {
        Box::new(())
    }
}

impl EndpointStates {
    /// All endpoints are active. Workers start with different endpoints; otherwise all would start with the first.
    pub(super) fn new(records: impl Iterator<Item = Arc<EndpointRecord>>) -> Self {
        let endpoints = records.map(|record| EndpointState {
            health: EndpointHealth::default(),
            record,
        });
        Self {
            endpoints: endpoints.collect(),
            ejected: 0,
            turn: crate::worker::index().unwrap_or(0),
            budget: RetryBudget::default(),
            random: RandomNumbers::new(),
        }
    }

    /// Chooses the endpoint for a new request.
    pub(super) fn choose(&mut self, settings: &HealthSettings, retry_percent: u32) -> usize {
        self.budget.add_request(retry_percent);
        let none = EndpointSet::default();
        self.next(settings, none).unwrap_or_default()
    }

    /// Chooses an endpoint for a retry that was not tried, within the retry budget.
    ///
    /// # Errors
    /// [`NoRetry`]
    pub(super) fn choose_again(
        &mut self,
        settings: &HealthSettings,
        tried: EndpointSet,
        now: Instant,
    ) -> Result<usize, NoRetry> {
        if self.numbers(Candidates::All, tried).next().is_none() {
            return Err(NoRetry::NoEndpoint);
        }
        if !self.budget.take(now) {
            return Err(NoRetry::Budget);
        }
        self.next(settings, tried).ok_or(NoRetry::NoEndpoint)
    }

    /// The endpoint for a further attempt to connect: an active one that was not tried, or else any that was not tried.
    pub(super) fn next_to_connect(
        &self,
        after: usize,
        tried: EndpointSet,
    ) -> Option<NextToConnect> {
        let count = self.endpoints.len();
        let untried = || {
            (1..count)
                .map(|offset| after.wrapping_add(offset) % count)
                .filter(|number| !tried.contains(*number))
        };
        match untried().find(|number| self.is_active(*number)) {
            Some(number) => Some(NextToConnect::Active(number)),
            None => untried().next().map(NextToConnect::Ejected),
        }
    }

    /// Records a failure of an endpoint.
    pub(super) fn failed(
        &mut self,
        settings: &HealthSettings,
        number: usize,
        reason: Reason,
        now: Instant,
    ) {
        let random = self.random.next();
        let Some(endpoint) = self.endpoints.get_mut(number) else {
            return;
        };
        let was_active = endpoint.health.is_active();
        if let Some(ejection) = endpoint.health.failed(settings, now, random) {
            self.ejected += usize::from(was_active);
            endpoint.record.ejected(ejection, reason);
        }
    }

    /// Records a response of an endpoint.
    pub(super) fn responded(&mut self, number: usize) {
        if let Some(endpoint) = self.endpoints.get_mut(number)
            && endpoint.health.responded()
        {
            self.ejected -= 1;
            endpoint.record.returned();
        }
    }

    /// The next endpoint: one whose trial is due, or else one of the active ones, or else any that was not tried.
    fn next(&mut self, settings: &HealthSettings, tried: EndpointSet) -> Option<usize> {
        if self.ejected > 0
            && let Some(number) = self.begin_trial(settings, tried)
        {
            return Some(number);
        }
        let candidates = if self.panics(settings) {
            Candidates::All
        } else {
            Candidates::Active
        };
        self.next_in_turn(candidates, tried)
            .or_else(|| self.next_in_turn(Candidates::All, tried))
    }

    fn begin_trial(&mut self, settings: &HealthSettings, tried: EndpointSet) -> Option<usize> {
        let now = clock::now();
        let untried = self
            .endpoints
            .iter_mut()
            .enumerate()
            .filter(|(number, _)| !tried.contains(*number));
        untried
            .filter_map(|(number, endpoint)| {
                let is_trial = endpoint.health.begin_trial(settings, now);
                is_trial.then_some(number)
            })
            .next()
    }

    /// Whether too few endpoints are active. If most fail, the cause is probably not in the endpoints, and the few others
    /// would not bear the load.
    fn panics(&self, settings: &HealthSettings) -> bool {
        let all = self.endpoints.len();
        let active = all.saturating_sub(self.ejected);
        let percent = usize::try_from(settings.panic_percent).unwrap_or(usize::MAX);
        active.saturating_mul(100) < all.saturating_mul(percent)
    }

    /// Round robin over the candidates alone. If the turn included the others, the endpoint after an ejected one would get the
    /// requests of both.
    fn next_in_turn(&mut self, candidates: Candidates, tried: EndpointSet) -> Option<usize> {
        let count = self.numbers(candidates, tried).count();
        let position = self.turn.checked_rem(count)?;
        self.turn = self.turn.wrapping_add(1);
        self.numbers(candidates, tried).nth(position)
    }

    /// The numbers of the candidates that were not tried.
    fn numbers(
        &self,
        candidates: Candidates,
        tried: EndpointSet,
    ) -> impl Iterator<Item = usize> + '_ {
        (0..self.endpoints.len()).filter(move |number| {
            let is_candidate = candidates == Candidates::All || self.is_active(*number);
            is_candidate && !tried.contains(*number)
        })
    }

    fn is_active(&self, number: usize) -> bool {
        self.endpoints
            .get(number)
            .is_some_and(|endpoint| endpoint.health.is_active())
    }
}

impl Drop for EndpointStates {
    fn drop(&mut self) {
        for endpoint in &self.endpoints {
            if !endpoint.health.is_active() {
                endpoint.record.forgotten();
            }
        }
    }
}

/// Cheap random numbers, to spread what happens at the same time (xorshift, Marsaglia 2003).
struct RandomNumbers(u64);

impl RandomNumbers {
    fn new() -> Self {
        let seed = foldhash::fast::RandomState::default()
            .build_hasher()
            .finish();
        Self(seed | 1)
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 32).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
