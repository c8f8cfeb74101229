//! The command line: arguments, and the output of each command.

mod admin_listener;
mod check;
mod decisions;
mod deny_list_file;
mod explain;
mod given_file;
mod hash_password;
mod import;
mod learn;
pub mod pki;
mod plan;
mod quickstart;
mod revoke;
mod run;
mod schema;
mod shell;
mod signals;
mod suggestion;
#[cfg(test)]
mod tests;
mod verify;
mod version;

use crate::telemetry::check_filter;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

/// Reverse proxy and API gateway that lets in only those who can prove who they are.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version = version::short(), long_version = version::long(), arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "Start here:\n  \
    portcullis quickstart\n      \
        makes certificates and a config in ./quickstart, and starts a gateway\n  \
    portcullis check -c gateway.toml\n      \
        names all errors of a config, and what will cause trouble\n  \
    portcullis run -c gateway.toml\n      \
        runs the gateway\n  \
    portcullis explain -c gateway.toml --cn NAME GET https://host/path\n      \
        says whether a request is allowed, and why\n  \
    portcullis plan -c new.toml --audit audit.log\n      \
        says who would gain or lose what by another config\n  \
    portcullis learn --audit audit.log\n      \
        proposes the smallest permissions that are enough\n  \
    portcullis verify --live -c gateway.toml\n      \
        tests that a running gateway rejects every client that it must reject\n  \
    portcullis revoke -c gateway.toml --user NAME\n      \
        takes all rights from a user at once\n\n\
    Signals: TERM, INT, QUIT drain (INT or TERM twice ends at once); HUP reloads; USR1 opens the logs again; \
    USR2 is ignored.\n\
    Exit codes: 0 good, allowed or drained; 1 bad config, denied or drain deadline passed; 2 wrong usage or forced end.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Run(run::Run),
    /// Check a config: all errors and warnings at once, nothing is bound
    Check(check::Check),
    /// Print the keys of the config: JSON Schema for editors, or a reference in Markdown
    Schema(schema::Schema),
    /// Say what the gateway would decide about a request, and why
    Explain(explain::Explain),
    /// Say who would gain or lose what by another config, by the decisions of the past
    Plan(plan::Plan),
    /// Propose the smallest permissions that grant each user what it was seen to do
    Learn(learn::Learn),
    /// Try a running gateway: what is let in, and what is refused
    Verify(verify::Verify),
    /// Put a certificate or a user on a deny list, and say when it is active
    Revoke(revoke::Revoke),
    /// Make a CA, keys, certificate requests and certificates
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Turn users of Icinga 2, nginx or HAProxy into a config
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Ask for a password, or read it from standard input, and print its hash for `password_hash`
    HashPassword,
    /// Make certificates and a config in a new folder, start a gateway with a small upstream, and try it
    Quickstart(quickstart::Quickstart),
}

/// The path of the config.
#[derive(Debug, clap::Args)]
struct ConfigFlag {
    /// The config file
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "./gateway.toml",
        env = "PORTCULLIS_CONFIG"
    )]
    config: PathBuf,
}

/// The level of the gateway's own log.
#[derive(Debug, clap::Args)]
struct LogFlag {
    /// Log level (error, warn, info, debug, trace) or filter, instead of that of the config, also after a reload
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", value_parser = log_filter)]
    log_level: Option<String>,
}

impl LogFlag {
    /// `None` if neither the flag nor the environment variable is set.
    fn filter(&self) -> Option<&str> {
        self.log_level
            .as_deref()
            .filter(|filter| !filter.is_empty())
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    let hint = "--log-level and RUST_LOG take a level such as `debug`, or a filter such as `info,portcullis::tls=debug`";
    check_filter(text)
        .map(|()| text.to_owned())
        .map_err(|error| format!("{error}; {hint}"))
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let first = std::env::args().nth(1);
    let cli = Cli::try_parse()
        .unwrap_or_else(|error| suggestion::with_suggestion(error, first.as_deref()).exit());
    // Own code passes its provider; this is for libraries that use the process default.
    let _ = rustls::crypto::CryptoProvider::install_default(
        rustls::crypto::aws_lc_rs::default_provider(),
    );
    if let Err(error) = crate::tls::check_provider() {
        return failed(&error);
    }
    match cli.command {
        Command::Run(flags) => run::run(flags),
        Command::Check(check) => check.run(),
        Command::Schema(schema) => schema.run(),
        Command::Explain(explain) => explain.run(),
        Command::Plan(plan) => plan.run(),
        Command::Learn(learn) => learn.run(),
        Command::Verify(verify) => verify.run(),
        Command::Revoke(revoke) => revoke.run(),
        Command::Pki(command) => match pki::run(&command, &mut std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Command::Import(command) => import::run(&command),
        Command::HashPassword => hash_password::run(),
        Command::Quickstart(quickstart) => quickstart.run(),
    }
}

/// The address to connect to for a listening address: loopback for an unspecified one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Prints an error with its causes.
fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    say_error(&as_error(&crate::error_text::with_causes(error)));
    ExitCode::FAILURE
}

/// Adds the prefix `error: `. A report of the config has it already.
fn as_error(text: &str) -> String {
    if text.starts_with("error: ") {
        text.to_owned()
    } else {
        format!("error: {text}")
    }
}

/// Prints to standard error. Write errors are ignored.
fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}

/// Prints to standard output. Write errors are ignored.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
}
