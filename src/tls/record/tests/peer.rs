//! A client that makes records by itself, independently of what it tests: any content type, padding, length, and key.

use crate::config::RecordLayer;
use crate::host::HostTable;
use crate::tls::{HostPolicy, ServerIdentity, TlsConnection, handshake};
use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::unbuffered::{ConnectionState, EncodeError};
use rustls::{ClientConfig, ConnectionTrafficSecrets, RootCertStore, SupportedCipherSuite};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// See the module.
pub(super) struct RawClient {
    pub(super) socket: TcpStream,
    sealer: PeerKey,
    opener: PeerKey,
    successors: KernelConnection<ClientConnectionData>,
    /// Received and not opened.
    received: Vec<u8>,
}

struct PeerKey {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl PeerKey {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => panic!("a suite of TLS 1.3"),
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).unwrap());
        Self {
            key,
            iv: iv.as_ref().try_into().unwrap(),
            sequence,
        }
    }

    fn nonce(&mut self) -> Nonce {
        let mut number = [0; 12];
        number[4..].copy_from_slice(&self.sequence.to_be_bytes());
        self.sequence += 1;
        Nonce::assume_unique_for_key(std::array::from_fn(|at| self.iv[at] ^ number[at]))
    }
}

impl RawClient {
    /// A record around what is to be encrypted, content type and padding included.
    pub(super) fn seal_inner(&mut self, inner: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inner.len() + 16).unwrap();
        let header = [23, 3, 3, length.to_be_bytes()[0], length.to_be_bytes()[1]];
        let mut body = inner.to_vec();
        let nonce = self.sealer.nonce();
        self.sealer
            .key
            .seal_in_place_append_tag(nonce, Aad::from(header), &mut body)
            .unwrap();
        [&header[..], &body].concat()
    }

    pub(super) fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        self.seal_inner(&[content, &[kind]].concat())
    }

    pub(super) fn send(&mut self, kind: u8, content: &[u8]) {
        let record = self.seal(kind, content);
        self.write(&record);
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        // A server that has seen enough may have closed.
        let _ = self.socket.write_all(bytes);
    }

    /// The next record: content type and content. Tickets are passed over.
    pub(super) fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        const TICKET: u8 = 4;
        loop {
            self.receive_at_least(5)?;
            let length = usize::from(u16::from_be_bytes([self.received[3], self.received[4]]));
            self.receive_at_least(5 + length)?;
            let mut record: Vec<u8> = self.received.drain(..5 + length).collect();
            let (header, body) = record.split_at_mut(5);
            let nonce = self.opener.nonce();
            let inner = self
                .opener
                .key
                .open_in_place(nonce, Aad::from(&*header), body)
                .expect("a record of ours");
            let (kind, content) = inner.split_last().expect("a content type");
            if (*kind, content.first()) != (22, Some(&TICKET)) {
                return Ok((*kind, content.to_vec()));
            }
        }
    }

    fn receive_at_least(&mut self, bytes: usize) -> io::Result<()> {
        while self.received.len() < bytes {
            let mut piece = [0; 65536];
            match self.socket.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.received.extend_from_slice(&piece[..length]),
            }
        }
        Ok(())
    }

    /// Receives this number of content bytes, in any number of records.
    pub(super) fn receive_content(&mut self, bytes: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < bytes {
            let (kind, content) = self.receive().expect("a record");
            assert_eq!(kind, 23, "{content:?}");
            all.extend(content);
        }
        all
    }

    /// The alert that ends the connection.
    pub(super) fn receive_alert(&mut self) -> u8 {
        loop {
            match self.receive().expect("a record") {
                (21, alert) => return alert[1],
                (22 | 23, _) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn renew_sealer(&mut self) {
        self.sealer = PeerKey::new(self.successors.update_tx_secret().unwrap());
    }

    pub(super) fn renew_opener(&mut self) {
        self.opener = PeerKey::new(self.successors.update_rx_secret().unwrap());
    }

    pub(super) fn sealer_sequence(&mut self) -> &mut u64 {
        &mut self.sealer.sequence
    }

    pub(super) fn opener_sequence(&mut self) -> &mut u64 {
        &mut self.opener.sequence
    }

    /// Handshakes by itself, and then takes its keys. With `Flight::Held`, its last flight is not sent, but given.
    fn shake_hands(
        mut socket: TcpStream,
        suite: SupportedCipherSuite,
        behind: &[Vec<u8>],
        last: Flight,
    ) -> (Self, Vec<u8>) {
        let mut connection =
            UnbufferedClientConnection::new(client_config(suite), "localhost".try_into().unwrap())
                .unwrap();
        let (mut received, mut outgoing, mut flights) = (Vec::new(), Vec::new(), 0);
        loop {
            let status = connection.process_tls_records(&mut received);
            let (mut wants_more, mut done) = (false, false);
            match status.state.expect("a handshake") {
                ConnectionState::EncodeTlsData(mut data) => {
                    let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) else {
                        panic!()
                    };
                    let start = outgoing.len();
                    outgoing.resize(start + size.required_size, 0);
                    data.encode(&mut outgoing[start..]).unwrap();
                }
                ConnectionState::TransmitTlsData(mut data) => {
                    // Application data goes with the last flight, in one write.
                    if let Some(mut traffic) = data.may_encrypt_app_data() {
                        for content in behind {
                            let mut record = vec![0; content.len() + 64];
                            let length = traffic.encrypt(content, &mut record).unwrap();
                            outgoing.extend_from_slice(&record[..length]);
                        }
                    }
                    data.done();
                    // The first flight is the hello.
                    flights += 1;
                    if flights == 1 || last == Flight::Sent {
                        socket.write_all(&outgoing).expect("a socket");
                        outgoing.clear();
                    }
                }
                ConnectionState::BlockedHandshake => wants_more = true,
                ConnectionState::WriteTraffic(_) => done = true,
                other => panic!("{other:?}"),
            }
            let discard = status.discard;
            received.drain(..discard);
            if done {
                let (secrets, successors) = connection.dangerous_into_kernel_connection().unwrap();
                let (sealer, opener) = (PeerKey::new(secrets.tx), PeerKey::new(secrets.rx));
                return (
                    Self {
                        socket,
                        sealer,
                        opener,
                        successors,
                        received,
                    },
                    outgoing,
                );
            }
            if wants_more {
                let mut piece = [0; 4096];
                let length = socket.read(&mut piece).expect("a socket");
                assert!(length > 0, "the server goes on");
                received.extend_from_slice(&piece[..length]);
            }
        }
    }
}

/// What becomes of a client's last flight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flight {
    Sent,
    Held,
}

