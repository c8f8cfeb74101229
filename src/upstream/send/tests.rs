//! Bodies in any pieces: the upstream receives what was sent, and the client what the upstream
//! sent.

use super::*;
use crate::buffer_pool::PooledBuffer;
use crate::config::HostHeader;
use crate::endpoint::EndpointAddress;
use crate::forward::{ChunkPart, ChunkScanner, Framing, Reuse, Upgrade};
use crate::pool::Capacity;
use crate::telemetry::Telemetry;
use crate::upstream::{ResponseBody, RetryPolicy, UpstreamSettings};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::Context;

/// Gives these frames, and waits before each.
struct Frames(VecDeque<Frame<Bytes>>, bool);

impl Body for Frames {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        self.1 = !self.1;
        if self.1 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn upstream(address: SocketAddr) -> Upstream {
    let endpoint = EndpointAddress::parse(&format!("http://{address}"))
        .unwrap()
        .into_endpoint(None);
    let settings = UpstreamSettings {
        name: "api".into(),
        endpoints: vec![endpoint],
        host_header: HostHeader::Endpoint,
        authorization: None,
        identity: Arc::default(),
        proxy_protocol: crate::config::ProxyProtocol::Off,
        connect_timeout: Duration::from_secs(60),
        pool_idle_timeout: Duration::from_secs(60),
        pool_capacity: Capacity::AtMost(4),
        health: crate::upstream::HealthSettings {
            failures: None,
            ejection_time: Duration::from_secs(60),
            max_ejection_time: Duration::from_secs(60),
            panic_percent: 0,
        },
        retry_percent: 0,
        quirks: crate::upstream::Quirks::default(),
    };
    Upstream::new(settings, Vec::new(), Arc::new(Telemetry::default()))
}

fn outgoing(framing: Framing, frames: Vec<Frame<Bytes>>) -> UpstreamRequest<Frames> {
    let line = "POST /x HTTP/1.1\r\nhost: ";
    let fields = "\r\ntrailer: x-sum\r\n\r\n";
    let mut head = PooledBuffer::take();
    head.extend_from_slice(format!("{line}client{fields}").as_bytes());
    let outgoing = OutgoingRequest {
        head,
        host: line.len()..line.len() + "client".len(),
        reuse: Reuse::Keep,
        framing,
        asked: RequestKind::Other,
        upgrade: Upgrade::None,
        retry_policy: RetryPolicy::never(),
        response_timeout: Duration::from_secs(60),
        preface: None,
        account: None,
    };
    UpstreamRequest {
        outgoing,
        body: Frames(frames.into(), false),
        meter: Arc::default(),
    }
}

/// Reads until `is_whole`, writes the pieces, and gives what it has read.
fn server(
    is_whole: impl Fn(&[u8]) -> bool + Send + 'static,
    pieces: Vec<Vec<u8>>,
) -> (SocketAddr, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut seen = Vec::new();
        let mut space = [0; 4096];
        while !is_whole(&seen) {
            match stream.read(&mut space).unwrap() {
                0 => break,
                count => seen.extend_from_slice(&space[..count]),
            }
        }
        pieces
            .iter()
            .for_each(|piece| stream.write_all(piece).unwrap());
        seen
    });
    (address, thread)
}

type Outcome = (u16, Vec<u8>, Option<HeaderMap>);

