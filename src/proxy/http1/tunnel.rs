//! A connection that becomes a tunnel: sends the 101, then copies bytes in both directions. Does not decide on upgrades.

use super::Connection;
use super::gateway_response::SendFailure;
use super::rendered_response::RenderedResponse;
use super::response_head_reader::ResponseHeadReader;
use crate::endpoint::EndpointStream;
use crate::forward::tunnel;
use crate::proxy::recheck::{LivePermit, withdrawn};
use crate::proxy::record::Record;
use crate::proxy::watched_stream::{TlsFailureRecorder, WatchedStream};
use crate::reason::EndReason;
use crate::tls::record::{RecordStream, Records};
use crate::upstream::LinkStream;
use std::time::Duration;

/// An upgrade that client and upstream agreed on.
pub(super) struct PendingTunnel {
    pub(super) record: Record,
    pub(super) live_permit: LivePermit,
    pub(super) response: Box<RenderedResponse>,
    pub(super) reader: ResponseHeadReader,
    pub(super) upstream: EndpointStream,
    pub(super) idle_timeout: Option<Duration>,
}

impl<R: Records> Connection<R> {
    /// Copies bytes in both directions until one side ends, the idle timeout passes, the permit is withdrawn, or the gateway
    /// drains.
    pub(super) async fn tunnel(mut self: Box<Self>, pending: PendingTunnel) {
        let PendingTunnel {
            mut record,
            mut live_permit,
            mut response,
            reader,
            upstream,
            idle_timeout,
        } = pending;
        record.status(response.status);
        response
            .head
            .extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n");
        self.recheck_watch.set_long_running();
        match self
            .send_while_permitted(Some(&mut live_permit), &response.head)
            .await
        {
            Ok(()) => {}
            Err(SendFailure::Withdrawn(withdrawal)) => return record.cut("tunnel", &withdrawal),
            Err(SendFailure::ClientGone) => return record.ended(EndReason::Broken),
        }
        live_permit.clear_deadline();
        let received = bytes_after_head(reader, response.length);
        let open = self
            .shared
            .telemetry
            .metrics
            .tunnels_open
            .with_label_values(&[&*self.facts.listener]);
        open.inc();
        let mut this = *self;
        let client = RecordStream::new(this.records, this.input);
        let client = WatchedStream::new(client, TlsFailureRecorder::new(&this.facts));
        let mut cut = None;
        let stop = async {
            tokio::select! {
                () = this.drain.begun() => EndReason::Drained,
                withdrawal = withdrawn(&mut live_permit, &mut this.recheck_watch, &this.shared, &this.client) => {
                    cut = Some(withdrawal);
                    EndReason::Cut
                }
            }
        };
        let end = tunnel(
            client,
            LinkStream::new(upstream, received),
            idle_timeout,
            stop,
        )
        .await;
        open.dec();
        record.moved(end.sent, end.received);
        match cut {
            Some(withdrawal) => record.cut("tunnel", &withdrawal),
            None => record.ended(end.reason),
        }
    }
}

/// The bytes after the 101, which belong to the tunnel.
fn bytes_after_head(reader: ResponseHeadReader, length: usize) -> Vec<u8> {
    let (slab, from, to) = reader.into_parts();
    slab.get(from + length..to).unwrap_or_default().to_vec()
}
