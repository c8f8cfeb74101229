//! Converts a request in HTTP/1.1 wire format, as `forward/request_head` and the engines write it, to an HTTP/2 stream. Edits no
//! field; drops only those that HTTP/2 does not have.

use super::super::unprocessed::broken;
use crate::endpoint::EndpointScheme;
use crate::forward::{
    ChunkPart, ChunkScanner, Framing, ParsedHead, RequestKind, field_space, parse_head,
    read_trailers,
};
use crate::head::Fields;
use crate::tls::record::count_copied;
use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};
use std::io;
use std::task::{Context, Poll, ready};

/// A request on its way to the upstream.
pub(super) enum RequestSide {
    /// Nothing was sent.
    Head(SendRequest<Bytes>),
    Body(Box<StreamRequestBody>),
    /// The request is complete.
    Sent,
}

/// The body of a request.
pub(super) struct StreamRequestBody {
    stream: SendStream<Bytes>,
    framing: BodyFraming,
}

enum BodyFraming {
    /// Number of bytes to come.
    Length(u64),
    Chunked {
        scanner: ChunkScanner,
        /// Bytes of the current chunk that were recognised as data and not sent.
        data: usize,
        /// The trailer section, with its final empty line.
        trailers: Vec<u8>,
    },
}

/// A request whose head was sent.
pub(super) struct SentHead {
    /// Bytes of the head.
    pub(super) length: usize,
    pub(super) asked: RequestKind,
    pub(super) response: ResponseFuture,
    pub(super) next: RequestSide,
}

fn invalid(cause: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, cause)
}

/// Sends the head at the front of `bytes`, which must be complete.
///
/// # Errors
/// If the connection takes no further stream. Nothing was sent then.
pub(super) fn send_head(
    sender: &mut SendRequest<Bytes>,
    scheme: EndpointScheme,
    bytes: &[u8],
) -> io::Result<SentHead> {
    let mut space = field_space();
    let head = parse_head(bytes, &mut space)
        .ok()
        .flatten()
        .ok_or_else(|| invalid("the request head is incomplete"))?;
    let request = request(&head, scheme)
        .ok_or_else(|| invalid("the request head cannot be written in HTTP/2"))?;
    let framing = match head.framing {
        Framing::Length(0) => None,
        Framing::Length(length) => Some(BodyFraming::Length(length)),
        Framing::Chunked => Some(BodyFraming::Chunked {
            scanner: ChunkScanner::default(),
            data: 0,
            trailers: Vec::new(),
        }),
    };
    let (response, stream) = sender
        .send_request(request, framing.is_none())
        .map_err(broken)?;
    let next = framing.map_or(RequestSide::Sent, |framing| {
        RequestSide::Body(Box::new(StreamRequestBody { stream, framing }))
    });
    Ok(SentHead {
        length: head.length,
        asked: RequestKind::by(head.method),
        response,
        next,
    })
}

fn request(head: &ParsedHead<'_, '_>, scheme: EndpointScheme) -> Option<Request<()>> {
    let host = head.fields.first_value("host")?;
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(match scheme {
        EndpointScheme::Http => Scheme::HTTP,
        EndpointScheme::Https => Scheme::HTTPS,
    });
    uri.authority = Some(host.try_into().ok()?);
    uri.path_and_query = Some(PathAndQuery::try_from(head.target).ok()?);
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(head.method.as_bytes()).ok()?;
    *request.uri_mut() = Uri::from_parts(uri).ok()?;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.reserve(head.fields.len());
    for field in head.fields {
        // RFC 9113 sections 8.2.2 and 8.3.1.
        let only_http1 = ["host", "transfer-encoding", "connection"];
        if only_http1
            .iter()
            .any(|name| field.name.eq_ignore_ascii_case(name))
        {
            continue;
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(request)
}

impl StreamRequestBody {
    /// Takes bytes of the body, at least one, as far as flow control permits. Returns how many.
    ///
    /// # Errors
    /// If the upstream takes no more bytes, or the framing is malformed.
    pub(super) fn poll_take(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, framing } = self;
        match framing {
            BodyFraming::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let data = bytes.get(..most).unwrap_or(bytes);
                let room = ready!(poll_room(stream, context, data.len()))?;
                *left -= u64::try_from(room).unwrap_or(u64::MAX);
                Poll::Ready(send_data(stream, data, room, *left == 0))
            }
            BodyFraming::Chunked {
                scanner,
                data,
                trailers,
            } => {
                if *data == 0 {
                    let (part, length) = scanner
                        .part(bytes)
                        .map_err(|_| invalid("the chunks of the request are malformed"))?;
                    match part {
                        ChunkPart::Data => *data = length,
                        ChunkPart::Framing => return Poll::Ready(Ok(length)),
                        ChunkPart::Trailers => {
                            trailers.extend_from_slice(bytes.get(..length).unwrap_or_default());
                            if scanner.is_complete() {
                                end(stream, trailers)?;
                            }
                            return Poll::Ready(Ok(length));
                        }
                    }
                }
                let all = bytes.get(..*data).unwrap_or(bytes);
                let room = ready!(poll_room(stream, context, all.len()))?;
                *data -= room;
                Poll::Ready(send_data(stream, all, room, false))
            }
        }
    }

    /// Whether the upstream got the end of the body.
    pub(super) fn is_complete(&self) -> bool {
        match &self.framing {
            BodyFraming::Length(left) => *left == 0,
            BodyFraming::Chunked { scanner, .. } => scanner.is_complete(),
        }
    }
}

/// The number of bytes that the stream takes now, at most `wanted`.
fn poll_room(
    stream: &mut SendStream<Bytes>,
    context: &mut Context<'_>,
    wanted: usize,
) -> Poll<io::Result<usize>> {
    stream.reserve_capacity(wanted);
    loop {
        let room = stream.capacity().min(wanted);
        if room > 0 {
            return Poll::Ready(Ok(room));
        }
        match ready!(stream.poll_capacity(context)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

fn send_data(
    stream: &mut SendStream<Bytes>,
    data: &[u8],
    length: usize,
    is_last: bool,
) -> io::Result<usize> {
    let data = Bytes::copy_from_slice(data.get(..length).unwrap_or_default());
    count_copied(length);
    stream.send_data(data, is_last).map_err(broken)?;
    Ok(length)
}

fn end(stream: &mut SendStream<Bytes>, section: &[u8]) -> io::Result<()> {
    let trailers =
        read_trailers(section).map_err(|_| invalid("the trailers of the request are malformed"))?;
    if trailers.is_empty() {
        stream.send_data(Bytes::new(), true).map_err(broken)
    } else {
        stream.send_trailers(trailers).map_err(broken)
    }
}
