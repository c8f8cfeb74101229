//! Signals to requests for the gateway.

use crate::gateway::Request;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Exit code of an end that was forced by a second signal.
const FORCED: i32 = 2;

/// From now on SIGHUP and SIGUSR1 no longer end the process, as they do by default: a reload that is asked for while the
/// first load is still running must not be the end.
///
/// # Errors
/// If a signal cannot be caught.
pub(super) fn outlive_hangups() -> std::io::Result<()> {
    // A handler, once there, stays for as long as the process does, also without this runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    drop(signal(SignalKind::hangup())?);
    drop(signal(SignalKind::user_defined1())?);
    Ok(())
}

/// Turns signals into requests from now on.
///
/// # Errors
/// If a signal cannot be caught.
pub(super) fn listen() -> std::io::Result<mpsc::UnboundedReceiver<Request>> {
    let (sender, requests) = mpsc::unbounded_channel();
    let on = |kind: SignalKind| -> std::io::Result<Signal> { signal(kind) };
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut quit = on(SignalKind::quit())?;
    let mut hangup = on(SignalKind::hangup())?;
    let mut reopen = on(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        let mut shutting_down = false;
        loop {
            let request = tokio::select! {
                _ = terminate.recv() => Request::Shutdown,
                _ = interrupt.recv() => Request::Shutdown,
                _ = quit.recv() => Request::Shutdown,
                _ = hangup.recv() => Request::Reload,
                _ = reopen.recv() => Request::ReopenLogs,
            };
            if request == Request::Shutdown && std::mem::replace(&mut shutting_down, true) {
                super::say_error("ended by a second signal");
                std::process::exit(FORCED);
            }
            // Nobody receives while a shutdown is under way, and then nothing else matters.
            let _ = sender.send(request);
        }
    });
    Ok(requests)
}
