//! An HTTP/2 request for another host than the TLS server name, as from browsers that coalesce connections, and from attackers
//! who try to bypass a policy.

use super::mint::Identity;
use super::probe::{Observation, PATIENCE, ProbeTarget, observation_of};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::error::Error;
use std::io;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// `GET path` with this `:authority`.
pub(super) fn send(
    target: &ProbeTarget,
    identity: Option<&Identity>,
    authority: &str,
    path: &str,
) -> Observation {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Observation::Other(error.to_string()),
    };
    let work = async { timeout(PATIENCE, exchange(target, identity, authority, path)).await };
    match runtime.block_on(work) {
        Ok(Ok(observation)) => observation,
        Ok(Err(error)) => of_error(&*error),
        Err(_) => Observation::Silent,
    }
}

type AnyError = Box<dyn Error + Send + Sync>;

async fn exchange(
    target: &ProbeTarget,
    identity: Option<&Identity>,
    authority: &str,
    path: &str,
) -> Result<Observation, AnyError> {
    let stream = match TcpStream::connect(target.address).await {
        Ok(stream) => stream,
        Err(error) => return Ok(Observation::Unreachable(error.to_string())),
    };
    let name = ServerName::try_from(target.tls_name().to_owned())?;
    let stream = TlsConnector::from(target.client_config(identity, "h2")?)
        .connect(name, stream)
        .await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Ok(Observation::Other("HTTP/2 is not spoken".to_owned()));
    }
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(format!("https://{authority}{path}")).body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    let problem = answer
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind == "application/problem+json");
    let reason = match problem {
        true => super::probe::reason(&String::from_utf8_lossy(
            &answer.into_body().collect().await?.to_bytes(),
        )),
        false => String::new(),
    };
    Ok(Observation::Response { status, reason })
}

/// The observation of the first I/O error among the causes.
fn of_error(error: &(dyn Error + 'static)) -> Observation {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    let io = causes.find_map(|cause| cause.downcast_ref::<io::Error>());
    io.map_or_else(|| Observation::Other(error.to_string()), observation_of)
}
