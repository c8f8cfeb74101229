//! An upstream that breaks at every octet of its answer, in every way, under several clients at once: nobody sees what
//! belongs to another, nothing with side effects arrives twice, and what is cut never looks whole.

use crate::support::client::{Connection, Version, request};
use crate::support::gateway::ONE_WORKER;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Upstream};
use std::collections::HashMap;
use std::io::Read;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How an upstream breaks an answer off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Close,
    Reset,
    /// Octets that belong to nothing, and then the end.
    Garbage,
    /// The whole answer, then the start of another, and the connection stays.
    Surplus,
    /// The rest comes as something of its own.
    Delay,
}

const FAULTS: [Fault; 5] = [
    Fault::Close,
    Fault::Reset,
    Fault::Garbage,
    Fault::Surplus,
    Fault::Delay,
];

/// The way in which an answer says its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Length,
    Chunked,
}

impl Form {
    fn answer(self, token: &str) -> String {
        match self {
            Self::Length => format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{token}",
                token.len()
            ),
            Self::Chunked => {
                let (first, second) = token.split_at(token.len() / 2);
                let chunk = |data: &str| format!("{:x}\r\n{data}\r\n", data.len());
                format!(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}{}0\r\n\r\n",
                    chunk(first),
                    chunk(second)
                )
            }
        }
    }
}

/// How often each request has arrived, by its token, and whether each time on a connection that was used before.
#[derive(Clone, Default)]
struct Arrivals(Arc<Mutex<HashMap<String, Vec<Use>>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    First,
    Again,
}

/// Answers with the token that each request carries; what the token says is how. `-` is whole, else a fault and a place.
fn serve(mut stream: TcpStream, form: Form, fault: Fault, arrivals: &Arrivals) {
    stream.set_nodelay(true).unwrap();
    let mut which = Use::First;
    loop {
        let head = read_head(&mut stream);
        let Some(token) = head.split(' ').nth(1).map(str::to_owned) else {
            return;
        };
        if head.starts_with("POST") && stream.read_exact(&mut [0; 4]).is_err() {
            return;
        }
        arrivals
            .0
            .lock()
            .unwrap()
            .entry(token.clone())
            .or_default()
            .push(which);
        which = Use::Again;
        let answer = form.answer(&token);
        let place = token
            .rsplit('/')
            .next()
            .and_then(|place| place.parse::<usize>().ok());
        let Some(at) = place else {
            write(&mut stream, answer.as_bytes());
            continue;
        };
        let (before, behind) = answer.as_bytes().split_at(at.min(answer.len()));
        match fault {
            Fault::Surplus => {
                // At once: what comes when the next request is already sent is that one's answer, to whoever looks.
                let surplus = form.answer("/poison");
                let surplus = &surplus.as_bytes()[..at.clamp(1, surplus.len())];
                write(&mut stream, &[answer.as_bytes(), surplus].concat());
                continue;
            }
            Fault::Delay => {
                write(&mut stream, before);
                std::thread::yield_now();
                write(&mut stream, behind);
                continue;
            }
            Fault::Close => write(&mut stream, before),
            Fault::Reset => {
                write(&mut stream, before);
                socket2::SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
            Fault::Garbage => {
                write(&mut stream, before);
                write(&mut stream, b"\0\x01\r\n\r\n200 OK\r\n\r\n/poison/poison");
            }
        }
        return;
    }
}

/// What a client makes of one request. `true` if the connection still serves.
fn asks(
    connection: &mut Connection<'_>,
    method: &str,
    token: &str,
    form: Form,
    fault: Fault,
) -> bool {
    let text = if method == "POST" { "body" } else { "" };
    match connection.send(request(method, token, text)) {
        Ok(answer) if answer.status == 200 => {
            // Garbage in place of a body's octets cannot be told from them; nothing of another answer is among them.
            if fault != Fault::Garbage {
                assert_eq!(answer.body, token, "{form:?} {fault:?}");
            }
            assert_eq!(answer.body.len(), token.len(), "{form:?} {fault:?} {token}");
            true
        }
        Ok(answer) => {
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (502, "upstream_broke_off"),
                "{fault:?} {token}"
            );
            true
        }
        // The answer had begun, so its connection cannot go on.
        Err(_) => false,
    }
}

