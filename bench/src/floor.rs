//! The floor: ends mTLS and relays bytes to the upstream, blind to what they mean. No proxy that terminates TLS can be
//! much cheaper, so it shows how much of a proxy's cost is its own.

use crate::local;
use crate::record::{CONTENT, Direction, HEADER, Opened, RECORD, TRAILER};
use crate::tls::{Input, directions, handshake, server_config};
use rustls::{ServerConfig, ServerConnection};
use std::error::Error;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Records read from the upstream at once, where there is that much: 64 KiB.
const SLOTS: usize = 4;

/// Serves until it is killed.
pub fn run(address: SocketAddr, upstream: SocketAddr, pki: &Path) -> Result<(), Box<dyn Error>> {
    let config = Arc::new(server_config(pki)?);
    local::run(async move {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (tcp, _) = listener.accept().await?;
            tokio::task::spawn_local(serve(tcp, upstream, Arc::clone(&config)));
        }
    })
}

async fn serve(
    mut client: TcpStream,
    upstream: SocketAddr,
    config: Arc<ServerConfig>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut input = Input::new();
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    handshake(&mut tls, &mut client, &mut input).await?;
    let (mut sealing, mut opening) = directions(tls.dangerous_extract_secrets())?;
    let mut upstream = TcpStream::connect(upstream).await?;
    upstream.set_nodelay(true)?;
    let (mut client_read, mut client_write) = client.split();
    let (mut upstream_read, mut upstream_write) = upstream.split();
    // Whoever ends first ends both: dropping the sockets closes them.
    tokio::select! {
        outcome = up(&mut client_read, &mut opening, &mut input, &mut upstream_write) => outcome,
        outcome = down(&mut upstream_read, &mut sealing, &mut client_write) => outcome,
    }
}

async fn up(
    client: &mut ReadHalf<'_>,
    opening: &mut Direction,
    input: &mut Input,
    upstream: &mut WriteHalf<'_>,
) -> io::Result<()> {
    let mut pieces: Vec<Range<usize>> = Vec::with_capacity(SLOTS);
    loop {
        pieces.clear();
        while let Some(place) = input.take_record() {
            match opening.open(input.buffer(), place)? {
                Opened::Data(piece) => pieces.push(piece),
                Opened::Handshake => {}
                Opened::Alert => return Ok(()),
            }
        }
        write_pieces(upstream, input.buffer(), &pieces).await?;
        let length = client.read(input.room()).await?;
        input.filled(length)?;
    }
}

async fn write_pieces(
    upstream: &mut WriteHalf<'_>,
    buffer: &[u8],
    pieces: &[Range<usize>],
) -> io::Result<()> {
    match pieces {
        [] => return Ok(()),
        [piece] => return upstream.write_all(&buffer[piece.clone()]).await,
        _ => {}
    }
    let mut slices: Vec<IoSlice<'_>> = pieces
        .iter()
        .map(|piece| IoSlice::new(&buffer[piece.clone()]))
        .collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        let written = upstream.write_vectored(left).await?;
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}

async fn down(
    upstream: &mut ReadHalf<'_>,
    sealing: &mut Direction,
    client: &mut WriteHalf<'_>,
) -> io::Result<()> {
    let mut records = vec![0; RECORD];
    loop {
        let first = upstream
            .read(&mut records[HEADER..HEADER + CONTENT])
            .await?;
        if first == 0 {
            return Ok(());
        }
        let mut more = 0;
        if first == CONTENT {
            // Only connections that need it hold so much.
            records.resize(SLOTS * RECORD, 0);
            more = read_more(upstream, &mut records[RECORD..])?;
        }
        let (full, rest) = ((first + more) / CONTENT, (first + more) % CONTENT);
        for record in records[..full * RECORD].chunks_exact_mut(RECORD) {
            sealing.seal(record)?;
        }
        let mut end = full * RECORD;
        if rest > 0 {
            end += HEADER + rest + TRAILER;
            sealing.seal(&mut records[full * RECORD..end])?;
        }
        client.write_all(&records[..end]).await?;
    }
}

/// Scatters what is there over further records, each behind room for its header.
fn read_more(upstream: &ReadHalf<'_>, records: &mut [u8]) -> io::Result<usize> {
    let mut slots: Vec<io::IoSliceMut<'_>> = records
        .chunks_exact_mut(RECORD)
        .map(|slot| io::IoSliceMut::new(&mut slot[HEADER..HEADER + CONTENT]))
        .collect();
    match upstream.try_read_vectored(&mut slots) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        outcome => outcome,
    }
}
