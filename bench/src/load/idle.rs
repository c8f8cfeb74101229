//! Connections that do nothing after one request each: what a proxy holds in memory for them.

use super::Exchange;
use super::closed::Request;
use super::tally::{Report, Tally};
use crate::usage::memory;
use std::error::Error;
use std::time::Duration;

/// Connections before the first measurement, so that what a proxy allocates once is not booked to the others.
const FIRST: usize = 64;

pub async fn run(exchange: Exchange) -> Result<Report, Box<dyn Error>> {
    let (tally, request) = (Tally::new(None), Request::new(&exchange)?);
    let proxy = exchange.proxy.ok_or("--proxy is needed: whose memory?")?;
    let ask = async |connections: usize| {
        let mut channels = Exchange {
            connections,
            ..exchange.clone()
        }
        .connect("http/1.1")
        .await?;
        for channel in &mut channels {
            request.exchange(channel, &tally).await?;
        }
        // Until the proxy has put away what it needs only while it is busy.
        tokio::time::sleep(Duration::from_secs_f64(exchange.warm_up)).await;
        Ok::<_, Box<dyn Error>>((channels, memory(proxy)))
    };
    let (_first, before) = ask(FIRST.min(exchange.connections)).await?;
    let (_held, after) = ask(exchange.connections).await?;
    let memory_each = after.saturating_sub(before) as f64 / exchange.connections as f64;
    Ok(Report {
        requests: exchange.connections as u64,
        memory_each,
        ..Report::default()
    })
}
