//! `portcullis explain`: what the gateway would decide, and why. Calls the same judgement as the proxy.

use super::{ConfigFlag, say, say_error};
use crate::explain::{Connection, Decision, Question, Who, explain};
use crate::identity::IdentityKind;
use crate::snapshot::{Depth, load};
use crate::telemetry::Telemetry;
use crate::tls::{certificates, pem_of};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis explain`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").args(["cert", "cn", "dns", "uri", "email", "fingerprint", "spki", "user"]))]
#[command(after_help = "Without any of --cert to --user the client shows no certificate.\n\
    Exit codes: 0 allowed, 1 denied, 2 the question cannot be answered.\n\n\
    Example:\n  portcullis explain --cn my-api-client GET https://api.example.org/v1/objects/hosts")]
pub(super) struct Explain {
    #[command(flatten)]
    config: ConfigFlag,
    /// The client's certificate (PEM, leaf first); it is verified as in a handshake
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The common name of a client certificate that is taken to be valid
    #[arg(long, value_name = "CN")]
    cn: Option<String>,
    /// As --cn, by a DNS name among its subject alternative names
    #[arg(long, value_name = "NAME")]
    dns: Option<String>,
    /// As --cn, by a URI such as a SPIFFE ID
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// As --cn, by an e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// As --cn, by the SHA-256 of the certificate
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// As --cn, by the SHA-256 of its key
    #[arg(long, value_name = "HEX|BASE64")]
    spki: Option<String>,
    /// The name of an ApiUser
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The trust domain that vouches, where several may: for --cn and its like
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// As a client for whom a front proxy of the listener speaks
    #[arg(long)]
    front_proxy: bool,
    /// The listener, where there are several
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The method
    method: String,
    /// The URL, or a path
    url: String,
}

/// Exit code for a question that cannot be answered.
const NO_ANSWER: u8 = 2;

impl Explain {
    pub(super) fn run(&self) -> ExitCode {
        let outcome = load(&self.config.config, None, &Arc::new(Telemetry::default()), Depth::Errors);
        let Some(snapshot) = &outcome.snapshot else {
            say_error(&outcome.report());
            return ExitCode::from(NO_ANSWER);
        };
        match self.question().and_then(|question| explain(snapshot, &question).map_err(|error| error.to_string())) {
            Ok(explanation) => {
                say(&explanation.to_string());
                if explanation.decision == Decision::Refuse { ExitCode::FAILURE } else { ExitCode::SUCCESS }
            }
            Err(message) => {
                say_error(&format!("error: {message}"));
                ExitCode::from(NO_ANSWER)
            }
        }
    }

    fn question(&self) -> Result<Question, String> {
        Ok(Question {
            who: self.who()?,
            trust_domain: self.trust_domain.clone(),
            connection: if self.front_proxy { Connection::FrontProxy } else { Connection::Own },
            listener: self.listener.clone(),
            method: self.method.clone(),
            url: self.url.clone(),
            ..Question::default()
        })
    }

    fn who(&self) -> Result<Who, String> {
        if let Some(file) = &self.cert {
            let chain = certificates(file).map_err(|error| error.to_string())?;
            return Ok(Who::Certificate(pem_of(&chain)));
        }
        let said = [
            (IdentityKind::CommonName, &self.cn),
            (IdentityKind::Dns, &self.dns),
            (IdentityKind::Uri, &self.uri),
            (IdentityKind::Email, &self.email),
            (IdentityKind::Fingerprint, &self.fingerprint),
            (IdentityKind::Spki, &self.spki),
        ];
        let value = said.into_iter().find_map(|(kind, text)| Some(Who::of_kind(kind, text.clone()?)));
        Ok(value.or_else(|| self.user.clone().map(Who::User)).unwrap_or_default())
    }
}
