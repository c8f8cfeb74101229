//! The real nginx, with a config of its own.

use super::{Peer, ReservedPort, eventually, run};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// A running nginx. Dropping it ends the process.
pub struct Nginx {
    _process: Peer,
    _port: ReservedPort,
    pub address: SocketAddr,
}

fn program() -> &'static str {
    // Debian puts it where only root looks.
    if Path::new("/usr/sbin/nginx").is_file() {
        "/usr/sbin/nginx"
    } else {
        "nginx"
    }
}

/// Versions of nginx and its library, as far as they may matter: `nginx 1.22 with OpenSSL 3.0`.
pub fn version() -> String {
    let (_, text, _) = run(program(), &["-V"]);
    let numbers = |text: &str| {
        text.split(|letter: char| !letter.is_ascii_digit())
            .take(2)
            .collect::<Vec<_>>()
            .join(".")
    };
    // Its own comes first; of its library's, the one that it runs with comes last.
    let (_, own) = text
        .split_once("nginx/")
        .unwrap_or_else(|| panic!("no version: {text}"));
    let (_, library) = text
        .rsplit_once("OpenSSL ")
        .unwrap_or_else(|| panic!("no OpenSSL: {text}"));
    format!("nginx {} with OpenSSL {}", numbers(own), numbers(library))
}

impl Nginx {
    /// Starts it in this folder on a free port; `http` is what stands in its `http` block for that address.
    pub fn start(folder: &Path, http: impl Fn(SocketAddr) -> String) -> Self {
        let port = ReservedPort::new();
        let address = port.address();
        let (file, log) = (folder.join("nginx.conf"), folder.join("nginx.log"));
        std::fs::write(&file, config(folder, &http(address))).unwrap();
        let mut command = Command::new(program());
        command
            .args(["-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap());
        let mut process = Peer::start(&mut command);
        eventually("nginx listens", || {
            if let Some(status) = process.ended() {
                panic!("{status}: {}", std::fs::read_to_string(&log).unwrap());
            }
            TcpStream::connect(address).ok()
        });
        Self {
            _process: process,
            _port: port,
            address,
        }
    }
}

fn config(folder: &Path, http: &str) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {folder}/nginx-{kind};\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process off;\nerror_log stderr;\npid {folder}/nginx.pid;\nevents {{}}\nhttp {{\n  access_log off;\n\
         {temporary}{http}}}\n"
    )
}
