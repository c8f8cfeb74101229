//! Closed loop: each connection sends its next request when it has the whole answer to the last.

use super::tally::{Report, Tally};
use super::{Exchange, at};
use crate::http::{head, require_ok};
use crate::tls::{Channel, Sessions, client_config};
use rustls::ClientConfig;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bodies are sent in pieces of this size.
const PIECE: usize = 64 * 1024;
/// So that a proxy that refuses everything is not hammered.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(10);

pub async fn run(exchange: Exchange) -> Result<Report, Box<dyn Error>> {
    let channels = exchange.connect("http/1.1").await?;
    let (tally, request) = (
        Rc::new(Tally::new(exchange.requests)),
        Rc::new(Request::new(&exchange)?),
    );
    for channel in channels {
        tokio::task::spawn_local(drive(channel, Rc::clone(&request), Rc::clone(&tally)));
    }
    Ok(tally.window(&exchange).await)
}

/// A request that is sent again and again.
pub struct Request {
    /// The head, and as much of the body as is sent with it.
    start: Vec<u8>,
    /// How much of the body is left then.
    rest: u64,
    target: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Request {
    pub fn new(exchange: &Exchange) -> Result<Self, Box<dyn Error>> {
        let mut start = exchange.head();
        let early = exchange.body.min(PIECE as u64 - start.len() as u64);
        start.resize(start.len() + early as usize, b'x');
        let config = Arc::new(client_config(
            &exchange.pki,
            &exchange.client,
            "http/1.1",
            Sessions::Full,
        )?);
        Ok(Self {
            start,
            rest: exchange.body - early,
            target: exchange.target,
            config,
        })
    }

    /// Sends the request and reads the answer.
    pub async fn exchange(&self, channel: &mut Channel, tally: &Tally) -> io::Result<()> {
        channel.send(&self.start).await?;
        if self.rest > 0 {
            self.send_rest(channel, tally).await?;
        }
        read_answer(channel, tally).await
    }

    /// A fresh connection in place of one that failed.
    pub async fn reconnect(&self, channel: &mut Channel) {
        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        if let Ok(fresh) = Channel::open(self.target, &self.config).await {
            *channel = fresh;
        }
    }

    async fn send_rest(&self, channel: &mut Channel, tally: &Tally) -> io::Result<()> {
        let (piece, mut left) = ([b'x'; PIECE], self.rest);
        tally.passed(self.start.len());
        while left > 0 {
            let most = left.min(PIECE as u64) as usize;
            channel.send(&piece[..most]).await?;
            tally.passed(most);
            left -= most as u64;
        }
        Ok(())
    }
}

async fn drive(mut channel: Channel, request: Rc<Request>, tally: Rc<Tally>) {
    while tally.may_begin() {
        let sent = Instant::now();
        match request.exchange(&mut channel, &tally).await {
            Ok(()) => tally.answered(sent),
            Err(error) => {
                tally.failed(&error);
                request.reconnect(&mut channel).await;
            }
        }
    }
}

/// Reads one answer and requires that it is good.
pub async fn read_answer(channel: &mut Channel, tally: &Tally) -> io::Result<()> {
    let mut begun = Vec::new();
    let mut left = loop {
        let content = channel.receive().await.map_err(at("no answer"))?;
        if let Some(left) = body_left(&mut begun, content, tally)? {
            break left;
        }
    };
    while left > 0 {
        let length = channel.receive().await.map_err(at("half an answer"))?.len();
        tally.passed(length);
        left = left.checked_sub(length as u64).ok_or_else(too_much)?;
    }
    Ok(())
}

/// How much of the body is still to come, once the head is there. `begun` is what came before `content`.
fn body_left(begun: &mut Vec<u8>, content: &[u8], tally: &Tally) -> io::Result<Option<u64>> {
    let bytes = if begun.is_empty() {
        content
    } else {
        begun.extend_from_slice(content);
        &begun[..]
    };
    let Some(head) = head(bytes)? else {
        if begun.is_empty() {
            begun.extend_from_slice(content);
        }
        return Ok(None);
    };
    require_ok(head.first_line)?;
    let early = bytes.len() - head.length;
    tally.passed(early);
    head.body
        .checked_sub(early as u64)
        .ok_or_else(too_much)
        .map(Some)
}

fn too_much() -> io::Error {
    io::Error::other("more than the answer")
}
