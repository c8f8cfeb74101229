//! A TLS 1.3 client that encrypts by itself whatever it is told, with the keys of a handshake by rustls.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::pki_types::CertificateDer;
use rustls::unbuffered::{ConnectionState, EncodeError};
use rustls::{ClientConfig, ConnectionTrafficSecrets, RootCertStore};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

/// A client behind its handshake.
pub struct RecordClient {
    socket: TcpStream,
    key: SealingKey,
    successors: KernelConnection<ClientConnectionData>,
}

struct SealingKey {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl SealingKey {
    fn new(sequence: u64, secrets: &ConnectionTrafficSecrets) -> Self {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => panic!("a suite of TLS 1.3"),
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).expect("a key");
        Self {
            key: LessSafeKey::new(key),
            iv: iv.as_ref().try_into().expect("12 bytes"),
            sequence,
        }
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, number) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= number;
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

impl RecordClient {
    /// Handshakes with the server that has this certificate.
    pub fn connect(mut socket: TcpStream, server: &CertificateDer<'static>) -> Self {
        let timeout = Some(super::records::PATIENCE);
        socket.set_read_timeout(timeout).expect("a timeout");
        let name = "localhost".try_into().expect("a name");
        let mut connection =
            UnbufferedClientConnection::new(config(server), name).expect("a client");
        let mut received = Vec::new();
        let mut outgoing = Vec::new();
        loop {
            let status = connection.process_tls_records(&mut received);
            let mut wants_more = false;
            let mut is_done = false;
            match status.state.expect("a handshake") {
                ConnectionState::EncodeTlsData(mut data) => {
                    let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) else {
                        panic!("an empty message");
                    };
                    let start = outgoing.len();
                    outgoing.resize(start + size.required_size, 0);
                    data.encode(&mut outgoing[start..]).expect("enough room");
                }
                ConnectionState::TransmitTlsData(data) => {
                    socket.write_all(&outgoing).expect("a socket");
                    outgoing.clear();
                    data.done();
                }
                ConnectionState::BlockedHandshake => wants_more = true,
                ConnectionState::WriteTraffic(_) => is_done = true,
                other => panic!("{other:?}"),
            }
            let discard = status.discard;
            received.drain(..discard);
            if is_done {
                break;
            }
            if wants_more {
                let mut piece = [0; 4096];
                let length = socket.read(&mut piece).expect("a socket");
                assert!(length > 0, "the server goes on");
                received.extend_from_slice(&piece[..length]);
            }
        }
        let (secrets, successors) = connection.dangerous_into_kernel_connection().expect("keys");
        let (sequence, secrets) = secrets.tx;
        Self {
            socket,
            key: SealingKey::new(sequence, &secrets),
            successors,
        }
    }

    /// Sends a record around what is to be encrypted, content type and padding included.
    pub fn send(&mut self, inner: &[u8]) {
        let length = u16::try_from(inner.len() + 16).expect("a length");
        let [high, low] = length.to_be_bytes();
        let header = [23, 3, 3, high, low];
        let mut body = inner.to_vec();
        let nonce = self.key.nonce();
        self.key
            .key
            .seal_in_place_append_tag(nonce, Aad::from(header), &mut body)
            .expect("a record");
        self.write(&[&header[..], &body].concat());
    }

    pub fn write(&mut self, bytes: &[u8]) {
        // A server that has seen enough may have closed.
        let _ = self.socket.write_all(bytes);
    }

    /// Takes the next key.
    pub fn renew_key(&mut self) {
        let (sequence, secrets) = self.successors.update_tx_secret().expect("a key");
        self.key = SealingKey::new(sequence, &secrets);
    }

    /// Ends sending. The socket stays open.
    pub fn finish(self) -> TcpStream {
        let _ = self.socket.shutdown(Shutdown::Write);
        self.socket
    }
}

fn config(server: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(server.clone()).expect("a root");
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    Arc::new(config)
}
