//! Clients: HTTP/1.1 and HTTP/2 over mutual TLS with hyper, raw bytes over TLS, and raw bytes over TCP.

mod connection;
mod raw;

pub use connection::Connection;
pub use raw::{Raw, reason, status};

use super::Pki;
use super::eventually::PATIENCE;
use super::pki::Identity;
use bytes::Bytes;
use connection::Sender;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Who connects, whom it trusts, and to where.
pub struct Client {
    config: ClientConfig,
    address: SocketAddr,
    server_name: String,
    /// Sent before the handshake.
    first: Vec<u8>,
    runtime: Runtime,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    /// A field of a problem+json body.
    pub fn problem(&self, field: &str) -> String {
        let body: serde_json::Value =
            serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        body[field]
            .as_str()
            .map_or_else(|| body[field].to_string(), str::to_owned)
    }

    /// The reason word of a rejection.
    pub fn reason(&self) -> String {
        self.problem("reason")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The HTTP version that a client asks for by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Http1,
    Http2,
}

impl Version {
    fn alpn(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

pub const BOTH: [Version; 2] = [Version::Http1, Version::Http2];

pub type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// A body of known length.
pub fn body(text: impl Into<Bytes>) -> RequestBody {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body with trailers behind it.
pub fn body_with_trailers(text: &'static str, trailers: HeaderMap) -> RequestBody {
    // Mapping frames hides the length: in HTTP/1.1 only a chunked body has trailers.
    let data = body(text).map_frame(|frame| frame);
    data.with_trailers(async { Some(Ok(trailers)) })
        .boxed_unsync()
}

impl Client {
    /// A client with a certificate, or without.
    pub fn new(pki: &Pki, identity: Option<&Identity>, address: SocketAddr) -> Self {
        Self::with_provider(
            pki,
            identity,
            address,
            &[&rustls::version::TLS13, &rustls::version::TLS12],
        )
    }

    /// A client that speaks only these TLS versions.
    pub fn with_provider(
        pki: &Pki,
        identity: Option<&Identity>,
        address: SocketAddr,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for anchor in CertificateDer::pem_file_iter(pki.ca_file()).expect("a CA file") {
            roots
                .add(anchor.expect("a certificate"))
                .expect("an anchor");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
                let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self {
            config,
            address,
            server_name: "localhost".to_owned(),
            first: Vec::new(),
            runtime: runtime.expect("a runtime"),
        }
    }

    /// Asks for another server name.
    pub fn with_server_name(mut self, name: &str) -> Self {
        self.server_name = name.to_owned();
        self
    }

    /// Sends something before each handshake.
    pub fn beginning_with(mut self, octets: &[u8]) -> Self {
        self.first = octets.to_vec();
        self
    }

    /// Changes what the client says in its handshakes. Which protocols `connect` and `raw` ask for stays theirs.
    pub fn with_config(mut self, change: impl FnOnce(&mut ClientConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Opens a connection.
    pub fn connect(&self, version: Version) -> Result<Connection<'_>, std::io::Error> {
        let mut config = self.config.clone();
        config.alpn_protocols = vec![version.alpn().as_bytes().to_vec()];
        self.runtime.block_on(within_patience(async {
            let mut stream = tokio::net::TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            tokio::io::AsyncWriteExt::write_all(&mut stream, &self.first).await?;
            let name = ServerName::try_from(self.server_name.clone()).expect("a server name");
            let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await?;
            let io = TokioIo::new(stream);
            let other = |error: hyper::Error| std::io::Error::other(error);
            let sender = match version {
                Version::Http1 => {
                    let (sender, connection) = hyper::client::conn::http1::handshake(io)
                        .await
                        .map_err(other)?;
                    tokio::spawn(connection.with_upgrades());
                    Sender::Http1(sender)
                }
                Version::Http2 => {
                    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
                    let (sender, connection) = handshake.await.map_err(other)?;
                    tokio::spawn(connection);
                    Sender::Http2(sender)
                }
            };
            Ok(Connection {
                client: self,
                sender,
                version,
            })
        }))
    }

    /// One request on a connection of its own.
    pub fn send(
        &self,
        version: Version,
        request: Request<RequestBody>,
    ) -> Result<Answer, std::io::Error> {
        self.connect(version)?.send(request)
    }

    /// `GET path` over HTTP/1.1 that must be answered.
    pub fn get(&self, path: &str) -> Answer {
        self.send(Version::Http1, get(path)).expect("an answer")
    }

    /// A TLS connection for raw bytes, with `http/1.1` settled.
    pub fn raw(&self) -> Raw {
        self.raw_in(Version::Http1)
    }

    /// A TLS connection for raw bytes of this version.
    pub fn raw_in(&self, version: Version) -> Raw {
        self.raw_speaking(version.alpn())
    }

    /// A TLS connection for raw bytes, with this application protocol offered.
    pub fn raw_speaking(&self, protocol: &str) -> Raw {
        let mut config = self.config.clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Raw {
            stream: self.open(config),
        }
    }

    /// A TLS connection for raw bytes with the protocols that the config names, if any.
    pub fn raw_as_configured(&self) -> Raw {
        Raw {
            stream: self.open(self.config.clone()),
        }
    }

    /// A connection whose handshake begins with the first byte that is read or written.
    fn open(&self, config: ClientConfig) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from(self.server_name.clone()).expect("a server name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let mut stream = TcpStream::connect(self.address).expect("a listener");
        stream
            .write_all(&self.first)
            .expect("a connection that takes bytes");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        StreamOwned::new(connection, stream)
    }

    /// The first bytes of a handshake.
    pub fn hello(&self) -> Vec<u8> {
        let name = ServerName::try_from(self.server_name.clone()).expect("a server name");
        let mut connection =
            ClientConnection::new(Arc::new(self.config.clone()), name).expect("a connection");
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).expect("memory");
        hello
    }

    /// Shakes hands and gives what was settled. In TLS 1.3 a rejection of the client may still be on its way.
    pub fn shake_hands(&self) -> ClientConnection {
        let mut stream = self.open(self.config.clone());
        while stream.conn.is_handshaking() {
            stream
                .conn
                .complete_io(&mut stream.sock)
                .expect("a handshake");
        }
        stream.conn
    }

    /// The alert with which the other side refuses the handshake. In TLS 1.3 it comes with the first read.
    pub fn alert(&self) -> AlertDescription {
        self.raw_as_configured().alert()
    }

    /// Sends raw bytes, and gives all that comes back until the other side closes.
    pub fn exchange(&self, bytes: &[u8]) -> String {
        let mut raw = self.raw();
        raw.write(bytes);
        raw.read_to_end()
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// A `GET` with a Host, ready to be sent.
pub fn get(path: &str) -> Request<RequestBody> {
    request("GET", path, "")
}

/// A request with a Host and a body.
pub fn request(method: &str, path: &str, text: &str) -> Request<RequestBody> {
    let uri = format!("https://localhost{path}");
    Request::builder()
        .method(method)
        .uri(uri)
        .body(body(text.to_owned()))
        .expect("a request")
}

/// What hangs is an error, not a test that never ends.
async fn within_patience<T>(
    work: impl Future<Output = Result<T, std::io::Error>>,
) -> Result<T, std::io::Error> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// Reads an answer to its end; a body that breaks off is an error.
pub async fn read(response: Response<hyper::body::Incoming>) -> Result<Answer, std::io::Error> {
    let (head, body) = response.into_parts();
    let collected = body.collect().await.map_err(std::io::Error::other)?;
    let trailers = collected.trailers().cloned();
    let body = String::from_utf8_lossy(&collected.to_bytes()).into_owned();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
        trailers,
    })
}
