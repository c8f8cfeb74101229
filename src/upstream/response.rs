//! An upstream response: the observer's result for its head, and the body.
//! Edits nothing.

use super::Link;
use super::response_body::ResponseBody;
use super::response_reader::{ResponseReader, ResponseSummary};
use super::upload::Upload;
use crate::limit::BodyFailure;
use bytes::Bytes;
use http_body::Body;

/// An upstream response.
pub struct UpstreamResponse<B, T> {
    /// The observer's result for the head.
    pub head: T,
    /// The endpoint that responded, by number.
    pub endpoint: usize,
    /// The body.
    pub body: ResponseBody<B>,
}

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin, T> UpstreamResponse<B, T> {
    pub(super) fn new(
        received: ResponseSummary,
        head: T,
        upload: Upload<B>,
        mut reader: ResponseReader,
        link: Link,
    ) -> Self {
        let endpoint = link.endpoint();
        reader.skip_head(&received);
        let upload = (!upload.is_complete()).then(|| Box::new(upload));
        Self {
            head,
            endpoint,
            body: ResponseBody::new(
                received.framing,
                received.reuse,
                upload,
                reader.into_rest(),
                link,
            ),
        }
    }
}
