//! The load generator: one thread, client certificates, no HTTP library. Prints one line of JSON for one measurement.

/// A fixed number of connections, each sends as soon as it has its answer.
mod closed;
/// New connections, with full or resumed handshakes.
mod handshakes;
/// HTTP/2 with many streams.
mod http2;
/// Connections that are only held.
mod idle;
/// A fixed rate, whatever the answers.
mod open;
/// What is counted, and the window in which it counts.
mod tally;

use crate::local;
use crate::tls::{Channel, Sessions, client_config};
use clap::{Args, Subcommand};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use tally::Report;

/// Which load.
#[derive(Subcommand, Debug)]
pub enum Load {
    /// Each connection sends its next request when it has the answer to the last
    Closed(Exchange),
    /// Requests at a fixed rate, latency from the time at which each should have been sent
    Open {
        /// Requests per second
        #[arg(long)]
        rate: u32,
        #[command(flatten)]
        exchange: Exchange,
    },
    /// A new connection for each request
    Handshakes {
        /// Take up earlier sessions
        #[arg(long)]
        resume: bool,
        #[command(flatten)]
        exchange: Exchange,
    },
    /// Hold connections after one request each; measures memory
    Idle(Exchange),
    /// HTTP/2
    Http2 {
        /// Requests at once on each connection
        #[arg(long, default_value_t = 64)]
        streams: u32,
        #[command(flatten)]
        exchange: Exchange,
    },
}

/// What all loads need to know.
#[derive(Args, Debug, Clone)]
pub struct Exchange {
    /// The proxy
    #[arg(long)]
    target: SocketAddr,
    /// The folder with ca.crt, and with the client's NAME.crt and NAME.key
    #[arg(long)]
    pki: PathBuf,
    /// The client's name
    #[arg(long, default_value = "client")]
    client: String,
    /// Connections at once
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// What is asked for
    #[arg(long, default_value = "/")]
    path: String,
    /// Bytes to send with POST; GET if zero
    #[arg(long, default_value_t = 0)]
    body: u64,
    /// Seconds before anything counts
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Seconds that count
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Stop after this many requests, however long they take, instead of after a time
    #[arg(long, conflicts_with_all = ["warm_up", "seconds"])]
    requests: Option<u64>,
    /// The proxy's process, whose CPU time is wanted
    #[arg(long)]
    proxy: Option<u32>,
    /// The upstream's process
    #[arg(long)]
    upstream: Option<u32>,
    /// The proxy's core; other work there is reported
    #[arg(long)]
    core: Option<usize>,
}

/// Loads, and prints what was measured.
pub fn run(load: Load) -> Result<(), Box<dyn Error>> {
    let report = local::run(async {
        match load {
            Load::Closed(exchange) => closed::run(exchange).await,
            Load::Open { exchange, .. } | Load::Idle(exchange) if exchange.requests.is_some() => {
                Err("--requests is for loads without a fixed rate or number of connections".into())
            }
            Load::Open { rate, exchange } => open::run(exchange, rate).await,
            Load::Handshakes { resume, exchange } => {
                handshakes::run(
                    exchange,
                    if resume {
                        Sessions::Resumed
                    } else {
                        Sessions::Full
                    },
                )
                .await
            }
            Load::Idle(exchange) => idle::run(exchange).await,
            Load::Http2 { streams, exchange } => http2::run(exchange, streams).await,
        }
    })?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

impl Exchange {
    /// The request's head.
    fn head(&self) -> Vec<u8> {
        let Self { path, body, .. } = self;
        let common = "Host: localhost\r\nUser-Agent: portcullis-bench\r\nAccept: */*\r\n";
        match body {
            0 => format!("GET {path} HTTP/1.1\r\n{common}\r\n").into_bytes(),
            _ => format!("POST {path} HTTP/1.1\r\n{common}Content-Length: {body}\r\n\r\n")
                .into_bytes(),
        }
    }

    /// Opens all connections, one after the other, so that no proxy's queue of new ones runs over.
    async fn connect(&self, protocol: &str) -> Result<Vec<Channel>, Box<dyn Error>> {
        let config = Arc::new(client_config(
            &self.pki,
            &self.client,
            protocol,
            Sessions::Full,
        )?);
        let mut channels = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            channels.push(
                Channel::open(self.target, &config)
                    .await
                    .map_err(at("cannot connect"))?,
            );
        }
        Ok(channels)
    }
}

/// Says at which step an error came.
fn at(step: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{step}: {error}"))
}
