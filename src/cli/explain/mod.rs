//! `portcullis explain`: turns flags into a question, and the answer into text or JSON. The decision comes from the same code
//! as in the proxy, or from a running gateway.

mod live;

use super::given_file::given_certificates;
use super::{ConfigFlag, say, say_error};
use crate::explain::{
    ConnectionPeer, ExplainAnswer, ExplainQuestion, ExplainedDecision, QuestionClient,
    QuestionScope, answer,
};
use crate::identity::IdentityKind;
use crate::snapshot::{Depth, load};
use crate::telemetry::Telemetry;
use crate::tls::pem_of;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis explain`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").args(["cert", "cn", "dns", "uri", "email", "fingerprint", "spki", "user"]))]
#[command(
    after_help = "Without any of --cert to --user the client shows no certificate.\n\
    Exit codes: 0 allowed, 1 denied (with a status, or by a TLS alert), 2 the question cannot be answered; for --all-users and --all-routes 0 or 2.\n\n\
    Examples:\n  \
    portcullis explain --cn my-api-client GET https://api.example.org/v1/status\n  \
    portcullis explain --live --user my-api-client --source 192.0.2.7 \\\n    \
        DELETE https://api.example.org/v1/objects/hosts/web1\n  \
    portcullis explain --all-users POST https://api.example.org/v1/actions\n  \
    portcullis explain --all-routes --user my-api-client"
)]
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
    /// The trust domain of the certificate, if there are several: for --cn and the like
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// As a client behind a front proxy of the listener
    #[arg(long)]
    front_proxy: bool,
    /// The listener, where there are several
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// A header field; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// The request body: text, or @FILE
    #[arg(long, value_name = "TEXT|@FILE")]
    body: Option<String>,
    /// The client's address; 127.0.0.1 by default
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,
    /// Decide as of this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Ask the running gateway at its admin listener; by default at the address of the config
    #[arg(long, value_name = "ADMIN_URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    live: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The method
    #[arg(required_unless_present = "all_routes")]
    method: Option<String>,
    /// The URL, or a path
    #[arg(required_unless_present = "all_routes")]
    url: Option<String>,
}

/// The scope of the question.
#[derive(Debug, clap::Args)]
struct ScopeArgs {
    /// Who may do this: the same request of every ApiUser
    #[arg(long, conflicts_with = "who")]
    all_users: bool,
    /// What the client may do: each route and method
    #[arg(long, conflicts_with_all = ["all_users", "method", "url", "body"])]
    all_routes: bool,
}

/// Exit code for a question that cannot be answered.
const NO_ANSWER: u8 = 2;

impl Explain {
    pub(super) fn run(&self) -> ExitCode {
        match self.answer() {
            Ok(answer) => {
                say(&self.render(&answer));
                match answer {
                    ExplainAnswer::Request(explanation) => match explanation.decision {
                        ExplainedDecision::Permit | ExplainedDecision::Shadow => ExitCode::SUCCESS,
                        ExplainedDecision::Refuse => ExitCode::FAILURE,
                        ExplainedDecision::Depends => ExitCode::from(NO_ANSWER),
                    },
                    ExplainAnswer::AllUsers(_) | ExplainAnswer::AllRoutes(_) => ExitCode::SUCCESS,
                }
            }
            Err(message) => {
                say_error(&message);
                ExitCode::from(NO_ANSWER)
            }
        }
    }

    fn answer(&self) -> Result<ExplainAnswer, String> {
        let error = |message: String| format!("error: {message}");
        if let Some(url) = &self.live {
            let question = self.question().map_err(error)?;
            return live::answer(url, &self.config.config, &question).map_err(error);
        }
        let outcome = load(
            &self.config.config,
            None,
            &Arc::new(Telemetry::default()),
            Depth::Errors,
        );
        let Some(snapshot) = &outcome.snapshot else {
            return Err(outcome.report());
        };
        let question = self.question().map_err(error)?;
        answer(snapshot, &question).map_err(|no_answer| error(no_answer.to_string()))
    }

    fn render(&self, answer: &ExplainAnswer) -> String {
        match self.json {
            // Serialization cannot fail.
            true => serde_json::to_string_pretty(answer).unwrap_or_default(),
            false => answer.to_string(),
        }
    }

    fn question(&self) -> Result<ExplainQuestion, String> {
        let about = match (self.scope.all_users, self.scope.all_routes) {
            (true, _) => QuestionScope::AllUsers,
            (_, true) => QuestionScope::AllRoutes,
            _ => QuestionScope::Request,
        };
        Ok(ExplainQuestion {
            about,
            who: self.who()?,
            trust_domain: self.trust_domain.clone(),
            connection: if self.front_proxy {
                ConnectionPeer::FrontProxy
            } else {
                ConnectionPeer::Client
            },
            listener: self.listener.clone(),
            method: self.method.clone().unwrap_or_default(),
            url: self.url.clone().unwrap_or_default(),
            headers: self.header.clone(),
            body: self.body()?,
            source: self.source,
            at: self.at.clone(),
        })
    }

    /// Only the certificates of the file are sent, never a key beside them.
    fn who(&self) -> Result<QuestionClient, String> {
        if let Some(file) = &self.cert {
            let chain = given_certificates(file)?;
            return Ok(QuestionClient::Certificate(pem_of(&chain)));
        }
        let identities = [
            (IdentityKind::CommonName, &self.cn),
            (IdentityKind::Dns, &self.dns),
            (IdentityKind::Uri, &self.uri),
            (IdentityKind::Email, &self.email),
            (IdentityKind::Fingerprint, &self.fingerprint),
            (IdentityKind::Spki, &self.spki),
        ];
        let value = identities
            .into_iter()
            .find_map(|(kind, text)| Some(QuestionClient::of_kind(kind, text.clone()?)));
        Ok(value
            .or_else(|| self.user.clone().map(QuestionClient::User))
            .unwrap_or_default())
    }

    fn body(&self) -> Result<Option<String>, String> {
        match self
            .body
            .as_deref()
            .map(|text| (text, text.strip_prefix('@')))
        {
            Some((_, Some(file))) => match std::fs::read_to_string(file) {
                Ok(text) => Ok(Some(text)),
                Err(error) => Err(format!("cannot read {file}: {error}")),
            },
            Some((text, None)) => Ok(Some(text.to_owned())),
            None => Ok(None),
        }
    }
}

/// `Name: value`.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as \"Name: value\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
