//! An upstream that records what reaches it: a real hyper server, or a script of raw bytes that misbehaves.

use super::eventually;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};

/// What reached an upstream.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub target: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    pub trailers: Option<http::HeaderMap>,
    /// The connection that it came on; the same number means the same connection.
    pub connection: usize,
}

impl Recorded {
    /// The values of a header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().expect("ASCII"))
            .collect()
    }
}

/// The body type of answers.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A running upstream.
pub struct Upstream {
    pub address: SocketAddr,
    recorded: Arc<Mutex<Vec<Recorded>>>,
    _runtime: Option<tokio::runtime::Runtime>,
}

impl Upstream {
    /// Answers every request with 200 and `hello`.
    pub fn start() -> Self {
        Self::answering(|_| Response::new(full("hello")))
    }

    /// Answers as `answer` says, after the whole request was read and recorded.
    pub fn answering(answer: impl Fn(&Recorded) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self::serving(None, answer)
    }

    /// Answers every request with 200 and `hello`, over TLS.
    pub fn over_tls(config: rustls::ServerConfig) -> Self {
        Self::over_tls_answering(config, |_| Response::new(full("hello")))
    }

    /// Answers as `answer` says, over TLS.
    pub fn over_tls_answering(
        config: rustls::ServerConfig,
        answer: impl Fn(&Recorded) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        Self::serving(Some(acceptor), answer)
    }

    fn serving(
        acceptor: Option<tokio_rustls::TlsAcceptor>,
        answer: impl Fn(&Recorded) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let recorded: Arc<Mutex<Vec<Recorded>>> = Arc::default();
        let (sink, answer) = (recorded.clone(), Arc::new(answer));
        runtime.spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.expect("an accepted connection");
                stream.set_nodelay(true).expect("an option");
                let (sink, answer) = (sink.clone(), answer.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (sink, answer) = (sink.clone(), answer.clone());
                    async move {
                        let recorded = record(request, connection).await;
                        sink.lock()
                            .expect("no panic while locked")
                            .push(recorded.clone());
                        Ok::<_, Infallible>(answer(&recorded))
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                match acceptor.clone() {
                    None => drop(tokio::spawn(
                        http.serve_connection(TokioIo::new(stream), service),
                    )),
                    Some(acceptor) => drop(tokio::spawn(async move {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            let _ = http.serve_connection(TokioIo::new(stream), service).await;
                        }
                    })),
                }
            }
        });
        Self {
            address,
            recorded,
            _runtime: Some(runtime),
        }
    }

    /// Hands each connection to `script`, one thread each, with its number: for upstreams that misbehave.
    pub fn scripted(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let script = script.clone();
                std::thread::spawn(move || script(stream, number));
            }
        });
        Self {
            address,
            recorded: Arc::default(),
            _runtime: None,
        }
    }

    /// What has reached it so far.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.recorded.lock().expect("no panic while locked").clone()
    }

    /// The only request that has reached it.
    pub fn only(&self) -> Recorded {
        let mut recorded = self.recorded();
        assert_eq!(recorded.len(), 1, "one request reached the upstream");
        recorded.remove(0)
    }
}

async fn record(request: Request<Incoming>, connection: usize) -> Recorded {
    let (head, body) = request.into_parts();
    let collected = body.collect().await.ok();
    let trailers = collected.as_ref().and_then(|body| body.trailers().cloned());
    Recorded {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers,
        body: collected.map(|body| body.to_bytes()).unwrap_or_default(),
        trailers,
        connection,
    }
}

/// A body of known length.
pub fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

/// A body of unknown length.
pub fn pieces(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Body {
    Pieces(frames.into_iter().collect()).boxed_unsync()
}

struct Pieces(VecDeque<Frame<Bytes>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// An upstream that answers `late` to each request, but only once the gate is open.
pub struct HeldUpstream {
    pub upstream: Upstream,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Default)]
struct Gate {
    waiting: usize,
    open: bool,
}

impl HeldUpstream {
    pub fn start() -> Self {
        let gate: Arc<(Mutex<Gate>, Condvar)> = Arc::default();
        let shared = gate.clone();
        let upstream = Upstream::scripted(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                let (state, changed) = &*shared;
                let mut state = state.lock().expect("no panic while locked");
                state.waiting += 1;
                while !state.open {
                    state = changed.wait(state).expect("no panic while locked");
                }
                drop(state);
                write(
                    &mut stream,
                    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate",
                );
            }
        });
        Self { upstream, gate }
    }

    /// Waits until so many requests have arrived.
    pub fn wait_for_requests(&self, count: usize) {
        eventually("requests at the upstream", || {
            (self.requests() >= count).then_some(())
        });
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> usize {
        self.gate.0.lock().expect("no panic while locked").waiting
    }

    /// Holds all answers from now on.
    pub fn close(&self) {
        *self.gate.0.lock().expect("no panic while locked") = Gate::default();
    }

    /// Lets all answers go, now and later.
    pub fn open(&self) {
        self.gate.0.lock().expect("no panic while locked").open = true;
        self.gate.1.notify_all();
    }
}

/// Reads one request head from a scripted connection.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut octet) {
            Ok(1) => head.push(octet[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Writes and hopes for nothing: the other side may be gone.
pub fn write(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
    let _ = stream.flush();
}
