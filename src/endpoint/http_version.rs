//! Which HTTP version an endpoint speaks: fixed by its scheme or the config, or negotiated by ALPN. Sends nothing.

use super::{ConnectError, EndpointStream};

/// The HTTP versions that the gateway offers to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointHttp {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: with TLS by ALPN, otherwise by prior knowledge (RFC 9113 section 3.3).
    Http2,
    /// HTTP/2 if the endpoint selects it by ALPN, otherwise HTTP/1.1.
    Negotiated,
}

impl EndpointHttp {
    /// The ALPN protocols to offer in place of those of the TLS config. Empty for the latter.
    pub(super) fn alpn_protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http1 => Vec::new(),
            Self::Http2 => vec![b"h2".to_vec()],
            Self::Negotiated => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }

    /// The connection with the version that both sides speak.
    ///
    /// # Errors
    /// [`ConnectError::NoHttp2`] if only HTTP/2 was offered over TLS and the endpoint did not select it.
    pub(super) fn agreed(self, stream: EndpointStream) -> Result<HttpConnection, ConnectError> {
        let selected_http2 = match &stream {
            EndpointStream::Plain(..) => self == Self::Http2,
            EndpointStream::Tls(stream, _) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        };
        match self {
            Self::Http1 => Ok(HttpConnection::Http1(stream)),
            Self::Http2 | Self::Negotiated if selected_http2 => Ok(HttpConnection::Http2(stream)),
            Self::Http2 => Err(ConnectError::NoHttp2),
            Self::Negotiated => Ok(HttpConnection::Http1(stream)),
        }
    }
}

/// A new connection, by its HTTP version.
#[derive(Debug)]
pub enum HttpConnection {
    /// HTTP/1.1.
    Http1(EndpointStream),
    /// HTTP/2. Nothing was sent on it yet.
    Http2(EndpointStream),
}
