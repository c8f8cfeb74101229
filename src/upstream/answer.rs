//! An upstream's answer: what was made of its head, and what follows that. Edits nothing.

use super::answer_body::AnswerBody;
use super::reading::{Came, Reading};
use super::upload::Upload;
use super::{Link, LinkStream};
use crate::limit::BodyFailure;
use bytes::Bytes;
use http_body::Body;

/// An upstream's answer.
pub struct Answer<B, T> {
    /// What was made of its head.
    pub head: T,
    /// The endpoint that answered, by number.
    pub endpoint: usize,
    /// What follows the head.
    pub behind: Behind<B>,
}

/// What follows an answer's head.
pub enum Behind<B> {
    /// Its body.
    Body(AnswerBody<B>),
    /// Another protocol, as asked for.
    Stream(LinkStream),
}

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin, T> Answer<B, T> {
    pub(super) fn new(
        (came, head): (Came, T),
        upload: Upload<B>,
        mut reading: Reading,
        link: Link,
    ) -> Self {
        let endpoint = link.endpoint();
        reading.pass_head(&came);
        let behind = if came.status == 101 {
            Behind::Stream(link.into_stream(reading.into_rest().bytes.to_vec()))
        } else {
            let upload = (!upload.is_whole()).then(|| Box::new(upload));
            Behind::Body(AnswerBody::behind(
                (came.framing, came.reuse),
                upload,
                reading.into_rest(),
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
