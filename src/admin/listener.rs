//! The admin and metrics listeners: they bind, and serve HTTP/1.1 with limits on connections and time.

use super::slots::{ConnectionSlot, ConnectionSlots};
use super::unix_socket::{self, SocketFile};
use super::{AdminState, Audience, respond};
use crate::descriptors::{ADMIN_CONNECTIONS, METRICS_CONNECTIONS};
use crate::snapshot::AdminPlace;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::unistd::{Gid, Uid};
use socket2::SockRef;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

/// Time limit for a request head; also the idle timeout of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of a request head in bytes.
const HEAD_SIZE: usize = 16 << 10;
/// Pause after a failed accept, until the system has descriptors again.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// A bound listener for operators or for monitoring.
pub struct SideListener {
    socket: AdminSocket,
    audience: Audience,
}

enum AdminSocket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl SideListener {
    /// Binds the admin listener, or reuses the socket `bound`.
    ///
    /// # Errors
    /// I/O errors of the operating system; `AddrInUse` for a unix socket on which another process listens.
    pub async fn bind_admin(place: &AdminPlace, bound: Option<StdListener>) -> io::Result<Self> {
        let socket = match place {
            AdminPlace::Tcp(address) => AdminSocket::Tcp(bind(*address, bound).await?),
            AdminPlace::Unix(path) => {
                let (listener, file) = unix_socket::bind(path)?;
                AdminSocket::Unix(UnixListener::from_std(listener)?, file)
            }
        };
        Ok(Self {
            socket,
            audience: Audience::Operators,
        })
    }

    /// Binds the metrics listener, or reuses the socket `bound`.
    ///
    /// # Errors
    /// I/O errors of the operating system.
    pub async fn bind_metrics(address: SocketAddr, bound: Option<StdListener>) -> io::Result<Self> {
        Ok(Self {
            socket: AdminSocket::Tcp(bind(address, bound).await?),
            audience: Audience::Monitoring,
        })
    }

    /// Duplicates the socket for a successor at the same address. `None` for a unix socket.
    pub fn duplicate(&self) -> Option<StdListener> {
        match &self.socket {
            AdminSocket::Tcp(listener) => SockRef::from(listener)
                .try_clone()
                .ok()
                .map(StdListener::from),
            AdminSocket::Unix(..) => None,
        }
    }

    /// The bound address. `None` for a unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            AdminSocket::Tcp(listener) => listener.local_addr().ok(),
            AdminSocket::Unix(..) => None,
        }
    }

    /// Changes the owner of the file of a unix socket.
    ///
    /// # Errors
    /// If the process lacks the permission.
    pub fn give_to(&self, user: Uid, group: Gid) -> io::Result<()> {
        match &self.socket {
            AdminSocket::Tcp(_) => Ok(()),
            AdminSocket::Unix(_, file) => file.give_to(user, group),
        }
    }

    /// Serves until `stop` is cancelled. It keeps serving during a drain, so that operators can watch the drain.
    pub async fn serve(self, state: AdminState, stop: CancellationToken) {
        let max_connections = match self.audience {
            Audience::Operators => ADMIN_CONNECTIONS,
            Audience::Monitoring => METRICS_CONNECTIONS,
        };
        let server = AdminServer {
            slots: ConnectionSlots::new(max_connections),
            audience: self.audience,
            state,
            stop: stop.clone(),
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = server.accept(&self.socket) => {}
        }
    }
}

async fn bind(address: SocketAddr, bound: Option<StdListener>) -> io::Result<TcpListener> {
    match bound {
        Some(listener) => TcpListener::from_std(listener),
        None => TcpListener::bind(address).await,
    }
}

/// State shared by the connections of one listener.
struct AdminServer {
    slots: Arc<ConnectionSlots>,
    audience: Audience,
    state: AdminState,
    stop: CancellationToken,
}

impl AdminServer {
    async fn accept(&self, socket: &AdminSocket) {
        loop {
            let accepted = match socket {
                AdminSocket::Tcp(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| self.start(stream)),
                AdminSocket::Unix(listener, _) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| self.start(stream)),
            };
            match accepted {
                // Lets the closed idle connection end before the next accept.
                Ok(()) => tokio::task::yield_now().await,
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
            }
        }
    }

    fn start(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Some(slot) = self.slots.take() else {
            return;
        };
        let stop = self.stop.clone();
        let connection = serve_connection(stream, slot, self.state.clone(), self.audience);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection => {}
            }
        });
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    slot: ConnectionSlot,
    state: AdminState,
    audience: Audience,
) {
    let slot = Arc::new(slot);
    let request_slot = slot.clone();
    let service = service_fn(move |request| {
        let state = state.clone();
        let slot = request_slot.clone();
        async move {
            let _answer = slot.begin_response();
            Ok::<_, Infallible>(respond(&state, audience, request).await)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = slot.closed_for_another() => {}
        // A client that disconnects is not logged.
        _ = connection => {}
    }
}
