//! The connection to an authorizer that speaks HTTP/2: one for each worker, on which all its questions go. Does not know
//! what is asked.

use super::grpc;
use super::progress::{QuestionProgress, QueuedBody};
use super::verdict::Silence;
use crate::endpoint::Endpoint;
use crate::here::{self, Key, State};
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

/// Longest list of header fields in an answer.
const LARGEST_HEAD: u32 = 64 << 10;
/// How often a silent connection is asked whether it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where questions go.
pub(super) struct Http2 {
    endpoint: Endpoint,
    key: Key,
    /// Of connecting.
    patience: Duration,
}

/// A worker's connection. Whoever makes one holds the lock meanwhile, so that not everybody makes one.
#[derive(Clone, Default)]
struct Session(Rc<Mutex<Option<Sender>>>);

impl State for Session {
    fn take_stale(&mut self) -> Box<dyn Any> {
        let kept = self
            .0
            .try_lock()
            .ok()
            .and_then(|mut kept| kept.take_if(|sender| sender.is_closed()));
        Box::new(kept)
    }
}

/// Whether a connection was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    New,
    Kept,
}

impl Http2 {
    pub(super) fn new(endpoint: Endpoint, patience: Duration) -> Self {
        Self {
            endpoint,
            key: Key::new(),
            patience,
        }
    }

    /// Asks, and once more on a new connection if the one that was there turned out to be closed: to ask twice changes
    /// nothing.
    pub(super) async fn ask(
        &self,
        request: Request<Bytes>,
        progress: &QuestionProgress,
    ) -> Result<Bytes, Silence> {
        let (sender, origin) = self.sender().await?;
        match (ask_on(sender, request.clone(), progress).await, origin) {
            (Err(Silence::Unreachable(error)), Origin::Kept) => {
                tracing::debug!(error, "an authorizer closed its connection");
                self.forget();
                let (sender, _) = self.sender().await?;
                ask_on(sender, request, progress).await
            }
            (answered, _) => answered,
        }
    }

    /// The next question goes on a new connection. What is under way on the old one stays.
    pub(super) fn forget(&self) {
        let kept = self
            .session()
            .and_then(|session| session.0.try_lock().ok().and_then(|mut kept| kept.take()));
        drop(kept);
    }

    fn session(&self) -> Option<Session> {
        here::with(&self.key, Session::default, |session: &mut Session| {
            session.clone()
        })
    }

    async fn sender(&self) -> Result<(Sender, Origin), Silence> {
        let session = self
            .session()
            .ok_or(Silence::Unaskable("no place for a connection"))?;
        let mut kept = session.0.lock().await;
        if let Some(sender) = kept.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok((sender.clone(), Origin::Kept));
        }
        let sender = self.connect().await?;
        *kept = Some(sender.clone());
        Ok((sender, Origin::New))
    }

    async fn connect(&self) -> Result<Sender, Silence> {
        let stream = self
            .endpoint
            .connect(None, None, self.patience)
            .await
            .map_err(Silence::not_connected)?;
        let made = Builder::new(LocalExecutor)
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .max_header_list_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = made.map_err(Silence::unreachable)?;
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
) -> Result<Bytes, Silence> {
    let answer = sender
        .send_request(request.map(|body| progress.queue(body)))
        .await
        .map_err(Silence::unreachable)?;
    grpc::message(answer).await
}
