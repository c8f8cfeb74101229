//! The choice of an endpoint for a request, and what its outcome tells about the endpoint. An upstream with one endpoint keeps
//! no state and pays nothing.

use super::endpoint_set::EndpointSet;
use super::endpoint_states::{EndpointStates, NextToConnect, NoRetry};
use super::{OtherEndpoints, Upstream};
use crate::clock;
use crate::reason::Reason;
use crate::thread_state;
use std::time::Duration;

/// While an active endpoint is left, connecting may take this part of the connect timeout. An endpoint that drops packets
/// then does not cost the whole timeout.
const SHARE_OF_TIMEOUT: u32 = 4;

/// The endpoint of an attempt, and those of the attempts before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointChoice {
    number: usize,
    /// Contains `number`.
    tried: EndpointSet,
}

impl EndpointChoice {
    fn first(number: usize) -> Self {
        let mut tried = EndpointSet::default();
        tried.insert(number);
        Self { number, tried }
    }

    /// The number of the endpoint.
    pub fn number(self) -> usize {
        self.number
    }

    /// This endpoint after the others.
    pub(super) fn then(self, next: NextToConnect) -> Self {
        let (NextToConnect::Active(number) | NextToConnect::Ejected(number)) = next;
        self.followed_by(number)
    }

    /// Another endpoint after those that were tried.
    pub(super) fn followed_by(mut self, number: usize) -> Self {
        self.tried.insert(number);
        self.number = number;
        self
    }
}

/// The state of an endpoint, for reports.
pub struct EndpointFacts<'u> {
    /// `host:port`.
    pub endpoint: &'u str,
    /// Workers on which it is ejected.
    pub ejected_on: usize,
}

impl Upstream {
    /// Chooses the endpoint for a request.
    pub(super) fn choose(&self) -> EndpointChoice {
        let number = self.with_states(|states| states.choose(&self.health, self.retry_percent));
        EndpointChoice::first(number.unwrap_or_default())
    }

    /// Chooses an endpoint for a retry that this request has not tried. `None` if there is none, or if the retry budget is
    /// used up.
    pub(super) fn choose_again(&self, before: EndpointChoice) -> Option<EndpointChoice> {
        let choice = self
            .with_states(|states| states.choose_again(&self.health, before.tried, clock::now()))?;
        match choice {
            Ok(number) => Some(before.followed_by(number)),
            Err(NoRetry::NoEndpoint) => None,
            Err(NoRetry::Budget) => {
                self.series().retry_denied();
                None
            }
        }
    }

    /// The endpoint to connect to if this one cannot be reached.
    pub(super) fn next_to_connect(&self, choice: EndpointChoice) -> Option<NextToConnect> {
        self.with_states(|states| states.next_to_connect(choice.number, choice.tried))?
    }

    /// The timeout for a connect that `next` follows.
    pub(super) fn connect_timeout_before(&self, next: Option<NextToConnect>) -> Duration {
        match next {
            Some(NextToConnect::Active(_)) => self.connect_timeout / SHARE_OF_TIMEOUT,
            Some(NextToConnect::Ejected(_)) | None => self.connect_timeout,
        }
    }

    /// Whether a request that failed at one endpoint may be sent to another.
    pub fn other_endpoints(&self) -> OtherEndpoints {
        if self.targets.len() > 1 && self.retry_percent > 0 {
            OtherEndpoints::Some
        } else {
            OtherEndpoints::None
        }
    }

    /// Records that the head of a final response arrived from this endpoint.
    pub fn responded(&self, endpoint: usize) {
        self.with_states(|states| states.responded(endpoint));
    }

    /// Records a failure of this endpoint.
    pub(super) fn endpoint_failed(&self, endpoint: usize, reason: Reason) {
        self.with_states(|states| states.failed(&self.health, endpoint, reason, clock::now()));
    }

    /// The state of each endpoint.
    pub fn endpoint_facts(&self) -> impl Iterator<Item = EndpointFacts<'_>> {
        self.targets.iter().map(|target| EndpointFacts {
            endpoint: &target.endpoint.authority,
            ejected_on: target.record.ejected_on(),
        })
    }

    /// Accesses the state of this worker. `None` if there is only one endpoint.
    fn with_states<T>(&self, act: impl FnOnce(&mut EndpointStates) -> T) -> Option<T> {
        if self.targets.len() < 2 {
            return None;
        }
        let records =
            || EndpointStates::new(self.targets.iter().map(|target| target.record.clone()));
        thread_state::with(&self.states, records, act)
    }
}
