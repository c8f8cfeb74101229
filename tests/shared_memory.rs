//! Workers share nothing that a request writes: no cache line of the process differs both after a request that one worker
//! served and after a request that another served. A shared line would move between cores with each request, and throughput
//! would stop growing with the number of cores.
//!
//! The process is stopped and its memory compared before a request, while its upstream holds the response, and after it.
//! Two kinds of writes escape this: a value that is written and restored within one step, and memory of the kernel. The
//! threads that write logs serve all workers, so they are made to hang: then all that changes is what workers write.
//!
//! The allocator can put small blocks of two workers into one cache line by accident: a worker reuses a block that the
//! starting thread allocated for it, beside a block of another worker. `ALLOCATOR` keeps it from most of that, and what is
//! left differs from process to process, so a line counts only if every one of `PROCESSES` gateways shares one.

use crate::support::client::Raw;
use crate::support::gateway::{listener, user};
use crate::support::{Client, Gateway, Pki, eventually};
use std::collections::{HashMap, HashSet};
use std::fs::{File, read_to_string};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const WORKERS: usize = 4;
const ROUNDS: usize = 6;
const CACHE_LINE: usize = 64;
const PAGE: usize = 4096;
const PROCESSES: usize = 3;
/// jemalloc: an arena for each thread also on a machine with fewer cores than workers, and no reuse of freed blocks of other
/// arenas.
const ALLOCATOR: &str = "narenas:64,tcache:false";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// An upstream that tells of each request, and answers when told to.
struct HeldUpstream {
    address: SocketAddr,
    requests: Receiver<TcpStream>,
}

impl HeldUpstream {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = channel();
        let sender = Arc::new(Mutex::new(sender));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || serve(stream, &sender));
            }
        });
        Self { address, requests }
    }

    fn next_request(&self) -> TcpStream {
        self.requests
            .recv_timeout(Duration::from_secs(30))
            .expect("a request at the upstream")
    }
}

/// Tells of each request of one connection.
fn serve(mut stream: TcpStream, sender: &Mutex<Sender<TcpStream>>) {
    let (mut head, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        head.extend_from_slice(&piece[..length]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            let copy = stream.try_clone().expect("a copy");
            if sender.lock().expect("no panic").send(copy).is_err() {
                return;
            }
        }
    }
}

/// The writable memory of a stopped process, by the first address of each mapping.
struct Memory(HashMap<usize, Vec<u8>>);

impl Memory {
    fn of(gateway: &Gateway) -> Self {
        let id = gateway.process();
        gateway.signal("STOP");
        eventually("a stopped process", || is_stopped(id).then_some(()));
        let maps = read_to_string(format!("/proc/{id}/maps")).expect("maps");
        let memory = File::open(format!("/proc/{id}/mem")).expect("memory");
        let mappings = maps
            .lines()
            .filter_map(writable_mapping)
            .filter_map(|(start, end)| {
                let mut content = vec![0; end - start];
                memory
                    .read_exact_at(&mut content, start as u64)
                    .ok()
                    .map(|()| (start, content))
            });
        let copy = Self(mappings.collect());
        gateway.signal("CONT");
        copy
    }

    /// Addresses of cache lines that differ.
    fn lines_changed_since(&self, before: &Self) -> HashSet<usize> {
        let mut changed = HashSet::new();
        for (start, content) in &self.0 {
            let Some(old) = before.0.get(start) else {
                continue;
            };
            // Whole pages first: nearly all are equal, and a comparison of lines is slow without optimization.
            let pages = content.chunks(PAGE).zip(old.chunks(PAGE)).enumerate();
            for (page, (new, old)) in pages.filter(|(_, (new, old))| new != old) {
                let lines = new.chunks(CACHE_LINE).zip(old.chunks(CACHE_LINE));
                changed.extend(
                    lines
                        .enumerate()
                        .filter(|(_, (new, old))| new != old)
                        .map(|(line, _)| start + page * PAGE + line * CACHE_LINE),
                );
            }
        }
        changed
    }
}

fn is_stopped(id: u32) -> bool {
    let all = std::fs::read_dir(format!("/proc/{id}/task")).expect("threads");
    all.filter_map(Result::ok).all(|thread| {
        let stat = read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    })
}

/// From a line of `/proc/PID/maps` such as `7f10-7f20 rw-p ...`.
fn writable_mapping(line: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    rest.starts_with("rw")
        .then_some((address(start)?, address(end)?))
}

/// One connection to each worker.
fn one_connection_each(gateway: &Gateway, client: &Client) -> Vec<Raw> {
    let open = || -> Vec<f64> {
        let of = |worker: usize| {
            gateway.metric(
                "portcullis_worker_connections_open",
                &[("worker", &worker.to_string())],
            )
        };
        (0..WORKERS).map(of).collect()
    };
    let connections = (1..=WORKERS).map(|count| {
        let connection = client.raw();
        eventually("the connection is counted", || {
            (open().iter().sum::<f64>() == count as f64).then_some(())
        });
        connection
    });
    let connections = connections.collect();
    assert_eq!(open(), [1.0; WORKERS]);
    connections
}

