//! Checks that a proxy does its job before its cost counts: the identity header is set from the certificate, the
//! client's own copy is gone, and a certificate that names no user is refused.

use crate::http::{head, require_ok};
use crate::local;
use crate::tls::{Channel, Sessions, client_config};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

const FORGED: &str = "GET /seen HTTP/1.1\r\nHost: localhost\r\nx-cLiEnT-cn: admin\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n";

/// Asks the proxy at `target` as `client` and as `stranger`, whose certificates are in the folder `pki`.
pub fn run(
    target: SocketAddr,
    pki: &Path,
    client: &str,
    stranger: &str,
) -> Result<(), Box<dyn Error>> {
    local::run(async {
        let seen = answer(target, pki, client).await?;
        let names: Vec<&str> = seen.lines().filter_map(identity).collect();
        if names != [client] {
            return Err(format!(
                "the upstream sees identity {names:?} instead of {client:?}:\n{seen}"
            )
            .into());
        }
        if seen.to_lowercase().contains("connection: close") {
            return Err(format!("the upstream's connection is not kept:\n{seen}").into());
        }
        match answer(target, pki, stranger).await {
            Ok(seen) => Err(format!("{stranger:?} is let in:\n{seen}").into()),
            Err(error) if error.to_string().contains(" 403") => Ok(()),
            Err(error) => Err(format!("{stranger:?} is refused, but not with 403: {error}").into()),
        }
    })
}

fn identity(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("x-client-cn")
        .then(|| value.trim())
}

async fn answer(target: SocketAddr, pki: &Path, name: &str) -> Result<String, Box<dyn Error>> {
    let config = Arc::new(client_config(pki, name, "http/1.1", Sessions::Full)?);
    let mut channel = Channel::open(target, &config).await?;
    channel.send(FORGED.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        answer.extend_from_slice(channel.receive().await?);
        if let Some(head) = head(&answer)? {
            require_ok(head.first_line)?;
            if answer.len() as u64 >= head.length as u64 + head.body {
                return Ok(String::from_utf8_lossy(&answer[head.length..]).into_owned());
            }
        }
    }
}
