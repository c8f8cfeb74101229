//! The content of a request on hyper: passed on as it comes, or read as a whole where the judgement depends on it. Then the
//! octets that were judged are those that go up.

use crate::limit::{BodyEnd, Meter, MeteredBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::Semaphore;

/// As much as Icinga takes. All of it lies in memory.
const MOST_READ: u64 = 1 << 20;

/// How many are read at once in the process: no more lies in memory, however many connections and streams there are.
static READERS: Semaphore = Semaphore::const_new(64);

/// Icinga waits no longer for a body either.
const READ_DEADLINE: Duration = Duration::from_secs(15);

/// See the module.
pub(in crate::proxy) enum Content {
    Coming(Incoming),
    Read(Full<Bytes>),
}

impl Content {
    /// Reads all of it, to go up as it was read. Trailers are left out.
    ///
    /// # Errors
    /// How it ended before its end.
    pub(super) async fn read(&mut self, limit: Option<u64>) -> Result<Bytes, BodyEnd> {
        let meter = Arc::new(Meter::default());
        let most = limit.map_or(MOST_READ, |limit| limit.min(MOST_READ));
        let body = MeteredBody::new(&mut *self, Some(most), None, meter.clone());
        let whole = async {
            let _place = READERS.acquire().await;
            body.collect().await
        };
        let octets = match tokio::time::timeout(READ_DEADLINE, whole).await {
            Ok(Ok(whole)) => whole.to_bytes(),
            Ok(Err(_)) => return Err(meter.end()),
            Err(_) => return Err(BodyEnd::Stalled),
        };
        *self = Self::Read(Full::new(octets.clone()));
        Ok(octets)
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Coming(body) => Pin::new(body).poll_frame(context),
            Self::Read(body) => {
                Poll::Ready(ready!(Pin::new(body).poll_frame(context)).map(|frame| {
                    let Ok(frame) = frame;
                    Ok(frame)
                }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Coming(body) => body.is_end_stream(),
            Self::Read(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Coming(body) => body.size_hint(),
            Self::Read(body) => body.size_hint(),
        }
    }
}
