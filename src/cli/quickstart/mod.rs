//! `portcullis quickstart`: makes certificates and a config, starts a gateway, and tests it with one allowed and one denied
//! request.

mod files;
mod instructions;
mod probe;
mod upstream;

use super::signals::EarlySignals;
use super::{LogFlag, failed, run, say, say_error};
use crate::config::LogFormat;
use crate::drain::DrainOutcome;
use crate::error_text::with_causes;
use crate::gateway::{ExitReason, Gateway, GatewayError};
use crate::snapshot::{Depth, load};
use crate::telemetry::{AccessLogConfig, LogControl, Telemetry};
use files::{Layout, Ports};
use instructions::RunningGateway;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis quickstart`.
#[derive(Debug, clap::Args)]
pub(super) struct Quickstart {
    /// The folder: a new one, or that of an earlier quickstart, to use its files again
    #[arg(value_name = "DIR", default_value = "./quickstart")]
    folder: PathBuf,
    #[command(flatten)]
    log: LogFlag,
}

/// Why quickstart failed.
#[derive(Debug, thiserror::Error)]
enum QuickstartError {
    #[error(transparent)]
    Pki(#[from] crate::pki::PkiError),
    #[error("{what}")]
    Io {
        what: String,
        source: std::io::Error,
    },
    /// The folder has files that quickstart did not make.
    #[error(
        "{} is not a folder of quickstart: {existing} exists, but {missing} does not. Nothing was written; name a new folder, \
         such as `quickstart my-gateway`",
        folder.display()
    )]
    ForeignFolder {
        folder: PathBuf,
        existing: &'static str,
        missing: &'static str,
    },
    #[error(
        "the port of {address} ({what}) is in use; change the port in {config}, or remove {config}, and quickstart \
         writes a new one with free ports",
        config = config.display()
    )]
    PortInUse {
        address: SocketAddr,
        what: String,
        config: PathBuf,
    },
    /// The config has errors: the report of `check`, which begins with `error:` itself.
    #[error("{0}")]
    Report(String),
    #[error("{0}")]
    Config(String),
    #[error(transparent)]
    Gateway(crate::gateway::GatewayError),
    #[error("the gateway does not do what its config says: {0}")]
    Probe(String),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> QuickstartError {
    let what = what.into();
    |source| QuickstartError::Io { what, source }
}

impl Quickstart {
    pub(super) fn run(&self) -> ExitCode {
        let layout = Layout::new(&self.folder);
        let runtime = match run::control_runtime() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&error),
        };
        match runtime.block_on(self.start_and_wait(&layout)) {
            Ok((ExitReason::Requested, DrainOutcome::Complete)) => ExitCode::SUCCESS,
            Ok((ExitReason::WorkerDied, _) | (_, DrainOutcome::DeadlinePassed)) => {
                ExitCode::FAILURE
            }
            Err(QuickstartError::Report(report)) => {
                say_error(&report);
                ExitCode::FAILURE
            }
            Err(error) => failed(&error),
        }
    }

    async fn start_and_wait(
        &self,
        layout: &Layout,
    ) -> Result<(ExitReason, DrainOutcome), QuickstartError> {
        let mut requests = EarlySignals::catch()
            .and_then(EarlySignals::listen)
            .map_err(io("cannot catch signals"))?;
        layout.prepare()?;
        let ports = Ports::of_config(&layout.config)?;
        let _upstream = upstream::start(ports.upstream).await.map_err(|source| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.upstream));
            layout.bind_error(address, "the upstream of quickstart", source)
        })?;
        let telemetry = Arc::new(Telemetry::default());
        let outcome = load(&layout.config, None, &telemetry, Depth::Errors);
        let Some(snapshot) = &outcome.snapshot else {
            return Err(QuickstartError::Report(outcome.report()));
        };
        let process = snapshot.process.clone();
        let has_deny_list = snapshot
            .trust_domains
            .iter()
            .all(|domain| domain.revocation().deny_list().path().is_some());
        let probes = probe::planned(layout, snapshot, ports.gateway)?;
        let log = LogControl::start(self.log.filter(), &process.log_filter, process.log_format);
        let log = log.map_err(|error| QuickstartError::Config(with_causes(&error)))?;
        let started =
            Gateway::start(layout.config.clone(), outcome, telemetry.clone(), Some(log)).await;
        let mut gateway = started.map_err(|error| match error {
            GatewayError::Bind {
                address,
                what,
                source,
            } => layout.bind_error(address, &what, source),
            other => QuickstartError::Gateway(other),
        })?;
        // No access log for the requests of quickstart: it would interleave with the instructions.
        let silent = AccessLogConfig {
            format: LogFormat::Off,
            path: None,
        };
        telemetry
            .set_access_log(&silent)
            .map_err(io("cannot stop the access log"))?;
        let proof = match probe::prove(layout, &probes, ports.gateway).await {
            Ok(proof) => proof,
            Err(error) => {
                gateway.shut_down().await;
                return Err(error);
            }
        };
        let running = RunningGateway {
            port: ports.gateway,
            metrics: gateway.metrics_address(),
            has_deny_list,
        };
        say(&instructions::text(layout, &running, &proof));
        telemetry
            .set_access_log(&process.access_log)
            .map_err(io("cannot open the access log"))?;
        let cessation = gateway.run(&mut requests).await;
        say("\nstopping");
        Ok((cessation, gateway.shut_down().await))
    }
}
