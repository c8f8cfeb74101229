//! Nothing waits for the end of a body, and nothing piles up behind one.

use crate::support::client::{BOTH, Version, body, get, request};
use crate::support::feed::fed;
use crate::support::upstream::{full, read_head, write};
use crate::support::{Chain, Upstream, eventually};
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Bytes that show when some are missing, doubled or swapped.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251) as u8 ^ (at / 65_536) as u8)
        .collect()
}

fn next_data(
    chain: &Chain,
    answer: &mut Response<Incoming>,
) -> Option<Result<Bytes, hyper::Error>> {
    loop {
        let frame = chain.client.runtime().block_on(answer.body_mut().frame())?;
        match frame.map(|frame| frame.into_data().unwrap_or_default()) {
            // HTTP/2 may say the end in a frame of its own.
            Ok(data) if data.is_empty() => {}
            data => return Some(data),
        }
    }
}

/// Reads until the other side is gone.
fn read_away(stream: &mut TcpStream) {
    let _ = std::io::copy(stream, &mut std::io::sink());
}

#[test]
fn an_upstream_sees_the_beginning_of_a_body_before_its_end() {
    for version in BOTH {
        let (seen, saw) = channel();
        let seen = Mutex::new(seen);
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            read_head(&mut stream);
            let mut chunk = [0; 10];
            stream.read_exact(&mut chunk).unwrap();
            seen.lock().unwrap().send(chunk.to_vec()).unwrap();
            write(&mut stream, CHUNKED);
            write(&mut stream, b"3\r\nyes\r\n0\r\n\r\n");
            read_away(&mut stream);
        }));
        let (feed, body) = fed();
        feed.data("first");
        let mut connection = chain.client.connect(version).unwrap();
        let mut answer = connection
            .start(request("POST", "/", "").map(|_| body))
            .unwrap();
        assert_eq!(saw.recv().unwrap(), b"5\r\nfirst\r\n", "{version:?}");
        assert_eq!(next_data(&chain, &mut answer).unwrap().unwrap(), "yes");
        drop(feed);
    }
}

#[test]
fn a_client_receives_each_piece_of_a_response_at_once() {
    for (version, chunked) in BOTH
        .into_iter()
        .flat_map(|version| [(version, true), (version, false)])
    {
        let (go, gone) = channel::<()>();
        let gone = Mutex::new(gone);
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            read_head(&mut stream);
            let close_delimited = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            write(&mut stream, if chunked { CHUNKED } else { close_delimited });
            // Each piece waits until the client has seen the one before.
            for _ in gone.lock().unwrap().iter().take(3) {
                write(
                    &mut stream,
                    if chunked {
                        b"9\r\ndata: x\n\n\r\n"
                    } else {
                        b"data: x\n\n"
                    },
                );
            }
            if chunked {
                write(&mut stream, b"0\r\n\r\n");
            }
        }));
        let mut connection = chain.client.connect(version).unwrap();
        let mut answer = connection.start(get("/")).unwrap();
        for _ in 0..3 {
            go.send(()).unwrap();
            assert_eq!(
                next_data(&chain, &mut answer).unwrap().unwrap(),
                "data: x\n\n"
            );
        }
        assert!(
            next_data(&chain, &mut answer).is_none(),
            "a clean end ({version:?})"
        );
        if version == Version::Http1 {
            assert_eq!(answer.headers()["transfer-encoding"], "chunked");
        }
    }
}

#[test]
fn large_bodies_pass_whole_both_ways() {
    const LENGTH: usize = 20 * 1024 * 1024;
    let chain = Chain::to(Upstream::answering(|seen| {
        Response::new(full(seen.body.clone()))
    }));
    let large = Bytes::from(pattern(LENGTH));
    for version in BOTH {
        let upload = request("POST", "/", "").map(|_| body(large.clone()));
        let mut connection = chain.client.connect(version).unwrap();
        let answer = connection.start(upload).unwrap();
        assert_eq!(
            answer.headers()["content-length"],
            LENGTH.to_string().as_str()
        );
        let echoed = chain
            .client
            .runtime()
            .block_on(answer.into_body().collect());
        assert!(
            echoed.unwrap().to_bytes() == large,
            "the answer is what was sent ({version:?})"
        );
        assert!(chain.upstream.recorded().pop().unwrap().body == large);
    }
    let line = chain
        .gateway
        .wait_for_access(|line| line["protocol"] == "HTTP/2.0");
    assert_eq!(
        (&line["request_bytes"], &line["response_bytes"]),
        (&LENGTH.into(), &LENGTH.into())
    );
}

#[test]
fn an_unread_response_is_not_buffered_without_bound() {
    const MOST: f64 = 96.0 * 1024.0 * 1024.0;
    for version in BOTH {
        let pushed = Arc::new(AtomicUsize::new(0));
        let count = pushed.clone();
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            use std::io::Write;
            read_head(&mut stream);
            write(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 209715200\r\n\r\n",
            );
            while let Ok(length) = stream.write(&[b'x'; 65_536]) {
                count.fetch_add(length, Ordering::SeqCst);
            }
        }));
        let mut connection = chain.client.connect(version).unwrap();
        let answer = connection.start(get("/")).unwrap();
        // Held back is what no longer moves.
        let mut before = 0;
        let mut still = 0;
        eventually("the upstream is held back", || {
            let now = pushed.load(Ordering::SeqCst);
            still = if now == before && now > 0 {
                still + 1
            } else {
                0
            };
            before = now;
            (still > 25).then_some(())
        });
        assert!(
            before < 60 * 1024 * 1024,
            "{before} bytes were taken from the upstream ({version:?})"
        );
        let resident = chain.gateway.metric("process_resident_memory_bytes", &[]);
        assert!(
            resident < MOST,
            "{resident} bytes are resident ({version:?})"
        );
        drop(answer);
    }
}

