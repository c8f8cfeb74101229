//! `portcullis run`: config, log, runtime, gateway, drain.

use super::{failed, say_error, signals};
use crate::config::Severity;
use crate::drain::Drained;
use crate::gateway::Gateway;
use crate::snapshot::{Depth, load};
use crate::telemetry::{LogControl, Telemetry};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn run(config: PathBuf) -> ExitCode {
    if let Err(error) = signals::outlive_hangups() {
        return failed(&error);
    }
    let telemetry = Arc::new(Telemetry::default());
    let outcome = load(&config, None, &telemetry, Depth::Errors);
    let Some(process) = outcome.snapshot.as_ref().map(|snapshot| snapshot.process.clone()) else {
        say_error(&outcome.report());
        return ExitCode::FAILURE;
    };
    let log = match LogControl::start(&process.log_filter, process.log_format) {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    for problem in outcome.problems.iter().filter(|problem| problem.severity == Severity::Warning) {
        tracing::warn!("{}", problem.message);
    }
    let runtime = match runtime(process.workers) {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(async {
        // Signals first: one that comes during the start is not lost.
        let mut requests = match signals::listen() {
            Ok(requests) => requests,
            Err(error) => return failed(&error),
        };
        let mut gateway = match Gateway::start(config, outcome, telemetry, Some(log)).await {
            Ok(gateway) => gateway,
            Err(error) => return failed(&error),
        };
        gateway.run(&mut requests).await;
        match gateway.shut_down().await {
            Drained::Complete => ExitCode::SUCCESS,
            Drained::DeadlinePassed => ExitCode::FAILURE,
        }
    });
    // A look-up of a name that hangs must not hold up an end that has been decided.
    runtime.shutdown_background();
    code
}

/// One worker for each core unless the config says otherwise.
pub(super) fn runtime(workers: Option<u32>) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers.and_then(|workers| usize::try_from(workers).ok()) {
        builder.worker_threads(workers);
    }
    builder.enable_all().thread_name("portcullis-worker").build()
}
