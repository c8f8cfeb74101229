//! A connection that leaves HTTP: the 101 goes down, and from then on bytes pass unread. Decides no upgrade.

use super::Connection;
use super::answer::Reading;
use super::own::SendFailure;
use super::render::Rendered;
use crate::forward::tunnel;
use crate::proxy::present::{Right, withdrawn};
use crate::proxy::record::Record;
use crate::proxy::watched_stream::{TlsFailureRecorder, WatchedStream};
use crate::tls::record::{RecordStream, Records};
use crate::upstream::Link;
use std::time::Duration;

/// An upgrade that was asked for and granted.
pub(super) struct Leaving {
    pub(super) record: Record,
    pub(super) right: Right,
    pub(super) answer: Box<Rendered>,
    pub(super) reading: Reading,
    pub(super) link: Link,
    pub(super) idle_timeout: Option<Duration>,
}

impl<R: Records> Connection<R> {
    /// Passes bytes both ways until one side ends, nothing moves any more, its right is withdrawn, or the gateway drains.
    pub(super) async fn tunnel(mut self: Box<Self>, leaving: Leaving) {
        let Leaving {
            mut record,
            mut right,
            mut answer,
            reading,
            link,
            idle_timeout,
        } = leaving;
        record.status(answer.status);
        answer
            .head
            .extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n");
        self.rounds.lasts();
        match self.send_by(Some(&mut right), &answer.head).await {
            Ok(()) => {}
            Err(SendFailure::Withdrawn(withdrawal)) => return record.cut("tunnel", &withdrawal),
            Err(SendFailure::ClientGone) => return record.ended("broken"),
        }
        right.is_answered();
        let (slab, from, to) = reading.into_parts();
        // What the upstream said already belongs to the tunnel.
        let begun = slab
            .get(from + answer.length..to)
            .unwrap_or_default()
            .to_vec();
        drop(slab);
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
                () = this.drain.begun() => "drained",
                withdrawal = withdrawn(&mut right, &mut this.rounds, (&this.shared, &this.client)) => {
                    cut = Some(withdrawal);
                    "cut"
                }
            }
        };
        let end = tunnel(client, link.into_stream(begun), idle_timeout, stop).await;
        open.dec();
        record.moved(end.sent, end.received);
        match cut {
            Some(withdrawal) => record.cut("tunnel", &withdrawal),
            None => record.ended(end.reason),
        }
    }
}
