//! `portcullis quickstart`: from nothing to a gateway that has been seen to let one in and keep one out.

mod files;
mod probe;
mod upstream;

use super::{failed, run, say, signals};
use crate::drain::Drained;
use crate::gateway::{Cessation, Gateway};
use crate::respond::with_causes;
use crate::snapshot::{Depth, load};
use crate::telemetry::{LogControl, Telemetry};
use files::{Layout, Ports};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis quickstart`.
#[derive(Debug, clap::Args)]
pub(super) struct Quickstart {
    /// The folder; what is there already is used again
    #[arg(value_name = "DIR", default_value = "./quickstart")]
    folder: PathBuf,
}

/// What went wrong, in one line.
#[derive(Debug, thiserror::Error)]
enum QuickstartError {
    #[error(transparent)]
    Pki(#[from] crate::pki::PkiError),
    #[error("{what}")]
    Io { what: String, source: std::io::Error },
    #[error("{0}")]
    Config(String),
    #[error(transparent)]
    Gateway(#[from] crate::gateway::GatewayError),
    #[error("the gateway did not prove itself: {0}")]
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
            Ok((Cessation::Asked, Drained::Complete)) => ExitCode::SUCCESS,
            Ok((Cessation::WorkerDied, _) | (_, Drained::DeadlinePassed)) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        }
    }

    async fn start_and_wait(&self, layout: &Layout) -> Result<(Cessation, Drained), QuickstartError> {
        let mut requests = signals::listen().map_err(io("cannot catch signals"))?;
        layout.write_what_is_missing()?;
        let ports = Ports::of_config(&layout.config)?;
        let _upstream = upstream::start(ports.upstream).await.map_err(io(format!(
            "cannot start the small upstream on 127.0.0.1:{}; change the port in {}",
            ports.upstream,
            layout.config.display()
        )))?;
        let telemetry = Arc::new(Telemetry::default());
        let outcome = load(&layout.config, None, &telemetry, Depth::Errors);
        let Some(process) = outcome.snapshot.as_ref().map(|snapshot| snapshot.process.clone()) else {
            return Err(QuickstartError::Config(outcome.report()));
        };
        let log = LogControl::start(&process.log_filter, process.log_format);
        let log = log.map_err(|error| QuickstartError::Config(with_causes(&error)))?;
        let mut gateway = Gateway::start(layout.config.clone(), outcome, telemetry, Some(log)).await?;
        let proof = probe::prove(layout, ports.gateway).await;
        let proof = match proof {
            Ok(proof) => proof,
            Err(error) => {
                gateway.shut_down().await;
                return Err(error);
            }
        };
        say(&files::instructions(layout, ports, gateway.admin_address(), &proof));
        let cessation = gateway.run(&mut requests).await;
        say("\nstopping");
        Ok((cessation, gateway.shut_down().await))
    }
}
