//! The address of an upstream or authorizer, and connecting to it: TCP, or TLS for `https`.

mod address;
mod host_pattern;
mod http_version;

pub use address::{EndpointAddress, EndpointError, EndpointScheme};
pub use host_pattern::{EndpointHostPattern, EndpointHostPatternError};
pub use http_version::{EndpointHttp, HttpConnection};

use crate::descriptors::{Descriptor, LOOK_UP};
use crate::pool;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// One address of an upstream or of an authorizer.
#[derive(Clone, Debug)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// `host:port` as configured: the Host field for `host_header = "endpoint"`, and the name in logs.
    pub authority: String,
    tls: Option<EndpointTls>,
    /// The HTTP versions to offer.
    http: EndpointHttp,
}

/// How an `https` endpoint is verified.
#[derive(Clone)]
pub struct EndpointTls {
    /// Trust anchors and client certificate.
    pub config: Arc<rustls::ClientConfig>,
    /// The name that the endpoint's certificate must carry.
    pub name: ServerName<'static>,
}

impl std::fmt::Debug for EndpointTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointTls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why connecting failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Name resolution failed, the connection was refused, or there is no route.
    #[error("cannot connect")]
    Tcp(#[source] io::Error),
    /// The endpoint's certificate was rejected, or TLS failed otherwise.
    #[error("TLS with the endpoint failed")]
    Tls(#[source] io::Error),
    /// Only HTTP/2 was offered over TLS, and the endpoint did not select it.
    #[error("the endpoint did not select HTTP/2 by ALPN")]
    NoHttp2,
    /// The connection ended, or the endpoint sent no HTTP/2 settings.
    #[error("the endpoint does not speak HTTP/2")]
    Http2(#[source] io::Error),
    /// The endpoint permits no HTTP/2 stream.
    #[error("the endpoint permits no stream on its HTTP/2 connection")]
    NoStreams,
    /// All descriptors for connections to upstreams and authorizers are in use.
    #[error("no file descriptor is left for upstream connections")]
    NoDescriptors,
    /// The connect timeout passed.
    #[error("connecting took longer than the connect timeout")]
    Timeout,
}

impl ConnectError {
    /// For a failed beginning of HTTP/2.
    pub fn of_http2(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut {
            Self::Timeout
        } else {
            Self::Http2(error)
        }
    }

    /// Whether the error is typical of an endpoint that restarts, so that a retry may succeed.
    pub fn is_passing(&self) -> bool {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, UnexpectedEof,
        };
        match self {
            Self::Tcp(error) => matches!(
                error.kind(),
                ConnectionRefused | ConnectionReset | ConnectionAborted
            ),
            // A rejected certificate has another error kind.
            Self::Tls(error) | Self::Http2(error) => {
                matches!(
                    error.kind(),
                    UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
                )
            }
            Self::NoHttp2 | Self::NoStreams | Self::NoDescriptors | Self::Timeout => false,
        }
    }
}

impl Endpoint {
    /// The endpoint with these HTTP versions.
    #[must_use]
    pub fn with_http(self, http: EndpointHttp) -> Self {
        Self { http, ..self }
    }

    /// The HTTP versions to offer.
    pub fn http(&self) -> EndpointHttp {
        self.http
    }

    /// Whether connections are encrypted.
    pub fn scheme(&self) -> EndpointScheme {
        match self.tls {
            None => EndpointScheme::Http,
            Some(_) => EndpointScheme::Https,
        }
    }

    /// As [`connect`](Self::connect), and agrees on one of the HTTP versions `http`.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub async fn connect_http(
        &self,
        http: EndpointHttp,
        preface: Option<&[u8]>,
        client_config: Option<&Arc<rustls::ClientConfig>>,
        timeout: Duration,
    ) -> Result<HttpConnection, ConnectError> {
        let connecting = self.connect_now(http, preface, client_config);
        let stream = tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| ConnectError::Timeout)??;
        http.agreed(stream)
    }

    /// Connects within `timeout`. The bytes of `preface` are sent first, before TLS. `client_config` replaces the TLS configuration
    /// of the endpoint, to present another client certificate than the gateway's.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub async fn connect(
        &self,
        preface: Option<&[u8]>,
        client_config: Option<&Arc<rustls::ClientConfig>>,
        timeout: Duration,
    ) -> Result<EndpointStream, ConnectError> {
        let connecting = self.connect_now(EndpointHttp::Http1, preface, client_config);
        tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| ConnectError::Timeout)?
    }

    async fn tcp(&self) -> Result<TcpStream, ConnectError> {
        let stream = match self.host.parse::<IpAddr>() {
            Ok(address) => TcpStream::connect((address, self.port)).await,
            Err(_) => TcpStream::connect(&*self.look_up().await?).await,
        };
        let stream = stream.map_err(ConnectError::Tcp)?;
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        Ok(stream)
    }

    /// The addresses of the host. A hanging lookup outlives the connect timeout and keeps its descriptors.
    async fn look_up(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let descriptors: [Descriptor; LOOK_UP] = [descriptor().await?, descriptor().await?];
        let host = self.host.clone();
        let port = self.port;
        let look_up = tokio::task::spawn_blocking(move || {
            let addresses = (host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect);
            drop(descriptors);
            addresses
        });
        look_up
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(ConnectError::Tcp)
    }

    async fn connect_now(
        &self,
        http: EndpointHttp,
        preface: Option<&[u8]>,
        client_config: Option<&Arc<rustls::ClientConfig>>,
    ) -> Result<EndpointStream, ConnectError> {
        let descriptor = descriptor().await?;
        let mut stream = self.tcp().await?;
        if let Some(preface) = preface {
            stream.write_all(preface).await.map_err(ConnectError::Tcp)?;
        }
        match &self.tls {
            // Without TLS no client certificate can be presented, and the request must not be sent under another identity.
            None if client_config.is_some() => {
                Err(ConnectError::Tls(io::ErrorKind::Unsupported.into()))
            }
            None => Ok(EndpointStream::Plain(stream, descriptor)),
            Some(tls) => {
                let connector = TlsConnector::from(client_config.unwrap_or(&tls.config).clone());
                let protocols = http.alpn_protocols();
                let connected = if protocols.is_empty() {
                    connector.connect(tls.name.clone(), stream).await
                } else {
                    let connector = connector.with_alpn(protocols);
                    connector.connect(tls.name.clone(), stream).await
                };
                let stream = connected.map_err(ConnectError::Tls)?;
                Ok(EndpointStream::Tls(Box::new(stream), descriptor))
            }
        }
    }
}

async fn descriptor() -> Result<Descriptor, ConnectError> {
    pool::descriptor().await.ok_or(ConnectError::NoDescriptors)
}

/// A connection to an endpoint, with its counted descriptor.
#[derive(Debug)]
pub enum EndpointStream {
    /// Without TLS: the network can read and change it.
    Plain(TcpStream, Descriptor),
    /// TLS; the endpoint's certificate is verified.
    Tls(Box<TlsStream<TcpStream>>, Descriptor),
}

impl AsyncRead for EndpointStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream, _) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for EndpointStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream, _) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Tls(stream, _) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream, _) => stream.is_write_vectored(),
            Self::Tls(stream, _) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream, _) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream, _) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
