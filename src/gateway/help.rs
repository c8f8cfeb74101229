//! Help texts for errors that stop a start or the activation of a snapshot.

use super::GatewayError;
use std::io::ErrorKind;
use std::net::SocketAddr;

/// Default of `net.ipv4.ip_unprivileged_port_start`: ports below it need a privilege.
const FIRST_UNPRIVILEGED: u16 = 1024;

impl GatewayError {
    /// The remedy. `None` if the error message contains it already, or none is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Bind { address, source, .. } => help_with_address(*address, source.kind()),
            Self::User { source: nix::Error::EPERM, .. } => Some(
                "start as root, which alone may become another user, or remove `user` from `[gateway]` and let the service \
                 manager choose the user"
                    .to_owned(),
            ),
            Self::AccessLog(source) | Self::AuditLog { source, .. } => help_with_log(source.kind()),
            _ => None,
        }
    }
}

fn help_with_address(address: SocketAddr, kind: ErrorKind) -> Option<String> {
    let port = address.port();
    match kind {
        ErrorKind::AddrInUse => Some(format!(
            "`ss -ltnp 'sport = :{port}'` shows which process has port {port}: stop it, or write another port"
        )),
        ErrorKind::PermissionDenied if port < FIRST_UNPRIVILEGED => Some(format!(
            "a port below {FIRST_UNPRIVILEGED} needs a privilege: `AmbientCapabilities=CAP_NET_BIND_SERVICE` in the systemd \
             unit, or `setcap cap_net_bind_service=+ep {}`; or write another port",
            program()
        )),
        ErrorKind::AddrNotAvailable => Some(format!(
            "no interface of this machine has the address {}: `ip address` lists those there are; 0.0.0.0 or [::] is all",
            address.ip()
        )),
        _ => None,
    }
}

fn help_with_log(kind: ErrorKind) -> Option<String> {
    match kind {
        ErrorKind::NotFound => {
            Some("make the folder; a path is relative to the config file".to_owned())
        }
        ErrorKind::PermissionDenied => Some("let the user of the gateway write there".to_owned()),
        _ => None,
    }
}

/// The path of this program, as `setcap` needs it.
fn program() -> String {
    std::env::current_exe().map_or_else(
        |_| "portcullis".to_owned(),
        |path| path.display().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;

    fn help(address: &str, kind: ErrorKind) -> String {
        let address = address.parse().unwrap();
        let error = GatewayError::Bind {
            address,
            what: "admin".to_owned(),
            source: Error::from(kind),
        };
        error.help().unwrap_or_default()
    }

    #[test]
    fn an_address_that_cannot_be_bound_comes_with_its_remedy() {
        assert!(help("0.0.0.0:8443", ErrorKind::AddrInUse).contains("`ss -ltnp 'sport = :8443'`"));
        assert!(help("0.0.0.0:443", ErrorKind::PermissionDenied).contains("CAP_NET_BIND_SERVICE"));
        assert!(help("192.0.2.1:443", ErrorKind::AddrNotAvailable).contains("`ip address`"));
        assert_eq!(
            help("0.0.0.0:8443", ErrorKind::PermissionDenied),
            "",
            "no port that needs a privilege"
        );
    }

    #[test]
    fn a_log_that_cannot_be_opened_comes_with_its_remedy() {
        let help = |kind| GatewayError::AccessLog(Error::from(kind)).help();
        assert!(help(ErrorKind::NotFound).is_some_and(|help| help.contains("folder")));
        assert!(help(ErrorKind::PermissionDenied).is_some_and(|help| help.contains("write there")));
        assert_eq!(help(ErrorKind::Other), None);
    }
}
