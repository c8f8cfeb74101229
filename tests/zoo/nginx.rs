//! The same hosts in nginx, as its documentation would have them: one file of CAs for each, and a `map` from subjects to
//! users.

use super::row::{Host, words};
use super::scene::{LONGEST, Zoo};
use super::show::Outcome;
use crate::support::nginx::Nginx;
use std::net::SocketAddr;

/// Starts it in the folder of the zoo.
pub fn start(zoo: &Zoo) -> Nginx {
    let folder = zoo.pki.folder.path();
    Nginx::start(folder, |address| {
        config(zoo, &folder.display().to_string(), address)
    })
}

fn config(zoo: &Zoo, folder: &str, address: SocketAddr) -> String {
    let mut users = String::new();
    for name in ["alice", "bob", "patient", "hasty"] {
        users += &format!("    \"CN={name}\" {name};\n");
    }
    users += &format!(
        "    \"CN=Jos\\\\C3\\\\A9\" jose;\n    \"CN={}\" long;\n",
        "a".repeat(LONGEST)
    );
    let servers: String = Host::ALL
        .iter()
        .map(|host| server(zoo, *host, folder, address))
        .collect();
    format!(
        "  map_hash_bucket_size 512;\n  map $ssl_client_s_dn $user {{\n    default \"\";\n{users}  }}\n{servers}"
    )
}

fn server(zoo: &Zoo, host: Host, folder: &str, address: SocketAddr) -> String {
    let lists = match host {
        Host::Lists | Host::Stale | Host::Lenient => {
            format!("ssl_crl {};", zoo.file(host, "crls").display())
        }
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
            format!(
                "400, {}",
                why.trim_start_matches("FAILED:")
                    .replace("NONE", "no certificate")
            )
        }
        Outcome::Answer(status, _) => status.to_string(),
        Outcome::Alert(alert) => format!("alert {}", words(*alert)),
        Outcome::Closed => "closes".to_owned(),
    }
}
