//! A body that a test feeds piece by piece, while the request is under way.

use super::client::RequestBody;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Feeds a body; dropping it ends the body.
pub struct Feed(UnboundedSender<Frame<Bytes>>);

struct FedBody(UnboundedReceiver<Frame<Bytes>>);

/// A body of unknown length, and its feed.
pub fn fed() -> (Feed, RequestBody) {
    let (sender, receiver) = unbounded_channel();
    (Feed(sender), FedBody(receiver).boxed_unsync())
}

impl Feed {
    /// Whether anybody is left to take it.
    pub fn data(&self, data: impl Into<Bytes>) -> bool {
        self.0.send(Frame::data(data.into())).is_ok()
    }

    pub fn trailers(&self, fields: &[(&'static str, &'static str)]) {
        let fields = fields.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, http::HeaderValue::from_static(value))
        });
        self.0
            .send(Frame::trailers(fields.collect()))
            .expect("a taker");
    }
}

impl Body for FedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}
