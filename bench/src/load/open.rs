//! Open loop: requests fall due at a fixed rate, whatever becomes of those before. Latency counts from the time at which
//! a request fell due, so a proxy that stalls cannot hide it by keeping the load generator waiting.

use super::Exchange;
use super::closed::Request;
use super::tally::{Report, Tally};
use crate::tls::Channel;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

pub async fn run(exchange: Exchange, rate: u32) -> Result<Report, Box<dyn Error>> {
    let channels = exchange.connect("http/1.1").await?;
    let (tally, request) = (Rc::new(Tally::new(None)), Rc::new(Request::new(&exchange)?));
    let queue = Rc::new(Queue::default());
    for channel in channels {
        tokio::task::spawn_local(drive(
            channel,
            Rc::clone(&request),
            Rc::clone(&tally),
            Rc::clone(&queue),
        ));
    }
    let pacer = tokio::task::spawn_local(pace(Duration::from_secs(1) / rate, queue));
    tokio::select! {
        ended = pacer => Err(format!("the timer failed: {ended:?}").into()),
        report = tally.window(&exchange) => Ok(report),
    }
}

/// Requests that are due, and connections that have nothing to do.
#[derive(Default)]
struct Queue {
    due: RefCell<VecDeque<Instant>>,
    idle: RefCell<VecDeque<Waker>>,
}

impl Queue {
    fn push(&self, due: Instant) {
        self.due.borrow_mut().push_back(due);
        if let Some(waker) = self.idle.borrow_mut().pop_front() {
            waker.wake();
        }
    }

    fn poll_pop(&self, context: &mut Context<'_>) -> Poll<Instant> {
        if let Some(due) = self.due.borrow_mut().pop_front() {
            return Poll::Ready(due);
        }
        self.idle.borrow_mut().push_back(context.waker().clone());
        Poll::Pending
    }
}

/// tokio's own timers are too coarse for this: they step by a millisecond.
async fn pace(interval: Duration, queue: Rc<Queue>) -> io::Result<()> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
    let begun = Instant::now();
    timer.set(
        Expiration::Interval(TimeSpec::from_duration(interval)),
        TimerSetTimeFlags::empty(),
    )?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe; a file keeps its descriptor open, which is what that asks"
    )]
    let timer = AsyncFd::new(File::from(OwnedFd::from(timer)))?;
    let mut passed = 0;
    loop {
        let expirations = timer.readable().await?.try_io(|timer| {
            let mut count = [0; 8];
            timer.get_ref().read_exact(&mut count)?;
            Ok(u64::from_ne_bytes(count))
        });
        let Ok(expirations) = expirations else {
            continue;
        };
        for _ in 0..expirations? {
            passed += 1;
            queue.push(begun + interval * passed);
        }
    }
}

async fn drive(mut channel: Channel, request: Rc<Request>, tally: Rc<Tally>, queue: Rc<Queue>) {
    loop {
        let due = poll_fn(|context| queue.poll_pop(context)).await;
        match request.exchange(&mut channel, &tally).await {
            Ok(()) => tally.answered(due),
            Err(error) => {
                tally.failed(&error);
                request.reconnect(&mut channel).await;
            }
        }
    }
}