/// The shared cache lines of the last process if each of `PROCESSES` shares some.
fn lines_shared_in_every_process(tables: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for _ in 0..PROCESSES {
        lines = shared_lines(tables, "");
        if lines.is_empty() {
            break;
        }
    }
    lines
}

/// Cache lines that requests of two workers write, with these further tables and lines of the user.
fn shared_lines(tables: &str, user_lines: &str) -> Vec<usize> {
    let pki = Pki::new();
    let upstream = HeldUpstream::start();
    let config = listener(&pki).replace("level = \"debug,h2=info\"", "level = \"info\"")
        + &user("alice", &["*"])
        + user_lines
        + &format!(
            "[upstream.api]\nendpoints = [\"http://{}\"]\n",
            upstream.address
        )
        + "[[route]]\npath = \"/\"\nupstream = \"api\"\n"
        + tables
        + &format!("[gateway]\nworkers = {WORKERS}\n");
    let gateway = Gateway::start_with_variable(&config, "_RJEM_MALLOC_CONF", ALLOCATOR);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let mut connections = one_connection_each(&gateway, &client);
    let request = |connection: &mut Raw| {
        connection.write(REQUEST);
        upstream.next_request()
    };
    let finish = |connection: &mut Raw, mut held: TcpStream| {
        held.write_all(RESPONSE).expect("a response");
        connection.read_until("hello");
    };
    // Connections to the upstream are made, and what grows has grown.
    for _ in 0..3 {
        for connection in &mut connections {
            let held = request(connection);
            finish(connection, held);
        }
    }

    // What a worker's timers write is not always written during a request: only what every round shows counts.
    let mut written: Vec<HashSet<usize>> = Vec::new();
    let mut without_request = HashSet::new();
    for round in 0..ROUNDS {
        for (worker, connection) in connections.iter_mut().enumerate() {
            let idle = Memory::of(&gateway);
            let before = Memory::of(&gateway);
            without_request.extend(before.lines_changed_since(&idle));
            let held = request(connection);
            let during = Memory::of(&gateway);
            finish(connection, held);
            let after = Memory::of(&gateway);
            let mut lines = during.lines_changed_since(&before);
            lines.extend(after.lines_changed_since(&during));
            match round {
                0 => written.push(lines),
                _ => written[worker].retain(|line| lines.contains(line)),
            }
        }
    }
    let mut shared = written_by_two(&written, &without_request);
    forget_what_changes_without_requests(&mut shared, &gateway);
    shared
}

/// What more than one worker writes, and only by requests.
fn written_by_two(written: &[HashSet<usize>], without_request: &HashSet<usize>) -> Vec<usize> {
    let mut shared: Vec<usize> = Vec::new();
    for (worker, lines) in written.iter().enumerate() {
        assert!(
            lines.len() > 10,
            "every request writes something: {}",
            lines.len()
        );
        for other in &written[worker + 1..] {
            shared.extend(
                lines
                    .intersection(other)
                    .filter(|line| !without_request.contains(*line)),
            );
        }
    }
    shared.sort_unstable();
    shared.dedup();
    shared
}

/// On a busy machine a round takes so long that timers of the control thread run in every one. What they write changes
/// without a request, too.
fn forget_what_changes_without_requests(lines: &mut Vec<usize>, gateway: &Gateway) {
    /// The slowest timer runs every ten seconds.
    const PATIENCE: Duration = Duration::from_secs(12);
    let deadline = Instant::now() + PATIENCE;
    let mut before = Memory::of(gateway);
    while !lines.is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        let after = Memory::of(gateway);
        let changed = after.lines_changed_since(&before);
        lines.retain(|line| !changed.contains(line));
        before = after;
    }
}

/// A pipe that nobody reads and that is full: whoever writes into it hangs.
fn full_pipe(path: &Path) -> File {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let mut pipe = File::options()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .expect("a pipe");
    while pipe.write(&[b'\n'; 4096]).is_ok() {}
    pipe
}

#[test]
fn workers_write_no_cache_line_of_each_other() {
    let shared = lines_shared_in_every_process("[access_log]\nformat = \"off\"\n");
    assert!(shared.is_empty(), "written by two workers: {shared:#x?}");
}

#[test]
fn workers_write_no_cache_line_of_each_other_to_log_a_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name| folder.path().join(name);
    let _pipes = [full_pipe(&path("access")), full_pipe(&path("audit"))];
    let tables = format!(
        "[access_log]\npath = {:?}\n[audit_log]\npath = {:?}\n",
        path("access"),
        path("audit")
    );
    let shared = lines_shared_in_every_process(&tables);
    assert!(shared.is_empty(), "written by two workers: {shared:#x?}");
}

#[test]
fn a_limit_is_shared_by_all_workers_and_seen_to_be() {
    let shared = shared_lines(
        "[access_log]\nformat = \"off\"\n",
        "request_rate = \"1000/s\"\n",
    );
    assert!(
        !shared.is_empty(),
        "the limit of a user holds for all workers together"
    );
}
