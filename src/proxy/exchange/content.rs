//! The content of a request on hyper. It is streamed, or read completely where the decision depends on it: then the upstream
//! gets exactly the bytes that were decided on.

use crate::limit::{BodyEnd, BodyMeter, MeteredBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Maximum length of a content that is read completely, in bytes. Icinga has the same limit. All of it is in memory.
const MAX_CONTENT: u64 = 1 << 20;

/// Number of contents that the process reads at the same time. This bounds their memory for any number of connections.
static READERS: Semaphore = Semaphore::const_new(64);

/// Icinga has the same timeout for a body.
const READ_DEADLINE: Duration = Duration::from_secs(15);

/// The content of a request.
pub(in crate::proxy) enum Content {
    /// Streamed as it arrives.
    Streamed(Incoming),
    /// Read completely.
    Buffered(Full<Bytes>),
}

impl Content {
    /// Reads the content completely, so that these bytes are forwarded. Trailers are dropped.
    ///
    /// # Errors
    /// Why the content is incomplete.
    pub(super) async fn read(&mut self, limit: Option<u64>) -> Result<Bytes, BodyEnd> {
        let meter = Arc::new(BodyMeter::default());
        let max_length = limit.map_or(MAX_CONTENT, |limit| limit.min(MAX_CONTENT));
        let body = MeteredBody::new(&mut *self, Some(max_length), None, meter.clone());
        let whole = async {
            let _permit = READERS.acquire().await;
            body.collect().await
        };
        let bytes = match tokio::time::timeout(READ_DEADLINE, whole).await {
            Ok(Ok(whole)) => whole.to_bytes(),
            Ok(Err(_)) => return Err(meter.end()),
            Err(_) => return Err(BodyEnd::Stalled),
        };
        *self = Self::Buffered(Full::new(bytes.clone()));
        Ok(bytes)
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
            Self::Streamed(body) => Pin::new(body).poll_frame(context),
            Self::Buffered(body) => {
                Poll::Ready(ready!(Pin::new(body).poll_frame(context)).map(|frame| {
                    let Ok(frame) = frame;
                    Ok(frame)
                }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Streamed(body) => body.is_end_stream(),
            Self::Buffered(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Streamed(body) => body.size_hint(),
            Self::Buffered(body) => body.size_hint(),
        }
    }
}
