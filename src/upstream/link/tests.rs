//! When received bytes are acknowledged at once.

use super::*;
use std::future::poll_fn;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// A link with this setting, and the other end of it.
async fn link(quick_ack: QuickAck) -> (Link, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let quirks = Quirks {
        quick_ack,
        ..Quirks::default()
    };
    let descriptor = pool::descriptor().await.unwrap();
    let pool = pool::PoolKey::new(pool::Capacity::AtMost(1), Duration::ZERO);
    let link = Link::new(
        EndpointStream::Plain(stream, descriptor),
        pool.id(),
        0,
        &quirks,
        None,
    );
    (link, listener.accept().await.unwrap().0)
}

impl Link {
    /// Writes a byte, as each request does.
    async fn ask(&mut self) {
        assert_eq!(
            poll_fn(|context| self.poll_write(context, &[IoSlice::new(b"?")]))
                .await
                .unwrap(),
            1
        );
    }

    /// Reads while nothing is available. Returns whether the system acknowledges at once from then
    /// on.
    async fn acknowledges_while_it_waits(&mut self) -> bool {
        let Transport::Bytes(EndpointStream::Plain(stream, _)) = &self.stream else {
            panic!("plain")
        };
        SockRef::from(stream).set_tcp_quickack(false).unwrap();
        assert!(!SockRef::from(stream).tcp_quickack().unwrap());
        let spaces = [0..1, 1..2];
        for way in 0..3 {
            let mut memory = [0; 2];
            let mut buffer = BytesMut::new();
            let nothing = poll_fn(|context| {
                Poll::Ready(match way {
                    0 => self.poll_read(context, &mut memory).is_pending(),
                    1 => self.poll_append(context, &mut buffer, 1).is_pending(),
                    _ => self
                        .poll_read_spaces(context, &mut memory, &spaces)
                        .is_pending(),
                })
            });
            assert!(nothing.await);
        }
        let Transport::Bytes(EndpointStream::Plain(stream, _)) = &self.stream else {
            panic!("plain")
        };
        SockRef::from(stream).tcp_quickack().unwrap()
    }
}

#[tokio::test]
async fn quick_acks_are_sent_only_within_a_response_where_enabled() {
    for (quick_ack, wanted) in [(QuickAck::Adaptive, true), (QuickAck::Off, false)] {
        let (mut link, mut upstream) = link(quick_ack).await;
        for _ in 0..2 {
            link.ask().await;
            assert!(
                !link.acknowledges_while_it_waits().await,
                "nothing has come"
            );
            upstream.write_all(b"x").await.unwrap();
            assert_eq!(
                poll_fn(|context| link.poll_read(context, &mut [0; 1]))
                    .await
                    .unwrap(),
                1
            );
            assert_eq!(link.acknowledges_while_it_waits().await, wanted);
        }
    }
}
