//! Our own HTTP/1.1 engine, byte by byte: messages in pieces, what it hands over, and when a connection stays.

use crate::support::Chain;

/// Answers of upstreams, whole, in pieces, and with what does not belong to them.
mod answers;
/// When a connection stays.
mod ends;
/// Heads of requests, and which requests go to hyper.
mod heads;

/// What a connection may cost.
mod limits;

const LAYERS: [&str; 2] = ["rustls", "in-place"];

/// A listener of our own engine with this record layer.
fn own(layer: &str) -> String {
    format!("http1_engine = \"own\"\nrecord_layer = \"{layer}\"\n")
}

fn fast_path(chain: &Chain, result: &str, reason: &str) -> f64 {
    chain.gateway.metric(
        "portcullis_fastpath_total",
        &[("result", result), ("reason", reason)],
    )
}
