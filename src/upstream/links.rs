//! Selects, opens and counts upstream connections for both HTTP engines. Sends nothing on them.

use super::link::{Link, Origin};
use super::thread_state::WeakStateKey;
use super::{
    Account, EndpointChoice, OutgoingRequest, PooledEndpoint, Upstream, UpstreamError,
    connect_reason,
};
use crate::config::HostHeader;
use crate::descriptors::UPSTREAMS;
use crate::endpoint::ConnectError;
use crate::pool;
use crate::pool::PoolId;
use crate::telemetry::{RareLine, UpstreamSeries};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pause between attempts to connect to a reloading upstream: the first one, and the maximum.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(40);

impl pool::PooledConnection for Link {
    fn is_usable(&mut self) -> bool {
        // A replaced certificate is another identity at the upstream.
        if self.owner.as_ref().is_some_and(|owner| !owner.is_alive()) {
            return false;
        }
        let quiet = self.is_quiet();
        if !quiet {
            tracing::debug!(endpoint = self.endpoint(), "upstream connection ended");
        }
        quiet
    }

    fn owner(&self) -> Option<PoolId> {
        self.owner.as_deref().map(WeakStateKey::id)
    }
}

impl Upstream {
    /// The most recently used idle connection to this endpoint, of the account if there is one.
    pub fn pooled_link(&self, choice: EndpointChoice, account: Option<&Account>) -> Option<Link> {
        pool::take::<Link>(
            &self.target(choice.number()).pool,
            account.and_then(Account::mark).map(|mark| mark.id()),
        )
    }

    /// Opens a connection to the chosen endpoint or the next reachable one, for the account of the
    /// request if it has one. It starts with the preface of the request. Retries for a while if the upstream may reload. No
    /// byte of a request was sent before, so retries are safe for every method.
    ///
    /// # Errors
    /// [`UpstreamError::Connect`] for the last attempt.
    pub async fn new_link(
        &self,
        choice: EndpointChoice,
        outgoing: &OutgoingRequest,
    ) -> Result<Link, UpstreamError> {
        let preface = outgoing.preface.as_deref();
        let account = outgoing.account.as_deref();
        let mut pause = FIRST_PAUSE;
        let mut until = None;
        loop {
            let (number, source) = match self.connect_any(choice, preface, account).await {
                Ok(link) => return Ok(link),
                Err(failure) => failure,
            };
            let patience = self
                .quirks
                .connect_retry
                .filter(|_| source.is_passing())
                .unwrap_or_default();
            if matches!(source, ConnectError::NoDescriptors) {
                self.warn_of_descriptors();
            }
            let now = Instant::now();
            if now + pause > *until.get_or_insert(now + patience) {
                let endpoint = self.endpoint_name(number).to_owned();
                return Err(UpstreamError::Connect { endpoint, source });
            }
            self.series().connect_retried();
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tries each endpoint that this request has not tried, first those that are not ejected. On failure, returns the last one
    /// by number.
    async fn connect_any(
        &self,
        mut choice: EndpointChoice,
        preface: Option<&[u8]>,
        account: Option<&Account>,
    ) -> Result<Link, (usize, ConnectError)> {
        loop {
            let number = choice.number();
            let next = self.next_to_connect(choice);
            let timeout = self.connect_timeout_before(next);
            let target = self.target(number);
            let tls = account.and_then(Account::tls);
            let source = match target.endpoint.connect(preface, tls, timeout).await {
                Ok(stream) => {
                    let owner = account.and_then(Account::mark);
                    return Ok(Link::new(
                        stream,
                        target.pool.id(),
                        number,
                        &self.quirks,
                        owner,
                    ));
                }
                Err(source) => source,
            };
            // Other endpoints need a descriptor as well.
            if matches!(source, ConnectError::NoDescriptors) {
                return Err((number, source));
            }
            self.endpoint_failed(number, connect_reason(&source));
            choice = match next {
                Some(next) => choice.then(next),
                None => return Err((number, source)),
            };
        }
    }

    fn warn_of_descriptors(&self) {
        static LINE: RareLine = RareLine::new();
        if let Some(since_last_line) = LINE.due() {
            let limit = UPSTREAMS.limit();
            let upstream = &*self.name;
            tracing::warn!(
                upstream,
                limit,
                since_last_line,
                "no descriptor is left for upstream connections"
            );
        }
    }

    pub(super) fn target(&self, choice: usize) -> &PooledEndpoint {
        #[expect(
            clippy::indexing_slicing,
            reason = "assembly refuses an upstream without endpoints"
        )]
        &self.targets[choice % self.targets.len()]
    }

    /// The metrics of the upstream on this thread.
    pub fn series(&self) -> Rc<UpstreamSeries> {
        self.telemetry.upstream(&self.name)
    }

    /// The Host of this endpoint, if it replaces the client's.
    pub fn own_host(&self, endpoint: usize) -> Option<&str> {
        (self.host_header == HostHeader::Endpoint).then(|| self.endpoint_name(endpoint))
    }

    /// `host:port` of an endpoint.
    pub fn endpoint_name(&self, endpoint: usize) -> &str {
        let PooledEndpoint { endpoint, .. } = self.target(endpoint);
        &endpoint.authority
    }
}

impl Origin {
    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pooled => "pooled",
        }
    }
}
