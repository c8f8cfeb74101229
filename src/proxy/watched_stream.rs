//! A stream of decrypted bytes that notes how TLS ends: one log line and one count if the client broke it, and time for the
//! client to read its alert. Reads no byte itself.

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

/// Writes down how TLS failed on a connection.
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
        let (listener, reason) = (&*self.listener, failure.reason.word());
        self.telemetry
            .metrics
            .tls_failures
            .with_label_values(&[listener, reason])
            .inc();
        tracing::info!(listener, client = %self.client, reason, detail = failure.detail, "tls failed");
    }
}

/// A stream over TLS whose socket is known.
pub(super) trait OverSocket {
    fn with_socket<T>(&self, act: impl FnOnce(&TcpStream) -> T) -> T;
}

impl<R: Records> OverSocket for RecordStream<R> {
    fn with_socket<T>(&self, act: impl FnOnce(&TcpStream) -> T) -> T {
        act(self.records().socket())
    }
}

impl<R: Records> OverSocket for CorkedStream<R> {
    fn with_socket<T>(&self, act: impl FnOnce(&TcpStream) -> T) -> T {
        CorkedStream::with_socket(self, act)
    }
}

/// See the module.
pub(super) struct WatchedStream<S> {
    inner: S,
    recorder: TlsFailureRecorder,
    /// The error of which the client was told, held back until it has had the time to read that.
    failed: Option<(io::Error, LingeringClose)>,
}

impl<S: OverSocket + AsyncRead + AsyncWrite + Unpin> WatchedStream<S> {
    pub(super) fn new(inner: S, recorder: TlsFailureRecorder) -> Self {
        Self {
            inner,
            recorder,
            failed: None,
        }
    }

    /// Ready with the error once the client has read why.
    fn poll_failed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some((_, linger)) = &mut self.failed {
            // Where rustls has no alert, the client gets a goodbye. What cannot be sent is lost, and with it the reason to wait.
            if ready!(Pin::new(&mut self.inner).poll_shutdown(context)).is_ok() {
                ready!(
                    self.inner
                        .with_socket(|socket| linger.poll(socket, context))
                );
            }
        }
        Poll::Ready(self.failed.take().map_or(Ok(()), |(error, _)| Err(error)))
    }
}

impl<S: OverSocket + AsyncRead + AsyncWrite + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.failed.is_some() {
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
        self.failed = Some((error, LingeringClose::new()));
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
