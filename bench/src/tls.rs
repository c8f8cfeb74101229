//! TLS for the load generator and the floor: configs, the handshake, and a channel over the bare records behind it.
//! TLS 1.3 with AES-256-GCM and X25519 only, so that every proxy is measured with the same cryptography.

use crate::record::{CONTENT, Direction, HEADER, Opened, RECORD, TRAILER, end_of_first};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, ExtractedSecrets, RootCertStore,
    ServerConfig, version,
};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The name in the server's certificate.
pub const SERVER_NAME: &str = "localhost";

/// Room for the longest record that a peer may send (RFC 8446, section 5.2).
const ROOM_AT_FIRST: usize = HEADER + CONTENT + 256;
/// Room for several, for connections on which that much arrives at once.
const ROOM_FOR_BULK: usize = 4 * RECORD;

/// Whether the client may take up an earlier session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Every handshake is a full one.
    Full,
    /// Tickets are kept and used.
    Resumed,
}

/// What a client with the certificate `name.crt` of the folder `pki` needs.
pub fn client_config(
    pki: &Path,
    name: &str,
    protocol: &str,
    sessions: Sessions,
) -> Result<ClientConfig, Box<dyn Error>> {
    let (chain, key) = identity(pki, name)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(anchors(pki)?)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config.enable_secret_extraction = true;
    if sessions == Sessions::Full {
        config.resumption = Resumption::disabled();
    }
    Ok(config)
}

/// What a client without a certificate needs, for a server of this CA.
pub fn anonymous_config(ca: &Path) -> Result<ClientConfig, Box<dyn Error>> {
    let mut anchors = RootCertStore::empty();
    anchors.add(CertificateDer::from_pem_file(ca)?)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(anchors)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What a server with the certificate `server.crt` of the folder `pki` needs, which asks for client certificates.
pub fn server_config(pki: &Path) -> Result<ServerConfig, Box<dyn Error>> {
    let (chain, key) = identity(pki, "server")?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(anchors(pki)?), provider()).build()?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.enable_secret_extraction = true;
    config.send_tls13_tickets = 1;
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    })
}

fn anchors(pki: &Path) -> Result<RootCertStore, Box<dyn Error>> {
    let mut anchors = RootCertStore::empty();
    anchors.add(CertificateDer::from_pem_file(pki.join("ca.crt"))?)?;
    Ok(anchors)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(pki: &Path, name: &str) -> Result<Identity, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(pki.join(format!("{name}.crt")))?
        .collect::<Result<_, _>>()?;
    Ok((
        chain,
        PrivateKeyDer::from_pem_file(pki.join(format!("{name}.key")))?,
    ))
}

/// Bytes that have arrived and are not yet used.
pub struct Input {
    bytes: Vec<u8>,
    unused: Range<usize>,
}

impl Input {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; ROOM_AT_FIRST],
            unused: 0..0,
        }
    }

    /// Takes the next record if all of it is there.
    pub fn take_record(&mut self) -> Option<Range<usize>> {
        let length = end_of_first(&self.bytes[self.unused.clone()])?;
        let start = self.unused.start;
        self.unused.start += length;
        Some(start..start + length)
    }

    /// The whole buffer; ranges are places in it.
    pub fn buffer(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Where more can be put. What a record began is moved to the front, so that it has room.
    pub fn room(&mut self) -> &mut [u8] {
        if self.unused.start > 0 {
            let length = self.unused.len();
            self.bytes.copy_within(self.unused.clone(), 0);
            self.unused = 0..length;
        }
        &mut self.bytes[self.unused.end..]
    }

    /// Says how much was put into `room`; nothing at all is the end of the stream.
    pub fn filled(&mut self, length: usize) -> io::Result<()> {
        self.unused.end += length;
        if self.unused.end == self.bytes.len() && length > 0 {
            self.bytes.resize(ROOM_FOR_BULK, 0);
        }
        if length == 0 {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }
}

/// Shakes hands. Only whole records are given to rustls, one by one, and none after its last: what follows stays in
/// `input`, so that the keys can be taken out without loss.
pub async fn handshake<D>(
    tls: &mut ConnectionCommon<D>,
    tcp: &mut TcpStream,
    input: &mut Input,
) -> io::Result<()> {
    loop {
        flush(tls, tcp).await?;
        if !tls.is_handshaking() {
            return Ok(());
        }
        read_record(tls, tcp, input).await?;
    }
}

/// Sends what rustls has to say.
pub async fn flush<D>(tls: &mut ConnectionCommon<D>, tcp: &mut TcpStream) -> io::Result<()> {
    let mut output = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut output)?;
    }
    if output.is_empty() {
        Ok(())
    } else {
        tcp.write_all(&output).await
    }
}

