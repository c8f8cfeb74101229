//! What hyper reads in a stream of bytes, as an HTTP/1 server inside the test.

use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::convert::Infallible;
use std::io::Cursor;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A request as hyper reads it.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    pub method: String,
    pub uri: Uri,
    pub fields: Vec<(String, String)>,
    /// `None` if it is incomplete or broken.
    pub body: Option<Vec<u8>>,
    pub trailers: Vec<(String, String)>,
}

impl ReadRequest {
    /// Path and query.
    pub fn target(&self) -> &str {
        self.uri
            .path_and_query()
            .map_or("", |target| target.as_str())
    }

    pub fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }
}

/// All requests in a stream. hyper stops at the first that it cannot read.
pub fn read(stream: &[u8]) -> Vec<ReadRequest> {
    let requests = Rc::new(RefCell::new(Vec::new()));
    let sink = requests.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let sink = sink.clone();
        async move {
            let request = collected(request).await;
            sink.borrow_mut().push(request);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(1 << 20)
        .max_headers(200)
        .serve_connection(
            TokioIo::new(Bytestream(Cursor::new(stream.to_vec()))),
            service,
        );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    // An error ends what hyper reads.
    let _ = runtime.block_on(connection);
    requests.take()
}

async fn collected(request: Request<Incoming>) -> ReadRequest {
    let (parts, body) = request.into_parts();
    let collected = body.collect().await.ok();
    let trailers = collected.as_ref().and_then(|body| body.trailers().cloned());
    ReadRequest {
        method: parts.method.as_str().to_owned(),
        uri: parts.uri,
        fields: pairs(&parts.headers),
        body: collected.map(|body| body.to_bytes().to_vec()),
        trailers: trailers.as_ref().map(pairs).unwrap_or_default(),
    }
}

fn pairs(fields: &HeaderMap) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| {
            let value = value.as_bytes().iter().copied().map(char::from).collect();
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// Bytes to read. What is written is dropped.
struct Bytestream(Cursor<Vec<u8>>);

impl AsyncRead for Bytestream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Bytestream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
