//! A new connection for each request: TCP, TLS with a client certificate, one request, an orderly end.

use super::tally::{Report, Tally};
use super::{Exchange, at};
use crate::http::{head, require_ok};
use crate::tls::{Input, Sessions, client_config, connect, flush, handshake, read_record};
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Room for tickets; rustls keeps a multiple of this for each server.
const TICKETS: usize = 8;

pub async fn run(exchange: Exchange, sessions: Sessions) -> Result<Report, Box<dyn Error>> {
    let config = client_config(&exchange.pki, &exchange.client, "http/1.1", sessions)?;
    let (tally, request) = (
        Rc::new(Tally::new(exchange.requests)),
        Rc::new(exchange.head()),
    );
    for _ in 0..exchange.connections {
        let (tally, request, mut config) = (Rc::clone(&tally), Rc::clone(&request), config.clone());
        if sessions == Sessions::Resumed {
            // Tickets of one's own: each is good for one connection, and servers may send no more than one.
            config.resumption = Resumption::in_memory_sessions(TICKETS);
        }
        let config = Arc::new(config);
        // The first handshake is a full one and brings the first ticket.
        visit(exchange.target, &config, &request).await?;
        tokio::task::spawn_local(async move {
            while tally.may_begin() {
                let begun = Instant::now();
                match visit(exchange.target, &config, &request).await {
                    Ok(kind)
                        if sessions == Sessions::Resumed
                            && kind != Some(HandshakeKind::Resumed) =>
                    {
                        tally.failed(&"a full handshake where a resumed one was wanted");
                    }
                    Ok(_) => tally.answered(begun),
                    Err(error) => {
                        tally.failed(&error);
                        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                    }
                }
            }
        });
    }
    Ok(tally.window(&exchange).await)
}

async fn visit(
    target: SocketAddr,
    config: &Arc<ClientConfig>,
    request: &[u8],
) -> io::Result<Option<HandshakeKind>> {
    let (mut tcp, mut tls) = connect(target, config)
        .await
        .map_err(at("cannot connect"))?;
    let mut input = Input::new();
    handshake(&mut tls, &mut tcp, &mut input)
        .await
        .map_err(at("handshake"))?;
    tls.writer().write_all(request)?;
    flush(&mut tls, &mut tcp).await?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        read_record(&mut tls, &mut tcp, &mut input)
            .await
            .map_err(at("no answer"))?;
        loop {
            match tls.reader().read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => answer.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if let Some(head) = head(&answer)?
            && answer.len() as u64 == head.length as u64 + head.body
        {
            require_ok(head.first_line)?;
            break;
        }
    }
    tls.send_close_notify();
    flush(&mut tls, &mut tcp).await?;
    tcp.shutdown().await?;
    Ok(tls.handshake_kind())
}
