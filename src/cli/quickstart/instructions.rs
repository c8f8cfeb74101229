//! The instructions of quickstart: the tested requests, and commands to copy.

use super::super::shell::shell_word;
use super::files::{CLIENT, Layout, STRANGER};
use std::net::SocketAddr;
use std::path::Path;

/// The values that the commands depend on.
pub(super) struct RunningGateway {
    /// The port of the first listener.
    pub(super) port: u16,
    /// The metrics listener, if the config has one.
    pub(super) metrics: Option<SocketAddr>,
    /// Whether each trust domain names a deny list, so that `revoke` has a file to write.
    pub(super) has_deny_list: bool,
}

/// The next steps. Every command can be copied into a shell in the current folder.
pub(super) fn text(layout: &Layout, gateway: &RunningGateway, proof: &[String]) -> String {
    let RunningGateway {
        port,
        metrics,
        has_deny_list,
    } = *gateway;
    let curl = |client: &str, rest: &str| {
        let file = |name: &str| quoted(&layout.pki(name));
        let certificate = file(&format!("{client}.crt"));
        let key = file(&format!("{client}.key"));
        format!(
            "curl --cacert {} --cert {certificate} --key {key} {rest}",
            file("ca.crt")
        )
    };
    let metrics = metrics
        .map(|address| format!("\nMetrics:\n\n  curl http://{address}/metrics\n"))
        .unwrap_or_default();
    let revoke = format!("{} revoke -c {}", program(), quoted(&layout.config));
    let revocation = format!(
        "Revoke the user, and undo that:\n\n  {revoke} --user {CLIENT}\n  {revoke} --undo --user {CLIENT}\n\n"
    );
    let revocation = if has_deny_list {
        revocation
    } else {
        String::new()
    };
    format!(
        "\nThe gateway listens on https://localhost:{port}. It was tested:\n\n{}\n\n\
         Send requests to it:\n\n  {}\n  {}\n\n\
         The same as a client with a valid certificate that is no ApiUser, and with another method:\n\n  \
         {}\n  {}\n{metrics}\n\
         Edit {} while the gateway runs, for example the permissions; a log line says when it is active.\n\
         Ask why a request is allowed or denied:\n\n  \
         {} explain -c {} --cn {CLIENT} POST https://localhost:{port}/hello\n\n\
         {revocation}\
         Ctrl-C ends the gateway. Below is its access log.",
        proof
            .iter()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n"),
        curl(CLIENT, &format!("https://localhost:{port}/hello")),
        curl(CLIENT, &format!("https://localhost:{port}/whoami")),
        curl(STRANGER, &format!("https://localhost:{port}/hello")),
        curl(CLIENT, &format!("-X POST https://localhost:{port}/hello")),
        layout.config.display(),
        program(),
        quoted(&layout.config),
    )
}

/// The path of the running binary, since it may not be in `PATH`.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else {
        return "portcullis".to_owned();
    };
    let current_folder = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(current_folder) {
        Ok(below) => quoted(&Path::new(".").join(below)),
        Err(_) => quoted(&path),
    }
}

fn quoted(path: &Path) -> String {
    shell_word(&path.display().to_string())
}
