//! An upstream that reloads as Icinga 2 does: connections are closed or reset, in the middle of requests, too, and for a
//! few milliseconds nobody listens. It answers with what it was sent.

use super::ReservedPort;
use super::upstream::{read_head, write};
use socket2::SockRef;
use std::collections::HashMap;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long nobody listens.
const CLOSED: Duration = Duration::from_millis(4);

#[derive(Default)]
struct State {
    generation: AtomicUsize,
    /// How often each request has arrived, by its target.
    arrivals: Mutex<HashMap<String, usize>>,
    open: Mutex<Vec<TcpStream>>,
    listener: Mutex<Option<TcpListener>>,
}

pub struct Reloading {
    pub address: SocketAddr,
    port: ReservedPort,
    state: Arc<State>,
}

impl Reloading {
    pub fn start() -> Self {
        let port = ReservedPort::new();
        let state = Arc::new(State::default());
        serve(port.listen(), &state);
        Self {
            address: port.address(),
            port,
            state,
        }
    }

    /// Ends everything that is open and listens anew.
    pub fn reload(&self) {
        self.state.generation.fetch_add(1, Ordering::SeqCst);
        // What waits to be accepted is reset by the system.
        if let Some(listener) = self.state.listener.lock().unwrap().take() {
            let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
        }
        for (number, stream) in self.state.open.lock().unwrap().drain(..).enumerate() {
            if number % 2 == 0 {
                let _ = stream.shutdown(Shutdown::Both);
            } else {
                // Its thread closes it, which resets it.
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                let _ = stream.shutdown(Shutdown::Read);
            }
        }
        std::thread::sleep(CLOSED);
        serve(self.port.listen(), &self.state);
    }

    /// The most often that a request with this method has arrived.
    pub fn most_arrivals(&self, method: &str) -> usize {
        let arrivals = self.state.arrivals.lock().unwrap();
        arrivals
            .iter()
            .filter(|(line, _)| line.starts_with(method))
            .map(|(_, count)| *count)
            .max()
            .unwrap_or_default()
    }
}

fn serve(listener: TcpListener, state: &Arc<State>) {
    *state.listener.lock().unwrap() = Some(listener.try_clone().unwrap());
    let (state, generation) = (state.clone(), state.generation.load(Ordering::SeqCst));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let state = state.clone();
            stream.set_nodelay(true).unwrap();
            let mut open = state.open.lock().unwrap();
            if state.generation.load(Ordering::SeqCst) == generation {
                open.push(stream.try_clone().unwrap());
                drop(open);
                std::thread::spawn(move || answer(stream, &state, generation));
            }
        }
    });
}

fn answer(mut stream: TcpStream, state: &State, generation: usize) {
    loop {
        let head = read_head(&mut stream);
        let Some(line) = head.lines().next().filter(|_| head.ends_with("\r\n\r\n")) else {
            return;
        };
        *state
            .arrivals
            .lock()
            .unwrap()
            .entry(line.to_owned())
            .or_default() += 1;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        // Dropped with what it was asked.
        if state.generation.load(Ordering::SeqCst) != generation {
            return;
        }
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        write(&mut stream, &[answer.as_bytes(), &body].concat());
    }
}
