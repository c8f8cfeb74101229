//! The real nginx, with a config of its own.

use super::{eventually, run};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running nginx. Dropping it ends the process.
pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
}

fn program() -> &'static str {
    // Debian puts it where only root looks.
    if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx" } else { "nginx" }
}

/// Versions of nginx and its library, as far as they may matter: `nginx 1.22 with OpenSSL 3.0`.
pub fn version() -> String {
    let (_, text, _) = run(program(), &["-V"]);
    let numbers =
        |text: &str| text.split(|letter: char| !letter.is_ascii_digit()).take(2).collect::<Vec<_>>().join(".");
    // Its own comes first; of its library's, the one that it runs with comes last.
    let (_, own) = text.split_once("nginx/").unwrap_or_else(|| panic!("no version: {text}"));
    let (_, library) = text.rsplit_once("OpenSSL ").unwrap_or_else(|| panic!("no OpenSSL: {text}"));
    format!("nginx {} with OpenSSL {}", numbers(own), numbers(library))
}

impl Nginx {
    /// Starts it in this folder on a free port; `http` is what stands in its `http` block for that address.
    pub fn start(folder: &Path, http: impl Fn(SocketAddr) -> String) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        let (file, log) = (folder.join("nginx.conf"), folder.join("nginx.log"));
        std::fs::write(&file, config(folder, &http(address))).unwrap();
        drop(free);
        let mut child = Command::new(program())
            .args(["-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .expect("nginx starts");
        eventually("nginx listens", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{status}: {}", std::fs::read_to_string(&log).unwrap());
            }
            TcpStream::connect(address).ok()
        });
        Self { child, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
