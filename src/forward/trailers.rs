//! Trailers that pass, in both directions: never one that frames, authenticates or identifies.

use super::fields::may_be_trailer;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;

/// A body whose forbidden trailer fields are left out.
pub fn without_forbidden_trailers<B>(body: B) -> impl Body<Data = Bytes, Error = B::Error>
where
    B: Body<Data = Bytes>,
{
    body.map_frame(|frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            let forbidden: Vec<_> = trailers
                .keys()
                .filter(|name| !may_be_trailer(name.as_str()))
                .cloned()
                .collect();
            for name in forbidden {
                trailers.remove(name);
            }
            Frame::trailers(trailers)
        }
        Err(data) => data,
    })
}
