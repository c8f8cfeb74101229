//! An HTTP/2 connection, served by hyper until its end.

use super::{ConnectionContext, RecordedBody, serve_request};
use crate::proxy::activity;
use crate::proxy::http1;
use crate::proxy::recheck::RecheckResult;
use crate::proxy::watched_stream::{TlsFailureRecorder, WatchedStream};
use crate::snapshot::ConnectionLimits;
use crate::tls::record::{CorkedStream, RecordStream, Records};
use crate::worker::{LocalExecutor, MomentTimer};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// The service for the requests of a connection.
fn request_service(
    context: &Rc<ConnectionContext>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<RecordedBody>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<RecordedBody>, Infallible>> + 'static,
> {
    let context = context.clone();
    service_fn(move |request| {
        let context = context.clone();
        // Boxed: hyper and the runtime move the future several times.
        Box::pin(async move { Ok::<_, Infallible>(serve_request(context, request).await) })
    })
}

/// Serves the requests of a connection until its end.
pub(in crate::proxy) async fn serve<R>(
    context: Rc<ConnectionContext>,
    stream: RecordStream<R>,
    limits: ConnectionLimits,
) where
    R: Records + 'static,
{
    let (stream, cork) = CorkedStream::new(stream);
    let stream = WatchedStream::new(stream, TlsFailureRecorder::new(&context.facts));
    let head_size = u32::try_from(limits.head_size).unwrap_or(u32::MAX);
    let connection = hyper::server::conn::http2::Builder::new(LocalExecutor)
        .timer(MomentTimer::default())
        // The gateway adds the date itself.
        .auto_date_header(false)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(head_size)
        // Rapid reset (CVE-2023-44487): few streams may be reset before a response.
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(128)
        // Bounds the memory of each stream if the client opens no window.
        .max_send_buf_size(64 * 1024)
        // Detects a client that is gone while no response is being sent.
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .serve_connection(TokioIo::new(stream), request_service(&context));
    let mut connection = std::pin::pin!(connection);
    let activity = &context.activity;
    let mut closing = false;
    let mut close_deadline = None;
    let mut evicted = false;
    let outcome = loop {
        tokio::select! {
            outcome = cork.drive(connection.as_mut()) => break outcome,
            // hyper gives no handle to a single stream, so all streams end.
            () = activity.client_stalled() => {
                let listener = &*context.facts.listener;
                let client = &context.facts.client;
                tracing::info!(listener, %client, "closing a connection: the client takes no byte of a response");
                break Ok(());
            }
            () = recheck_until_stuck(&context) => break Ok(()),
            () = close_requested(&context), if !closing => closing = true,
            // hyper has no idle timeout for HTTP/2, so a connection without requests would stay for ever.
            () = activity.idle_for(limits.keep_alive_timeout), if close_deadline.is_none() => {
                closing = true;
                close_deadline = Some(Instant::now() + activity::CLOSE_GRACE);
            }
            () = activity.evicted(), if !evicted => {
                closing = true;
                evicted = true;
                close_deadline = Some(Instant::now() + http1::EVICTED_CLOSE_TIMEOUT);
            }
            () = activity.close_grace_over(close_deadline) => break Ok(()),
        }
        if closing {
            connection.as_mut().graceful_shutdown();
        }
    };
    log_end(&context, outcome);
}

/// Ends when the connection shall accept no further request.
async fn close_requested(context: &ConnectionContext) {
    tokio::select! {
        () = context.drain.begun() => {}
        () = context.close.cancelled() => {}
    }
}

/// Rechecks the open exchanges after each change. Ends when an exchange was cut but does not end, because its client takes no
/// bytes: the client must not receive later what is buffered.
async fn recheck_until_stuck(context: &ConnectionContext) {
    loop {
        context.open.round().await;
        match context.open.recheck(&context.shared, &context.client) {
            RecheckResult::Permitted => {}
            RecheckResult::Withdrawn => context.close.cancel(),
            RecheckResult::ClientRejected(withdrawal) => {
                if !context.close.is_cancelled() && !context.drain.has_begun() {
                    let user = context.client.known_user();
                    context
                        .facts
                        .connection_cut(user.as_deref(), withdrawal.reason());
                }
                context.close.cancel();
            }
            RecheckResult::Stuck => return,
        }
    }
}

fn log_end(context: &ConnectionContext, outcome: hyper::Result<()>) {
    if let Err(error) = outcome {
        let detail = crate::error_text::with_causes(&error);
        tracing::debug!(listener = &*context.facts.listener, client = %context.facts.client, detail, "connection ended");
    }
}
