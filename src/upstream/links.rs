//! Plain connections for our own HTTP/1.1 engine: chosen, made, kept and counted. Sends nothing on them.

use super::link::{Link, Origin};
use super::{Target, Upstream, UpstreamError};
use crate::config::HostHeader;
use std::cell::RefCell;
use std::collections::HashMap;
use tokio::time::Instant;

thread_local! {
    static UNUSED: RefCell<HashMap<usize, Vec<(Link, Instant)>>> = RefCell::default();
}

impl Upstream {
    /// Whether its connections can be had as they are: none of its endpoints speaks TLS.
    pub fn takes_links(&self) -> bool {
        !self.targets.iter().any(|target| target.endpoint.speaks_tls())
    }

    /// Whose turn it is (round robin).
    pub fn choose(&self) -> usize {
        self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % self.targets.len().max(1)
    }

    /// The unused connection to this endpoint that was used last.
    pub fn pooled_link(&self, choice: usize) -> Option<Link> {
        let target = self.target(choice);
        let id = std::ptr::from_ref(target) as usize;
        let link = UNUSED.with_borrow_mut(|unused| {
            let unused = unused.get_mut(&id)?;
            while let Some((link, since)) = unused.pop() {
                if since.elapsed() < self.pool_idle_timeout && link.is_quiet() {
                    return Some(link);
                }
                tracing::debug!(upstream = &*self.name, "upstream connection ended");
            }
            None
        })?;
        self.count_connection("pooled");
        Some(link)
    }

    /// A new connection to the chosen endpoint, or to the next that can be reached.
    ///
    /// # Errors
    /// [`UpstreamError::Connect`] for the last that was tried.
    pub async fn new_link(&self, choice: usize) -> Result<Link, UpstreamError> {
        let mut failed = 0;
        loop {
            let number = choice.wrapping_add(failed) % self.targets.len().max(1);
            let target = self.target(number);
            match target.endpoint.connect_plain(self.connect_timeout).await {
                Ok(stream) => {
                    self.count_connection("new");
                    return Ok(Link::new(stream, number));
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

    /// Keeps a connection on which both messages are whole.
    pub fn keep_link(&self, link: Link) {
        if self.pool_size == 0 {
            return;
        }
        let id = std::ptr::from_ref(self.target(link.endpoint())) as usize;
        UNUSED.with_borrow_mut(|unused| unused.entry(id).or_default().push((link.pooled(), Instant::now())));
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

    /// A request goes up once more.
    pub fn count_retry(&self) {
        self.telemetry.metrics.upstream_retries.with_label_values(&[&*self.name]).inc();
    }

    /// A request got no answer.
    pub fn count_failure(&self, word: &str) {
        self.telemetry.metrics.upstream_failures.with_label_values(&[&*self.name, word]).inc();
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
