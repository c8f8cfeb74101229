//! The content of an HTTP/2 request. It is streamed, or read completely where the decision depends on it: then the upstream
//! gets exactly the bytes that were decided on.

use crate::limit::{BodyMeter, MeteredBody};
use crate::proxy::whole_body::{BodyFault, BodySource};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

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
    pub(super) async fn read(&mut self, source: &BodySource) -> Result<Bytes, BodyFault> {
        let bytes = self.collect_all(source).await?;
        *self = Self::Buffered(Full::new(bytes.clone()));
        Ok(bytes)
    }

    async fn collect_all(&mut self, source: &BodySource) -> Result<Bytes, BodyFault> {
        let meter = Arc::new(BodyMeter::default());
        let body = MeteredBody::new(self, Some(source.max_length), None, meter.clone());
        let mut read = pin!(async {
            match body.collect().await {
                Ok(whole) => Ok(whole.to_bytes()),
                Err(_) => Err(meter.end().into()),
            }
        });
        // Content that has arrived needs no place.
        match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
            Poll::Ready(bytes) => bytes,
            Poll::Pending => source.read_in_time(read).await,
        }
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
