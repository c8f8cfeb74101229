//! Connections for both HTTP engines: chosen, made, kept and counted. Sends nothing on them.

use super::here::Mark;
use super::link::{Link, Origin};
use super::{Account, Target, Upstream, UpstreamError, turn};
use crate::config::HostHeader;
use crate::descriptors::UPSTREAMS;
use crate::endpoint::ConnectError;
use crate::pool;
use crate::pool::PoolId;
use crate::telemetry::{RareLine, UpstreamSeries};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two attempts to connect to an upstream that reloads: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(40);

impl pool::Connection for Link {
    fn is_usable(&mut self) -> bool {
        // Who shows another certificate now is somebody else there.
        if self.owner.as_ref().is_some_and(|owner| !owner.stands()) {
            return false;
        }
        let quiet = self.is_quiet();
        if !quiet {
            tracing::debug!(endpoint = self.endpoint(), "upstream connection ended");
        }
        quiet
    }

    fn whose(&self) -> Option<PoolId> {
        self.owner.as_deref().map(Mark::id)
    }
}

impl Upstream {
    /// Whose turn it is (round robin).
    pub fn choose(&self) -> usize {
        match self.targets.len() {
            0 | 1 => 0,
            several => turn::next(&self.turn) % several,
        }
    }

    /// The unused connection to this endpoint that was used last, for requests of whoever this is.
    pub fn pooled_link(&self, choice: usize, account: Option<&Account>) -> Option<Link> {
        pool::take::<Link>(
            &self.target(choice).pool,
            account.and_then(Account::mark).map(|mark| mark.id()),
        )
    }

    /// A new connection to the chosen endpoint, or to the next that can be reached, that begins with these bytes, for
    /// requests of whoever this is. An upstream that may reload is tried again for a while. Nothing of a request was sent
    /// so far, so that is safe for every method.
    ///
    /// # Errors
    /// [`UpstreamError::Connect`] for the last that was tried.
    pub async fn new_link(
        &self,
        choice: usize,
        preface: Option<&[u8]>,
        account: Option<&Account>,
    ) -> Result<Link, UpstreamError> {
        let (mut pause, mut until) = (FIRST_PAUSE, None);
        loop {
            let (number, source) = match self.connect_any(choice, preface, account).await {
                Ok(link) => return Ok(link),
                Err(failed) => failed,
            };
            let patience = self
                .manners
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

    /// Each endpoint once. Fails with the last that was tried, by number.
    async fn connect_any(
        &self,
        choice: usize,
        preface: Option<&[u8]>,
        account: Option<&Account>,
    ) -> Result<Link, (usize, ConnectError)> {
        let mut failed = 0;
        loop {
            let number = choice.wrapping_add(failed) % self.targets.len().max(1);
            let target = self.target(number);
            match target
                .endpoint
                .connect(
                    preface,
                    account.and_then(Account::tls),
                    self.connect_timeout,
                )
                .await
            {
                Ok(stream) => {
                    let owner = account.and_then(Account::mark);
                    return Ok(Link::new(
                        stream,
                        (target.pool.id(), number),
                        &self.manners,
                        owner,
                    ));
                }
                Err(source) => {
                    failed += 1;
                    // No other endpoint needs a descriptor less.
                    if failed >= self.targets.len() || matches!(source, ConnectError::NoDescriptors)
                    {
                        return Err((number, source));
                    }
                }
            }
        }
    }

    fn warn_of_descriptors(&self) {
        static LINE: RareLine = RareLine::new();
        if let Some(since_last_line) = LINE.due() {
            let (limit, upstream) = (UPSTREAMS.limit(), &*self.name);
            tracing::warn!(
                upstream,
                limit,
                since_last_line,
                "no descriptor is left for upstream connections"
            );
        }
    }

    fn target(&self, choice: usize) -> &Target {
        #[expect(
            clippy::indexing_slicing,
            reason = "assembly refuses an upstream without endpoints"
        )]
        &self.targets[choice % self.targets.len()]
    }

    /// Where this thread counts what happens with the upstream.
    pub fn series(&self) -> Rc<UpstreamSeries> {
        self.telemetry.upstream(&self.name)
    }

    /// The Host that this endpoint wants to see, if it is not the client's.
    pub fn own_host(&self, endpoint: usize) -> Option<&str> {
        (self.host_header == HostHeader::Endpoint).then(|| self.endpoint_name(endpoint))
    }

    /// `host:port` of an endpoint.
    pub fn endpoint_name(&self, endpoint: usize) -> &str {
        let Target { endpoint, .. } = self.target(endpoint);
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
