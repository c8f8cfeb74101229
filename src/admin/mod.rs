//! Metrics, health, status, certificates that expire and recent decisions, on a listener of their own: plain HTTP without
//! login, on loopback unless told otherwise. Shows no secret and changes nothing.

mod expiring;
mod status;

pub use status::GatewayFacts;

use crate::drain::Drain;
use crate::proxy::Shared;
use crate::telemetry::Telemetry;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The admin listener, bound.
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

/// What the admin listener can tell.
#[derive(Clone)]
pub struct AdminState {
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
    /// Whether the gateway is going away.
    pub drain: Drain,
    /// What is in force.
    pub shared: Arc<Shared>,
    /// What the gateway tells about itself.
    pub facts: GatewayFacts,
}

const INDEX: &str = "Portcullis\n\n/metrics  Prometheus metrics\n/livez    200 while the process lives\n\
                     /readyz   200 while it takes connections, 503 while it drains\n\
                     /.well-known/jwks.json  the keys that assertions are verified with\n\
                     /expiring client certificates that expire first, of those seen; ?limit=100\n\
                     /decisions what was decided lately, as JSON lines, where recent_decisions asks for it\n\
                     /status   what is in force: generation, last reload, listeners, trust domains, revocation\n";

impl Admin {
    /// Binds the address.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The real address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until told to stop; a drain alone does not stop it, since somebody wants to see how it goes.
    pub async fn serve(self, state: AdminState, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (state, stop) = (state.clone(), stop.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let state = state.clone();
                    async move { Ok::<_, Infallible>(answer(&state, &request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(30))
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    () = stop.cancelled() => {}
                    // A scraper that breaks off is its own business.
                    _ = connection => {}
                }
            });
        }
    }
}

async fn answer(state: &AdminState, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match request.uri().path() {
        "/" => text(StatusCode::OK, INDEX.to_owned()),
        "/metrics" => text(StatusCode::OK, state.telemetry.scrape().await),
        "/expiring" => match expiring::expiring(&state.telemetry, request.uri().query().unwrap_or_default()) {
            Ok(listing) => json(listing),
            Err(wrong) => text(StatusCode::BAD_REQUEST, wrong),
        },
        "/status" => json(status::status(state)),
        "/decisions" => decisions(&state.telemetry).await,
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" | "/healthz" if state.drain.is_announced() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        }
        "/readyz" | "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/.well-known/jwks.json" => match &state.shared.snapshot.load().assertions {
            Some(signer) => of_kind("application/jwk-set+json", text(StatusCode::OK, signer.key_set().to_string())),
            None => text(StatusCode::NOT_FOUND, "no keys for assertions are configured\n".to_owned()),
        },
        _ => text(StatusCode::NOT_FOUND, "not here\n".to_owned()),
    }
}

async fn decisions(telemetry: &Telemetry) -> Response<Full<Bytes>> {
    if !telemetry.remembers_decisions() {
        return text(StatusCode::NOT_FOUND, "write `recent_decisions = \"10m\"` below [admin]\n".to_owned());
    }
    let lines = telemetry.recent_decisions().await.concat();
    of_kind("application/x-ndjson", Response::new(Full::from(lines)))
}

fn of_kind(kind: &'static str, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

fn json(body: String) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, body);
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
