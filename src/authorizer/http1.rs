//! Connections to an authorizer that speaks HTTP/1.1: kept by each worker for itself, one question at a time on each.
//! Does not know what is asked.

use super::verdict::Silence;
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

/// The body of an answer is nobody's business. So much of it is read to keep its connection.
const PASSED_OVER: usize = 16 << 10;
/// Longest head of an answer, or a little more: it is looked at after each read.
const LARGEST_HEAD: usize = 64 << 10;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Where questions go.
pub(super) struct Http1 {
    endpoint: Endpoint,
    pool: PoolKey,
    /// Of connecting, and of passing over a body.
    patience: Duration,
}

/// A connection without a question.
struct Link(SendRequest<Empty<Bytes>>);

impl pool::Connection for Link {
    fn is_usable(&mut self) -> bool {
        self.0.is_ready()
    }
}

impl Http1 {
    /// Each worker keeps so many connections.
    pub(super) fn new(endpoint: Endpoint, kept: usize, patience: Duration) -> Self {
        Self {
            endpoint,
            pool: PoolKey::new(Capacity::AtMost(kept), IDLE_TIMEOUT),
            patience,
        }
    }

    /// Asks on a connection that is there, and once more on a new one if that turned out to be closed: to ask twice
    /// changes nothing.
    pub(super) async fn ask(&self, request: Request<Empty<Bytes>>) -> Result<Parts, Silence> {
        if let Some(link) = pool::take::<Link>(&self.pool, None) {
            match self.ask_on(link, request.clone()).await {
                Err(Silence::Unreachable(error)) => {
                    tracing::debug!(error, "an authorizer closed a connection")
                }
                answered => return answered,
            }
        }
        let link = self.connect().await?;
        self.ask_on(link, request).await
    }

    async fn connect(&self) -> Result<Link, Silence> {
        let stream = self
            .endpoint
            .connect(None, None, self.patience)
            .await
            .map_err(Silence::not_connected)?;
        let made = Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = made.map_err(Silence::unreachable)?;
        spawn_local(serve(connection));
        Ok(Link(sender))
    }

    async fn ask_on(
        &self,
        mut link: Link,
        request: Request<Empty<Bytes>>,
    ) -> Result<Parts, Silence> {
        let answer =
            link.0
                .send_request(request)
                .await
                .map_err(|error| match error.is_parse() {
                    true => Silence::Malformed("no HTTP"),
                    false => Silence::unreachable(error),
                })?;
        let (head, body) = answer.into_parts();
        if body.is_end_stream() {
            pool::put(self.pool.id(), link);
        } else {
            // The verdict does not wait for it.
            spawn_local(pass_over(body, self.patience, (self.pool.id(), link)));
        }
        Ok(head)
    }
}

async fn serve(connection: Connection<TokioIo<EndpointStream>, Empty<Bytes>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to an authorizer ended");
    }
}

async fn pass_over(body: Incoming, patience: Duration, (pool, link): (PoolId, Link)) {
    if let Ok(Ok(_)) =
        tokio::time::timeout(patience, Limited::new(body, PASSED_OVER).collect()).await
    {
        pool::put(pool, link);
    }
}
