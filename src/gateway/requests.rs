//! What the gateway was asked to do and has not done yet: several requests of one kind are as good as one, and a shutdown
//! goes before all others. Does none of it.

use super::Request;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Requests in the order in which they came, each kind once.
pub(super) struct Requests<'r> {
    channel: &'r mut mpsc::UnboundedReceiver<Request>,
    waiting: VecDeque<Request>,
}

impl<'r> Requests<'r> {
    pub(super) fn new(channel: &'r mut mpsc::UnboundedReceiver<Request>) -> Self {
        Self {
            channel,
            waiting: VecDeque::new(),
        }
    }

    /// The next one; a shutdown if nobody can ask any more. Loses none if it is dropped.
    pub(super) async fn next(&mut self) -> Request {
        while let Ok(request) = self.channel.try_recv() {
            self.note(request);
        }
        if self.waiting.contains(&Request::Shutdown) {
            return Request::Shutdown;
        }
        match self.waiting.pop_front() {
            Some(request) => request,
            None => self.channel.recv().await.unwrap_or(Request::Shutdown),
        }
    }

    /// Ends when a shutdown is asked for. What else is asked for meanwhile waits.
    pub(super) async fn shutdown(&mut self) {
        loop {
            let request = self.channel.recv().await.unwrap_or(Request::Shutdown);
            self.note(request);
            if request == Request::Shutdown {
                return;
            }
        }
    }

    fn note(&mut self, request: Request) {
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
            Request::Reload,
            Request::Reload,
            Request::ReopenLogs,
            Request::Reload,
        ] {
            sender.send(request).unwrap();
        }
        assert_eq!(
            (requests.next().await, requests.next().await),
            (Request::Reload, Request::ReopenLogs)
        );
        for request in [Request::Reload, Request::Shutdown] {
            sender.send(request).unwrap();
        }
        requests.shutdown().await;
        assert_eq!(requests.next().await, Request::Shutdown);
        drop(sender);
        assert_eq!(requests.next().await, Request::Shutdown);
    }

    #[tokio::test]
    async fn nobody_left_to_ask_is_a_shutdown() {
        let (sender, mut channel) = mpsc::unbounded_channel();
        let mut requests = Requests::new(&mut channel);
        sender.send(Request::Reload).unwrap();
        drop(sender);
        assert_eq!(
            (requests.next().await, requests.next().await),
            (Request::Reload, Request::Shutdown)
        );
    }
}
