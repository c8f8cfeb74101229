//! The address of an upstream or authorizer, and connecting to it: TCP, or TLS for `https`.

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

/// Why a text is not an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It does not begin with `http://` or `https://`.
    #[error("an endpoint begins with http:// or https://")]
    Scheme,
    /// It has more than host and port.
    #[error("an endpoint is a host and a port, without path, query or user")]
    MoreThanAuthority,
    /// It has no host, or the port is not a number.
    #[error("the host or port of the endpoint cannot be read")]
    Authority,
}

/// A parsed endpoint.
#[derive(Debug)]
pub struct EndpointAddress {
    /// Plain or TLS.
    pub scheme: EndpointScheme,
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    authority: String,
}

/// The scheme of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointScheme {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS; the certificate is always verified.
    Https,
}

impl EndpointAddress {
    /// Parses `http://host[:port]`.
    ///
    /// # Errors
    /// [`EndpointError`]
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (EndpointScheme::Http, rest),
            Some(("https", rest)) => (EndpointScheme::Https, rest),
            _ => return Err(EndpointError::Scheme),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(EndpointError::MoreThanAuthority);
        }
        let parsed: http::uri::Authority =
            authority.parse().map_err(|_| EndpointError::Authority)?;
        // The library returns no port if it is malformed, so the text after the host is parsed here.
        let port_text = authority
            .strip_prefix(parsed.host())
            .ok_or(EndpointError::Authority)?;
        let port = match (port_text, scheme) {
            ("", EndpointScheme::Https) => 443,
            ("", EndpointScheme::Http) => 80,
            _ => port_text
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .ok_or(EndpointError::Authority)?,
        };
        let host = parsed
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() || port == 0 {
            return Err(EndpointError::Authority);
        }
        Ok(Self {
            scheme,
            host,
            port,
            authority: authority.to_owned(),
        })
    }

    /// The endpoint; `tls` says how its certificate is verified.
    pub fn into_endpoint(self, tls: Option<EndpointTls>) -> Endpoint {
        Endpoint {
            host: self.host,
            port: self.port,
            authority: self.authority,
            tls,
        }
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
    /// All descriptors for connections to upstreams and authorizers are in use.
    #[error("no file descriptor is left for upstream connections")]
    NoDescriptors,
    /// The connect timeout passed.
    #[error("connecting took longer than the connect timeout")]
    Timeout,
}

impl ConnectError {
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
            Self::Tls(error) => {
                matches!(
                    error.kind(),
                    UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
                )
            }
            Self::NoDescriptors | Self::Timeout => false,
        }
    }
}

impl Endpoint {
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
        tokio::time::timeout(timeout, self.connect_now(preface, client_config))
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
                let stream = connector
                    .connect(tls.name.clone(), stream)
                    .await
                    .map_err(ConnectError::Tls)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_a_scheme_a_host_and_a_port() {
        let parse = |text: &str| {
            EndpointAddress::parse(text)
                .map(|found| (found.scheme, found.host, found.port))
                .ok()
        };
        assert_eq!(
            parse("http://127.0.0.1:8080"),
            Some((EndpointScheme::Http, "127.0.0.1".into(), 8080))
        );
        assert_eq!(
            parse("https://icinga.example.org"),
            Some((EndpointScheme::Https, "icinga.example.org".into(), 443))
        );
        assert_eq!(
            parse("http://[::1]:80/"),
            Some((EndpointScheme::Http, "::1".into(), 80))
        );
        for text in [
            "127.0.0.1:80",
            "ftp://a",
            "http://",
            "http://a:",
            "http://a:x",
            "http://a:0",
            "http://a/b",
            "http://u@a",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
