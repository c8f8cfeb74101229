//! The folder of quickstart: certificates and a config. Existing files are not changed.

use super::super::say;
use super::{QuickstartError, io};
use crate::pki::{
    Authority, CertificateRequest, DnsName, OutputFile, Overwrite, PkiError, Profile,
    create_folder, write_files,
};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// The paths of the files.
pub(super) struct Layout {
    folder: PathBuf,
    pub(super) config: PathBuf,
}

/// The client that the config permits.
pub(super) const CLIENT: &str = "my-api-client";
/// A client with a valid certificate that is not an ApiUser.
pub(super) const STRANGER: &str = "stranger";

/// The upstream that runs inside quickstart.
pub(super) const UPSTREAM: &str = "hello";

/// The deny list of a new config.
const DENY_LIST: &str = "pki/denied";
/// The first line of a new deny list.
const DENY_LIST_HEAD: &str =
    "# Revoked users and certificates, one in each line. `portcullis revoke` writes entries.\n";

/// The files beside the config; quickstart makes all of them or none.
const FILES: [&str; 8] = [
    "pki/ca.crt",
    "pki/ca.key",
    "pki/server.crt",
    "pki/server.key",
    "pki/my-api-client.crt",
    "pki/my-api-client.key",
    "pki/stranger.crt",
    "pki/stranger.key",
];

const CA_DAYS: u32 = 5475;
const DAYS: u32 = 397;

impl Layout {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            config: folder.join("gateway.toml"),
        }
    }

    pub(super) fn pki(&self, name: &str) -> PathBuf {
        self.folder.join("pki").join(name)
    }

    /// Makes missing files: all certificates together, and the config. Prints each step.
    ///
    /// # Errors
    /// [`QuickstartError::ForeignFolder`] before anything is written, or I/O errors.
    pub(super) fn prepare(&self) -> Result<(), QuickstartError> {
        let missing = self.missing_certificate();
        match (missing, self.existing_file()) {
            (Some(missing), Some(existing)) => {
                return Err(QuickstartError::ForeignFolder {
                    folder: self.folder.clone(),
                    existing,
                    missing,
                });
            }
            (Some(_), None) => {
                say(&format!(
                    "Making certificates and a config in {}",
                    self.folder.display()
                ));
                create_folder(&self.folder.join("pki"))?;
                write_files(&self.certificates()?, Overwrite::Refuse)?;
            }
            (None, _) => say(&format!(
                "Using the certificates and the config in {}",
                self.folder.display()
            )),
        }
        if !self.config.exists() {
            let ports = Ports::free();
            ports.taken().iter().for_each(|line| say(line));
            self.make_deny_list()?;
            std::fs::write(&self.config, config(ports))
                .map_err(io(format!("cannot write {}", self.config.display())))?;
        }
        Ok(())
    }

    /// Makes the deny list of a new config. An existing one keeps its entries.
    fn make_deny_list(&self) -> Result<(), QuickstartError> {
        let path = self.folder.join(DENY_LIST);
        match std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
        {
            Ok(mut file) => file.write_all(DENY_LIST_HEAD.as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(io(format!("cannot write {}", path.display())))
    }

    fn missing_certificate(&self) -> Option<&'static str> {
        FILES
            .into_iter()
            .find(|name| !self.folder.join(name).exists())
    }

    fn existing_file(&self) -> Option<&'static str> {
        ["gateway.toml"]
            .into_iter()
            .chain(FILES)
            .find(|name| self.folder.join(name).symlink_metadata().is_ok())
    }

    /// The error for an address of the config that cannot be bound, with the remedy.
    pub(super) fn bind_error(
        &self,
        address: SocketAddr,
        what: &str,
        source: std::io::Error,
    ) -> QuickstartError {
        match source.kind() {
            std::io::ErrorKind::AddrInUse => QuickstartError::PortInUse {
                address,
                what: what.to_owned(),
                config: self.config.clone(),
            },
            _ => QuickstartError::Io {
                what: format!(
                    "cannot listen on {address} ({what}); change the address in {}",
                    self.config.display()
                ),
                source,
            },
        }
    }

    fn certificates(&self) -> Result<Vec<OutputFile>, PkiError> {
        let authority = Authority::create("Portcullis quickstart CA", CA_DAYS)?;
        let mut files = authority.files(&self.folder.join("pki"));
        let localhost: DnsName = "localhost".parse()?;
        let addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let server = Profile::Server {
            dns: vec![localhost],
            ip: addresses,
        };
        for (name, profile) in [
            ("server", &server),
            (CLIENT, &Profile::Client),
            (STRANGER, &Profile::Client),
        ] {
            let (request, key) = CertificateRequest::create(name)?;
            let signed = authority.sign(&request, profile, DAYS)?;
            files.push(OutputFile::private_key(
                self.pki(&format!("{name}.key")),
                &key,
            ));
            let path = self.pki(&format!("{name}.crt"));
            files.push(OutputFile::certificate(
                path,
                &signed.certificate_pem,
                signed.valid_until,
            ));
        }
        Ok(files)
    }
}

