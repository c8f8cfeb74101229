//! An open connection of HTTP/1.1 or HTTP/2.

use super::*;

pub(super) enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<RequestBody>),
    Http2(hyper::client::conn::http2::SendRequest<RequestBody>),
}

/// An open connection.
pub struct Connection<'c> {
    pub(super) client: &'c Client,
    pub(super) sender: Sender,
    pub(super) version: Version,
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
