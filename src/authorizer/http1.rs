//! Connections to an HTTP/1.1 authorizer: a pool per worker, one request at a time on each connection. Independent of the
//! request content.

use super::verdict::AuthorizerError;
use crate::endpoint::{Endpoint, EndpointStream};
use crate::pool::{self, Capacity, PoolId, PoolKey};
use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body::Body;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::task::spawn_local;

/// Maximum response body in bytes that is discarded to reuse the connection. The body is not used.
const MAX_DISCARDED_BODY: usize = 16 << 10;
/// Maximum response head in bytes, checked after each read.
const MAX_HEAD: usize = 64 << 10;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The client of an HTTP/1.1 authorizer.
pub(super) struct Http1 {
    endpoint: Endpoint,
    pool: PoolKey,
    /// Timeout of connecting, and of discarding a body.
    timeout: Duration,
}

/// An idle connection.
struct AuthorizerLink(SendRequest<Empty<Bytes>>);

impl pool::PooledConnection for AuthorizerLink {
    fn is_usable(&mut self) -> bool {
        self.0.is_ready()
    }
}

impl Http1 {
    /// Creates a client. Each worker keeps at most `capacity` idle connections.
    pub(super) fn new(endpoint: Endpoint, capacity: usize, timeout: Duration) -> Self {
        Self {
            endpoint,
            pool: PoolKey::new(Capacity::AtMost(capacity), IDLE_TIMEOUT),
            timeout,
        }
    }

    /// Sends the request on a pooled connection. If that connection is closed, retries once on a new one; the request is
    /// idempotent.
    pub(super) async fn ask(
        &self,
        request: Request<Empty<Bytes>>,
    ) -> Result<Parts, AuthorizerError> {
        if let Some(link) = pool::take::<AuthorizerLink>(&self.pool, None) {
            match self.ask_on(link, request.clone()).await {
                Err(AuthorizerError::Unreachable(error)) => {
                    tracing::debug!(error, "an authorizer closed a connection")
                }
                result => return result,
            }
        }
        let link = self.connect().await?;
        self.ask_on(link, request).await
    }

    async fn connect(&self) -> Result<AuthorizerLink, AuthorizerError> {
        let stream = self
            .endpoint
            .connect(None, None, self.timeout)
            .await
            .map_err(AuthorizerError::not_connected)?;
        let handshake = Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.map_err(AuthorizerError::unreachable)?;
        spawn_local(serve(connection));
        Ok(AuthorizerLink(sender))
    }

    async fn ask_on(
        &self,
        mut link: AuthorizerLink,
        request: Request<Empty<Bytes>>,
    ) -> Result<Parts, AuthorizerError> {
        let response =
            link.0
                .send_request(request)
                .await
                .map_err(|error| match error.is_parse() {
                    true => AuthorizerError::Malformed("not HTTP"),
                    false => AuthorizerError::unreachable(error),
                })?;
        let (head, body) = response.into_parts();
        if body.is_end_stream() {
            pool::put(self.pool.id(), link);
        } else {
            // The verdict does not wait for the body.
            spawn_local(discard(body, self.timeout, self.pool.id(), link));
        }
        Ok(head)
    }
}

async fn serve(connection: Connection<TokioIo<EndpointStream>, Empty<Bytes>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to an authorizer ended");
    }
}

/// Discards the body of a response, and returns the connection to the pool.
async fn discard(body: Incoming, timeout: Duration, pool: PoolId, link: AuthorizerLink) {
    if let Ok(Ok(_)) =
        tokio::time::timeout(timeout, Limited::new(body, MAX_DISCARDED_BODY).collect()).await
    {
        pool::put(pool, link);
    }
}
