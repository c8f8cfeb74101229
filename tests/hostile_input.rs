//! Bytes from clients that mean harm, or know no better: refused with a reason, counted, and harmless to others.

use crate::support::client::status;
use crate::support::{Chain, Upstream, eventually, eventually_is};

/// Bodies that lie, crawl or never end.
mod bodies;
/// Frames of HTTP/2, packed by hand.
mod frames;
/// Heads with two readings, or none, or no end.
mod heads;
/// Several requests in one breath.
mod pipelines;
/// Clients that read nothing from their sockets.
mod slow_readers;
/// Clients that open no window.
mod windows;

fn decisions(chain: &Chain, reason: &str) -> f64 {
    let labels = [("decision", "refuse"), ("reason", reason)];
    chain.gateway.metric("portcullis_decisions_total", &labels)
}

/// Each of these is refused like this and counted, and none reaches the upstream.
fn all_are_refused(requests: &[impl AsRef<[u8]>], code: u16, reason: &str) {
    let chain = Chain::to(Upstream::start());
    for bytes in requests {
        let bytes = bytes.as_ref();
        let answer = chain.client.exchange(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        assert_eq!(status(&answer), code, "{shown:?}: {answer}");
        assert!(
            answer.contains(&format!("\"reason\":\"{reason}\"")),
            "{shown:?}: {answer}"
        );
        assert!(
            answer.contains("connection: close\r\n"),
            "{shown:?}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{shown:?}: {answer}"
        );
    }
    eventually_is("decisions", &(requests.len() as f64), || {
        decisions(&chain, reason)
    });
    let code = code.to_string();
    let counted = || {
        chain
            .gateway
            .metric("portcullis_requests_total", &[("code", &code)])
    };
    eventually("the answers are counted", || {
        (counted() == requests.len() as f64).then_some(())
    });
    assert_eq!(chain.upstream.recorded().len(), 0);
    chain.is_unharmed();
}
