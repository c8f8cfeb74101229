//! Words to calls: the command line, and what each command prints. Decides nothing about requests.

mod admin_listener;
mod check;
mod decisions;
mod deny_list_file;
mod explain;
mod hash_password;
mod import;
mod learn;
pub mod pki;
mod plan;
mod quickstart;
mod revoke;
mod run;
mod shell;
mod signals;
mod verify;
mod version;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

/// Reverse proxy and API gateway that lets in only those who can prove who they are.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version = version::short(), long_version = version::long(), arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "Start here:\n  \
    portcullis quickstart                            a working gateway with certificates, in ./quickstart\n  \
    portcullis check -c gateway.toml                 what is wrong with a config, or will hurt\n  \
    portcullis run -c gateway.toml                   the gateway\n  \
    portcullis explain -c gateway.toml --cn NAME GET https://host/path\n  \
    portcullis plan -c new.toml --audit audit.log    who would gain or lose what\n  \
    portcullis learn --audit audit.log               the smallest permissions that are enough\n  \
    portcullis verify --live -c gateway.toml         that a running gateway lets nobody in who must stay out\n  \
    portcullis revoke -c gateway.toml --user NAME    out at once\n\n\
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
    Run(ConfigFlag),
    /// Check a config: all errors and warnings at once, nothing is bound
    Check(check::Check),
    /// Say what the gateway would decide about a request, and why
    Explain(explain::Explain),
    /// Say who would gain or lose what by another config, by the decisions of the past
    Plan(plan::Plan),
    /// Propose the smallest permissions that grant each user what it was seen to do
    Learn(learn::Learn),
    /// Try a running gateway: what is let in, and what is refused
    Verify(verify::Verify),
    /// Put a certificate or a user on a deny list, and say when it is in force
    Revoke(revoke::Revoke),
    /// Make a CA, keys, certificate requests and certificates
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Turn users of Icinga 2, nginx or HAProxy into a config
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Read a password from standard input and print its hash for `password_hash`
    HashPassword,
    /// Make certificates and a config in a new folder, start a gateway with a small upstream, and try it
    Quickstart(quickstart::Quickstart),
}

/// Where the config is.
#[derive(Debug, clap::Args)]
struct ConfigFlag {
    /// The config file
    #[arg(short, long, value_name = "FILE", default_value = "./gateway.toml", env = "PORTCULLIS_CONFIG")]
    config: PathBuf,
}

/// Runs what the arguments say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Own code names its provider; this is for libraries that ask for the process's default.
    let _ = rustls::crypto::CryptoProvider::install_default(rustls::crypto::aws_lc_rs::default_provider());
    if let Err(error) = crate::tls::check_provider() {
        return failed(&error);
    }
    match cli.command {
        Command::Run(flag) => run::run(flag.config),
        Command::Check(check) => check.run(),
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

/// An address to connect to, for one that is listened on.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Prints an error with its causes.
fn failed(error: &dyn std::error::Error) -> ExitCode {
    say_error(&format!("error: {}", crate::respond::with_causes(error)));
    ExitCode::FAILURE
}

/// To standard error. If that is closed, there is nobody to tell.
fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
}

/// To standard output.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
}
