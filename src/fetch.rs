//! `GET` of one small resource over HTTP or HTTPS, with limits on size and time. Redirects are not followed, and connections
//! are not kept.

use crate::descriptors;
use http::header::{ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// `http://host[:port]/path` or the same with `https`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchUrl {
    scheme: FetchScheme,
    /// Without brackets, in lower case.
    host: String,
    port: u16,
    target: String,
    name: ServerName<'static>,
}

/// Plain or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FetchScheme {
    /// Without TLS: the network can change the response.
    Http,
    /// The server's certificate is verified.
    Https,
}

impl FetchUrl {
    /// Parses a URL. `None` if it is malformed, has a user, or has another scheme.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let (scheme, default_port) = match uri.scheme_str()? {
            "http" => (FetchScheme::Http, 80),
            "https" => (FetchScheme::Https, 443),
            _ => return None,
        };
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority
            .host()
            .trim_matches(['[', ']'])
            .to_ascii_lowercase();
        let name = ServerName::try_from(host.clone()).ok()?;
        let target = uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .to_owned();
        Some(Self {
            scheme,
            host,
            port: authority.port_u16().unwrap_or(default_port),
            target,
            name,
        })
    }

    /// The scheme.
    pub fn scheme(&self) -> FetchScheme {
        self.scheme
    }

    /// Host and port, as in a URL.
    pub fn authority(&self) -> String {
        let host = self.bracketed_host();
        format!("{host}:{}", self.port)
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The host as in a URL, if the port is the default of the scheme.
    pub fn usual_host(&self) -> Option<String> {
        let is_default = matches!(
            (self.scheme, self.port),
            (FetchScheme::Http, 80) | (FetchScheme::Https, 443)
        );
        is_default.then(|| self.bracketed_host())
    }

    /// Host, with the port if it is not the default.
    fn shown_host(&self) -> String {
        self.usual_host().unwrap_or_else(|| self.authority())
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

impl fmt::Display for FetchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            FetchScheme::Http => "http",
            FetchScheme::Https => "https",
        };
        let host = self.shown_host();
        write!(f, "{scheme}://{host}{}", self.target)
    }
}

/// The validators of a response (RFC 9110 section 8.8), for conditional requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    fn of(fields: &HeaderMap) -> Self {
        Self {
            etag: fields.get(ETAG).cloned(),
            last_modified: fields.get(LAST_MODIFIED).cloned(),
        }
    }
}

/// One request.
#[derive(Clone, Copy)]
pub struct FetchRequest<'q> {
    /// The URL.
    pub url: &'q FetchUrl,
    /// Trust anchors for `https`. Without them an `https` URL is not fetched.
    pub tls: Option<&'q Arc<ClientConfig>>,
    /// The Accept field.
    pub accept: &'static str,
    /// Maximum size of the body in bytes.
    pub largest: usize,
    /// Timeout from the DNS lookup to the last byte.
    pub patience: Duration,
    /// Validators of the known version; the result may then be [`FetchResponse::Unchanged`].
    pub known: Option<&'q Validators>,
}

/// A usable response.
#[derive(Debug)]
pub enum FetchResponse {
    /// The body, and its validators.
    Content(Vec<u8>, Validators),
    /// The known version is current (304).
    Unchanged,
}

