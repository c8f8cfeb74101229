//! An upstream response: the observer's result for its head, and the content after the head.
//! Edits nothing.

use super::answer_body::ResponseBody;
use super::response_reader::{ResponseReader, ResponseSummary};
use super::upload::Upload;
use super::{Link, LinkStream};
use crate::limit::BodyFailure;
use bytes::Bytes;
use http_body::Body;

/// An upstream response.
pub struct Answer<B, T> {
    /// The observer's result for the head.
    pub head: T,
    /// The endpoint that responded, by number.
    pub endpoint: usize,
    /// The content after the head.
    pub behind: ResponseContent<B>,
}

/// The content after a response head.
pub enum ResponseContent<B> {
    /// The body.
    Body(ResponseBody<B>),
    /// Another protocol, as requested.
    Stream(LinkStream),
}

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin, T> Answer<B, T> {
    pub(super) fn new(
        received: ResponseSummary,
        head: T,
        upload: Upload<B>,
        mut reader: ResponseReader,
        link: Link,
    ) -> Self {
        let endpoint = link.endpoint();
        reader.skip_head(&received);
        let behind = if received.status == 101 {
            ResponseContent::Stream(link.into_stream(reader.into_rest().bytes.to_vec()))
        } else {
            let upload = (!upload.is_complete()).then(|| Box::new(upload));
            ResponseContent::Body(ResponseBody::new(
                received.framing,
                received.reuse,
                upload,
                reader.into_rest(),
                link,
            ))
        };
        Self {
            head,
            endpoint,
            behind,
        }
    }
}
