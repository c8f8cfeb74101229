//! The place of the admin listener: a unix socket or a loopback address.

use crate::config::{AdminTable, Place, Sources, Spanned};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Default socket, in the folder of the file that contains `[admin]`.
const DEFAULT_SOCKET: &str = "admin.sock";
/// Linux limits socket paths to 108 bytes, including the final zero.
const LONGEST_PATH: usize = 107;

/// The place of the admin listener. Both kinds are reachable from this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminPlace {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// Why `[admin]` has no valid place.
#[derive(Debug)]
pub struct AdminPlaceError {
    /// Place in the config.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl AdminPlace {
    /// The place in the table. `None` for `off`.
    ///
    /// # Errors
    /// [`AdminPlaceError`]
    pub fn of(table: &AdminTable, sources: &Sources) -> Result<Option<Self>, AdminPlaceError> {
        match (&table.address, &table.path) {
            (Some(_), Some(path)) => Err(AdminPlaceError {
                place: path.place,
                message: "`[admin]` has both `path` and `address`".to_owned(),
                hint: "keep `path` for a unix socket, or `address` for a loopback port".to_owned(),
            }),
            (Some(text), None) if text.value == "off" => Ok(None),
            (Some(text), None) => Self::tcp(text).map(Some),
            (None, Some(path)) => {
                Self::unix(sources.folder(path.place.file), path.place, &path.value).map(Some)
            }
            (None, None) => Self::unix(
                sources.folder(table.place.file),
                table.place,
                DEFAULT_SOCKET,
            )
            .map(Some),
        }
    }

    /// The default socket for a config in this folder.
    pub fn default_in(folder: &Path) -> Self {
        Self::Unix(folder.join(DEFAULT_SOCKET))
    }

    fn tcp(text: &Spanned<String>) -> Result<Self, AdminPlaceError> {
        let error = |message, hint: &str| AdminPlaceError {
            place: text.place,
            message,
            hint: hint.to_owned(),
        };
        let address: SocketAddr = text.value.parse().map_err(|_| {
            let message = format!("\"{}\" is not an IP address with a port", text.value);
            error(message, "write for example \"127.0.0.1:9191\", or `path = \"admin.sock\"` for a unix socket")
        })?;
        if !address.ip().is_loopback() {
            let message = format!("other machines can reach the admin listener at {address}");
            let hint = "write a loopback address, or `path = \"admin.sock\"` for a unix socket. Probes and metrics may be on \
                        every address: `[metrics]` with `address = \"0.0.0.0:9190\"`";
            return Err(error(message, hint));
        }
        Ok(Self::Tcp(address))
    }

    fn unix(folder: &Path, place: Place, path: &str) -> Result<Self, AdminPlaceError> {
        let full = folder.join(path);
        let length = full.as_os_str().len();
        if path.is_empty() || length > LONGEST_PATH {
            let message = format!(
                "\"{}\" cannot be the path of a unix socket: it has {length} bytes",
                full.display()
            );
            let hint = format!(
                "write `path` with 1 to {LONGEST_PATH} bytes, for example \"/run/portcullis/admin.sock\""
            );
            return Err(AdminPlaceError {
                place,
                message,
                hint,
            });
        }
        Ok(Self::Unix(full))
    }

    /// Parses `unix:PATH`, `IP:PORT` or `http://IP:PORT`, as commands accept it. `None` for other text.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Some(Self::Unix(path.into())).filter(|_| !path.is_empty());
        }
        let address = text
            .strip_prefix("http://")
            .unwrap_or(text)
            .trim_end_matches('/');
        match address.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse(),
            None => address.parse(),
        }
        .ok()
        .map(Self::Tcp)
    }
}

impl fmt::Display for AdminPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_take_sockets_and_addresses() {
        for (text, place) in [
            ("unix:/run/a.sock", Some("unix:/run/a.sock")),
            ("127.0.0.1:9190", Some("127.0.0.1:9190")),
            ("http://127.0.0.1:9190/", Some("127.0.0.1:9190")),
            ("http://localhost:9190", Some("127.0.0.1:9190")),
            ("[::1]:9190", Some("[::1]:9190")),
            ("unix:", None),
            ("https://127.0.0.1:9190", None),
            ("/run/a.sock", None),
            ("example.org:80", None),
        ] {
            assert_eq!(
                AdminPlace::parse(text)
                    .map(|place| place.to_string())
                    .as_deref(),
                place,
                "{text}"
            );
        }
    }
}
