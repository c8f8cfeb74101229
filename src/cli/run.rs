//! `portcullis run`: config, log, runtime, gateway, drain.

use super::signals::EarlySignals;
use super::{ConfigFlag, LogFlag, failed, say_error};
use crate::drain::Drained;
use crate::gateway::{Cessation, Gateway};
use crate::snapshot::{Depth, load};
use crate::telemetry::{LogControl, Telemetry};
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: ConfigFlag,
    #[command(flatten)]
    log: LogFlag,
}

pub(super) fn run(flags: Run) -> ExitCode {
    let config = flags.config.config;
    let runtime = match control_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    // Before anything else: a signal that comes while the config is read is not lost.
    let caught = {
        let _entered = runtime.enter();
        EarlySignals::catch()
    };
    let signals = match caught {
        Ok(signals) => signals,
        Err(error) => return failed(&error),
    };
    let telemetry = Arc::new(Telemetry::default());
    let outcome = load(&config, None, &telemetry, Depth::Errors);
    let Some(process) = outcome
        .snapshot
        .as_ref()
        .map(|snapshot| snapshot.process.clone())
    else {
        say_error(&outcome.report());
        return ExitCode::FAILURE;
    };
    let log = match LogControl::start(flags.log.filter(), &process.log_filter, process.log_format) {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    for warning in outcome.warnings() {
        tracing::warn!("{warning}");
    }
    let told = telemetry.clone();
    let code = runtime.block_on(async {
        let mut requests = match signals.listen() {
            Ok(requests) => requests,
            Err(error) => return failed(&error),
        };
        let mut gateway = match Gateway::start(config, outcome, telemetry, Some(log)).await {
            Ok(gateway) => gateway,
            Err(error) => {
                let code = failed(&error);
                error
                    .help()
                    .iter()
                    .for_each(|help| say_error(&format!("  = help: {help}")));
                return code;
            }
        };
        let cessation = gateway.run(&mut requests).await;
        match (cessation, gateway.shut_down().await) {
            (Cessation::Asked, Drained::Complete) => ExitCode::SUCCESS,
            (Cessation::WorkerDied, _) | (_, Drained::DeadlinePassed) => ExitCode::FAILURE,
        }
    });
    // What ends with the process, such as tunnels, is still told.
    told.close_access_log();
    told.close_audit_log();
    // A look-up of a name that hangs must not hold up an end that has been decided.
    runtime.shutdown_background();
    code
}

/// For signals, reloads and admin: what must not wait for requests, nor hold them up. The workers have their own.
pub(super) fn control_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("portcullis-load")
        .build()
}
