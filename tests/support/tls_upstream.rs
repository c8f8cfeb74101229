//! Scripted upstreams behind TLS that ask for client certificates and take none for an answer, as Icinga 2 does.

use super::pki::Pki;
use super::upstream::Upstream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

/// One connection of it.
pub struct TlsStream {
    pub stream: StreamOwned<ServerConnection, TcpStream>,
    /// The common name of the client's certificate; empty if it showed none.
    pub client: String,
    /// The number of the connection.
    pub number: usize,
}

impl TlsStream {
    /// Reads one head; empty at the end of the connection.
    pub fn read_head(&mut self) -> String {
        let (mut head, mut octet) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut octet) {
                Ok(1) => head.push(octet[0]),
                _ => return String::new(),
            }
        }
        String::from_utf8_lossy(&head).into_owned()
    }

    /// Writes, and hopes for nothing.
    pub fn write(&mut self, text: &str) {
        use std::io::Write;
        let _ = self.stream.write_all(text.as_bytes());
        let _ = self.stream.flush();
    }

    /// Says that nothing more comes, as TLS does.
    pub fn say_goodbye(&mut self) {
        self.stream.conn.send_close_notify();
        let _ = self.stream.conn.complete_io(&mut self.stream.sock);
    }
}

/// Shows `server.crt` of this PKI, and takes clients of its CA. Each connection that shakes hands goes to the script.
pub fn tls_upstream(pki: &Pki, script: impl Fn(TlsStream) + Send + Sync + 'static) -> Upstream {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(pki.ca_file()).unwrap())
        .unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let chain = CertificateDer::pem_file_iter(pki.path("server.crt"))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(pki.path("server.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder =
        builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap());
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    Upstream::scripted(move |mut socket, number| {
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        while connection.is_handshaking() {
            if connection.complete_io(&mut socket).is_err() {
                return;
            }
        }
        let client = connection
            .peer_certificates()
            .map(|chain| common_name(&chain[0]))
            .unwrap_or_default();
        script(TlsStream {
            stream: StreamOwned::new(connection, socket),
            client,
            number,
        });
    })
}

fn common_name(certificate: &CertificateDer<'_>) -> String {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).unwrap();
    let mut names = certificate.subject().iter_common_name();
    names.next().unwrap().as_str().unwrap().to_owned()
}
