//! `POST /explain`: what the active snapshot would decide, and why. Read-only: no verdict is cached, no password is checked,
//! nothing is counted. The decision itself is in `crate::explain`.

use super::{json, text};
use crate::explain::{ExplainError, ExplainQuestion, answer};
use crate::proxy::Shared;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Maximum size of a question in bytes.
const MAX_SIZE: usize = 1024 * 1024;
/// Time limit for receiving a question.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Limits concurrent questions: one about all users takes a while, and traffic has priority.
static CONCURRENCY: Semaphore = Semaphore::const_new(2);

pub(super) async fn explain(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    if !is_json(request.headers()) {
        return text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a question is application/json\n".to_owned(),
        );
    }
    let body = Limited::new(request.into_body(), MAX_SIZE).collect();
    let body = match tokio::time::timeout(READ_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            return text(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("a question has at most {MAX_SIZE} bytes\n"),
            );
        }
        Err(_) => {
            return text(
                StatusCode::REQUEST_TIMEOUT,
                "the question took too long\n".to_owned(),
            );
        }
    };
    let question: ExplainQuestion = match serde_json::from_slice(&body) {
        Ok(question) => question,
        Err(error) => {
            return text(
                StatusCode::BAD_REQUEST,
                format!("the question is not valid: {error}\n"),
            );
        }
    };
    let snapshot = shared.snapshot.load_full();
    let Ok(_permit) = CONCURRENCY.acquire().await else {
        return failed("the gateway is stopping");
    };
    let result = tokio::task::spawn_blocking(move || {
        answer(&snapshot, &question).map(|answer| answer.of_generation(snapshot.generation))
    });
    match result.await {
        Ok(Ok(answer)) => match serde_json::to_string_pretty(&answer) {
            Ok(answer) => json(answer + "\n"),
            Err(_) => failed("the answer cannot be written"),
        },
        Ok(Err(ExplainError::InvalidQuestion(message))) => {
            text(StatusCode::UNPROCESSABLE_ENTITY, message + "\n")
        }
        Ok(Err(contradiction)) => {
            tracing::error!(error = %contradiction, "an explanation contradicts the decision");
            failed(&contradiction.to_string())
        }
        Err(_) => failed("the question could not be answered"),
    }
}

fn failed(message: &str) -> Response<Full<Bytes>> {
    text(StatusCode::INTERNAL_SERVER_ERROR, format!("{message}\n"))
}

/// Whether the content type is `application/json`. A page of another origin cannot send that type without a CORS preflight.
fn is_json(fields: &HeaderMap) -> bool {
    let kind = fields
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    kind.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/json")
}
