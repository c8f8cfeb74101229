//! Converts signals to requests for the gateway.

use crate::gateway::GatewayRequest;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Exit code if a second signal forced the end.
const FORCED: i32 = 2;

/// The signals that must not end the process during its start. They are caught before the config is read, and kept until the
/// gateway runs.
pub(super) struct EarlySignals {
    hangup: Signal,
    reopen: Signal,
    /// Reserved for upgrades; ignored.
    upgrade: Signal,
    /// A timer that the parent process set survives `execve`.
    alarm: Signal,
}

impl EarlySignals {
    /// Starts to catch the signals. Call this inside the runtime that [`listen`](Self::listen) runs on.
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

    /// Turns signals into requests, including those since [`catch`](Self::catch). Before this call, SIGTERM, SIGINT and SIGQUIT
    /// end the process at once.
    ///
    /// # Errors
    /// If a signal cannot be caught.
    pub(super) fn listen(mut self) -> std::io::Result<mpsc::UnboundedReceiver<GatewayRequest>> {
        let (sender, requests) = mpsc::unbounded_channel();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut quit = signal(SignalKind::quit())?;
        tokio::spawn(async move {
            let mut shutting_down = false;
            loop {
                let request = tokio::select! {
                    _ = terminate.recv() => GatewayRequest::Shutdown,
                    _ = interrupt.recv() => GatewayRequest::Shutdown,
                    _ = quit.recv() => GatewayRequest::Shutdown,
                    _ = self.hangup.recv() => GatewayRequest::Reload,
                    _ = self.reopen.recv() => GatewayRequest::ReopenLogs,
                    _ = self.upgrade.recv() => {
                        tracing::warn!(signal = "SIGUSR2", "signal ignored: it is reserved for upgrades");
                        continue;
                    }
                    _ = self.alarm.recv() => {
                        tracing::warn!(signal = "SIGALRM", "signal ignored: the gateway sets no alarm");
                        continue;
                    }
                };
                if request == GatewayRequest::Shutdown
                    && std::mem::replace(&mut shutting_down, true)
                {
                    super::say_error("ended by a second signal");
                    std::process::exit(FORCED);
                }
                // The receiver is gone during a shutdown, when other requests do not matter.
                let _ = sender.send(request);
            }
        });
        Ok(requests)
    }
}
