//! Signals to requests for the gateway.

use crate::gateway::Request;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Exit code of an end that was forced by a second signal.
const FORCED: i32 = 2;

/// The signals that must not end the process while it starts. They are caught before the config is read and kept until
/// the gateway runs, so none is lost.
pub(super) struct EarlySignals {
    hangup: Signal,
    reopen: Signal,
    /// Reserved for upgrades. Until then it does nothing.
    upgrade: Signal,
    /// A timer that the parent process set survives `execve`.
    alarm: Signal,
}

impl EarlySignals {
    /// Catches them from now on. Call this inside the runtime that [`listen`](Self::listen) runs on.
    ///
    /// # Errors
    /// If a signal cannot be caught.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            upgrade: signal(SignalKind::user_defined2())?,
            alarm: signal(SignalKind::alarm())?,
        })
    }

    /// Turns signals into requests, those included that came since [`catch`](Self::catch). Until now SIGTERM, SIGINT and
    /// SIGQUIT ended the process at once.
    ///
    /// # Errors
    /// If a signal cannot be caught.
    pub(super) fn listen(mut self) -> std::io::Result<mpsc::UnboundedReceiver<Request>> {
        let (sender, requests) = mpsc::unbounded_channel();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut quit = signal(SignalKind::quit())?;
        tokio::spawn(async move {
            let mut shutting_down = false;
            loop {
                let request = tokio::select! {
                    _ = terminate.recv() => Request::Shutdown,
                    _ = interrupt.recv() => Request::Shutdown,
                    _ = quit.recv() => Request::Shutdown,
                    _ = self.hangup.recv() => Request::Reload,
                    _ = self.reopen.recv() => Request::ReopenLogs,
                    _ = self.upgrade.recv() => {
                        tracing::warn!(signal = "SIGUSR2", "signal ignored: it is reserved for upgrades");
                        continue;
                    }
                    _ = self.alarm.recv() => {
                        tracing::warn!(signal = "SIGALRM", "signal ignored: the gateway sets no alarm");
                        continue;
                    }
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
}
