//! What an upstream permits, refuses and ends: stream limits, GOAWAY, REFUSED_STREAM, small windows.

use super::*;
use h2::Reason;
use h2::server::Builder;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Sends requests at once on one connection of HTTP/2, and gives their statuses.
fn all_at_once(client: &Client, count: usize) -> Vec<u16> {
    let connection = client.connect(Version::Http2).unwrap();
    client.runtime().block_on(async {
        let requests = (0..count).map(|_| {
            let mut sender = connection.http2().clone();
            tokio::spawn(async move { sender.send_request(get("/")).await.unwrap().status() })
        });
        let mut statuses = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            statuses.push(request.await.unwrap().as_u16());
        }
        statuses
    })
}

#[test]
fn requests_share_one_connection() {
    let upstream = Http2Upstream::start(|call| async move {
        call.seen.wait_for_go_ahead().await;
        echo(call).await;
    });
    let front = Front::new(&upstream);
    std::thread::scope(|scope| {
        let requests = scope.spawn(|| all_at_once(&front.client, 50));
        eventually("all requests at the upstream", || {
            (upstream.seen.heads().len() == 50).then(|| upstream.seen.go_ahead())
        });
        assert_eq!(requests.join().unwrap(), [200; 50]);
    });
    assert_eq!(upstream.seen.connections(), 1);
}

#[test]
fn no_connection_has_more_streams_than_the_upstream_permits() {
    let mut builder = Builder::new();
    builder.max_concurrent_streams(1);
    let open: Arc<[AtomicUsize; 8]> = Arc::default();
    let most = Arc::new(AtomicUsize::new(0));
    let (counts, highest) = (open.clone(), most.clone());
    let upstream = Http2Upstream::with(builder, None, move |call| {
        let (counts, highest) = (counts.clone(), highest.clone());
        async move {
            let connection = call.connection;
            let now = counts[connection].fetch_add(1, Ordering::SeqCst) + 1;
            highest.fetch_max(now, Ordering::SeqCst);
            call.seen.wait_for_go_ahead().await;
            counts[connection].fetch_sub(1, Ordering::SeqCst);
            echo(call).await;
        }
    });
    let front = Front::new(&upstream);
    std::thread::scope(|scope| {
        let requests = scope.spawn(|| all_at_once(&front.client, 5));
        eventually("all requests at the upstream", || {
            (upstream.seen.heads().len() == 5).then(|| upstream.seen.go_ahead())
        });
        assert_eq!(requests.join().unwrap(), [200; 5]);
    });
    assert_eq!(upstream.seen.connections(), 5);
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn after_goaway_streams_end_in_peace_and_new_ones_go_elsewhere() {
    let upstream = Http2Upstream::start(|mut call| async move {
        if call.request.uri().path() == "/slow" {
            let head = Response::new(());
            let mut stream = call.respond.send_response(head, false).unwrap();
            send(&mut stream, b"first ".to_vec(), false).await.unwrap();
            call.seen.wait_for_go_ahead().await;
            send(&mut stream, b"last".to_vec(), true).await.unwrap();
        } else {
            echo(call).await;
        }
    });
    let front = Front::new(&upstream);
    for version in BOTH {
        let mut connection = front.client.connect(version).unwrap();
        let answer = connection.start(get("/slow")).unwrap();
        let before = upstream.seen.connections();
        upstream.seen.go_away();
        eventually("a request on another connection", || {
            assert_eq!(
                front
                    .client
                    .send(version, request("POST", "/", "x"))
                    .unwrap()
                    .status,
                200
            );
            (upstream.seen.connections() > before).then_some(())
        });
        upstream.seen.go_ahead();
        let runtime = front.client.runtime();
        let whole = runtime.block_on(http_body_util::BodyExt::collect(answer.into_body()));
        assert_eq!(whole.unwrap().to_bytes(), "first last", "{version:?}");
        // The next round begins with a connection that is gone.
        upstream.seen.go_away();
        eventually("a new connection", || {
            assert_eq!(front.client.get("/").status, 200);
            (upstream.seen.connections() > before + 1).then_some(())
        });
    }
}

#[test]
fn a_refused_stream_is_sent_again_unless_its_body_is_gone() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let upstream = Http2Upstream::start(move |mut call| {
        let is_first = count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        async move {
            if is_first {
                call.respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                echo(call).await;
            }
        }
    });
    let front = Front::new(&upstream);
    for version in BOTH {
        for method in ["GET", "DELETE"] {
            let answer = front
                .client
                .send(version, request(method, "/", ""))
                .unwrap();
            assert_eq!(answer.status, 200, "{version:?} {method}");
        }
        let answer = front
            .client
            .send(version, request("POST", "/", "x"))
            .unwrap();
        assert_eq!(
            (answer.status, &*answer.reason()),
            (502, "upstream_broke_off"),
            "{version:?}"
        );
        let answer = front
            .client
            .send(version, request("POST", "/", "x"))
            .unwrap();
        assert_eq!(answer.status, 200, "{version:?}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 12);
}

#[test]
fn another_reset_is_not_sent_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let upstream = Http2Upstream::start(move |mut call| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { call.respond.send_reset(Reason::INTERNAL_ERROR) }
    });
    let front = Front::new(&upstream);
    for version in BOTH {
        let before = calls.load(Ordering::SeqCst);
        let answer = front
            .client
            .send(version, request("POST", "/", ""))
            .unwrap();
        assert_eq!(
            (answer.status, &*answer.reason()),
            (502, "upstream_broke_off"),
            "{version:?}"
        );
        assert_eq!(calls.load(Ordering::SeqCst), before + 1, "{version:?}");
    }
}

#[test]
fn small_windows_only_take_longer() {
    let mut builder = Builder::new();
    builder
        .initial_window_size(100)
        .initial_connection_window_size(65_535)
        .max_frame_size(16_384);
    let upstream = Http2Upstream::with(builder, None, echo);
    let front = Front::new(&upstream);
    let large = "0123456789".repeat(20_000);
    for version in BOTH {
        let answer = front
            .client
            .send(version, request("POST", "/", &large))
            .unwrap();
        assert!(answer.status == 200 && answer.body == large, "{version:?}");
    }
}

#[test]
fn a_client_that_reads_nothing_stops_no_other_on_the_connection() {
    let upstream = Http2Upstream::start(|mut call| async move {
        if call.request.uri().path() == "/flood" {
            let head = Response::new(());
            let mut stream = call.respond.send_response(head, false).unwrap();
            while send(&mut stream, vec![b'x'; 65_536], false).await.is_ok() {}
        } else {
            echo(call).await;
        }
    });
    let front = Front::new(&upstream);
    let mut stalled: Vec<_> = BOTH
        .into_iter()
        .flat_map(|version| [version; 5])
        .map(|version| front.client.connect(version).unwrap())
        .collect();
    let answers: Vec<_> = stalled
        .iter_mut()
        .map(|connection| connection.start(get("/flood")).unwrap())
        .collect();
    let large = "0123456789".repeat(20_000);
    for version in BOTH {
        let answer = front
            .client
            .send(version, request("POST", "/", &large))
            .unwrap();
        assert!(answer.status == 200 && answer.body == large, "{version:?}");
    }
    assert_eq!(upstream.seen.connections(), 1);
    drop(answers);
}
