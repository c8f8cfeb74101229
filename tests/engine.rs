//! The HTTP/1 engine, byte by byte: messages in pieces, HTTP/1.0, and when a connection stays open.

/// Responses of upstreams, whole, in pieces, and with what does not belong to them.
mod answers;
/// When a connection stays open.
mod ends;
/// Heads of requests.
mod heads;
/// Clients that speak HTTP/1.0.
mod http_1_0;

/// What a connection may cost.
mod limits;

const LAYERS: [&str; 2] = ["rustls", "in-place"];

/// A listener with this record layer.
fn own(layer: &str) -> String {
    format!("record_layer = \"{layer}\"\n")
}
