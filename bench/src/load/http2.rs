//! HTTP/2 (RFC 9113): a few connections with many streams each, one small request on every stream, frames rendered by
//! hand. Reads of an answer what it must: whether it is good, and where it ends.

use super::Exchange;
use super::tally::{Report, Tally};
use crate::tls::{Channel, SERVER_NAME};
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::Instant;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// END_STREAM of DATA and HEADERS, ACK of SETTINGS and PING.
const FIRST_FLAG: u8 = 1;
const END_HEADERS: u8 = 4;
const FRAME_HEADER: usize = 9;
/// How much a connection may receive; half of it is granted anew when half of it is used up.
const WINDOW: u32 = 1 << 30;

pub async fn run(exchange: Exchange, streams: u32) -> Result<Report, Box<dyn Error>> {
    let tally = Rc::new(Tally::new(exchange.requests));
    for channel in exchange.connect("h2").await? {
        let connection = Connection::new(channel, &exchange.path, Rc::clone(&tally));
        tokio::task::spawn_local(connection.drive(streams));
    }
    Ok(tally.window(&exchange).await)
}

struct Connection {
    channel: Channel,
    tally: Rc<Tally>,
    /// The header block of every request.
    block: Vec<u8>,
    /// Begun but not yet ended frames.
    input: Vec<u8>,
    output: Vec<u8>,
    next_stream: u32,
    received: u32,
    /// When the streams that are open were opened, by their number; the first is the oldest.
    open: VecDeque<(u32, Instant)>,
}

impl Connection {
    fn new(channel: Channel, path: &str, tally: Rc<Tally>) -> Self {
        let block = header_block(path);
        let (input, output, open) = (Vec::new(), Vec::new(), VecDeque::new());
        Self {
            channel,
            tally,
            block,
            input,
            output,
            next_stream: 1,
            received: 0,
            open,
        }
    }

    async fn drive(mut self, streams: u32) {
        if let Err(error) = self.exchange(streams).await {
            self.tally.failed(&error);
        }
    }

    async fn exchange(&mut self, streams: u32) -> io::Result<()> {
        self.output
            .extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // SETTINGS_ENABLE_PUSH is 0.
        self.push_frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 0]);
        self.push_frame(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        for _ in 0..streams {
            self.push_request();
        }
        loop {
            if !self.output.is_empty() {
                self.channel.send(&self.output).await?;
                self.output.clear();
            }
            let content = self.channel.receive().await?;
            self.input.extend_from_slice(content);
            self.take_frames()?;
        }
    }

    fn take_frames(&mut self) -> io::Result<()> {
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while rest.len() >= FRAME_HEADER {
            let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
            let Some(payload) = rest.get(FRAME_HEADER..FRAME_HEADER + length) else {
                break;
            };
            let stream = u32::from_be_bytes([rest[5], rest[6], rest[7], rest[8]]);
            self.take_frame(rest[3], rest[4], stream, payload)?;
            rest = &rest[FRAME_HEADER + length..];
        }
        self.input.extend_from_slice(rest);
        Ok(())
    }

    fn take_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        match kind {
            HEADERS => require_ok(payload)?,
            DATA => self.received_data(payload.len()),
            SETTINGS | PING if flags & FIRST_FLAG == 0 => {
                let answer = if kind == PING { payload } else { &[] };
                self.push_frame(kind, FIRST_FLAG, 0, answer);
            }
            RST_STREAM => return Err(io::Error::other(format!("stream reset: {payload:?}"))),
            GOAWAY => return Err(io::Error::other(format!("told to go away: {payload:?}"))),
            _ => {}
        }
        if matches!(kind, HEADERS | DATA) && flags & FIRST_FLAG != 0 {
            let place = self.open.iter().position(|(number, _)| *number == stream);
            let opened = place.and_then(|place| self.open.remove(place));
            let (_, since) = opened.ok_or_else(|| io::Error::other("an answer to nothing"))?;
            self.tally.answered(since);
            self.push_request();
        }
        Ok(())
    }

    fn received_data(&mut self, length: usize) {
        self.tally.passed(length);
        self.received += length as u32;
        if self.received > WINDOW / 2 {
            self.push_frame(WINDOW_UPDATE, 0, 0, &self.received.to_be_bytes());
            self.received = 0;
        }
    }

    fn push_request(&mut self) {
        if !self.tally.may_begin() {
            return;
        }
        let (stream, block) = (self.next_stream, std::mem::take(&mut self.block));
        self.push_frame(HEADERS, FIRST_FLAG | END_HEADERS, stream, &block);
        self.block = block;
        self.open.push_back((stream, Instant::now()));
        self.next_stream += 2;
    }

    fn push_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.output
            .extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        self.output.extend_from_slice(&[kind, flags]);
        self.output.extend_from_slice(&stream.to_be_bytes());
        self.output.extend_from_slice(payload);
    }
}

/// HPACK (RFC 7541) without its dynamic table: three indexed fields of the static table, the rest literal.
fn header_block(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    for (name_index, value) in [
        (4, path),
        (1, SERVER_NAME),
        (58, "portcullis-bench"),
        (19, "*/*"),
    ] {
        // Literal without indexing; an index of 15 and above goes on in a second byte.
        match name_index {
            0..15 => block.push(name_index),
            15.. => block.extend_from_slice(&[0x0f, name_index - 15]),
        }
        block.push(value.len() as u8);
        block.extend_from_slice(value.as_bytes());
    }
    block
}

/// The status stands first, behind at most a change of the table's size; 200 is the eighth entry of the static table.
fn require_ok(block: &[u8]) -> io::Result<()> {
    let status = block.iter().find(|byte| **byte & 0xe0 != 0x20);
    if status == Some(&0x88) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "an answer that is not 200: {block:?}"
    )))
}
