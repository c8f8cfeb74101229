//! The same hosts in nginx, as its documentation would have them: one file of CAs for each, and a `map` from subjects to
//! users.

use super::row::{Host, words};
use super::scene::{LONGEST, Zoo};
use super::show::Outcome;
use crate::support::{eventually, run};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
    /// Starts it in the folder of the zoo.
    pub fn start(zoo: &Zoo) -> Self {
        let folder = zoo.pki.folder.path().display().to_string();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        let file = zoo.pki.path("nginx.conf");
        std::fs::write(&file, config(zoo, &folder, address)).unwrap();
        drop(free);
        let log = std::fs::File::create(zoo.pki.path("nginx.log")).unwrap();
        let mut child = Command::new(program())
            .args(["-p", &folder, "-e", "stderr", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nginx starts");
        eventually("nginx listens", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{status}: {}", std::fs::read_to_string(zoo.pki.path("nginx.log")).unwrap());
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

fn config(zoo: &Zoo, folder: &str, address: SocketAddr) -> String {
    let mut users = String::new();
    for name in ["alice", "bob", "patient", "hasty"] {
        users += &format!("    \"CN={name}\" {name};\n");
    }
    users += &format!("    \"CN=Jos\\\\C3\\\\A9\" jose;\n    \"CN={}\" long;\n", "a".repeat(LONGEST));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {folder}/nginx-{kind};\n"))
        .collect();
    let servers: String = Host::ALL.iter().map(|host| server(zoo, *host, folder, address)).collect();
    format!(
        "daemon off;\nmaster_process off;\nerror_log stderr;\npid {folder}/nginx.pid;\nevents {{}}\nhttp {{\n  access_log off;\n\
         {temporary}  map_hash_bucket_size 512;\n  map $ssl_client_s_dn $user {{\n    default \"\";\n{users}  }}\n{servers}}}\n"
    )
}

fn server(zoo: &Zoo, host: Host, folder: &str, address: SocketAddr) -> String {
    let lists = match host {
        Host::Lists | Host::Stale | Host::Lenient => format!("ssl_crl {};", zoo.file(host, "crls").display()),
        _ => String::new(),
    };
    let (verify, depth) = match host {
        Host::Open => ("optional", 4),
        Host::Strict => ("on", 1),
        _ => ("on", 4),
    };
    let name = host.name();
    format!(
        "  server {{\n    listen {address} ssl;\n    server_name {name};\n    ssl_certificate {folder}/server.crt;\n    \
         ssl_certificate_key {folder}/server.key;\n    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_client_certificate {folder}/{name}-all.pem;\n    \
         ssl_verify_client {verify};\n    ssl_verify_depth {depth};\n    {lists}\n    error_page 495 496 = @refused;\n    \
         location / {{\n      if ($ssl_client_verify = NONE) {{ return 401; }}\n      if ($user = \"\") {{ return 403; }}\n      \
         return 200 $user;\n    }}\n    location @refused {{ return 400 $ssl_client_verify; }}\n  }}\n"
    )
}

/// What nginx said, in a few words.
pub fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answer(200, user) => format!("is `{user}`"),
        Outcome::Answer(400, why) => {
            format!("400, {}", why.trim_start_matches("FAILED:").replace("NONE", "no certificate"))
        }
        Outcome::Answer(status, _) => status.to_string(),
        Outcome::Alert(alert) => format!("alert {}", words(*alert)),
        Outcome::Closed => "closes".to_owned(),
    }
}