async fn exchange(
    address: SocketAddr,
    outgoing: UpstreamRequest<Frames>,
) -> Result<Outcome, Box<dyn std::error::Error>> {
    let upstream = upstream(address);
    let answer = upstream
        .send(outgoing, |head: &ResponseHead<'_, '_>| head.status)
        .await?;
    let mut body = answer.body;
    let mut data = Vec::new();
    let mut trailers = None;
    while let Some(frame) = ResponseBody::frame(&mut body).await {
        match frame?.into_data() {
            Ok(piece) => data.extend_from_slice(&piece),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((answer.head, data, trailers))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn split(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    bytes.chunks(piece).map(<[u8]>::to_vec).collect()
}

fn data_of(mut chunked: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut scanner = ChunkScanner::default();
    let mut data = Vec::new();
    let mut section = Vec::new();
    while !chunked.is_empty() {
        let (kind, length) = scanner
            .part(chunked)
            .ok()
            .filter(|(_, length)| *length > 0)?;
        match kind {
            ChunkPart::Data => data.extend_from_slice(&chunked[..length]),
            ChunkPart::Trailers => section.extend_from_slice(&chunked[..length]),
            ChunkPart::Framing => {}
        }
        chunked = &chunked[length..];
    }
    scanner.is_complete().then_some((data, section))
}

fn behind_head(message: &[u8]) -> &[u8] {
    message
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(b"", |at| &message[at + 4..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_body_of_unknown_length_is_forwarded_in_chunks(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..8),
        sum in prop::option::of("[0-9]{1,5}"),
    ) {
        let (address, server) = server(
            |seen| data_of(behind_head(seen)).is_some(),
            vec![b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()],
        );
        let mut sent: Vec<_> = frames.iter().cloned().map(|frame| Frame::data(frame.into())).collect();
        if let Some(sum) = &sum {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", sum.parse().unwrap());
            trailers.insert("x-other", "1".parse().unwrap());
            trailers.insert("x-client-cn", "root".parse().unwrap());
            sent.push(Frame::trailers(trailers));
        }
        let outcome = run(exchange(address, outgoing(Framing::Chunked, sent))).unwrap();
        prop_assert_eq!(outcome, (200, b"ok".to_vec(), None));
        let seen = server.join().unwrap();
        let host = format!("POST /x HTTP/1.1\r\nhost: {address}\r\n");
        prop_assert!(seen.starts_with(host.as_bytes()));
        let (data, section) = data_of(behind_head(&seen)).unwrap();
        prop_assert_eq!(data, frames.concat());
        let expected = sum.map(|sum| format!("x-sum: {sum}\r\n")).unwrap_or_default() + "\r\n";
        prop_assert_eq!(String::from_utf8(section).unwrap(), expected);
    }

    #[test]
    fn a_response_is_complete_with_every_segmentation(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9000), 0..6),
        form in 0_usize..4,
        piece in 1_usize..20_000,
    ) {
        let mut message = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n".to_vec();
        let data = chunks.concat();
        match form {
            0 => message.extend_from_slice(format!("content-length: {}\r\n\r\n", data.len()).as_bytes()),
            1 => message.extend_from_slice(b"\r\n"),
            _ => message.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
        }
        if form < 2 {
            message.extend_from_slice(&data);
        } else {
            for chunk in &chunks {
                message.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                message.extend_from_slice(chunk);
                message.extend_from_slice(b"\r\n");
            }
            let end: &[u8] = if form == 2 { b"0\r\n\r\n" } else { b"0\r\ngrpc-status: 0\r\nhost: x\r\n\r\n" };
            message.extend_from_slice(end);
        }
        let (address, server) = server(|seen| !behind_head(seen).is_empty(), split(&message, piece));
        let body = vec![Frame::data(Bytes::from_static(b"body"))];
        let (status, seen, trailers) = run(exchange(address, outgoing(Framing::Length(4), body))).unwrap();
        prop_assert_eq!((status, seen), (200, data));
        let trailers = trailers.unwrap_or_default();
        prop_assert_eq!((trailers.len(), trailers.contains_key("grpc-status")), (form / 3, form == 3));
        prop_assert!(server.join().unwrap().ends_with(b"\r\n\r\nbody"));
    }

    #[test]
    fn a_truncated_response_is_never_complete(
        length in 1_usize..5000,
        cut in 0_usize..5000,
        chunked in any::<bool>(),
    ) {
        let cut = cut % length;
        let head = if chunked {
            format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n")
        } else {
            format!("content-length: {length}\r\n\r\n")
        };
        let message = [format!("HTTP/1.1 200 OK\r\n{head}").into_bytes(), vec![b'x'; cut]];
        let (address, server) = server(|seen| !behind_head(seen).is_empty(), message.to_vec());
        let body = vec![Frame::data(Bytes::from_static(b"body"))];
        prop_assert!(run(exchange(address, outgoing(Framing::Length(4), body))).is_err());
        server.join().unwrap();
    }
}

#[test]
fn a_body_of_another_length_than_the_head_says_is_not_sent_to_its_end() {
    for frames in [&["too", " long"][..], &["a"], &[]] {
        let (address, server) = server(|_| false, Vec::new());
        let sent = frames
            .iter()
            .map(|frame| Frame::data(Bytes::from_static(frame.as_bytes())))
            .collect();
        let error = run(exchange(address, outgoing(Framing::Length(4), sent))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the request body failed on its way",
            "{frames:?}"
        );
        assert!(behind_head(&server.join().unwrap()).len() < 4, "{frames:?}");
    }
}
