//! Asks the admin listener of a running gateway. Knows no answer.

use super::reachable;
use crate::config::Config;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The address of the admin listener as the config says. `None` if it is off, or on a port that only the system knows.
pub(super) fn address(config: &Config) -> Result<Option<SocketAddr>, String> {
    let text = config.admin.address.as_ref().map_or(crate::snapshot::ADMIN_ADDRESS, |said| &said.value);
    if text == "off" {
        return Ok(None);
    }
    let address: SocketAddr = text.parse().map_err(|_| format!("`admin.address` cannot be \"{text}\""))?;
    Ok(Some(address).filter(|address| address.port() != 0).map(reachable))
}

/// What was answered.
pub(super) struct Answer {
    /// The first line.
    pub(super) status_line: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn is_good(&self) -> bool {
        self.status_line.starts_with("HTTP/1.1 200 ")
    }
}

/// `GET` of a path: the body of an answer with status 200.
///
/// # Errors
/// In words, what came instead.
pub(super) fn get(address: SocketAddr, path: &str) -> Result<String, String> {
    let answer = ask(address, &format!("GET {path} HTTP/1.1\r\n"), "", Duration::from_secs(5))?;
    if answer.is_good() {
        return Ok(answer.body);
    }
    let said: String = answer.body.trim().chars().take(200).collect();
    Err(format!("it answers \"{}\": {said}", answer.status_line))
}

/// `POST path` with JSON.
///
/// # Errors
/// In words, where there was no answer.
pub(super) fn post(address: SocketAddr, path: &str, json: &str) -> Result<Answer, String> {
    let length = json.len();
    let begin = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    ask(address, &begin, json, Duration::from_secs(60))
}

fn ask(address: SocketAddr, begin: &str, body: &str, patience: Duration) -> Result<Answer, String> {
    /// More than all workers remember of their decisions.
    const LARGEST: u64 = 1 << 30;
    let exchange = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        write!(stream, "{begin}Host: {address}\r\nConnection: close\r\n\r\n{body}")?;
        let mut answer = String::new();
        stream.take(LARGEST).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error: std::io::Error| error.to_string())?;
    let cut_short = || "its answer is cut short".to_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut_short)?;
    let mut lines = head.lines();
    let status_line = lines.next().unwrap_or_default().to_owned();
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, text)| text.trim().parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err(cut_short());
    }
    Ok(Answer { status_line, body: body.to_owned() })
}
