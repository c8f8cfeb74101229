//! Sends requests over TLS to the new gateway and compares the results with its config.

use super::QuickstartError;
use super::files::{CLIENT, Layout, STRANGER, UPSTREAM};
use crate::error_text::with_causes;
use crate::explain::{ExplainQuestion, ExplainedDecision, Explanation, QuestionClient, explain};
use crate::snapshot::Snapshot;
use crate::tls::{certificates, pem_of, private_key, provider};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A request to the new gateway, with the result that its config implies.
pub(super) struct Probe {
    client: &'static str,
    expected: ProbeExpectation,
}

/// The result that a config implies for a request.
enum ProbeExpectation {
    /// The upstream of quickstart responds.
    Allowed,
    /// The gateway responds with this status and reason.
    Denied(u16, String),
    /// The TLS handshake fails, for this reason.
    Rejected(String),
    /// The config does not determine it, for this reason.
    Unknown(String),
}

/// A request of a client that a new config allows, and one of a client that it denies. The config may have been edited since,
/// so the expectation comes from the snapshot.
pub(super) fn planned(
    layout: &Layout,
    snapshot: &Snapshot,
    port: u16,
) -> Result<Vec<Probe>, QuickstartError> {
    let planned = |client: &'static str| {
        let file = layout.pki(&format!("{client}.crt"));
        let chain =
            certificates(&file).map_err(|error| QuickstartError::Config(error.to_string()))?;
        let question = ExplainQuestion {
            who: QuestionClient::Certificate(pem_of(&chain)),
            listener: snapshot
                .listeners
                .values()
                .find(|it| it.address.port() == port)
                .map(|it| it.name.to_string()),
            method: "GET".to_owned(),
            url: format!("https://localhost:{port}/hello"),
            ..ExplainQuestion::default()
        };
        let expected = match explain(snapshot, &question) {
            Ok(explanation) => ProbeExpectation::of(&explanation),
            Err(no_answer) => ProbeExpectation::Unknown(no_answer.to_string()),
        };
        Ok(Probe { client, expected })
    };
    [CLIENT, STRANGER].into_iter().map(planned).collect()
}

impl ProbeExpectation {
    fn of(explanation: &Explanation) -> Self {
        let reason = explanation.reason.clone();
        let upstream = explanation
            .route
            .as_ref()
            .and_then(|route| route.upstream.as_deref());
        match (explanation.decision, explanation.status) {
            (ExplainedDecision::Permit | ExplainedDecision::Shadow, _)
                if upstream == Some(UPSTREAM) =>
            {
                Self::Allowed
            }
            (ExplainedDecision::Permit | ExplainedDecision::Shadow, _) => {
                Self::Unknown(format!("it does not go to upstream \"{UPSTREAM}\""))
            }
            (ExplainedDecision::Refuse, Some(status)) => Self::Denied(status, reason),
            (ExplainedDecision::Refuse, None) => Self::Rejected(reason),
            (ExplainedDecision::Depends, _) => Self::Unknown("an authorizer decides".to_owned()),
        }
    }
}

/// Sends the requests. Returns a line for each; or an error if the gateway contradicts its config.
pub(super) async fn prove(
    layout: &Layout,
    probes: &[Probe],
    port: u16,
) -> Result<Vec<String>, QuickstartError> {
    let mut proof = Vec::new();
    for probe in probes {
        let line = probe
            .result(layout, port)
            .await
            .map_err(QuickstartError::Probe)?;
        proof.push(format!("GET /hello as {:<14} {line}", probe.client));
    }
    Ok(proof)
}

impl Probe {
    async fn result(&self, layout: &Layout, port: u16) -> Result<String, String> {
        const TIMEOUT: Duration = Duration::from_secs(10);
        if let ProbeExpectation::Unknown(why) = &self.expected {
            return Ok(format!("not tested: {why}"));
        }
        let result = tokio::time::timeout(TIMEOUT, send(layout, self.client, port)).await;
        let result = result.unwrap_or_else(|_| Err("no response within 10 seconds".into()));
        match (&self.expected, result) {
            (ProbeExpectation::Allowed, Ok(StatusCode::OK)) => Ok("200 allowed".to_owned()),
            (ProbeExpectation::Denied(status, reason), Ok(actual)) if actual == *status => {
                Ok(format!("{status} denied ({reason})"))
            }
            (ProbeExpectation::Rejected(reason), Err(error)) if is_alert(&*error) => {
                Ok(format!("TLS alert, rejected ({reason})"))
            }
            (expected, Ok(actual)) => Err(format!(
                "GET /hello as {} has status {actual}, but should be {expected}",
                self.client
            )),
            // The edited config may have a server certificate of another CA.
            (_, Err(error)) if is_unknown_server(&*error) => {
                Ok(format!("not tested: {}", with_causes(&*error)))
            }
            (_, Err(error)) => Err(format!(
                "GET /hello as {}: {}",
                self.client,
                with_causes(&*error)
            )),
        }
    }
}

impl fmt::Display for ProbeExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied(status, reason) => write!(f, "{status} ({reason})"),
            Self::Rejected(reason) => write!(f, "rejected in the TLS handshake ({reason})"),
            Self::Unknown(why) => f.write_str(why),
        }
    }
}

/// The error of the TLS library, if it is one.
fn tls_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(|error| {
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        error
            .downcast_ref()
            .or_else(|| inner.and_then(|inner| inner.downcast_ref()))
    })
}

/// Whether the gateway rejected the client certificate.
fn is_alert(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(tls_error(error), Some(rustls::Error::AlertReceived(_)))
}

/// Whether this client does not trust the certificate of the gateway.
fn is_unknown_server(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_)))
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn send(layout: &Layout, client: &str, port: u16) -> Result<StatusCode, AnyError> {
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
    let stream = TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost")?, stream)
        .await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/hello")
        .header("host", format!("localhost:{port}"))
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
