//! `portcullis verify --live`: connects to a running gateway, and compares accepted and rejected clients with the config. No
//! request reaches an upstream, and only `--revocation` changes a deny list.

mod attempt;
mod cases;
mod deny_entry;
mod first_bytes;
mod http2;
mod probe;
mod mint;
mod report;
mod revocation;
mod scene;

use super::{ConfigFlag, say, say_error};
use crate::snapshot::{Depth, load};
use crate::telemetry::Telemetry;
use attempt::{AttemptOutcome, VerifyAttempt};
use cases::ClientCertificates;
use mint::{ClientIssuer, Identity};
use scene::{ConnectionStart, VerifiedListener};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The flags of `portcullis verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The command reads the config's private keys, so run it as a user that may read them.\n\
    Exit codes: 0 all as expected; 1 a client was accepted or rejected that should not be; 2 something was not tried, was \
    skipped or is unproven (see --allow-skipped).\n\n\
    Examples:\n  \
    portcullis verify --live -c gateway.toml\n  \
    portcullis verify --live -c gateway.toml --json \\\n    \
        --ca-cert pki/ca.crt --ca-key pki/ca.key"
)]
pub(super) struct Verify {
    #[command(flatten)]
    config: ConfigFlag,
    /// Try the running gateway; required, to prevent connections by mistake
    #[arg(long)]
    live: bool,
    /// Only this listener
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// Connect to this address instead of the listener's
    #[arg(long, value_name = "ADDR")]
    connect: Option<SocketAddr>,
    /// A client certificate that must be let in (PEM, leaf first)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// A CA of the trust domain: makes valid, expired and otherwise bad client certificates, in memory and for an hour
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    ca_cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "ca_cert")]
    ca_key: Option<PathBuf>,
    /// Also put a certificate of its own on the trust domain's `deny_list`, see that it is out, and take it off again
    #[arg(long, requires = "ca_key")]
    revocation: bool,
    /// How long a change of the deny list may take to become active
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, requires = "revocation")]
    revocation_deadline: Duration,
    #[command(flatten)]
    report: ReportFlags,
}

/// How the result is reported.
#[derive(Debug, clap::Args)]
struct ReportFlags {
    /// Exit with 0 also if something was skipped or is unproven
    #[arg(long)]
    allow_skipped: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Exit code if attempts were not made, or not all.
const NOT_RUN: u8 = 2;

impl Verify {
    pub(super) fn run(&self) -> ExitCode {
        match self.verify() {
            Ok((scenes, attempts)) => {
                let text = if self.report.json {
                    report::json
                } else {
                    report::table
                };
                say(&text(&scenes, &attempts));
                self.exit_code(&attempts)
            }
            Err(message) => {
                say_error(&message);
                ExitCode::from(NOT_RUN)
            }
        }
    }

    fn verify(&self) -> Result<(Vec<VerifiedListener>, Vec<VerifyAttempt>), String> {
        if !self.live {
            return Err(
                "error: `verify` tries a running gateway: say --live. What is wrong with a config that is not \
                        running, `portcullis check` says"
                    .to_owned(),
            );
        }
        let outcome = load(
            &self.config.config,
            None,
            &Arc::new(Telemetry::default()),
            Depth::Errors,
        );
        if outcome.snapshot.is_none() {
            return Err(outcome.report());
        }
        let error = |message: String| format!("error: {message}");
        let mut scenes = scene::scenes(&self.config.config, &outcome, self.listener.as_deref())
            .map_err(error)?;
        self.resolve_addresses(&mut scenes).map_err(error)?;
        let certificates = self.certificates().map_err(error)?;
        let mut attempts = Vec::new();
        for scene in &scenes {
            if scene.begins == ConnectionStart::ProxyHeader {
                attempts.extend(cases::front_proxy_listener(scene));
                continue;
            }
            for entry in &scene.entries {
                attempts.extend(cases::entry(scene, entry, &certificates));
                if self.revocation {
                    attempts.extend(revocation::entry(
                        scene,
                        entry,
                        &certificates,
                        self.revocation_deadline,
                    ));
                }
            }
            attempts.extend(cases::listener(scene));
        }
        Ok((scenes, attempts))
    }

    /// Applies `--connect`, and checks that each listener has a known port.
    fn resolve_addresses(&self, scenes: &mut [VerifiedListener]) -> Result<(), String> {
        if let Some(address) = self.connect {
            let [scene] = scenes else {
                return Err("--connect is for one listener; say which: --listener NAME".to_owned());
            };
            scene.address = address;
            scene
                .entries
                .iter_mut()
                .for_each(|entry| entry.target.address = address);
        }
        match scenes.iter().find(|scene| scene.address.port() == 0) {
            Some(scene) => Err(format!(
                "listener \"{}\" has port 0, which is another one each time; say where it is: --connect ADDR",
                scene.listener
            )),
            None => Ok(()),
        }
    }

    fn certificates(&self) -> Result<ClientCertificates, String> {
        let pair = |certificate: &Option<PathBuf>, key: &Option<PathBuf>| {
            certificate.clone().zip(key.clone())
        };
        let identity = pair(&self.cert, &self.key)
            .map(|(certificate, key)| Identity::of_files(&certificate, &key));
        let issuer = pair(&self.ca_cert, &self.ca_key)
            .map(|(certificate, key)| ClientIssuer::of_files(&certificate, &key));
        Ok(ClientCertificates {
            identity: identity.transpose()?,
            issuer: issuer.transpose()?,
        })
    }

    fn exit_code(&self, attempts: &[VerifyAttempt]) -> ExitCode {
        let any =
            |outcome: AttemptOutcome| attempts.iter().any(|attempt| attempt.outcome == outcome);
        if any(AttemptOutcome::Failed) {
            return ExitCode::FAILURE;
        }
        let is_incomplete = !self.report.allow_skipped && report::is_incomplete(attempts);
        match any(AttemptOutcome::NotRun) || is_incomplete {
            true => ExitCode::from(NOT_RUN),
            false => ExitCode::SUCCESS,
        }
    }
}
