//! An authorizer of Envoy's kind: a real HTTP/2 server of hyper whose messages are read and written by hand, so that it
//! shares nothing with what it judges.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A message, taken apart: numbers of fields and what stands there.
#[derive(Clone, Debug)]
pub struct Message(Vec<(u64, Field)>);

#[derive(Clone, Debug)]
enum Field {
    Number(u64),
    Octets(Vec<u8>),
}

impl Message {
    pub fn read(mut octets: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !octets.is_empty() {
            let tag = number(&mut octets);
            let field = match tag & 7 {
                0 => Field::Number(number(&mut octets)),
                2 => {
                    let length = usize::try_from(number(&mut octets)).unwrap();
                    let (value, rest) = octets.split_at(length);
                    octets = rest;
                    Field::Octets(value.to_vec())
                }
                other => panic!("wire type {other}"),
            };
            fields.push((tag >> 3, field));
        }
        Self(fields)
    }

    /// The texts at this path of field numbers.
    pub fn texts(&self, path: &[u64]) -> Vec<String> {
        let (first, rest) = path.split_first().expect("a path");
        let octets =
            self.0
                .iter()
                .filter(|(field, _)| field == first)
                .map(|(_, field)| match field {
                    Field::Octets(octets) => octets,
                    Field::Number(number) => panic!("{number} at {path:?}"),
                });
        match rest {
            [] => octets
                .map(|octets| String::from_utf8(octets.clone()).unwrap())
                .collect(),
            rest => octets
                .flat_map(|octets| Self::read(octets).texts(rest))
                .collect(),
        }
    }

    pub fn text(&self, path: &[u64]) -> String {
        let texts = self.texts(path);
        assert!(texts.len() <= 1, "{texts:?} at {path:?}");
        texts.into_iter().next().unwrap_or_default()
    }

    /// The map at this path: entries of a key and a value.
    pub fn map(&self, path: &[u64]) -> Vec<(String, String)> {
        let (last, path) = path.split_last().expect("a path");
        let inner = path.iter().fold(self.clone(), |message, number| {
            let octets = message.0.iter().find_map(|(field, value)| match value {
                Field::Octets(octets) if field == number => Some(octets.clone()),
                _ => None,
            });
            Self::read(&octets.unwrap_or_default())
        });
        let entries =
            inner
                .0
                .iter()
                .filter(|(field, _)| field == last)
                .map(|(_, entry)| match entry {
                    Field::Octets(octets) => Self::read(octets),
                    Field::Number(_) => panic!("no entry"),
                });
        entries
            .map(|entry| (entry.text(&[1]), entry.text(&[2])))
            .collect()
    }
}

fn number(octets: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let (first, rest) = octets.split_first().expect("a number");
        *octets = rest;
        value |= u64::from(first & 127) << (7 * place);
        if first & 128 == 0 {
            break;
        }
    }
    value
}

/// A field of octets that are not many.
pub fn field(number: u8, octets: impl AsRef<[u8]>) -> Vec<u8> {
    let octets = octets.as_ref();
    [
        &[number << 3 | 2, u8::try_from(octets.len()).unwrap()],
        octets,
    ]
    .concat()
}

/// What it answers: a head, what stands in data, trailers.
pub struct Answer {
    pub status: u16,
    pub data: Vec<u8>,
    pub grpc_status: Option<&'static str>,
}

impl Answer {
    /// A good answer with this message.
    pub fn message(message: &[u8]) -> Self {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        Self {
            status: 200,
            data: [&[0], &length[..], message].concat(),
            grpc_status: Some("0"),
        }
    }

    /// `status { code: CODE }`
    pub fn code(code: u8) -> Self {
        Self::message(&field(1, [1 << 3, code]))
    }
}

/// A running authorizer.
pub struct Grpc {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<(HeaderMap, Message)>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Grpc {
    /// Answers as `answer` says; `None` is never.
    pub fn answering(
        tls: Option<rustls::ServerConfig>,
        answer: impl Fn(&Message) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let (sink, answer) = (asked.clone(), Arc::new(answer));
        let acceptor = tls.map(|config| tokio_rustls::TlsAcceptor::from(Arc::new(config)));
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (sink, answer) = (sink.clone(), answer.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (sink, answer) = (sink.clone(), answer.clone());
                    async move {
                        let answer = answer(&record(request, &sink).await);
                        match answer {
                            Some(answer) => Ok::<_, Infallible>(response(answer)),
                            None => std::future::pending().await,
                        }
                    }
                });
                let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                match acceptor.clone() {
                    None => drop(tokio::spawn(
                        http.serve_connection(TokioIo::new(stream), service),
                    )),
                    Some(acceptor) => drop(tokio::spawn(async move {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            let _ = http.serve_connection(TokioIo::new(stream), service).await;
                        }
                    })),
                }
            }
        });
        Self {
            address,
            asked,
            _runtime: runtime,
        }
    }

    /// Heads and messages so far.
    pub fn asked(&self) -> Vec<(HeaderMap, Message)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn record(request: Request<Incoming>, sink: &Mutex<Vec<(HeaderMap, Message)>>) -> Message {
    assert_eq!(
        request.uri().path(),
        "/envoy.service.auth.v3.Authorization/Check"
    );
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let (prefix, message) = body.split_at(5);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    assert_eq!(prefix, [&[0], &length[..]].concat());
    let message = Message::read(message);
    sink.lock().unwrap().push((head.headers, message.clone()));
    message
}

fn response(answer: Answer) -> Response<impl http_body::Body<Data = Bytes, Error = Infallible>> {
    let trailers = answer.grpc_status.map(|status| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        Ok(trailers)
    });
    let body = Full::new(Bytes::from(answer.data)).with_trailers(async { trailers });
    Response::builder()
        .status(answer.status)
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap()
}