/// The ports of the quickstart.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) gateway: u16,
    pub(super) upstream: u16,
    metrics: u16,
}

/// The default ports of a new config.
const DEFAULT_PORTS: Ports = Ports {
    gateway: 8443,
    upstream: 8080,
    metrics: 9190,
};

impl Ports {
    /// The default ports; a free port in place of each one in use.
    fn free() -> Self {
        let choose = |default: u16| {
            let free = |port: u16| {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                TcpListener::bind(address)
                    .and_then(|listener| listener.local_addr())
                    .map(|address| address.port())
            };
            free(default).or_else(|_| free(0)).unwrap_or(default)
        };
        Self {
            gateway: choose(DEFAULT_PORTS.gateway),
            upstream: choose(DEFAULT_PORTS.upstream),
            metrics: choose(DEFAULT_PORTS.metrics),
        }
    }

    /// A line for each default port that is in use.
    fn taken(&self) -> Vec<String> {
        let all = [
            (DEFAULT_PORTS.gateway, self.gateway, "the gateway"),
            (DEFAULT_PORTS.upstream, self.upstream, "the upstream"),
            (DEFAULT_PORTS.metrics, self.metrics, "the metrics listener"),
        ];
        let taken = all
            .into_iter()
            .filter(|(default, chosen, _)| default != chosen);
        taken
            .map(|(default, chosen, what)| {
                format!("Port {default} is in use: {what} gets port {chosen}")
            })
            .collect()
    }

    /// The ports of the config in the folder, which may have been edited.
    pub(super) fn of_config(path: &Path) -> Result<Self, QuickstartError> {
        let config = crate::config::load(path, crate::config::Occasion::First).config;
        let port = |text: Option<&str>| {
            text.and_then(|text| text.rsplit(':').next())
                .and_then(|port| port.parse().ok())
        };
        let listener = config
            .listeners
            .first()
            .and_then(|listener| listener.address.as_ref());
        let endpoint = config
            .upstreams
            .first()
            .and_then(|upstream| upstream.endpoints.first());
        let missing = || {
            QuickstartError::Config(format!("{} has no listener or no upstream", path.display()))
        };
        Ok(Self {
            gateway: port(listener.map(|text| text.value.as_str())).ok_or_else(missing)?,
            upstream: port(endpoint.map(|text| text.value.as_str())).ok_or_else(missing)?,
            metrics: 0,
        })
    }
}

fn config(ports: Ports) -> String {
    let Ports {
        gateway,
        upstream,
        metrics,
    } = ports;
    format!(
        "# Made by `portcullis quickstart`. Change it while the gateway runs: it is read again at once.\n\n\
         [listener.main]\n\
         address = \"127.0.0.1:{gateway}\"\n\
         certificate = \"pki/server.crt\"\n\
         private_key = \"pki/server.key\"\n\
         client_auth = \"required\"\n\
         trust_domain = \"quickstart\"\n\n\
         [trust_domain.quickstart]\n\
         anchors = [\"pki/ca.crt\"]\n\
         deny_list = \"{DENY_LIST}\"              # revoked at once; `portcullis revoke` writes it\n\n\
         [api_user.{CLIENT}]\n\
         client_cn = \"{CLIENT}\"\n\
         permissions = [\"GET /*\"]              # change it to \"*\", and POST is allowed\n\n\
         [upstream.{UPSTREAM}]                      # runs inside `portcullis quickstart`\n\
         endpoints = [\"http://127.0.0.1:{upstream}\"]\n\n\
         [[route]]\n\
         path = \"/\"\n\
         upstream = \"{UPSTREAM}\"\n\n\
         [[route]]\n\
         path = \"/whoami\"\n\
         respond = \"whoami\"\n\n\
         [admin]                               # for operators: the unix socket admin.sock beside this file\n\n\
         [metrics]                             # for Prometheus and probes\n\
         address = \"127.0.0.1:{metrics}\"\n\n\
         [access_log]\n\
         format = \"text\"\n\n\
         [log]\n\
         level = \"warn,portcullis::gateway::reload=info\"   # warnings, and a line for each reload\n"
    )
}