pub(super) async fn connect(
    layer: RecordLayer,
    suite: SupportedCipherSuite,
) -> (TlsConnection, RawClient) {
    connect_with(layer, suite, Vec::new()).await
}

/// A connection whose client sends this content together with the end of its handshake.
pub(super) async fn connect_with(
    layer: RecordLayer,
    suite: SupportedCipherSuite,
    behind: Vec<Vec<u8>>,
) -> (TlsConnection, RawClient) {
    connect_as(layer, move |socket| {
        RawClient::shake_hands(socket, suite, &behind, Flight::Sent).0
    })
    .await
}

/// A connection whose client sends a key update together with the end of its handshake, in one write.
pub(super) async fn connect_with_update(
    layer: RecordLayer,
    suite: SupportedCipherSuite,
    update: [u8; 5],
) -> (TlsConnection, RawClient) {
    connect_as(layer, move |socket| {
        let (mut client, mut flight) = RawClient::shake_hands(socket, suite, &[], Flight::Held);
        flight.extend(client.seal(22, &update));
        client.renew_sealer();
        client.write(&flight);
        client
    })
    .await
}

async fn connect_as(
    layer: RecordLayer,
    client: impl FnOnce(TcpStream) -> RawClient + Send + 'static,
) -> (TlsConnection, RawClient) {
    let mut hosts = HostTable::default();
    assert!(hosts.insert(None, Arc::new(host(layer))).is_ok());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        client(socket)
    });
    let (stream, _) = listener.accept().await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let established = handshake(stream, &hosts, deadline)
        .await
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    (established, client.join().expect("a client"))
}

type Pair = (CertificateDer<'static>, Vec<u8>);

fn certificate() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.der().clone(), signing_key.serialize_der())
    })
}

fn host(layer: RecordLayer) -> HostPolicy {
    let (certificate, key) = certificate();
    let key = PrivateKeyDer::try_from(key.clone()).unwrap();
    let identity = ServerIdentity {
        chain: vec![certificate.clone()],
        key,
    };
    HostPolicy::new(
        "*".to_owned(),
        identity,
        (crate::config::ClientAuth::Off, Vec::new()),
        layer,
        None,
    )
    .unwrap()
}

fn client_config(suite: SupportedCipherSuite) -> Arc<ClientConfig> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites = vec![suite];
    let mut roots = RootCertStore::empty();
    roots.add(certificate().0.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    Arc::new(config)
}
