//! The two listeners: bound, and serving HTTP/1.1 with limits on connections and time. Knows no answer.

use super::slots::{ConnectionSlot, ConnectionSlots};
use super::unix_socket::{self, SocketFile};
use super::{AdminState, Audience, answer};
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

/// Until the head of a request is whole; also how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Of a request's head.
const HEAD_SIZE: usize = 16 << 10;
/// Until the system has descriptors again.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener for operators or for monitoring, bound.
pub struct SideListener {
    socket: AdminSocket,
    audience: Audience,
}

enum AdminSocket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl SideListener {
    /// Binds the admin listener. A socket of ours that is bound already (`bound`) is used again.
    ///
    /// # Errors
    /// Those of the operating system; a unix socket on which another process answers is in use.
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

    /// Binds the metrics listener. A socket of ours that is bound already (`bound`) is used again.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn bind_metrics(address: SocketAddr, bound: Option<StdListener>) -> io::Result<Self> {
        Ok(Self {
            socket: AdminSocket::Tcp(bind(address, bound).await?),
            audience: Audience::Monitoring,
        })
    }

    /// Its socket once more, for a successor at the same address. `None` for a unix socket.
    pub fn duplicate(&self) -> Option<StdListener> {
        match &self.socket {
            AdminSocket::Tcp(listener) => SockRef::from(listener)
                .try_clone()
                .ok()
                .map(StdListener::from),
            AdminSocket::Unix(..) => None,
        }
    }

    /// The real address. `None` for a unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            AdminSocket::Tcp(listener) => listener.local_addr().ok(),
            AdminSocket::Unix(..) => None,
        }
    }

    /// Makes another user the owner of a unix socket.
    ///
    /// # Errors
    /// If we may not.
    pub fn give_to(&self, user: Uid, group: Gid) -> io::Result<()> {
        match &self.socket {
            AdminSocket::Tcp(_) => Ok(()),
            AdminSocket::Unix(_, file) => file.give_to(user, group),
        }
    }

    /// Answers until told to stop; a drain alone does not stop it, since operators want to see how it goes.
    pub async fn serve(self, state: AdminState, stop: CancellationToken) {
        let most = match self.audience {
            Audience::Operators => ADMIN_CONNECTIONS,
            Audience::Monitoring => METRICS_CONNECTIONS,
        };
        let server = Server {
            slots: ConnectionSlots::new(most),
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

/// What the connections of one listener share.
struct Server {
    slots: Arc<ConnectionSlots>,
    audience: Audience,
    state: AdminState,
    stop: CancellationToken,
}

impl Server {
    async fn accept(&self, socket: &AdminSocket) {
        loop {
            let accepted = match socket {
                AdminSocket::Tcp(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| self.begin(stream)),
                AdminSocket::Unix(listener, _) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| self.begin(stream)),
            };
            match accepted {
                // The one that gives way is closed before the next one comes.
                Ok(()) => tokio::task::yield_now().await,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn begin(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
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
    let here = slot.clone();
    let service = service_fn(move |request| {
        let (state, slot) = (state.clone(), here.clone());
        async move {
            let _answering = slot.begin_answer();
            Ok::<_, Infallible>(answer(&state, audience, request).await)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = slot.told_to_give_way() => {}
        // A scraper that breaks off is not worth a line.
        _ = connection => {}
    }
}
