//! Shows a certificate to a server in a real handshake, and asks for a page.

use super::row::{Host, Shown};
use crate::support::Pki;
use crate::support::eventually::PATIENCE;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, RootCertStore, SignatureScheme, StreamOwned,
};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// What the server did.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Status and body.
    Answer(u16, String),
    Alert(AlertDescription),
    /// It closed without a word.
    Closed,
}

/// Shows whatever it is told to, unlike what the library would.
#[derive(Debug)]
struct Shameless(Arc<CertifiedKey>);

impl ResolvesClientCert for Shameless {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The outcome, and the address that the client had.
pub fn show(
    pki: &Pki,
    server: SocketAddr,
    host: Host,
    path: &str,
    shown: &Shown,
) -> (Outcome, SocketAddr) {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(pki.ca_file()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[shown.version])
        .unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match &shown.key {
        None => builder.with_no_client_auth(),
        Some(key) => {
            let chain = shown
                .chain
                .iter()
                .map(|der| CertificateDer::from(der.clone()))
                .collect();
            let certified = CertifiedKey::new(chain, key.handshake.clone());
            builder.with_client_cert_resolver(Arc::new(Shameless(Arc::new(certified))))
        }
    };
    let name = ServerName::try_from(host.name()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(server).expect("a listener");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = stream.local_addr().unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        host.name()
    );
    // What the server thinks of it comes with the first read, also if it is gone before all is written.
    let written = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.flush());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    for error in [written, read.map(|_| ())]
        .into_iter()
        .filter_map(Result::err)
    {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::AlertReceived(alert)) => return (Outcome::Alert(*alert), address),
            Some(error) => panic!("{error}"),
            None => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "no answer"),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return (Outcome::Closed, address);
    };
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    (Outcome::Answer(status, body.to_owned()), address)
}
