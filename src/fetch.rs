//! `GET` of one small thing from elsewhere, over HTTP or HTTPS, with a limit on its size and on the time. Follows no
//! redirect, keeps no connection, and does not know what it fetches.

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
    scheme: Scheme,
    /// Without brackets, in lower case.
    host: String,
    port: u16,
    target: String,
    name: ServerName<'static>,
}

/// Whether TLS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Anybody on the way can change what comes.
    Http,
    /// The server must show a certificate.
    Https,
}

impl FetchUrl {
    /// Reads a URL. `None` if it is none, has a user in it, or is of another scheme.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let (scheme, usual_port) = match uri.scheme_str()? {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
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
            port: authority.port_u16().unwrap_or(usual_port),
            target,
            name,
        })
    }

    /// Whether it is `https`.
    pub fn scheme(&self) -> Scheme {
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

    /// The host alone, as in a URL, if the port is the usual one of the scheme.
    pub fn usual_host(&self) -> Option<String> {
        let usual = matches!(
            (self.scheme, self.port),
            (Scheme::Http, 80) | (Scheme::Https, 443)
        );
        usual.then(|| self.bracketed_host())
    }

    /// With the port where it is an unusual one.
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
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let host = self.shown_host();
        write!(f, "{scheme}://{host}{}", self.target)
    }
}

/// By what a server tells one state of a thing from another.
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

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// Where.
    pub url: &'q FetchUrl,
    /// Anchors for `https`; without them such a URL is not fetched.
    pub tls: Option<&'q Arc<ClientConfig>>,
    /// Media types.
    pub accept: &'static str,
    /// Most octets of an answer.
    pub largest: usize,
    /// From looking up the name to the last octet.
    pub patience: Duration,
    /// What is here already; the answer may then be that it is still the same.
    pub known: Option<&'q Validators>,
}

/// What came.
#[derive(Debug)]
pub enum Answer {
    /// The thing.
    Content(Vec<u8>, Validators),
    /// What is known is what there is.
    Unchanged,
}

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or not to the right server.
    #[error("cannot connect to {0}")]
    Connect(String, #[source] std::io::Error),
    /// Nobody may vouch for the server.
    #[error("there are no `anchors` to verify {0} by")]
    NoAnchors(String),
    /// Not HTTP, or broken off.
    #[error("no usable answer from {0}")]
    Http(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// More than may come.
    #[error("{0} sends more than {1} octets")]
    TooLarge(String, usize),
    /// It is elsewhere, and who sends us there may not be the one who was meant.
    #[error("{0} answers {1}; redirects are not followed")]
    Redirect(String, StatusCode),
    /// Another status than 200.
    #[error("{0} answers {1}")]
    Status(String, StatusCode),
    /// It took too long.
    #[error("{0} takes too long")]
    Timeout(String),
}

/// Asks and waits for the whole answer.
///
/// # Errors
/// [`FetchError`]
pub async fn fetch(question: Question<'_>) -> Result<Answer, FetchError> {
    /// Others wait, and their time does not run: what is fetched may take rights away, so it is only late and never given
    /// up for want of descriptors.
    static FETCHES: Semaphore = Semaphore::const_new(descriptors::FETCHES);
    // It is never closed.
    let _place = FETCHES.acquire().await;
    let fetched = tokio::time::timeout(question.patience, question.ask()).await;
    fetched.unwrap_or_else(|_| Err(FetchError::Timeout(question.url.authority())))
}

impl Question<'_> {
    async fn ask(self) -> Result<Answer, FetchError> {
        let authority = || self.url.authority();
        let connect = |error| FetchError::Connect(authority(), error);
        let tls = match (self.url.scheme, self.tls) {
            (Scheme::Http, _) => None,
            (Scheme::Https, Some(tls)) => Some(tls),
            (Scheme::Https, None) => return Err(FetchError::NoAnchors(authority())),
        };
        let socket = TcpStream::connect((self.url.host.as_str(), self.url.port))
            .await
            .map_err(connect)?;
        match tls {
            None => self.ask_on(socket).await,
            Some(tls) => {
                let stream = TlsConnector::from(tls.clone())
                    .connect(self.url.name.clone(), socket)
                    .await;
                self.ask_on(stream.map_err(connect)?).await
            }
        }
    }

    async fn ask_on(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<Answer, FetchError> {
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
        let answer = async {
            let answer = sender
                .send_request(request)
                .await
                .map_err(|error| self.broken(error))?;
            self.read(answer).await
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // It may end behind the answer's last octet.
            _ = connection => answer.await,
        }
    }

    async fn read(self, answer: Response<Incoming>) -> Result<Answer, FetchError> {
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if self.known.is_some() => return Ok(Answer::Unchanged),
            status if status.is_redirection() => {
                return Err(FetchError::Redirect(self.url.authority(), status));
            }
            status => return Err(FetchError::Status(self.url.authority(), status)),
        }
        let validators = Validators::of(answer.headers());
        let body = Limited::new(answer.into_body(), self.largest)
            .collect()
            .await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => FetchError::TooLarge(self.url.authority(), self.largest),
            false => self.broken(error),
        })?;
        Ok(Answer::Content(body.to_bytes().into(), validators))
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