/// Gives rustls the next record.
pub async fn read_record<D>(
    tls: &mut ConnectionCommon<D>,
    tcp: &mut TcpStream,
    input: &mut Input,
) -> io::Result<()> {
    let place = loop {
        if let Some(place) = input.take_record() {
            break place;
        }
        let length = tcp.read(input.room()).await?;
        input.filled(length)?;
    };
    let mut record = &input.buffer()[place];
    while !record.is_empty() {
        tls.read_tls(&mut record)?;
    }
    let outcome = tls.process_new_packets().map(drop);
    if outcome.is_err() {
        flush(tls, tcp).await?;
    }
    outcome.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Both directions' keys of a finished handshake.
pub fn directions(
    secrets: Result<ExtractedSecrets, rustls::Error>,
) -> io::Result<(Direction, Direction)> {
    let secrets = secrets.map_err(io::Error::other)?;
    Ok((Direction::new(secrets.tx)?, Direction::new(secrets.rx)?))
}

/// Opens a TCP connection and begins TLS on it.
pub async fn connect(
    target: SocketAddr,
    config: &Arc<ClientConfig>,
) -> io::Result<(TcpStream, ClientConnection)> {
    let tcp = TcpStream::connect(target).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
    Ok((
        tcp,
        ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?,
    ))
}

/// A client's connection behind the handshake.
pub struct Channel {
    tcp: TcpStream,
    sealing: Direction,
    opening: Direction,
    input: Input,
    output: Vec<u8>,
}

impl Channel {
    /// Connects and shakes hands.
    pub async fn open(target: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let (mut tcp, mut tls) = connect(target, config).await?;
        let mut input = Input::new();
        handshake(&mut tls, &mut tcp, &mut input).await?;
        let (sealing, opening) = directions(tls.dangerous_extract_secrets())?;
        Ok(Self {
            tcp,
            sealing,
            opening,
            input,
            output: Vec::new(),
        })
    }

    /// Sends all of `content`, in as few records as it takes.
    pub async fn send(&mut self, content: &[u8]) -> io::Result<()> {
        self.output.clear();
        for piece in content.chunks(CONTENT) {
            let start = self.output.len();
            self.output.extend_from_slice(&[0; HEADER]);
            self.output.extend_from_slice(piece);
            self.output.extend_from_slice(&[0; TRAILER]);
            self.sealing.seal(&mut self.output[start..])?;
        }
        self.tcp.write_all(&self.output).await
    }

    /// The content of the next record of application data; the end of the connection is an error.
    pub async fn receive(&mut self) -> io::Result<&[u8]> {
        loop {
            while let Some(place) = self.input.take_record() {
                match self.opening.open(self.input.buffer(), place)? {
                    Opened::Data(content) => return Ok(&self.input.buffer()[content]),
                    Opened::Handshake => {}
                    Opened::Alert => return Err(io::ErrorKind::ConnectionAborted.into()),
                }
            }
            let length = self.tcp.read(self.input.room()).await?;
            self.input.filled(length)?;
        }
    }
}
