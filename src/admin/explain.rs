//! `POST /explain`: what the snapshot in force would decide, and why. Changes nothing: no verdict is remembered, no password
//! is looked at, nothing is counted. Judges nothing itself.

use super::{json, text};
use crate::explain::{NoAnswer, Question, answer};
use crate::proxy::Shared;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Octets of a question.
const LARGEST: usize = 1024 * 1024;
/// Until a question is whole.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions about many users take a while, and are not what the gateway is for.
static ASKING: Semaphore = Semaphore::const_new(2);

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
    let body = Limited::new(request.into_body(), LARGEST).collect();
    let body = match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            return text(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("a question has at most {LARGEST} octets\n"),
            );
        }
        Err(_) => {
            return text(
                StatusCode::REQUEST_TIMEOUT,
                "the question took too long\n".to_owned(),
            );
        }
    };
    let question: Question = match serde_json::from_slice(&body) {
        Ok(question) => question,
        Err(error) => {
            return text(
                StatusCode::BAD_REQUEST,
                format!("this is no question: {error}\n"),
            );
        }
    };
    let snapshot = shared.snapshot.load_full();
    let Ok(_asking) = ASKING.acquire().await else {
        return failed("nobody answers any more");
    };
    let answered = tokio::task::spawn_blocking(move || {
        answer(&snapshot, &question).map(|answer| answer.of_generation(snapshot.generation))
    });
    match answered.await {
        Ok(Ok(answer)) => match serde_json::to_string_pretty(&answer) {
            Ok(answer) => json(answer + "\n"),
            Err(_) => failed("the answer cannot be written"),
        },
        Ok(Err(NoAnswer::Question(message))) => {
            text(StatusCode::UNPROCESSABLE_ENTITY, message + "\n")
        }
        Ok(Err(contradiction)) => {
            tracing::error!(error = %contradiction, "an explanation does not fit the judgement");
            failed(&contradiction.to_string())
        }
        Err(_) => failed("the question could not be answered"),
    }
}

fn failed(message: &str) -> Response<Full<Bytes>> {
    text(StatusCode::INTERNAL_SERVER_ERROR, format!("{message}\n"))
}

/// A page of another origin cannot send this type unasked.
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
