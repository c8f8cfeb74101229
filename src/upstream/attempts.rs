//! The attempts to send one request, for both HTTP engines: on which connection, what is counted, and whether another attempt
//! follows a failure. Opens no connection and sends nothing.

use super::{
    AttemptFailure, EndpointChoice, Link, Origin, OutgoingRequest, RetryPolicy, RetryTarget,
    Upstream,
};
use crate::telemetry::UpstreamSeries;
use std::rc::Rc;

/// The attempts to send one request.
pub struct SendAttempts {
    series: Rc<UpstreamSeries>,
    retry_policy: RetryPolicy,
    /// The endpoint that was chosen.
    choice: EndpointChoice,
    /// Where the next attempt is made.
    target: RetryTarget,
    /// The connection of the last attempt.
    last: LastConnection,
}

#[derive(Clone, Copy)]
struct LastConnection {
    origin: Origin,
    endpoint: usize,
}

/// An observer of the attempts.
pub trait AttemptObserver {
    /// A connection to this endpoint is opened.
    fn connects_to(&mut self, _endpoint: &str) {}

    /// The request is sent to this endpoint.
    fn sent_to(&mut self, _endpoint: &str) {}

    /// The last attempt sent no byte.
    fn was_not_sent(&mut self) {}
}

impl SendAttempts {
    /// Chooses an endpoint for a request. The first attempt may use a pooled connection.
    pub fn new(
        upstream: &Upstream,
        series: Rc<UpstreamSeries>,
        outgoing: &OutgoingRequest,
    ) -> Self {
        let choice = upstream.choose();
        Self {
            series,
            retry_policy: outgoing.retry_policy,
            choice,
            target: RetryTarget::OnPooled,
            last: LastConnection {
                origin: Origin::New,
                endpoint: choice.number(),
            },
        }
    }

    /// The endpoint for a new connection.
    pub fn choice(&self) -> EndpointChoice {
        self.choice
    }

    /// A pooled connection for the next attempt. `None` if a new one is to be opened.
    pub fn pooled_link(&self, upstream: &Upstream, outgoing: &OutgoingRequest) -> Option<Link> {
        match self.target {
            RetryTarget::OnPooled | RetryTarget::OnOtherEndpoint => {
                upstream.pooled_link(self.choice, outgoing)
            }
            RetryTarget::OnNew | RetryTarget::Never => None,
        }
    }

    /// Begins an attempt on this connection.
    pub fn begin(
        &mut self,
        upstream: &Upstream,
        link: &mut Link,
        outgoing: &OutgoingRequest,
        observer: &mut impl AttemptObserver,
    ) {
        self.last = LastConnection {
            origin: link.origin(),
            endpoint: link.endpoint(),
        };
        link.carry(outgoing.reuse);
        self.series.connection_used(link.origin().word());
        observer.sent_to(upstream.endpoint_name(link.endpoint()));
    }

    /// Records a failure. Returns if another attempt follows.
    ///
    /// # Errors
    /// The failure, if it is final.
    pub fn failed(
        &mut self,
        upstream: &Upstream,
        failure: AttemptFailure,
        observer: &mut impl AttemptObserver,
    ) -> Result<(), AttemptFailure> {
        if !failure.was_sent() {
            observer.was_not_sent();
        }
        if let Some(reason) = failure.endpoint_fault(self.last.origin) {
            upstream.endpoint_failed(self.last.endpoint, reason);
        }
        self.target = self.retry_policy.after(&failure, self.last.origin);
        match self.target {
            RetryTarget::OnPooled => Ok(()),
            RetryTarget::OnNew => {
                self.series.retried();
                Ok(())
            }
            RetryTarget::OnOtherEndpoint => {
                // Connecting may have led to another endpoint than the chosen one.
                let before = self.choice.followed_by(self.last.endpoint);
                let Some(choice) = upstream.choose_again(before) else {
                    return Err(failure);
                };
                self.choice = choice;
                self.series.retried();
                Ok(())
            }
            RetryTarget::Never => Err(failure),
        }
    }

    /// The endpoint of the last attempt, by number.
    pub fn last_endpoint(&self) -> usize {
        self.last.endpoint
    }
}