#[test]
fn an_upstream_failure_at_any_byte_truncates_visibly_and_sends_nothing_twice() {
    for (form, fault) in [Form::Length, Form::Chunked]
        .into_iter()
        .flat_map(|form| FAULTS.map(|fault| (form, fault)))
    {
        let arrivals = Arrivals::default();
        let shared = arrivals.clone();
        let upstream = Upstream::scripted(move |stream, _| serve(stream, form, fault, &shared));
        let chain = Chain::on("", upstream, ONE_WORKER);
        let places = form.answer("/GET/0/000").len();
        std::thread::scope(|scope| {
            for client in 0..3_usize {
                let chain = &chain;
                scope.spawn(move || {
                    let method = ["GET", "POST", "PUT"][client];
                    let mut connection = chain.client.connect(Version::Http1).unwrap();
                    for place in 0..=places {
                        // One that fills the pool with a connection that was used, and one that fails on it.
                        for token in [
                            format!("/{method}/{client}/{place}/-"),
                            format!("/{method}/{client}/{place:03}"),
                        ] {
                            if !asks(&mut connection, method, &token, form, fault) {
                                connection = chain.client.connect(Version::Http1).unwrap();
                            }
                        }
                    }
                });
            }
        });
        for (token, uses) in arrivals.0.lock().unwrap().iter() {
            let twice = token.starts_with("/GET") || token.starts_with("/PUT");
            assert!(
                uses.len() <= if twice { 2 } else { 1 },
                "{form:?} {fault:?} {token}: {uses:?}"
            );
            assert!(
                uses.len() < 2 || uses[0] == Use::Again,
                "{form:?} {fault:?} {token}: {uses:?}"
            );
            // After an octet of an answer nothing goes again.
            let began = token
                .rsplit('/')
                .next()
                .and_then(|place| place.parse().ok())
                .is_some_and(|place: usize| place > 0);
            let resets = fault == Fault::Reset;
            assert!(
                !began || resets || uses.len() == 1,
                "{form:?} {fault:?} {token}: {uses:?}"
            );
        }
        chain.is_unharmed();
    }
}

#[test]
fn pipelined_requests_get_their_own_responses_or_none() {
    for (form, fault) in [Form::Length, Form::Chunked]
        .into_iter()
        .flat_map(|form| FAULTS.map(|fault| (form, fault)))
    {
        let arrivals = Arrivals::default();
        let shared = arrivals.clone();
        let upstream = Upstream::scripted(move |stream, _| serve(stream, form, fault, &shared));
        let chain = Chain::with(upstream, ONE_WORKER);
        for place in 0..form.answer("/b/000").len() {
            let tokens = [
                "/a/-".to_owned(),
                format!("/b/{place:03}"),
                "/c/-".to_owned(),
            ];
            let ask = |token: &String| {
                format!("POST {token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody")
            };
            let mut text: String = tokens.iter().map(ask).collect();
            text += "GET /last/- HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            let answers = chain.client.exchange(text.as_bytes());
            let parts: Vec<_> = answers.split("HTTP/1.1 ").skip(1).collect();
            // An answer in chunks has its token in two halves.
            let expected = |token: &str| {
                form.answer(token)
                    .split_once("\r\n\r\n")
                    .unwrap()
                    .1
                    .to_owned()
            };
            assert!(
                parts[0].ends_with(&expected("/a/-")),
                "{form:?} {fault:?} {place}: {answers}"
            );
            if fault != Fault::Garbage {
                assert!(
                    !answers.contains("poison"),
                    "{form:?} {fault:?} {place}: {answers}"
                );
            }
            for (part, token) in parts
                .iter()
                .zip(["/a/-", &tokens[1], "/c/-", "/last/-"])
                .skip(2)
            {
                assert!(
                    part.ends_with(&expected(token)),
                    "{form:?} {fault:?} {place}: {answers}"
                );
            }
        }
        chain.is_unharmed();
    }
}
