//! Asks the admin listener of a running gateway. Knows no answer.

use crate::config::{Config, Sources};
use crate::snapshot::AdminPlace;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where the admin listener is, as the config says. `None` if it is off, or on a port that only the system knows.
///
/// # Errors
/// In words, what is wrong with the config.
pub(super) fn of_config(config: &Config, sources: &Sources) -> Result<Option<AdminPlace>, String> {
    let Some(said) = &config.admin else {
        return Ok(None);
    };
    let place = AdminPlace::of(said, sources)
        .map_err(|error| format!("{}: {}", sources.describe(error.place), error.message))?;
    Ok(place.filter(|place| !matches!(place, AdminPlace::Tcp(address) if address.port() == 0)))
}

/// Where a flag says that it is: `unix:PATH`, `IP:PORT` or `http://IP:PORT`.
///
/// # Errors
/// In words, for the flag.
pub(super) fn parse(text: &str) -> Result<AdminPlace, String> {
    AdminPlace::parse(text).ok_or_else(|| {
        format!("\"{text}\" is no admin listener: write unix:PATH, IP:PORT or http://IP:PORT")
    })
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
pub(super) fn get(place: &AdminPlace, path: &str) -> Result<String, String> {
    let answer = ask(
        place,
        &format!("GET {path} HTTP/1.1\r\n"),
        "",
        Duration::from_secs(5),
    )?;
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
pub(super) fn post(place: &AdminPlace, path: &str, json: &str) -> Result<Answer, String> {
    let length = json.len();
    let begin = format!(
        "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    );
    ask(place, &begin, json, Duration::from_secs(60))
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn connect(place: &AdminPlace, patience: Duration) -> io::Result<Box<dyn Stream>> {
    match place {
        AdminPlace::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            Ok(Box::new(stream))
        }
        AdminPlace::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            Ok(Box::new(stream))
        }
    }
}

fn ask(place: &AdminPlace, begin: &str, body: &str, patience: Duration) -> Result<Answer, String> {
    /// More than all workers remember of their decisions.
    const LARGEST: u64 = 1 << 30;
    let exchange = || {
        let mut stream = connect(place, patience)?;
        // A unix socket has no name of its own.
        let host = match place {
            AdminPlace::Tcp(address) => address.to_string(),
            AdminPlace::Unix(_) => "localhost".to_owned(),
        };
        write!(
            stream,
            "{begin}Host: {host}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.take(LARGEST).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error: io::Error| described(place, &error))?;
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
    Ok(Answer {
        status_line,
        body: body.to_owned(),
    })
}

/// An error with what to do about it.
fn described(place: &AdminPlace, error: &io::Error) -> String {
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
