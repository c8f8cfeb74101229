//! One gateway with a listener for each record layer, and an upstream that writes down the bytes it gets and reads them by
//! itself, strictly.

use crate::support::client::status;
use crate::support::gateway::{named_listener, process, trust_domain};
use crate::support::upstream::write;
use crate::support::{Client, Gateway, Pki, Upstream};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// A record layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Rustls,
    InPlace,
}

impl Lane {
    pub const ALL: [Self; 2] = [Self::Rustls, Self::InPlace];

    /// The name of its listener, and of its client, which is how its requests are known at the upstream.
    fn name(self) -> &'static str {
        match self {
            Self::Rustls => "rustls",
            Self::InPlace => "in-place",
        }
    }

    fn settings(self) -> String {
        format!("record_layer = \"{}\"\n", self.name())
    }
}

/// A request as the upstream has read it. Names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub line: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

/// What a stream of bytes led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Status of each final answer. Of those that the gateway gives itself, also the reason word, or `own`.
    pub answers: Vec<(u16, String)>,
    /// What reached the upstream whole.
    pub requests: Vec<Request>,
}

type Recorded = Arc<Mutex<Vec<(String, Request)>>>;

pub struct Scene {
    gateway: Gateway,
    clients: [Client; 2],
    recorded: Recorded,
    _upstream: Upstream,
    _pki: Pki,
}

/// Stands behind each stream, so that the connection ends when all is answered.
pub const LAST: &[u8] = b"GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

impl Scene {
    pub fn start() -> Self {
        let (pki, recorded) = (Pki::new(), Recorded::default());
        let sink = recorded.clone();
        let upstream = Upstream::scripted(move |stream, _| answer_all(stream, &sink));
        let listeners: String = Lane::ALL
            .map(|lane| named_listener(lane.name(), &pki, &lane.settings()))
            .concat();
        let config = listeners
            + &trust_domain("test", &pki)
            + &process()
            + &format!(
                "[access_log]\nformat = \"off\"\n[limits]\nhead_size = \"200kB\"\nhead_timeout = \"1s\"\nkeep_alive_timeout = \"1s\"\nidle_timeout = \"1s\"\n\
                 [api_user.alice]\nclient_cn = {:?}\npermissions = [\"*\"]\ndeny = [\"* /secret*\"]\n\
                 [upstream.api]\nendpoints = [\"http://{}\"]\n[[route]]\npath = \"/\"\nupstream = \"api\"\n\
                 [[route]]\npath = \"/small\"\nupstream = \"api\"\nbody_size = \"10B\"\n\
                 [[route]]\npath = \"/whoami\"\nrespond = \"whoami\"\n",
                Lane::ALL.map(Lane::name),
                upstream.address
            );
        let gateway = Gateway::start(&config);
        let clients = Lane::ALL.map(|lane| {
            let name = lane.name();
            Client::new(&pki, Some(&pki.client(name)), gateway.address_of(name))
        });
        Self {
            gateway,
            clients,
            recorded,
            _upstream: upstream,
            _pki: pki,
        }
    }

    /// Sends a stream to each lane at the same time.
    pub fn run(&self, stream: &[u8], cuts: &[usize]) -> [Outcome; 2] {
        std::thread::scope(|scope| {
            let runs = Lane::ALL.map(|lane| scope.spawn(move || self.run_on(lane, stream, cuts)));
            runs.map(|run| run.join().expect("a run"))
        })
    }

    /// Sends a stream in records that end at these places.
    pub fn run_on(&self, lane: Lane, stream: &[u8], cuts: &[usize]) -> Outcome {
        let mut raw = self.clients[lane as usize].raw();
        let all = [stream, LAST].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % all.len()).collect();
        cuts.sort_unstable();
        let (mut from, ends) = (0, cuts.into_iter().chain([all.len()]));
        for end in ends {
            // It may have heard enough.
            if end > from && raw.try_write(&all[from..end]).is_err() {
                break;
            }
            from = end;
        }
        let answers = answers(&raw.read_to_end());
        let mut recorded = self.recorded.lock().expect("no panic while locked");
        let (mine, others) = recorded
            .drain(..)
            .partition(|(name, _)| name == lane.name());
        *recorded = others;
        let requests = mine
            .into_iter()
            .map(|(_, request): (String, Request)| request)
            .collect();
        Outcome { answers, requests }
    }

    pub fn is_unharmed(&self) {
        assert_eq!(self.gateway.metric("portcullis_panics_total", &[]), 0.0);
    }
}

