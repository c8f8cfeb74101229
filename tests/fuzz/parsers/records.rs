//! Records of a TLS 1.3 client to the in-place record layer, over a real connection. The input is a script of records, of which
//! some may not be sent.

use super::Reading;
use super::record_client::RecordClient;
use portcullis::config::{ClientAuth, RecordLayer};
use portcullis::host::HostTable;
use portcullis::tls::record::{FillOutcome, RECORD_PLAINTEXT, ReceiveBuffer, Records, Transport};
use portcullis::tls::{HostPolicy, ServerIdentity, handshake};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Maximum number of steps in a script.
const MAX_STEPS: usize = 200;
/// Patience with the other end.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One thing that the client sends.
#[derive(Clone, Debug)]
enum Step {
    /// A record with this content type and content, and this number of zeros.
    Record {
        kind: u8,
        content: Vec<u8>,
        padding: usize,
    },
    /// Bytes that are not encrypted.
    Raw(Vec<u8>),
}

/// How reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Cut,
    Error,
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// What the client sent is delivered, up to the first thing that it may not send and not a byte further. Only `close_notify` looks
/// like an end.
pub fn records(bytes: &[u8]) -> Reading {
    let steps = script(bytes);
    let (expected, end) = by_the_protocol(&steps);
    let (delivered, ended) = exchange(&steps);
    assert!(
        delivered == expected,
        "{} of {} bytes, {ended:?}: {steps:?}",
        delivered.len(),
        expected.len()
    );
    match end {
        Some(end) => assert_eq!(ended, end, "{steps:?}"),
        None => assert!(ended != End::Closed, "{steps:?}"),
    }
    match end {
        Some(End::Closed | End::Cut) => Reading::Accepted,
        Some(End::Error) | None => Reading::Rejected,
    }
}

/// A step is a byte that selects it, a byte with a length, and what it needs.
fn script(mut bytes: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    while let [step, length, rest @ ..] = bytes
        && steps.len() < MAX_STEPS
    {
        let length = usize::from(*length);
        let given = &rest[..length.min(rest.len())];
        bytes = rest;
        let record = |kind: u8, content: &[u8], padding: usize| Step::Record {
            kind,
            content: content.to_vec(),
            padding,
        };
        steps.push(match step % 8 {
            0 => record(APPLICATION_DATA, &vec![*step; length], 0),
            1 => record(APPLICATION_DATA, &vec![*step; length * 64], length),
            2 => record(APPLICATION_DATA, &[], length),
            3 => record(HANDSHAKE, &[24, 0, 0, 1, step >> 3 & 1], 0),
            4 => record(ALERT, &[1, if step & 8 == 0 { 90 } else { 0 }], 0),
            5 => {
                bytes = &rest[given.len()..];
                record(HANDSHAKE, given, 0)
            }
            6 => {
                bytes = &rest[given.len()..];
                record(step >> 3, given, length)
            }
            _ => {
                bytes = &rest[given.len()..];
                Step::Raw(given.to_vec())
            }
        });
    }
    steps
}

/// What RFC 8446 and our limits say about a script: the delivered content, and the end if there is only one.
fn by_the_protocol(steps: &[Step]) -> (Vec<u8>, Option<End>) {
    /// Maximum number of records without content in a row, and of key updates without content between them.
    const LIMIT: usize = 32;
    let mut delivered = Vec::new();
    let mut empty = 0;
    let mut updates = 0;
    for step in steps {
        let (kind, content, padding) = match step {
            Step::Raw(bytes) if bytes.is_empty() => continue,
            // Part of a record, or a record that cannot be decrypted.
            Step::Raw(_) => return (delivered, None),
            Step::Record {
                kind,
                content,
                padding,
            } => (*kind, content.as_slice(), *padding),
        };
        if content.len() + padding > RECORD_PLAINTEXT {
            return (delivered, Some(End::Error));
        }
        match (kind, content) {
            (APPLICATION_DATA, []) | (ALERT, [_, 90]) => empty += 1,
            (APPLICATION_DATA, content) => {
                delivered.extend_from_slice(content);
                empty = 0;
                updates = 0;
            }
            (ALERT, [_, 0]) => return (delivered, Some(End::Closed)),
            (HANDSHAKE, [24, 0, 0, 1, 0 | 1]) => updates += 1,
            _ => return (delivered, Some(End::Error)),
        }
        if empty > LIMIT || updates > LIMIT {
            return (delivered, Some(End::Error));
        }
    }
    (delivered, Some(End::Cut))
}

