//! A connection that hyper serves, from its first request to its end: HTTP/1.1 behind the guard, and HTTP/2.

use crate::proxy::activity;
use crate::proxy::exchange::{ConnectionContext, RecordedBody, answer};
use crate::proxy::guard::Guard;
use crate::proxy::http1;
use crate::proxy::present::Look;
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// Answers the requests of a connection, whatever its HTTP version.
fn requests_of(
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
        // hyper and the runtime move what they are given several times, so it is small.
        Box::pin(async move { Ok::<_, Infallible>(answer(context, request).await) })
    })
}

pub(super) async fn serve_guarded<S>(
    context: Rc<ConnectionContext>,
    stream: Guard<S>,
    limits: ConnectionLimits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = hyper::server::conn::http1::Builder::new()
        // The guard has its own timers, which know idle from slow; and its own limit, below hyper's.
        .header_read_timeout(None)
        .max_header_size(limits.head_size.saturating_add(4096))
        .max_buf_size((limits.head_size + 4096).max(64 * 1024))
        .max_headers(crate::forward::MAX_FIELDS + 1)
        .serve_connection(TokioIo::new(stream), requests_of(&context))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let (mut closing, mut gives_way) = (false, false);
    let has_begun_request = || {
        context
            .guard
            .as_ref()
            .is_some_and(|guard| guard.has_begun_head())
    };
    let outcome = loop {
        tokio::select! {
            // The guard reads before it is asked what it has.
            biased;
            outcome = connection.as_mut() => break outcome,
            () = told_to_close(&context), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
                if let Some(guard) = &context.guard {
                    guard.take_no_more();
                }
            }
            () = context.activity.told_to_give_way(has_begun_request), if !gives_way => {
                // hyper is not told: a request that comes at this moment is answered.
                gives_way = true;
                if let Some(guard) = &context.guard {
                    guard.take_no_more();
                }
            }
            () = stuck(&context) => break Ok(()),
        }
    };
    log_end(&context, outcome);
}

pub(super) async fn serve_http2<R>(
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
        // Ours has it already.
        .auto_date_header(false)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(head_size)
        // Rapid reset (CVE-2023-44487): few streams may be reset before they were answered.
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(128)
        // A client that opens no window holds at most this for each of its streams.
        .max_send_buf_size(64 * 1024)
        // A client that is gone is noticed although it owes no answer.
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .serve_connection(TokioIo::new(stream), requests_of(&context));
    let mut connection = std::pin::pin!(connection);
    let activity = &context.activity;
    let (mut closing, mut goodbye, mut gives_way) = (false, None, false);
    let outcome = loop {
        tokio::select! {
            outcome = cork.drive(connection.as_mut()) => break outcome,
            // hyper gives no handle to a single stream, so all of them end.
            () = activity.client_stalled() => {
                let (listener, client) = (&*context.facts.listener, &context.facts.client);
                tracing::info!(listener, %client, "closing a connection whose client takes nothing of an answer");
                break Ok(());
            }
            () = stuck(&context) => break Ok(()),
            () = told_to_close(&context), if !closing => closing = true,
            // hyper knows no idle HTTP/2 connection; without this, one without a request would stay for ever.
            () = activity.idle_for(limits.keep_alive_timeout), if goodbye.is_none() => {
                closing = true;
                goodbye = Some(Instant::now() + activity::GOODBYE);
            }
            () = activity.told_to_give_way(|| false), if !gives_way => {
                (closing, gives_way) = (true, true);
                goodbye = Some(Instant::now() + http1::GOODBYE_GIVING_WAY);
            }
            () = activity.goodbye_over(goodbye) => break Ok(()),
        }
        if closing {
            connection.as_mut().graceful_shutdown();
        }
    };
    log_end(&context, outcome);
}

/// Ends when the connection is to take no further request.
async fn told_to_close(context: &ConnectionContext) {
    tokio::select! {
        () = context.drain.begun() => {}
        () = context.close.cancelled() => {}
    }
}

/// Looks after the rights of what is under way, round by round. Ends when something was cut and does not end by itself:
/// its client takes nothing, and must not find later what waits for it here.
async fn stuck(context: &ConnectionContext) {
    loop {
        context.open.round().await;
        match context.open.look(&context.shared, &context.client) {
            Look::Fine => {}
            Look::OneCut => context.close.cancel(),
            Look::ClientGone(withdrawal) => {
                if !context.close.is_cancelled() && !context.drain.has_begun() {
                    let user = context.client.known_user();
                    context
                        .facts
                        .connection_cut(user.as_deref(), withdrawal.word());
                }
                context.close.cancel();
            }
            Look::Stuck => return,
        }
    }
}

fn log_end(context: &ConnectionContext, outcome: hyper::Result<()>) {
    if let Err(error) = outcome {
        let detail = crate::error_text::with_causes(&error);
        tracing::debug!(listener = &*context.facts.listener, client = %context.facts.client, detail, "connection ended");
    }
}
