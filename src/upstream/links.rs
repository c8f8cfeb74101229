//! Selects, opens and counts upstream connections for both HTTP engines. Sends nothing on them.

use super::http2::{Http2Stream, StreamAdmission, UpstreamConnection};
use super::link::{Link, Origin};
use super::thread_state::WeakStateKey;
use super::{
    EndpointChoice, OutgoingRequest, PooledEndpoint, Upstream, UpstreamError, connect_reason,
};
use crate::config::HostHeader;
use crate::descriptors::UPSTREAMS;
use crate::endpoint::{ConnectError, EndpointHttp, HttpConnection};
use crate::forward::Upgrade;
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
    /// The most recently used idle connection to this endpoint, of the account if there is one, or a stream of an HTTP/2
    /// connection.
    pub fn pooled_link(&self, choice: EndpointChoice, outgoing: &OutgoingRequest) -> Option<Link> {
        let number = choice.number();
        let target = self.target(number);
        let owner = outgoing.owner().map(|mark| mark.id());
        if let Some(connections) = target.http2.as_ref().filter(|_| outgoing.may_share())
            && let Some(stream) = connections.stream(owner)
        {
            return Some(Link::over_http2(
                stream,
                target.pool.id(),
                number,
                Origin::Pooled,
            ));
        }
        pool::take::<Link>(&target.pool, owner)
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
        let mut pause = FIRST_PAUSE;
        let mut until = None;
        loop {
            let (number, source) = match self.connect_any(choice, outgoing).await {
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
        outgoing: &OutgoingRequest,
    ) -> Result<Link, (usize, ConnectError)> {
        loop {
            let number = choice.number();
            let next = self.next_to_connect(choice);
            let timeout = self.connect_timeout_before(next);
            let source = match self.connect_one(number, outgoing, timeout).await {
                Ok(link) => return Ok(link),
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

    /// Connects to one endpoint, or takes a stream of an HTTP/2 connection that another request opens at the same time.
    async fn connect_one(
        &self,
        number: usize,
        outgoing: &OutgoingRequest,
        timeout: Duration,
    ) -> Result<Link, ConnectError> {
        let target = self.target(number);
        let shared = target.http2.as_ref().filter(|_| outgoing.may_share());
        let mut guard = None;
        if let Some(connections) = shared {
            match connections
                .admit(outgoing.owner().map(|mark| mark.id()))
                .await
            {
                Some(StreamAdmission::Stream(stream)) => {
                    let pool = target.pool.id();
                    return Ok(Link::over_http2(stream, pool, number, Origin::Pooled));
                }
                Some(StreamAdmission::Open(opening)) => guard = Some(opening),
                None => {}
            }
        }
        let http = match outgoing.upgrade {
            Upgrade::None => target.endpoint.http(),
            // HTTP/2 has no upgrade.
            _ => EndpointHttp::Http1,
        };
        let connecting = target.endpoint.connect_http(
            http,
            outgoing.preface.as_deref(),
            outgoing.tls(),
            timeout,
        );
        let stream = match connecting.await? {
            HttpConnection::Http2(stream) => stream,
            HttpConnection::Http1(stream) => {
                let owner = outgoing.owner();
                return Ok(Link::new(
                    stream,
                    target.pool.id(),
                    number,
                    &self.quirks,
                    owner,
                ));
            }
        };
        let scheme = target.endpoint.scheme();
        let opened = UpstreamConnection::open(stream, scheme, outgoing.owner(), timeout);
        let connection = opened.await.map_err(ConnectError::of_http2)?;
        let stream = Http2Stream::on(&connection).ok_or(ConnectError::NoStreams)?;
        if let Some((connections, guard)) = shared.zip(guard) {
            connections.add(connection);
            guard.succeeded();
        }
        Ok(Link::over_http2(
            stream,
            target.pool.id(),
            number,
            Origin::New,
        ))
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
