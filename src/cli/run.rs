//! `portcullis run`: config, log, runtime, gateway, drain.

use super::signals::EarlySignals;
use super::{ConfigFlag, LogFlag, failed, say_error};
use crate::drain::DrainOutcome;
use crate::gateway::{ExitReason, Gateway};
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
    // Before anything else, so that a signal during the load of the config is not lost.
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
    let telemetry_at_end = telemetry.clone();
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
            (ExitReason::Requested, DrainOutcome::Complete) => ExitCode::SUCCESS,
            (ExitReason::WorkerDied, _) | (_, DrainOutcome::DeadlinePassed) => ExitCode::FAILURE,
        }
    });
    // Entries for requests that end with the process, such as tunnels, are still written.
    telemetry_at_end.close_access_log();
    telemetry_at_end.close_audit_log();
    // A hanging DNS lookup must not block the end.
    runtime.shutdown_background();
    code
}

/// The runtime for signals, reloads and the admin listener, independent of the workers and their requests.
pub(super) fn control_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("portcullis-load")
        .build()
}