/// Status and reason of each final answer. No answer of the upstream contains the start of another, or a reason.
fn answers(text: &str) -> Vec<(u16, String)> {
    let starts: Vec<usize> = text.match_indices("HTTP/1.").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let each = starts.iter().zip(ends).map(|(from, to)| {
        let answer = &text[*from..to];
        let reason = answer
            .split_once("\"reason\":\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        let reason = match reason {
            Some((reason, _)) => reason,
            None if answer.contains("x-upstream: yes\r\n") => "",
            None => "own",
        };
        (status(answer), reason.to_owned())
    });
    each.filter(|(code, _)| *code >= 200).collect()
}

fn answer_all(stream: TcpStream, recorded: &Recorded) {
    let mut writer = stream.try_clone().expect("a socket");
    let mut reader = BufReader::new(stream);
    while let Some((client, request)) = read_request(&mut reader) {
        let method = request
            .line
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        let echo = format!("<{} {}>", request.line.len(), request.body.len());
        let chunked = request.line.contains("chunked");
        recorded
            .lock()
            .expect("no panic while locked")
            .push((client, request));
        let body = if method == "HEAD" { "" } else { &echo };
        let answer = if chunked && method != "HEAD" {
            let head = "HTTP/1.1 200 OK\r\nx-upstream: yes\r\ntransfer-encoding: chunked\r\n\r\n";
            format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
        } else {
            format!(
                "HTTP/1.1 200 OK\r\nx-upstream: yes\r\ncontent-length: {}\r\n\r\n{body}",
                echo.len()
            )
        };
        write(&mut writer, answer.as_bytes());
    }
}

/// The next whole request, and who sent it. `None` at the end, also in the middle of a request.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, Request)> {
    let line = read_line(reader)?;
    let fields = read_fields(reader)?;
    let value = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let (mut body, mut trailers) = (Vec::new(), Vec::new());
    match (value("transfer-encoding"), value("content-length")) {
        (Some(coding), None) => {
            assert_eq!(coding, "chunked");
            loop {
                let size = usize::from_str_radix(&read_line(reader)?, 16)
                    .expect("a chunk size without extension");
                if size == 0 {
                    break;
                }
                read_exact(reader, size, &mut body)?;
                assert_eq!(read_line(reader)?, "", "behind a chunk");
            }
            trailers = read_fields(reader)?;
        }
        (None, Some(length)) => read_exact(reader, length.parse().expect("a length"), &mut body)?,
        (None, None) => {}
        both => panic!("two lengths: {both:?}"),
    }
    let client = value("x-client-cn").expect("a client");
    let mut fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| neutral(name, value))
        .collect();
    fields.sort();
    Some((
        client,
        Request {
            line,
            fields,
            body,
            trailers,
        },
    ))
}

/// What is different for each client or request is not compared, but that it is there.
fn neutral(name: String, value: String) -> (String, String) {
    if name.starts_with("x-client-") || name == "x-request-id" {
        return (name, String::new());
    }
    (name, value)
}

fn read_fields(reader: &mut BufReader<TcpStream>) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Some(fields);
        }
        let (name, value) = line
            .split_once(": ")
            .unwrap_or_else(|| panic!("no field: {line:?}"));
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    let text: String = line
        .strip_suffix(b"\r\n")?
        .iter()
        .copied()
        .map(char::from)
        .collect();
    assert!(!text.contains(['\r', '\n']), "{text:?}");
    Some(text)
}

fn read_exact(reader: &mut BufReader<TcpStream>, length: usize, body: &mut Vec<u8>) -> Option<()> {
    let read = reader.take(length as u64).read_to_end(body).ok()?;
    (read == length).then_some(())
}
