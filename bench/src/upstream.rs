//! The upstream behind every proxy: a lean HTTP/1.1 server. `GET /bytes/N` answers N bytes, `/seen` the request's head
//! as it arrived, everything else 128 bytes; bodies of requests are read and thrown away.

use crate::http::{Head, head};
use crate::local;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BLOCK: usize = 256 * 1024;
const BUFFER: usize = 64 * 1024;
const SMALL: usize = 128;

/// Serves until it is killed.
pub fn run(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    local::run(async move {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            tokio::task::spawn_local(serve(tcp));
        }
    })
}

async fn serve(mut tcp: TcpStream) -> io::Result<()> {
    let small = [answer_head(SMALL as u64), vec![b'x'; SMALL]].concat();
    let (mut buffer, mut used) = (vec![0; 4096], 0);
    loop {
        let head = match head(&buffer[..used])? {
            Some(head) => head,
            None => {
                if used == buffer.len() {
                    buffer.resize(BUFFER, 0);
                }
                match tcp.read(&mut buffer[used..]).await? {
                    0 => return Ok(()),
                    length => used += length,
                }
                continue;
            }
        };
        let Head {
            length,
            body,
            first_line,
        } = head;
        let early = (used - length) as u64;
        if early > body {
            return Err(io::Error::other(
                "a request before the answer to the last one",
            ));
        }
        match what_for(first_line) {
            EvidenceSource::Small if early == body => tcp.write_all(&small).await?,
            EvidenceSource::Small => {
                discard(&mut tcp, body - early).await?;
                tcp.write_all(&small).await?;
            }
            EvidenceSource::Seen => {
                tcp.write_all(&[&answer_head(length as u64), &buffer[..length]].concat())
                    .await?;
            }
            EvidenceSource::Bytes(count) => send(&mut tcp, count).await?,
        }
        used = 0;
    }
}

enum EvidenceSource {
    Small,
    Seen,
    Bytes(u64),
}

fn what_for(first_line: &[u8]) -> EvidenceSource {
    if first_line.starts_with(b"GET /seen") {
        return EvidenceSource::Seen;
    }
    let Some(rest) = first_line.strip_prefix(b"GET /bytes/") else {
        return EvidenceSource::Small;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    EvidenceSource::Bytes(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn answer_head(length: u64) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n")
        .into_bytes()
}

async fn discard(tcp: &mut TcpStream, mut left: u64) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    while left > 0 {
        let most = left.min(BLOCK as u64) as usize;
        match tcp.read(&mut block[..most]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => left -= length as u64,
        }
    }
    Ok(())
}

async fn send(tcp: &mut TcpStream, mut left: u64) -> io::Result<()> {
    let mut block = answer_head(left);
    let first = left.min((BLOCK - block.len()) as u64);
    block.resize(block.len() + first as usize, b'x');
    tcp.write_all(&block).await?;
    left -= first;
    block.clear();
    block.resize(left.min(BLOCK as u64) as usize, b'x');
    while left > 0 {
        let most = left.min(BLOCK as u64);
        tcp.write_all(&block[..most as usize]).await?;
        left -= most;
    }
    Ok(())
}
