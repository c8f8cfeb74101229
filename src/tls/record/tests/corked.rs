//! A corked stream lets all out together, holds at most one slab, and tells errors and the end like any other.

use super::{RawClient, SUITE, Server, cases, on_both};
use crate::tls::record::corked::SendFailed;
use crate::tls::record::{Cork, CorkedStream, RECORD_PLAINTEXT, RecordStream, Records, Slab};
use proptest::prelude::*;
use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Of one slab.
const MOST: usize = Slab::RECORDS * RECORD_PLAINTEXT;

fn corked<R: Records>(server: Server<R>) -> (CorkedStream<R>, Cork<R>) {
    CorkedStream::new(RecordStream::new(server.records, server.input))
}

/// What the stream takes of a piece at once; 0 if it takes none now.
async fn write_once<R: Records>(
    stream: &mut CorkedStream<R>,
    piece: &[u8],
) -> std::io::Result<usize> {
    poll_fn(|context| {
        match Pin::new(&mut *stream).poll_write_vectored(context, &[IoSlice::new(piece)]) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => Poll::Ready(Ok(0)),
        }
    })
    .await
}

/// Writes until the socket of a client that reads nothing is full, and the stream behind it. Gives how much that was.
async fn fill<R: Records>(stream: &mut CorkedStream<R>, cork: &Cork<R>) -> usize {
    let mut all = 0;
    loop {
        match write_once(stream, &[b'x'; 10_000])
            .await
            .expect("a connection")
        {
            0 => return all,
            written => all += written,
        }
        let _ = poll_fn(|context| Poll::Ready(cork.poll_out(context))).await;
    }
}

