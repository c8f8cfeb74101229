//! A stream of decrypted bytes that records TLS failures: one log line and one count for each. It then gives the client time
//! to read the alert. Changes no byte.

use super::connection_facts::ConnectionFacts;
use crate::telemetry::Telemetry;
use crate::tls::record::{CorkedStream, LingeringClose, RecordStream, Records, TlsFailure};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Records TLS failures of a connection.
#[derive(Clone)]
pub(super) struct TlsFailureRecorder {
    telemetry: Arc<Telemetry>,
    listener: Arc<str>,
    client: SocketAddr,
}

impl TlsFailureRecorder {
    pub(super) fn new(facts: &ConnectionFacts) -> Self {
        Self {
            telemetry: facts.telemetry.clone(),
            listener: facts.listener.clone(),
            client: facts.client,
        }
    }

    pub(super) fn record(&self, failure: &TlsFailure) {
        let listener = &*self.listener;
        let reason = failure.reason.word();
        self.telemetry
            .metrics
            .tls_failures
            .with_label_values(&[listener, reason])
            .inc();
        tracing::info!(listener, client = %self.client, reason, detail = failure.detail, "tls failed");
    }
}

/// A TLS stream with access to its socket.
pub(super) trait SocketAccess {
    fn with_socket<T>(&self, action: impl FnOnce(&TcpStream) -> T) -> T;
}

impl<R: Records> SocketAccess for RecordStream<R> {
    fn with_socket<T>(&self, action: impl FnOnce(&TcpStream) -> T) -> T {
        action(self.records().socket())
    }
}

impl<R: Records> SocketAccess for CorkedStream<R> {
    fn with_socket<T>(&self, action: impl FnOnce(&TcpStream) -> T) -> T {
        CorkedStream::with_socket(self, action)
    }
}

/// A TLS stream that records failures.
pub(super) struct WatchedStream<S> {
    inner: S,
    recorder: TlsFailureRecorder,
    /// An error after its alert was sent. Returned once the client has had time to read the alert.
    pending_failure: Option<(io::Error, LingeringClose)>,
}

impl<S: SocketAccess + AsyncRead + AsyncWrite + Unpin> WatchedStream<S> {
    pub(super) fn new(inner: S, recorder: TlsFailureRecorder) -> Self {
        Self {
            inner,
            recorder,
            pending_failure: None,
        }
    }

    /// Ready with the error once the client has had time to read the alert.
    fn poll_failed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some((_, linger)) = &mut self.pending_failure {
            // Where rustls sends no alert, the client gets close_notify. If sending fails, there is no reason to wait.
            if ready!(Pin::new(&mut self.inner).poll_shutdown(context)).is_ok() {
                ready!(
                    self.inner
                        .with_socket(|socket| linger.poll(socket, context))
                );
            }
        }
        Poll::Ready(
            self.pending_failure
                .take()
                .map_or(Ok(()), |(error, _)| Err(error)),
        )
    }
}

impl<S: SocketAccess + AsyncRead + AsyncWrite + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pending_failure.is_some() {
            return self.poll_failed(context);
        }
        let error = match ready!(Pin::new(&mut self.inner).poll_read(context, buffer)) {
            Ok(()) => return Poll::Ready(Ok(())),
            Err(error) => error,
        };
        let Some(failure) = TlsFailure::among(&error) else {
            return Poll::Ready(Err(error));
        };
        self.recorder.record(&failure);
        if !failure.reason.is_answered() {
            return Poll::Ready(Err(error));
        }
        self.pending_failure = Some((error, LingeringClose::new()));
        self.poll_failed(context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
