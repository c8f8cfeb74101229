//! The connection to an HTTP/2 authorizer: one per worker, shared by all its requests. Independent of the request content.

use super::grpc;
use super::progress::{QuestionProgress, QueuedBody};
use super::verdict::AuthorizerError;
use crate::endpoint::Endpoint;
use crate::thread_state::{self, StateKey, ThreadState};
use crate::worker::LocalExecutor;
use bytes::Bytes;
use http::Request;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::any::Any;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_local;

type Sender = SendRequest<QueuedBody>;

/// Maximum header list of a response, in bytes.
const MAX_HEAD: u32 = 64 << 10;
/// Interval of keep-alive pings on a silent connection.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The client of an HTTP/2 authorizer.
pub(super) struct Http2 {
    endpoint: Endpoint,
    key: StateKey,
    /// Timeout of connecting.
    timeout: Duration,
}

/// The connection of a worker. The lock is held while connecting, so that only one task connects.
#[derive(Clone, Default)]
struct SharedSender(Rc<Mutex<Option<Sender>>>);

impl ThreadState for SharedSender {
    fn take_stale(&mut self) -> Box<dyn Any> {
        let slot = self
            .0
            .try_lock()
            .ok()
            .and_then(|mut slot| slot.take_if(|sender| sender.is_closed()));
        Box::new(slot)
    }
}

/// Whether a connection is new.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SenderOrigin {
    New,
    Reused,
}

impl Http2 {
    pub(super) fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        Self {
            endpoint,
            key: StateKey::new(),
            timeout,
        }
    }

    /// Sends the request. If a reused connection is closed, retries once on a new one; the request is idempotent.
    pub(super) async fn ask(
        &self,
        request: Request<Bytes>,
        progress: &QuestionProgress,
    ) -> Result<Bytes, AuthorizerError> {
        let (sender, origin) = self.sender().await?;
        match (ask_on(sender, request.clone(), progress).await, origin) {
            (Err(AuthorizerError::Unreachable(error)), SenderOrigin::Reused) => {
                tracing::debug!(error, "an authorizer closed its connection");
                self.forget();
                let (sender, _) = self.sender().await?;
                ask_on(sender, request, progress).await
            }
            (result, _) => result,
        }
    }

    /// Drops the connection from the worker, so that the next request opens a new one. Requests in progress continue.
    pub(super) fn forget(&self) {
        let slot = self
            .session()
            .and_then(|session| session.0.try_lock().ok().and_then(|mut slot| slot.take()));
        drop(slot);
    }

    fn session(&self) -> Option<SharedSender> {
        thread_state::with(
            &self.key,
            SharedSender::default,
            |session: &mut SharedSender| session.clone(),
        )
    }

    async fn sender(&self) -> Result<(Sender, SenderOrigin), AuthorizerError> {
        let session = self.session().ok_or(AuthorizerError::Unaskable(
            "no worker-local storage for a connection",
        ))?;
        let mut slot = session.0.lock().await;
        if let Some(sender) = slot.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok((sender.clone(), SenderOrigin::Reused));
        }
        let sender = self.connect().await?;
        *slot = Some(sender.clone());
        Ok((sender, SenderOrigin::New))
    }

    async fn connect(&self) -> Result<Sender, AuthorizerError> {
        let stream = self
            .endpoint
            .connect(None, None, self.timeout)
            .await
            .map_err(AuthorizerError::not_connected)?;
        let handshake = Builder::new(LocalExecutor)
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .max_header_list_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.map_err(AuthorizerError::unreachable)?;
        spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an authorizer ended");
            }
        });
        Ok(sender)
    }
}

async fn ask_on(
    mut sender: Sender,
    request: Request<Bytes>,
    progress: &QuestionProgress,
) -> Result<Bytes, AuthorizerError> {
    let response = sender
        .send_request(request.map(|body| progress.queue(body)))
        .await
        .map_err(AuthorizerError::unreachable)?;
    grpc::message(response).await
}