#[test]
fn writes_and_flushes_between_leave_as_one_record() {
    async fn scenario<R: Records>(server: Server<R>, mut client: RawClient) {
        let (mut stream, cork) = corked(server);
        for _ in 0..3 {
            for piece in ["one ", "two ", "three"] {
                stream.write_all(piece.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
            poll_fn(|context| cork.poll_out(context)).await.unwrap();
            assert_eq!(client.receive().unwrap(), (23, b"one two three".to_vec()));
        }
    }
    on_both!(SUITE, scenario);
}

#[test]
fn nothing_leaves_before_it_is_let_out_and_a_stream_without_content_holds_no_slab() {
    async fn scenario<R: Records>(server: Server<R>, mut client: RawClient) {
        drop([Slab::take(), Slab::take()]);
        let (mut stream, cork) = corked(server);
        let free = Slab::free();
        stream.write_all(b"held").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(Slab::free(), free - 1);
        client.socket.set_nonblocking(true).unwrap();
        let nothing = client.receive().unwrap_err();
        assert_eq!(
            nothing.kind(),
            std::io::ErrorKind::WouldBlock,
            "only tickets came"
        );
        client.socket.set_nonblocking(false).unwrap();
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        assert_eq!(client.receive_content(4), b"held");
        assert_eq!(Slab::free(), free);
    }
    on_both!(SUITE, scenario);
}

#[test]
fn a_full_slab_leaves_by_itself() {
    async fn scenario<R: Records>(server: Server<R>, mut client: RawClient) {
        let (mut stream, cork) = corked(server);
        let content: Vec<u8> = (0..MOST + 1)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        stream.write_all(&content).await.unwrap();
        assert!(
            client.receive_content(MOST) == content[..MOST],
            "four records, without a cork pulled"
        );
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        assert_eq!(client.receive_content(1), content[MOST..]);
    }
    on_both!(SUITE, scenario);
}

#[test]
fn for_a_client_that_reads_nothing_one_slab_is_held_and_no_more_is_taken() {
    async fn scenario<R: Records>(server: Server<R>, mut client: RawClient) {
        drop([Slab::take(), Slab::take(), Slab::take()]);
        let free = Slab::free();
        let (mut stream, cork) = corked(server);
        let written = fill(&mut stream, &cork).await;
        assert!(
            Slab::free() >= free - 1,
            "{} slabs are held",
            free - Slab::free()
        );
        for _ in 0..3 {
            assert_eq!(
                write_once(&mut stream, b"x").await.unwrap(),
                0,
                "nothing more is taken"
            );
            let out = poll_fn(|context| Poll::Ready(cork.poll_out(context))).await;
            assert!(out.is_pending());
        }
        // The twin: once it reads, all comes, and more is taken.
        let reader = std::thread::spawn(move || {
            assert_eq!(client.receive_content(written).len(), written);
            client
        });
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        let mut client = reader.join().unwrap();
        assert_eq!(Slab::free(), free);
        stream.write_all(b"more").await.unwrap();
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        assert_eq!(client.receive_content(4), b"more");
    }
    on_both!(SUITE, scenario);
}

#[test]
fn a_slow_client_makes_room_record_by_record() {
    async fn scenario<R: Records>(server: Server<R>, mut client: RawClient) {
        let (mut stream, cork) = corked(server);
        let mut written = fill(&mut stream, &cork).await;
        // What is left of the record that did not fit goes out, and then one record more is gathered, not four.
        let reader = std::thread::spawn(move || {
            assert_eq!(client.receive_content(written).len(), written);
            client
        });
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        let mut client = reader.join().unwrap();
        let taken = write_once(&mut stream, &[b'x'; MOST]).await.unwrap();
        assert_eq!(taken, RECORD_PLAINTEXT);
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        written = client.receive_content(taken).len();
        assert_eq!(written, taken);
        // It took that at once, so it may have two.
        assert_eq!(
            write_once(&mut stream, &[b'x'; MOST]).await.unwrap(),
            2 * RECORD_PLAINTEXT
        );
    }
    on_both!(SUITE, scenario);
}

#[test]
fn shutdown_lets_all_out_before_the_end() {
    async fn scenario<R: Records>(server: Server<R>, mut client: RawClient) {
        let (mut stream, _cork) = corked(server);
        stream.write_all(b"last words").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(client.receive_content(10), b"last words");
        assert_eq!(client.receive_alert(), 0);
        assert!(client.receive().is_err());
    }
    on_both!(SUITE, scenario);
}

#[test]
fn an_error_of_the_socket_comes_from_the_next_flush() {
    async fn scenario<R: Records>(server: Server<R>, client: RawClient) {
        let (mut stream, cork) = corked(server);
        // Unread content makes the close a reset.
        stream.write_all(b"unread").await.unwrap();
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        client.socket.peek(&mut [0; 5]).unwrap();
        drop(client);
        let failed = loop {
            stream.write_all(b"more").await.expect("only gathered");
            if let Err(failed) = poll_fn(|context| cork.poll_out(context)).await {
                break failed;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(failed, SendFailed);
        let error = stream.flush().await.unwrap_err();
        let kinds = [
            std::io::ErrorKind::BrokenPipe,
            std::io::ErrorKind::ConnectionReset,
        ];
        assert!(kinds.contains(&error.kind()), "{error:?}");
    }
    on_both!(SUITE, scenario);
}

#[test]
fn content_passes_with_all_write_and_release_sizes() {
    async fn scenario<R: Records>(
        server: Server<R>,
        mut client: RawClient,
        steps: Vec<(Vec<usize>, bool)>,
    ) {
        let (mut stream, cork) = corked(server);
        let total: usize = steps.iter().flat_map(|(lengths, _)| lengths).sum();
        let reader = std::thread::spawn(move || client.receive_content(total));
        let mut next = 0_usize;
        let mut expected = Vec::new();
        for (lengths, out) in steps {
            let pieces: Vec<Vec<u8>> = lengths
                .into_iter()
                .map(|length| {
                    next += 1;
                    vec![u8::try_from(next % 251).unwrap(); length]
                })
                .collect();
            let mut slices: Vec<IoSlice<'_>> =
                pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            expected.extend(pieces.concat());
            let mut rest = &mut slices[..];
            while rest.iter().any(|slice| !slice.is_empty()) {
                let written =
                    poll_fn(|context| Pin::new(&mut stream).poll_write_vectored(context, rest))
                        .await
                        .unwrap();
                IoSlice::advance_slices(&mut rest, written);
            }
            if out {
                poll_fn(|context| cork.poll_out(context)).await.unwrap();
            }
        }
        poll_fn(|context| cork.poll_out(context)).await.unwrap();
        assert!(reader.join().unwrap() == expected);
    }
    let length = prop_oneof![0..40_usize, 16_370..16_400_usize, 0..70_000_usize];
    proptest!(cases(20), |(
        steps in proptest::collection::vec((proptest::collection::vec(length, 1..4), any::<bool>()), 1..10),
    )| {
        on_both!(SUITE, scenario, steps.clone());
    });
}
