//! The quickstart's folder: certificates, a config, and the words that explain them. What exists is left as it is.

use super::{QuickstartError, io};
use crate::pki::{
    Authority, CertificateRequest, DnsName, OutputFile, Overwrite, PkiError, Profile, create_folder, write_files,
};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Where everything is.
pub(super) struct Layout {
    folder: PathBuf,
    pub(super) config: PathBuf,
}

/// The client that the config lets in.
pub(super) const CLIENT: &str = "my-api-client";
/// A client whose certificate is as good, but who is no ApiUser.
pub(super) const STRANGER: &str = "stranger";

const CA_DAYS: u32 = 5475;
const DAYS: u32 = 397;

impl Layout {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), config: folder.join("gateway.toml") }
    }

    pub(super) fn pki(&self, name: &str) -> PathBuf {
        self.folder.join("pki").join(name)
    }

    /// Makes what is not there yet: all certificates together, and the config.
    pub(super) fn write_what_is_missing(&self) -> Result<(), QuickstartError> {
        create_folder(&self.folder.join("pki"))?;
        if !self.pki("ca.crt").exists() {
            let files = self.certificates()?;
            write_files(&files, Overwrite::Refuse)?;
        }
        if !self.config.exists() {
            let ports = Ports::free();
            std::fs::write(&self.config, config(ports))
                .map_err(io(format!("cannot write {}", self.config.display())))?;
        }
        Ok(())
    }

    fn certificates(&self) -> Result<Vec<OutputFile>, PkiError> {
        let authority = Authority::create("Portcullis quickstart CA", CA_DAYS)?;
        let mut files = authority.files(&self.folder.join("pki"));
        let localhost: DnsName = "localhost".parse()?;
        let addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let server = Profile::Server { dns: vec![localhost], ip: addresses };
        for (name, profile) in [("server", &server), (CLIENT, &Profile::Client), (STRANGER, &Profile::Client)] {
            let (request, key) = CertificateRequest::create(name)?;
            let signed = authority.sign(&request, profile, DAYS)?;
            files.push(OutputFile::private_key(self.pki(&format!("{name}.key")), &key));
            let path = self.pki(&format!("{name}.crt"));
            files.push(OutputFile::certificate(path, &signed.certificate_pem, signed.valid_until));
        }
        Ok(files)
    }
}

/// The ports of the quickstart.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) gateway: u16,
    pub(super) upstream: u16,
    admin: u16,
}

impl Ports {
    /// The usual ports, or free ones where somebody has them already.
    fn free() -> Self {
        let choose = |usual: u16| {
            let free = |port: u16| {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                TcpListener::bind(address).and_then(|listener| listener.local_addr()).map(|address| address.port())
            };
            free(usual).or_else(|_| free(0)).unwrap_or(usual)
        };
        Self { gateway: choose(8443), upstream: choose(8080), admin: choose(9190) }
    }

    /// The ports that the config in the folder has; it may have been edited.
    pub(super) fn of_config(path: &Path) -> Result<Self, QuickstartError> {
        let config = crate::config::load(path).config;
        let port =
            |text: Option<&str>| text.and_then(|text| text.rsplit(':').next()).and_then(|port| port.parse().ok());
        let listener = config.listeners.first().and_then(|listener| listener.address.as_ref());
        let endpoint = config.upstreams.first().and_then(|upstream| upstream.endpoints.first());
        let missing = || QuickstartError::Config(format!("{} has no listener or no upstream", path.display()));
        Ok(Self {
            gateway: port(listener.map(|text| text.value.as_str())).ok_or_else(missing)?,
            upstream: port(endpoint.map(|text| text.value.as_str())).ok_or_else(missing)?,
            admin: 0,
        })
    }
}

fn config(ports: Ports) -> String {
    let Ports { gateway, upstream, admin } = ports;
    format!(
        "# Made by `portcullis quickstart`. Change it while the gateway runs: it is read again at once.\n\n\
         [listener.main]\n\
         address = \"127.0.0.1:{gateway}\"\n\
         certificate = \"pki/server.crt\"\n\
         private_key = \"pki/server.key\"\n\
         client_auth = \"required\"\n\
         trust_domain = \"quickstart\"\n\n\
         [trust_domain.quickstart]\n\
         anchors = [\"pki/ca.crt\"]\n\n\
         [api_user.{CLIENT}]\n\
         client_cn = \"{CLIENT}\"\n\
         permissions = [\"GET /*\"]              # try \"*\", and POST something\n\n\
         [upstream.hello]                      # runs inside `portcullis quickstart`\n\
         endpoints = [\"http://127.0.0.1:{upstream}\"]\n\n\
         [[route]]\n\
         path = \"/\"\n\
         upstream = \"hello\"\n\n\
         [[route]]\n\
         path = \"/whoami\"\n\
         respond = \"whoami\"\n\n\
         [admin]\n\
         address = \"127.0.0.1:{admin}\"\n\n\
         [access_log]\n\
         format = \"text\"\n\n\
         [log]\n\
         level = \"warn\"\n"
    )
}

/// What to do next.
pub(super) fn instructions(layout: &Layout, ports: Ports, admin: Option<SocketAddr>, proof: &[String]) -> String {
    let path = |name: &str| layout.pki(name).display().to_string();
    let port = ports.gateway;
    let curl = |client: &str, rest: &str| {
        format!(
            "curl --cacert {} --cert {} --key {} {rest}",
            path("ca.crt"),
            path(&format!("{client}.crt")),
            path(&format!("{client}.key"))
        )
    };
    let admin = admin.map(|address| format!("\nMetrics:\n  curl http://{address}/metrics\n")).unwrap_or_default();
    format!(
        "\nThe gateway runs on https://localhost:{port} and has proved itself:\n{}\n\n\
         Try it yourself:\n\n  {}\n  {}\n\n\
         The same path as somebody with a good certificate who is no ApiUser, and with a method that is not permitted:\n\n  \
         {}\n  {}\n{admin}\n\
         Change {} while it runs, for example the permissions; or ask why:\n\n  \
         portcullis explain -c {} --cn {CLIENT} POST https://localhost:{port}/hello\n\n\
         Ctrl-C ends it.",
        proof.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"),
        curl(CLIENT, &format!("https://localhost:{port}/hello")),
        curl(CLIENT, &format!("https://localhost:{port}/whoami")),
        curl(STRANGER, &format!("https://localhost:{port}/hello")),
        curl(CLIENT, &format!("-X POST https://localhost:{port}/hello")),
        layout.config.display(),
        layout.config.display(),
    )
}
