//! The admin and metrics listeners, both plain HTTP without login. The admin listener shows operators on this machine the
//! active state; the metrics listener serves probes and metrics, without user names. Both are read-only and show no secret.

mod expiring;
mod explain;
mod listener;
mod origin;
mod slots;
mod status;
mod unix_socket;

pub use listener::SideListener;
pub use status::GatewayFacts;

use crate::drain::Drain;
use crate::proxy::Shared;
use crate::telemetry::Telemetry;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use origin::OriginRejection;
use serde_json::json;
use std::sync::Arc;

/// The clients of a listener, which determine the available paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    /// Operators on this machine: all paths.
    Operators,
    /// Monitoring, from any address: probes and metrics.
    Monitoring,
}

/// State that both listeners read.
#[derive(Clone)]
pub struct AdminState {
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
    /// Whether the gateway is draining.
    pub drain: Drain,
    /// The active snapshot.
    pub shared: Arc<Shared>,
    /// Listeners, last reload and revocation faults, set by the gateway.
    pub facts: GatewayFacts,
}

const INDEX: &str = "Portcullis\n\n/metrics  Prometheus metrics\n/livez    200 while the process lives\n\
                     /readyz   200 while it takes connections, 503 while it drains\n\
                     /.well-known/jwks.json  the keys that assertions are verified with\n\
                     /explain  POST a question as JSON: what would be decided, and why (portcullis explain --live)\n\
                     /expiring client certificates that expire first, of those seen; ?limit=100\n\
                     /decisions what was decided lately, as JSON lines, where recent_decisions asks for it\n\
                     /status   the active snapshot: generation, last reload, listeners, trust domains, revocation\n";

const METRICS_INDEX: &str = "Portcullis\n\n/metrics  Prometheus metrics\n/livez    200 while the process lives\n\
                             /readyz   200 while it takes connections, 503 while it drains\n";

async fn respond(
    state: &AdminState,
    audience: Audience,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    match audience {
        Audience::Operators => respond_to_operator(state, request).await,
        Audience::Monitoring => respond_to_monitoring(state, &request).await,
    }
}

async fn respond_to_operator(
    state: &AdminState,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    if let Err(rejection) = origin::check(&request) {
        return problem(rejection);
    }
    if *request.method() == Method::POST && request.uri().path() == "/explain" {
        return explain::explain(&state.shared, request).await;
    }
    if !is_read(request.method()) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET, and POST to /explain\n".to_owned(),
        );
    }
    match request.uri().path() {
        "/" => text(StatusCode::OK, INDEX.to_owned()),
        "/expiring" => {
            match expiring::expiring(&state.telemetry, request.uri().query().unwrap_or_default()) {
                Ok(listing) => json(listing),
                Err(message) => text(StatusCode::BAD_REQUEST, message),
            }
        }
        "/explain" => text(
            StatusCode::METHOD_NOT_ALLOWED,
            "POST a question\n".to_owned(),
        ),
        "/status" => json(status::status(state)),
        "/decisions" => decisions(&state.telemetry).await,
        "/.well-known/jwks.json" => match &state.shared.snapshot.load().assertions {
            Some(signer) => of_kind(
                "application/jwk-set+json",
                text(StatusCode::OK, signer.key_set().to_string()),
            ),
            None => text(
                StatusCode::NOT_FOUND,
                "no keys for assertions are configured\n".to_owned(),
            ),
        },
        path => probe_or_metrics(state, path).await,
    }
}

/// Any Host is accepted: a kubelet uses the address of the pod.
async fn respond_to_monitoring(
    state: &AdminState,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    if !is_read(request.method()) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match request.uri().path() {
        "/" => text(StatusCode::OK, METRICS_INDEX.to_owned()),
        path => probe_or_metrics(state, path).await,
    }
}

async fn probe_or_metrics(state: &AdminState, path: &str) -> Response<Full<Bytes>> {
    match path {
        "/metrics" => text(StatusCode::OK, state.telemetry.scrape().await),
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" | "/healthz" if state.drain.is_announced() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        }
        "/readyz" | "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        _ => text(StatusCode::NOT_FOUND, "not here\n".to_owned()),
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn problem(rejection: OriginRejection) -> Response<Full<Bytes>> {
    let OriginRejection { status, detail } = rejection;
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    of_kind(
        "application/problem+json",
        text(status, format!("{body}\n")),
    )
}

async fn decisions(telemetry: &Telemetry) -> Response<Full<Bytes>> {
    if !telemetry.remembers_decisions() {
        return text(
            StatusCode::NOT_FOUND,
            "write `recent_decisions = \"10m\"` below [admin]\n".to_owned(),
        );
    }
    let lines = telemetry.recent_decisions().await.concat();
    of_kind("application/x-ndjson", Response::new(Full::from(lines)))
}

fn of_kind(kind: &'static str, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(kind),
    );
    response
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}

fn json(body: String) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, body);
    let kind = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}