/// Why a fetch failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Connecting failed, or the server's certificate was rejected.
    #[error("cannot connect to {0}")]
    Connect(String, #[source] std::io::Error),
    /// There are no trust anchors to verify the server.
    #[error("there are no `anchors` to verify {0} by")]
    NoAnchors(String),
    /// The response is not HTTP, or incomplete.
    #[error("no usable answer from {0}")]
    Http(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The body exceeds the size limit.
    #[error("{0} sends more than {1} bytes")]
    TooLarge(String, usize),
    /// A redirect. It is not followed, since it may lead to a server that the config does not name.
    #[error("{0} answers {1}; redirects are not followed")]
    Redirect(String, StatusCode),
    /// Another status than 200.
    #[error("{0} answers {1}")]
    Status(String, StatusCode),
    /// The timeout passed.
    #[error("{0} takes too long")]
    Timeout(String),
}

/// Sends the request and waits for the whole response.
///
/// # Errors
/// [`FetchError`]
pub async fn fetch(request: FetchRequest<'_>) -> Result<FetchResponse, FetchError> {
    /// Limits concurrent fetches. The timeout does not run while a fetch waits here: the content may revoke certificates, so a
    /// fetch is delayed and never given up for lack of descriptors.
    static FETCHES: Semaphore = Semaphore::const_new(descriptors::FETCHES);
    // The semaphore is never closed.
    let _permit = FETCHES.acquire().await;
    let response = tokio::time::timeout(request.patience, request.send()).await;
    response.unwrap_or_else(|_| Err(FetchError::Timeout(request.url.authority())))
}

impl FetchRequest<'_> {
    async fn send(self) -> Result<FetchResponse, FetchError> {
        let authority = || self.url.authority();
        let connect = |error| FetchError::Connect(authority(), error);
        let tls = match (self.url.scheme, self.tls) {
            (FetchScheme::Http, _) => None,
            (FetchScheme::Https, Some(tls)) => Some(tls),
            (FetchScheme::Https, None) => return Err(FetchError::NoAnchors(authority())),
        };
        let socket = TcpStream::connect((self.url.host.as_str(), self.url.port))
            .await
            .map_err(connect)?;
        match tls {
            None => self.exchange(socket).await,
            Some(tls) => {
                let stream = TlsConnector::from(tls.clone())
                    .connect(self.url.name.clone(), socket)
                    .await;
                self.exchange(stream.map_err(connect)?).await
            }
        }
    }

    async fn exchange(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<FetchResponse, FetchError> {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        let host = self.url.shown_host();
        let mut request = http::Request::get(&self.url.target)
            .header("host", host)
            .header("accept", self.accept);
        if let (Some(known), Some(fields)) = (self.known, request.headers_mut()) {
            fields.extend(known.etag.clone().map(|etag| (IF_NONE_MATCH, etag)));
            fields.extend(
                known
                    .last_modified
                    .clone()
                    .map(|time| (IF_MODIFIED_SINCE, time)),
            );
        }
        let request = request
            .body(Empty::<bytes::Bytes>::new())
            .map_err(|error| self.broken(error))?;
        let response = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| self.broken(error))?;
            self.read(response).await
        };
        tokio::pin!(response);
        tokio::select! {
            biased;
            response = &mut response => response,
            // The connection may end together with the last byte of the response.
            _ = connection => response.await,
        }
    }

    async fn read(self, response: Response<Incoming>) -> Result<FetchResponse, FetchError> {
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if self.known.is_some() => {
                return Ok(FetchResponse::Unchanged);
            }
            status if status.is_redirection() => {
                return Err(FetchError::Redirect(self.url.authority(), status));
            }
            status => return Err(FetchError::Status(self.url.authority(), status)),
        }
        let validators = Validators::of(response.headers());
        let body = Limited::new(response.into_body(), self.largest)
            .collect()
            .await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => FetchError::TooLarge(self.url.authority(), self.largest),
            false => self.broken(error),
        })?;
        Ok(FetchResponse::Content(body.to_bytes().into(), validators))
    }

    fn broken(self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FetchError {
        FetchError::Http(self.url.authority(), error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_with_one_reading() {
        for bad in [
            "https://",
            "/x",
            "https://u:p@a/x",
            "http://u@a/",
            "ftp://a",
            "ldap://a/x",
            "https://a b/",
            "x",
        ] {
            assert_eq!(FetchUrl::parse(bad), None, "{bad}");
        }
        for (text, authority, shown) in [
            (
                "https://[::1]:8443/keys?x=1",
                "[::1]:8443",
                "https://[::1]:8443/keys?x=1",
            ),
            (
                "https://IDP.example.org",
                "idp.example.org:443",
                "https://idp.example.org/",
            ),
            (
                "http://a.example:80/x.crl",
                "a.example:80",
                "http://a.example/x.crl",
            ),
            (
                "http://a.example:443/x.crl",
                "a.example:443",
                "http://a.example:443/x.crl",
            ),
        ] {
            let url = FetchUrl::parse(text).unwrap();
            assert_eq!(
                (url.authority().as_str(), url.to_string().as_str()),
                (authority, shown)
            );
        }
    }
}
