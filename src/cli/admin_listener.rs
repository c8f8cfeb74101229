//! A client for the admin listener of a running gateway.

use crate::config::{Config, Sources};
use crate::snapshot::AdminPlace;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The admin listener of the config. `None` if it is off, or has port 0.
///
/// # Errors
/// A message: what is wrong with the config.
pub(super) fn of_config(config: &Config, sources: &Sources) -> Result<Option<AdminPlace>, String> {
    let Some(admin) = &config.admin else {
        return Ok(None);
    };
    let place = AdminPlace::of(admin, sources)
        .map_err(|error| format!("{}: {}", sources.describe(error.place), error.message))?;
    Ok(place.filter(|place| !matches!(place, AdminPlace::Tcp(address) if address.port() == 0)))
}

/// Parses a flag: `unix:PATH`, `IP:PORT` or `http://IP:PORT`.
///
/// # Errors
/// A message for the flag.
pub(super) fn parse(text: &str) -> Result<AdminPlace, String> {
    AdminPlace::parse(text).ok_or_else(|| {
        format!("\"{text}\" is no admin listener: write unix:PATH, IP:PORT or http://IP:PORT")
    })
}

/// A response of the admin listener.
pub(super) struct AdminResponse {
    /// The status line.
    pub(super) status_line: String,
    pub(super) body: String,
}

impl AdminResponse {
    pub(super) fn is_good(&self) -> bool {
        self.status_line.starts_with("HTTP/1.1 200 ")
    }
}

/// Sends `GET path` and returns the body of a 200 response.
///
/// # Errors
/// A message: the I/O error or the other status.
pub(super) fn get(place: &AdminPlace, path: &str) -> Result<String, String> {
    let answer = send(
        place,
        &format!("GET {path} HTTP/1.1\r\n"),
        "",
        Duration::from_secs(5),
    )?;
    if answer.is_good() {
        return Ok(answer.body);
    }
    let text: String = answer.body.trim().chars().take(200).collect();
    Err(format!("it answers \"{}\": {text}", answer.status_line))
}

/// Sends `POST path` with a JSON body.
///
/// # Errors
/// A message, if there was no response.
pub(super) fn post(place: &AdminPlace, path: &str, json: &str) -> Result<AdminResponse, String> {
    let length = json.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    );
    send(place, &head, json, Duration::from_secs(60))
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn connect(place: &AdminPlace, timeout: Duration) -> io::Result<Box<dyn Stream>> {
    match place {
        AdminPlace::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(Box::new(stream))
        }
        AdminPlace::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(Box::new(stream))
        }
    }
}

fn send(
    place: &AdminPlace,
    head: &str,
    body: &str,
    timeout: Duration,
) -> Result<AdminResponse, String> {
    /// Limit on a response in bytes: more than the recent decisions of all workers.
    const MAX_SIZE: u64 = 1 << 30;
    let exchange = || {
        let mut stream = connect(place, timeout)?;
        // A unix socket has no host name.
        let host = match place {
            AdminPlace::Tcp(address) => address.to_string(),
            AdminPlace::Unix(_) => "localhost".to_owned(),
        };
        write!(
            stream,
            "{head}Host: {host}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.take(MAX_SIZE).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error: io::Error| describe(place, &error))?;
    let truncated = || "its answer is cut short".to_owned();
    let (response_head, body) = answer.split_once("\r\n\r\n").ok_or_else(truncated)?;
    let mut lines = response_head.lines();
    let status_line = lines.next().unwrap_or_default().to_owned();
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, text)| text.trim().parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err(truncated());
    }
    Ok(AdminResponse {
        status_line,
        body: body.to_owned(),
    })
}

/// An error with its remedy.
fn describe(place: &AdminPlace, error: &io::Error) -> String {
    match (place, error.kind()) {
        (AdminPlace::Unix(_), io::ErrorKind::PermissionDenied) => {
            format!("{error}: only the gateway's user and root may use its socket")
        }
        (AdminPlace::Unix(_), io::ErrorKind::NotFound) => {
            format!("{error}: the gateway does not run, or has another config")
        }
        _ => error.to_string(),
    }
}
