//! Queue of pending gateway requests. Requests of one kind are merged, and a shutdown overtakes all others.

use super::GatewayRequest;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Pending requests in order of arrival, each kind once.
pub(super) struct Requests<'r> {
    channel: &'r mut mpsc::UnboundedReceiver<GatewayRequest>,
    waiting: VecDeque<GatewayRequest>,
}

impl<'r> Requests<'r> {
    pub(super) fn new(channel: &'r mut mpsc::UnboundedReceiver<GatewayRequest>) -> Self {
        Self {
            channel,
            waiting: VecDeque::new(),
        }
    }

    /// The next request. A closed channel is a shutdown. Cancel-safe.
    pub(super) async fn next(&mut self) -> GatewayRequest {
        while let Ok(request) = self.channel.try_recv() {
            self.enqueue(request);
        }
        if self.waiting.contains(&GatewayRequest::Shutdown) {
            return GatewayRequest::Shutdown;
        }
        match self.waiting.pop_front() {
            Some(request) => request,
            None => self
                .channel
                .recv()
                .await
                .unwrap_or(GatewayRequest::Shutdown),
        }
    }

    /// Waits for a shutdown request. Other requests stay queued.
    pub(super) async fn shutdown(&mut self) {
        loop {
            let request = self
                .channel
                .recv()
                .await
                .unwrap_or(GatewayRequest::Shutdown);
            self.enqueue(request);
            if request == GatewayRequest::Shutdown {
                return;
            }
        }
    }

    fn enqueue(&mut self, request: GatewayRequest) {
        if !self.waiting.contains(&request) {
            self.waiting.push_back(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_of_a_kind_are_one_and_a_shutdown_goes_first() {
        let (sender, mut channel) = mpsc::unbounded_channel();
        let mut requests = Requests::new(&mut channel);
        for request in [
            GatewayRequest::Reload,
            GatewayRequest::Reload,
            GatewayRequest::ReopenLogs,
            GatewayRequest::Reload,
        ] {
            sender.send(request).unwrap();
        }
        assert_eq!(
            (requests.next().await, requests.next().await),
            (GatewayRequest::Reload, GatewayRequest::ReopenLogs)
        );
        for request in [GatewayRequest::Reload, GatewayRequest::Shutdown] {
            sender.send(request).unwrap();
        }
        requests.shutdown().await;
        assert_eq!(requests.next().await, GatewayRequest::Shutdown);
        drop(sender);
        assert_eq!(requests.next().await, GatewayRequest::Shutdown);
    }

    #[tokio::test]
    async fn a_closed_channel_is_a_shutdown() {
        let (sender, mut channel) = mpsc::unbounded_channel();
        let mut requests = Requests::new(&mut channel);
        sender.send(GatewayRequest::Reload).unwrap();
        drop(sender);
        assert_eq!(
            (requests.next().await, requests.next().await),
            (GatewayRequest::Reload, GatewayRequest::Shutdown)
        );
    }
}
