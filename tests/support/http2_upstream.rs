//! Scripted HTTP/2 upstreams, frame by frame with h2: what they permit, refuse, and break off is the script's.

use super::pki::Pki;
use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

/// One request at the upstream.
pub struct Call {
    /// The number of its connection.
    pub connection: usize,
    pub request: Request<RecvStream>,
    pub respond: SendResponse<Bytes>,
    pub seen: Seen,
}

type Script = Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The number of the connection of a request, and its head.
pub type NumberedHead = (usize, Request<()>);

/// What the upstream saw.
#[derive(Clone, Default)]
pub struct Seen {
    heads: Arc<Mutex<Vec<NumberedHead>>>,
    connections: Arc<AtomicUsize>,
    resets: Arc<Mutex<Vec<h2::Reason>>>,
    shutdown: Arc<Notify>,
    go_ahead: Arc<Notify>,
}

impl Seen {
    /// Connection and head of each request.
    pub fn heads(&self) -> Vec<NumberedHead> {
        self.heads.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Why streams were reset that the script waited for.
    pub fn resets(&self) -> Vec<h2::Reason> {
        self.resets.lock().unwrap().clone()
    }

    /// Sends GOAWAY on all connections, which serve their open streams to the end.
    pub fn go_away(&self) {
        self.shutdown.notify_waiters();
    }
}

impl Seen {
    /// Until [`Self::go_ahead`].
    pub async fn wait_for_go_ahead(&self) {
        self.go_ahead.notified().await;
    }

    /// Lets all scripts that wait go on.
    pub fn go_ahead(&self) {
        self.go_ahead.notify_waiters();
    }
}

/// A running upstream.
pub struct Http2Upstream {
    pub address: SocketAddr,
    pub seen: Seen,
    _runtime: tokio::runtime::Runtime,
}

impl Http2Upstream {
    /// By prior knowledge, with the settings of h2.
    pub fn start<F>(script: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with(Builder::new(), None, script)
    }

    /// By prior knowledge, or with TLS that offers these protocols, or both halves of neither.
    pub fn with<F>(
        builder: Builder,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let script: Script = Arc::new(move |call| Box::pin(script(call)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let shared = seen.clone();
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let (builder, script, seen) = (builder.clone(), script.clone(), shared.clone());
                let tls = tls.clone();
                tokio::spawn(async move {
                    stream.set_nodelay(true).unwrap();
                    match tls {
                        None => serve(builder, stream, number, script, seen).await,
                        Some(tls) => {
                            let acceptor = tokio_rustls::TlsAcceptor::from(tls);
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(builder, stream, number, script, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            seen,
            _runtime: runtime,
        }
    }

    /// `[upstream.api]` with this scheme and these keys, and a route for everything to it.
    pub fn route(&self, scheme: &str, keys: &str) -> String {
        format!(
            "[upstream.api]\nendpoints = [\"{scheme}://{}\"]\n{keys}\n[[route]]\npath = \"/\"\nupstream = \"api\"\n",
            self.address
        )
    }
}

/// TLS with `server.crt` of this PKI that selects one of these protocols.
pub fn tls(pki: &Pki, protocols: &[&str]) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(pki.path("server.crt"))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(pki.path("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

async fn serve<S>(builder: Builder, stream: S, number: usize, script: Script, seen: Seen)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(mut connection): Result<Connection<S, Bytes>, _> = builder.handshake(stream).await
    else {
        return;
    };
    loop {
        let shutdown = seen.shutdown.notified();
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let (parts, body) = request.into_parts();
                let head = Request::from_parts(parts.clone(), ());
                seen.heads.lock().unwrap().push((number, head));
                let call = Call {
                    connection: number,
                    request: Request::from_parts(parts, body),
                    respond,
                    seen: seen.clone(),
                };
                tokio::spawn(script(call));
            }
            () = shutdown => connection.graceful_shutdown(),
        }
    }
}

impl Call {
    /// Reads the body of the request, and its trailers.
    pub async fn read(&mut self) -> (Vec<u8>, Option<HeaderMap>) {
        let body = self.request.body_mut();
        let mut data = Vec::new();
        while let Some(Ok(piece)) = body.data().await {
            let _ = body.flow_control().release_capacity(piece.len());
            data.extend_from_slice(&piece);
        }
        (data, body.trailers().await.ok().flatten())
    }

    /// Responds with a body, and trailers if there are some.
    pub async fn answer(mut self, head: Response<()>, body: Vec<u8>, trailers: Option<HeaderMap>) {
        let is_last = body.is_empty() && trailers.is_none();
        let Ok(mut stream) = self.respond.send_response(head, is_last) else {
            return;
        };
        if is_last || send(&mut stream, body, trailers.is_none()).await.is_err() {
            return;
        }
        if let Some(trailers) = trailers {
            let _ = stream.send_trailers(trailers);
        }
    }

    /// Waits until the stream is reset, and records why.
    pub async fn wait_for_reset(&self, stream: &mut SendStream<Bytes>) {
        if let Ok(reason) = poll_fn(|context| stream.poll_reset(context)).await {
            self.seen.resets.lock().unwrap().push(reason);
        }
    }
}

/// Sends as flow control permits.
pub async fn send(
    stream: &mut SendStream<Bytes>,
    body: Vec<u8>,
    is_last: bool,
) -> Result<(), h2::Error> {
    let mut rest = Bytes::from(body);
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        while stream.capacity() == 0 {
            match poll_fn(|context| stream.poll_capacity(context)).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(h2::Reason::CANCEL.into()),
            }
        }
        let piece = rest.split_to(stream.capacity().min(rest.len()));
        let ends = is_last && rest.is_empty();
        stream.send_data(piece, ends)?;
    }
    Ok(())
}
