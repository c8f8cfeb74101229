//! The admin and the metrics listener as they run. Answers nothing.

use super::{Gateway, GatewayError};
use crate::admin::{AdminState, SideListener};
use crate::snapshot::{AdminPlace, ProcessSettings};
use std::io;
use std::net::{SocketAddr, TcpListener};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A listener that runs. Dropping it ends it, with its connections, a little later.
pub(super) struct RunningSide<P> {
    /// As configured: port 0 stays 0 here.
    pub(super) configured: P,
    /// `None` for a unix socket.
    pub(super) address: Option<SocketAddr>,
    /// The same socket, for a successor.
    socket: Option<TcpListener>,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl<P> RunningSide<P> {
    /// Begins to answer.
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

    /// Its socket, if a listener of this address can take it over.
    fn socket_at(&self, address: SocketAddr) -> Option<TcpListener> {
        let socket = self
            .socket
            .as_ref()
            .filter(|_| self.address == Some(address))?;
        socket.try_clone().ok()
    }

    /// Ends it, and waits until the file of its socket is removed.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            // A panic is told by its hook.
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
    /// Binds the admin listener at another place than it has. If the metrics listener gives up that address, its socket is
    /// taken over, since binding it again would fail.
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

    /// The same for the metrics listener.
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

    /// What both listeners can tell.
    pub(super) fn side_state(&self) -> AdminState {
        AdminState {
            telemetry: self.shared.telemetry.clone(),
            drain: self.drain.clone(),
            shared: self.shared.clone(),
            facts: self.facts.clone(),
        }
    }
}

/// Why the admin listener cannot be bound.
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
