//! The running admin and metrics listeners: binding, handover of sockets, shutdown.

use super::{Gateway, GatewayError};
use crate::admin::{AdminState, SideListener};
use crate::snapshot::{AdminPlace, ProcessSettings};
use std::io;
use std::net::{SocketAddr, TcpListener};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running side listener. Dropping it stops the listener and its connections asynchronously.
pub(super) struct RunningSide<P> {
    /// The place in the config, where port 0 stays 0.
    pub(super) configured: P,
    /// `None` for a unix socket.
    pub(super) address: Option<SocketAddr>,
    /// A duplicate of the socket, for a successor.
    socket: Option<TcpListener>,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl<P> RunningSide<P> {
    /// Begins to serve.
    pub(super) fn serve(configured: P, listener: SideListener, state: AdminState) -> Self {
        let address = listener.address();
        let socket = listener.duplicate();
        let stop = CancellationToken::new();
        let serving = Some(tokio::spawn(listener.serve(state, stop.clone())));
        Self {
            configured,
            address,
            socket,
            stop,
            serving,
        }
    }

    /// A duplicate of the socket, if it is bound to this address.
    fn socket_at(&self, address: SocketAddr) -> Option<TcpListener> {
        let socket = self
            .socket
            .as_ref()
            .filter(|_| self.address == Some(address))?;
        socket.try_clone().ok()
    }

    /// Stops the listener, and waits until its socket file is removed.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            // The panic hook reports panics.
            let _ = serving.await;
        }
    }
}

impl<P> Drop for RunningSide<P> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Gateway {
    /// Binds the admin listener at a new place. If the metrics listener leaves that address, its socket is reused,
    /// since a second bind would fail.
    pub(super) async fn bind_admin(
        &self,
        place: &AdminPlace,
        process: &ProcessSettings,
    ) -> Result<SideListener, GatewayError> {
        let leaving = self
            .metrics
            .as_ref()
            .filter(|running| process.metrics != Some(running.configured));
        let bound = match (place, leaving) {
            (AdminPlace::Tcp(address), Some(leaving)) => leaving.socket_at(*address),
            _ => None,
        };
        SideListener::bind_admin(place, bound)
            .await
            .map_err(|source| admin_bind_error(place, source))
    }

    /// Binds the metrics listener, in the same way as [`Self::bind_admin`].
    pub(super) async fn bind_metrics(
        &self,
        address: SocketAddr,
        process: &ProcessSettings,
    ) -> Result<SideListener, GatewayError> {
        let leaving = self
            .admin
            .as_ref()
            .filter(|running| process.admin.as_ref() != Some(&running.configured));
        let bound = leaving.and_then(|leaving| leaving.socket_at(address));
        SideListener::bind_metrics(address, bound)
            .await
            .map_err(|source| GatewayError::Bind {
                address,
                what: "metrics".to_owned(),
                source,
            })
    }

    /// The state that both listeners report.
    pub(super) fn side_state(&self) -> AdminState {
        AdminState {
            telemetry: self.shared.telemetry.clone(),
            drain: self.drain.clone(),
            shared: self.shared.clone(),
            facts: self.facts.clone(),
        }
    }
}

/// The error for an admin listener that cannot be bound, with a remedy.
fn admin_bind_error(place: &AdminPlace, source: io::Error) -> GatewayError {
    match place {
        AdminPlace::Tcp(address) => GatewayError::Bind {
            address: *address,
            what: "admin".to_owned(),
            source,
        },
        AdminPlace::Unix(path) => {
            let remedy = match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "stop the other process, or choose another `path` in [admin]"
                }
                io::ErrorKind::NotFound => "make its folder, or choose another `path` in [admin]",
                _ => {
                    "let the gateway's user write to its folder, or choose another `path` in [admin]"
                }
            };
            GatewayError::AdminSocket {
                path: path.clone(),
                remedy,
                source,
            }
        }
    }
}
