//! Connections for both HTTP engines: chosen, made, kept and counted. Sends nothing on them.

use super::link::{Link, Origin};
use super::{Target, Upstream, UpstreamError, turn};
use crate::config::HostHeader;
use crate::pool;
use crate::telemetry::UpstreamSeries;
use std::rc::Rc;

impl pool::Connection for Link {
    fn is_usable(&mut self) -> bool {
        let quiet = self.is_quiet();
        if !quiet {
            tracing::debug!(endpoint = self.endpoint(), "upstream connection ended");
        }
        quiet
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

    /// The unused connection to this endpoint that was used last.
    pub fn pooled_link(&self, choice: usize) -> Option<Link> {
        pool::take::<Link>(&self.target(choice).pool)
    }

    /// A new connection to the chosen endpoint, or to the next that can be reached, that begins with these bytes.
    ///
    /// # Errors
    /// [`UpstreamError::Connect`] for the last that was tried.
    pub async fn new_link(&self, choice: usize, preface: Option<&[u8]>) -> Result<Link, UpstreamError> {
        let mut failed = 0;
        loop {
            let number = choice.wrapping_add(failed) % self.targets.len().max(1);
            let target = self.target(number);
            match target.endpoint.connect(preface, self.connect_timeout).await {
                Ok(stream) => {
                    return Ok(Link::new(stream, target.pool.id(), number));
                }
                Err(source) => {
                    failed += 1;
                    if failed >= self.targets.len() {
                        let endpoint = target.endpoint.authority.clone();
                        return Err(UpstreamError::Connect { endpoint, source });
                    }
                }
            }
        }
    }

    fn target(&self, choice: usize) -> &Target {
        #[expect(clippy::indexing_slicing, reason = "assembly refuses an upstream without endpoints")]
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
