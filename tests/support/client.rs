//! Clients: HTTP/1.1 and HTTP/2 over mutual TLS with hyper, raw bytes over TLS, and raw bytes over TCP.

use super::Pki;
use super::eventually::PATIENCE;
use super::pki::Identity;
use bytes::Bytes;
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

    /// The reason word of a refusal.
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

    /// Shakes hands and gives what was settled. In TLS 1.3 a refusal of the client may still be on its way.
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

enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<RequestBody>),
    Http2(hyper::client::conn::http2::SendRequest<RequestBody>),
}

/// An open connection.
pub struct Connection<'c> {
    client: &'c Client,
    sender: Sender,
    version: Version,
}

impl Connection<'_> {
    /// Asks on a connection whose client is out since it was opened. HTTP/2 says goodbye unasked, so a request may come
    /// too late for an answer.
    pub fn must_be_refused(&mut self, reason: &str) {
        let version = self.version;
        match self.send(get("/")) {
            Ok(answer) => assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, reason),
                "{version:?}"
            ),
            Err(error) => assert_eq!(version, Version::Http2, "{error}"),
        }
    }

    /// Sends a request and reads the answer to its end.
    pub fn send(&mut self, request: Request<RequestBody>) -> Result<Answer, std::io::Error> {
        self.client.runtime.block_on(within_patience(async {
            let response = self.start_async(request).await?;
            read(response).await
        }))
    }

    /// Sends a request and gives the answer with its body still to be read.
    pub fn start(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<hyper::body::Incoming>, std::io::Error> {
        self.client
            .runtime
            .block_on(within_patience(self.start_async(request)))
    }

    /// Sends a request, and gives up once a condition holds. `None` if there was no answer until then.
    pub fn start_until(
        &mut self,
        request: Request<RequestBody>,
        is_over: impl Fn() -> bool,
    ) -> Option<Result<Response<hyper::body::Incoming>, std::io::Error>> {
        let over = async {
            while !is_over() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Ok(())
        };
        self.client.runtime.block_on(async {
            tokio::select! {
                answer = self.start_async(request) => Some(answer),
                over = within_patience(over) => over.map(|()| None).expect("the condition holds in the end"),
            }
        })
    }

    /// The HTTP/2 sender, to be cloned for requests at the same time.
    pub fn http2(&self) -> &hyper::client::conn::http2::SendRequest<RequestBody> {
        match &self.sender {
            Sender::Http2(sender) => sender,
            Sender::Http1(_) => panic!("an HTTP/2 connection"),
        }
    }

    async fn start_async(
        &mut self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<hyper::body::Incoming>, std::io::Error> {
        if self.version == Version::Http1 {
            // Origin form and a Host field, as HTTP/1.1 has it.
            let host = request
                .uri()
                .authority()
                .map(|authority| authority.to_string())
                .unwrap_or_default();
            let path = request
                .uri()
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned();
            *request.uri_mut() = path.parse().expect("a path");
            if !request.headers().contains_key("host") {
                request
                    .headers_mut()
                    .insert("host", host.parse().expect("a host"));
            }
        }
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(std::io::Error::other)?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(std::io::Error::other)?;
                sender.send_request(request).await
            }
        };
        response.map_err(std::io::Error::other)
    }
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

/// Raw bytes over TLS.
pub struct Raw {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Raw {
    /// The certificate that the server showed in the handshake, in DER.
    pub fn server_certificate(&mut self) -> Vec<u8> {
        while self.stream.conn.is_handshaking() {
            self.stream
                .conn
                .complete_io(&mut self.stream.sock)
                .expect("a handshake");
        }
        let chain = self.stream.conn.peer_certificates().expect("a certificate");
        chain[0].to_vec()
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("a connection that takes bytes");
        self.stream.flush().expect("a connection that takes bytes");
    }