/// Sends a script over a connection. Returns what the record layer delivered, and how it ended.
fn exchange(steps: &[Step]) -> (Vec<u8>, End) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let steps = steps.to_vec();
        let client = std::thread::spawn(move || {
            let socket = TcpStream::connect(address).expect("a connection");
            let mut client = RecordClient::connect(socket, &server().0);
            steps.iter().for_each(|step| send(&mut client, step));
            client.finish()
        });
        let (stream, _) = listener.accept().await.expect("a connection");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let connection = handshake(stream, &hosts(), deadline).await;
        let connection = connection.unwrap_or_else(|failure| panic!("{failure:?}"));
        let Transport::InPlace(mut records) = connection.records else {
            panic!("another record layer");
        };
        let read = read_all(&mut records, connection.input).await;
        // The client holds its socket until here, so that no reset overtakes what it sent.
        drop(client.join().expect("a client"));
        read
    })
}

fn send(client: &mut RecordClient, step: &Step) {
    match step {
        Step::Raw(bytes) => client.write(bytes),
        Step::Record {
            kind,
            content,
            padding,
        } => {
            client.send(&[content, &[*kind][..], &vec![0; *padding]].concat());
            if *kind == HANDSHAKE && matches!(content.as_slice(), [24, 0, 0, 1, 0 | 1]) {
                client.renew_key();
            }
        }
    }
}

/// Reads until the end, and takes the content in pieces: joined and single, whole and in part.
async fn read_all<R: Records>(records: &mut R, mut input: ReceiveBuffer) -> (Vec<u8>, End) {
    let mut all = Vec::new();
    for turn in 0_usize.. {
        let filled = poll_fn(|context| records.poll_fill(context, &mut input)).await;
        let end = match filled {
            Ok(FillOutcome::Some) => None,
            Ok(FillOutcome::Closed) => Some(End::Closed),
            Ok(FillOutcome::Cut) => Some(End::Cut),
            Err(_) => Some(End::Error),
        };
        if turn % 3 == 1 {
            input.join();
        }
        let keeps_some = turn % 3 == 2 && end.is_none();
        while !input.is_empty() {
            let before = input.len();
            let first = input.first();
            let length = if keeps_some {
                first.len().div_ceil(2)
            } else {
                first.len()
            };
            all.extend_from_slice(&first[..length]);
            input.consume(length);
            assert_eq!(input.len(), before - length);
            if keeps_some {
                break;
            }
        }
        if let Some(end) = end {
            let again: io::Result<_> =
                poll_fn(|context| records.poll_fill(context, &mut input)).await;
            assert_eq!(again.is_err(), end == End::Error, "the end stays");
            return (all, end);
        }
    }
    unreachable!("each connection ends")
}

type Pair = (CertificateDer<'static>, Vec<u8>);

/// The certificate and the key of the server.
fn server() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let names = ["localhost".to_owned()];
        let pair = rcgen::generate_simple_self_signed(names).expect("a certificate");
        (pair.cert.der().clone(), pair.signing_key.serialize_der())
    })
}

fn hosts() -> HostTable<Arc<HostPolicy>> {
    let (certificate, key) = server();
    let identity = ServerIdentity {
        chain: vec![certificate.clone()],
        key: PrivateKeyDer::try_from(key.clone()).expect("a key"),
    };
    let clients = (ClientAuth::Off, Vec::new());
    let policy = HostPolicy::new(
        "*".to_owned(),
        identity,
        clients,
        RecordLayer::InPlace,
        None,
    );
    let mut hosts = HostTable::default();
    assert!(
        hosts
            .insert(None, Arc::new(policy.expect("a policy")))
            .is_ok()
    );
    hosts
}
