//! One allowed and one refused request, over real TLS, to see that the gateway does what it says.

use super::QuickstartError;
use super::files::{CLIENT, Layout, STRANGER};
use crate::tls::{certificates, private_key, provider};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The two requests, in words; or why they did not come out as they must.
pub(super) async fn prove(layout: &Layout, port: u16) -> Result<Vec<String>, QuickstartError> {
    let mut proof = Vec::new();
    for (client, expected, meaning) in [
        (CLIENT, StatusCode::OK, "allowed"),
        (STRANGER, StatusCode::FORBIDDEN, "refused: a good certificate, but no ApiUser"),
    ] {
        const PATIENCE: Duration = Duration::from_secs(10);
        let status = tokio::time::timeout(PATIENCE, ask(layout, client, port))
            .await
            .map_err(|_| QuickstartError::Probe("no answer within 10 seconds".to_owned()))?
            .map_err(|error| QuickstartError::Probe(format!("GET /hello as {client}: {error}")))?;
        if status != expected {
            let message = format!("GET /hello as {client} was answered with {status}, not with {expected}");
            return Err(QuickstartError::Probe(message));
        }
        proof.push(format!("GET /hello as {client:<14} {} {meaning}", status.as_u16()));
    }
    Ok(proof)
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn ask(layout: &Layout, client: &str, port: u16) -> Result<StatusCode, AnyError> {
    let mut roots = RootCertStore::empty();
    for anchor in certificates(&layout.pki("ca.crt"))? {
        roots.add(anchor)?;
    }
    let chain = certificates(&layout.pki(&format!("{client}.crt")))?;
    let key = private_key(&layout.pki(&format!("{client}.key")))?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost")?, stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/hello").header("host", format!("localhost:{port}")).body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