#[test]
fn a_stalled_response_is_cut_after_the_idle_timeout() {
    let chain = Chain::with(silent_in_the_middle(), "idle_timeout = \"300ms\"\n");
    for version in BOTH {
        let mut connection = chain.client.connect(version).unwrap();
        let mut answer = connection.start(get("/")).unwrap();
        assert_eq!(next_data(&chain, &mut answer).unwrap().unwrap(), "hello");
        assert!(
            next_data(&chain, &mut answer).unwrap().is_err(),
            "{version:?}"
        );
    }
    let raw = chain
        .client
        .exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(raw.ends_with("5\r\nhello\r\n"), "no last chunk: {raw:?}");
    for _ in 0..3 {
        chain
            .gateway
            .wait_for_access(|line| line["end"] == "upstream_stalled");
    }
    let cut = [("reason", "upstream_stalled")];
    chain
        .gateway
        .wait_for_metric("portcullis_responses_cut_total", &cut, 3.0);
}

#[test]
fn a_stalled_response_stays_open_where_the_idle_timeout_is_off() {
    let spoken = Arc::new(AtomicBool::new(false));
    let end = spoken.clone();
    let upstream = Upstream::scripted(move |mut stream, _| {
        let head = read_head(&mut stream);
        write(&mut stream, &[CHUNKED, b"5\r\nhello\r\n"].concat());
        if head.starts_with("GET /cut") {
            return read_away(&mut stream);
        }
        eventually("the end of the silence", || {
            end.load(Ordering::SeqCst).then_some(())
        });
        write(&mut stream, b"0\r\n\r\n");
    });
    let chain = Chain::with(
        upstream,
        "idle_timeout = \"off\"\n[[route]]\npath = \"/cut\"\nupstream = \"api\"\nidle_timeout = \"300ms\"\n",
    );
    for version in BOTH {
        spoken.store(false, Ordering::SeqCst);
        let (mut kept, mut cut) = (
            chain.client.connect(version).unwrap(),
            chain.client.connect(version).unwrap(),
        );
        let mut kept = kept.start(get("/")).unwrap();
        assert_eq!(next_data(&chain, &mut kept).unwrap().unwrap(), "hello");
        // The other one, begun later, is the clock: when it was cut, this one would have been too.
        assert!(cut.send(get("/cut")).is_err());
        spoken.store(true, Ordering::SeqCst);
        assert!(
            next_data(&chain, &mut kept).is_none(),
            "its end comes ({version:?})"
        );
    }
}

/// Sends half of an answer and then nothing, until it is closed.
fn silent_in_the_middle() -> Upstream {
    Upstream::scripted(|mut stream, _| {
        read_head(&mut stream);
        write(&mut stream, &[CHUNKED, b"5\r\nhello\r\n"].concat());
        read_away(&mut stream);
    })
}

#[test]
fn a_client_that_goes_away_ends_the_work_upstream() {
    for (version, answers) in BOTH
        .into_iter()
        .flat_map(|version| [(version, true), (version, false)])
    {
        let closed = Arc::new(AtomicBool::new(false));
        let arrived = Arc::new(AtomicBool::new(false));
        let has_arrived = arrived.clone();
        let flag = closed.clone();
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            read_head(&mut stream);
            has_arrived.store(true, Ordering::SeqCst);
            if answers {
                write(&mut stream, CHUNKED);
                write(&mut stream, b"5\r\nhello\r\n");
            }
            read_away(&mut stream);
            flag.store(true, Ordering::SeqCst);
        }));
        let mut connection = chain.client.connect(version).unwrap();
        if answers {
            let mut answer = connection.start(get("/")).unwrap();
            assert_eq!(next_data(&chain, &mut answer).unwrap().unwrap(), "hello");
        } else {
            let waiting = connection.start_until(get("/"), || arrived.load(Ordering::SeqCst));
            assert!(waiting.is_none(), "no answer yet");
        }
        drop(connection);
        eventually("the upstream connection is closed", || {
            closed.load(Ordering::SeqCst).then_some(())
        });
        let line = chain
            .gateway
            .wait_for_access(|line| line["end"] == "client_gone");
        assert_eq!(
            line["status"],
            if answers { 200 } else { 499 },
            "{version:?}"
        );
    }
}

#[test]
fn many_streams_share_a_connection() {
    let chain = Chain::to(Upstream::answering(|seen| {
        Response::new(full(seen.target.clone()))
    }));
    let connection = chain.client.connect(Version::Http2).unwrap();
    let sender = connection.http2();
    let answers = chain.client.runtime().block_on(async {
        let requests = (0..500).map(|at| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                sender.ready().await.unwrap();
                let answer = sender.send_request(get(&format!("/{at}"))).await.unwrap();
                (at, answer.into_body().collect().await.unwrap().to_bytes())
            })
        });
        let mut answers = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            answers.push(request.await.unwrap());
        }
        answers
    });
    for (at, body) in answers {
        assert_eq!(body, format!("/{at}"));
    }
    chain
        .gateway
        .wait_for_metric("portcullis_connections_total", &[], 1.0);
    assert_eq!(chain.upstream.recorded().len(), 500);
}
