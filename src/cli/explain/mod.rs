//! `portcullis explain`: flags to a question, and the answer to text or JSON. Calls the same judgement as the proxy, or asks
//! a running gateway.

mod live;

use super::given_file::given_certificates;
use super::{ConfigFlag, say, say_error};
use crate::explain::{About, Answer, Connection, Decision, Question, Who, answer};
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
    /// The trust domain that vouches, where several may: for --cn and its like
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// As a client for whom a front proxy of the listener speaks
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
    /// Where the client is; 127.0.0.1 if not said
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,
    /// At this time (RFC 3339), and not now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    scope: Scope,
    /// Ask the running gateway at its admin listener; the address is that of the config if not said
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

/// How much is asked about.
#[derive(Debug, clap::Args)]
struct Scope {
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
                say(&self.shown(&answer));
                match answer {
                    Answer::Request(explanation) => match explanation.decision {
                        Decision::Permit | Decision::Shadow => ExitCode::SUCCESS,
                        Decision::Refuse => ExitCode::FAILURE,
                        Decision::Depends => ExitCode::from(NO_ANSWER),
                    },
                    Answer::AllUsers(_) | Answer::AllRoutes(_) => ExitCode::SUCCESS,
                }
            }
            Err(message) => {
                say_error(&message);
                ExitCode::from(NO_ANSWER)
            }
        }
    }

    fn answer(&self) -> Result<Answer, String> {
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

    fn shown(&self, answer: &Answer) -> String {
        match self.json {
            // It is made of texts and numbers alone, so nothing can go wrong.
            true => serde_json::to_string_pretty(answer).unwrap_or_default(),
            false => answer.to_string(),
        }
    }

    fn question(&self) -> Result<Question, String> {
        let about = match (self.scope.all_users, self.scope.all_routes) {
            (true, _) => About::AllUsers,
            (_, true) => About::AllRoutes,
            _ => About::Request,
        };
        Ok(Question {
            about,
            who: self.who()?,
            trust_domain: self.trust_domain.clone(),
            connection: if self.front_proxy {
                Connection::FrontProxy
            } else {
                Connection::Own
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

    /// Of a file only the certificates are taken, and no key that may stand beside them.
    fn who(&self) -> Result<Who, String> {
        if let Some(file) = &self.cert {
            let chain = given_certificates(file)?;
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
        let value = said
            .into_iter()
            .find_map(|(kind, text)| Some(Who::of_kind(kind, text.clone()?)));
        Ok(value
            .or_else(|| self.user.clone().map(Who::User))
            .unwrap_or_default())
    }

    fn body(&self) -> Result<Option<String>, String> {
        match self
            .body
            .as_deref()
            .map(|said| (said, said.strip_prefix('@')))
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
