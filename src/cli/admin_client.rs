//! Asks the admin listener of a running gateway. Understands no answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// `GET` of a path: the body of an answer with status 200.
///
/// # Errors
/// In words, what came instead.
pub(super) fn get(address: SocketAddr, path: &str) -> Result<Vec<u8>, String> {
    const PATIENCE: Duration = Duration::from_secs(5);
    /// More than all workers remember of their decisions.
    const LARGEST: u64 = 1 << 30;
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(LARGEST).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error: std::io::Error| error.to_string())?;
    let cut_short = || "its answer is cut short".to_owned();
    let end = answer.windows(4).position(|octets| octets == b"\r\n\r\n").ok_or_else(cut_short)?;
    let (head, body) = answer.split_at_checked(end + 4).ok_or_else(cut_short)?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200 ") {
        let said = String::from_utf8_lossy(body.get(..body.len().min(200)).unwrap_or_default()).trim().to_owned();
        return Err(format!("it answers \"{status}\": {said}"));
    }
    let length =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, text)| text.trim().parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err(cut_short());
    }
    Ok(body.to_vec())
}