    /// Lets `try_write` fail when nothing is taken for so long. A write that blocks turns to reading in rustls, so it
    /// takes the time of both.
    pub fn give_up_writing_after(&self, time: Duration) {
        self.stream
            .sock
            .set_write_timeout(Some(time))
            .expect("a timeout");
        self.stream
            .sock
            .set_read_timeout(Some(time))
            .expect("a timeout");
    }

    /// Writes to a connection that may be closed already.
    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The alert with which the other side refuses to go on.
    pub fn alert(&mut self) -> AlertDescription {
        let error = match self.stream.read(&mut [0]) {
            Err(error) => error,
            Ok(read) => panic!("{read} bytes and no alert"),
        };
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::AlertReceived(alert)) => *alert,
            _ => panic!("no alert: {error:?}"),
        }
    }

    /// Reads some content, or gives the alert that ends the connection.
    pub fn content_or_alert(&mut self) -> Option<AlertDescription> {
        match self.stream.read(&mut [0; 4096]) {
            Ok(0) => panic!("a goodbye and no alert"),
            Ok(_) => None,
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
                _ => panic!("no alert: {error:?}"),
            },
        }
    }

    /// Reads until the text has come.
    pub fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut octet = [0];
        while !text.ends_with(end.as_bytes()) {
            match self.stream.read(&mut octet) {
                Ok(1) => text.push(octet[0]),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&text)),
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads so many bytes.
    pub fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("that many bytes");
        bytes
    }

    /// What has come by now or comes next; empty at the end, clean or not.
    pub fn read_some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let length = match self.stream.read(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("waited in vain for bytes")
            }
            outcome => outcome.unwrap_or(0),
        };
        bytes.truncate(length);
        bytes
    }

    /// Ends this side of TLS, and goes on reading.
    pub fn close_writing(&mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().expect("a connection that takes bytes");
    }

    /// Takes a new key so many times at once, and asks the other side for as many.
    pub fn renew_keys(&mut self, times: usize) {
        let mut wire = Vec::new();
        for _ in 0..times {
            self.stream.conn.refresh_traffic_keys().expect("TLS 1.3");
            self.stream.conn.write_tls(&mut wire).expect("memory");
        }
        self.stream
            .sock
            .write_all(&wire)
            .expect("a connection that takes bytes");
    }

    /// Reads until TLS ends. The alert, if it ends with a fatal one.
    pub fn end_of_tls(&mut self) -> Option<AlertDescription> {
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(rustls::Error::AlertReceived(alert)) => return Some(*alert),
                    _ => panic!("cut off: {error:?}"),
                },
            }
        }
    }

    /// Whether the connection ends without close_notify, which tells a client that what it has is incomplete.
    pub fn is_cut_off(&mut self) -> bool {
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::UnexpectedEof,
            }
        }
    }

    /// Ends TLS with a fatal alert, as a client does that cannot read a record.
    pub fn send_fatal_alert(&mut self) {
        let record = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
        let _ = self.stream.conn.read_tls(&mut &*record);
        self.stream
            .conn
            .process_new_packets()
            .expect_err("a record that nobody has sealed");
        self.stream
            .conn
            .write_tls(&mut self.stream.sock)
            .expect("a connection that takes bytes");
    }

    /// The socket below, for those who break the rules.
    pub fn socket(&self) -> &TcpStream {
        &self.stream.sock
    }

    /// Reads until the other side closes, cleanly or not.
    pub fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let outcome = self.stream.read_to_end(&mut bytes);
        if let Err(error) = &outcome {
            let ends = [
                std::io::ErrorKind::UnexpectedEof,
                std::io::ErrorKind::ConnectionReset,
            ];
            assert!(
                ends.contains(&error.kind()),
                "{error} after {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The reason word of a raw answer; nothing if it is no refusal.
pub fn reason(answer: &str) -> String {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    problem["reason"].as_str().unwrap_or_default().to_owned()
}

/// The status of a raw answer.
pub fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no status in {answer:?}"))
}
