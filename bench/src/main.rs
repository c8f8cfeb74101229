//! Compares Portcullis with other proxies: CPU per request, latency, memory. `bench/run` is the way to start it.

/// Runs all proxies through all modes, interleaved, and writes the results.
mod compare;
/// The blind relay.
mod floor;
/// Latencies.
mod histogram;
/// Heads of HTTP/1.1.
mod http;
/// The load generator.
mod load;
/// Queries at a real Icinga 2, direct and through Portcullis.
mod icinga;
/// One thread that runs everything.
mod local;
/// TLS records.
mod record;
/// TLS configs, handshake, channel.
mod tls;
/// The upstream.
mod upstream;
/// CPU time and memory of processes.
mod usage;
/// Whether a proxy does its job.
mod verify;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare the proxies, interleaved in one run
    Compare(compare::Options),
    /// Count the gateway's instructions for each request, with valgrind
    Instructions(compare::instructions::InstructionOptions),
    /// Ask a real Icinga 2, directly and through Portcullis
    Icinga(icinga::Options),
    /// Generate load with client certificates; prints one line of JSON
    #[command(subcommand)]
    Load(load::Load),
    /// Be the upstream
    Upstream {
        /// Where to listen
        #[arg(long)]
        address: SocketAddr,
    },
    /// Be the blind relay
    Floor {
        /// Where to listen
        #[arg(long)]
        address: SocketAddr,
        /// Where to relay to
        #[arg(long)]
        upstream: SocketAddr,
        /// The folder with ca.crt, server.crt and server.key
        #[arg(long)]
        pki: PathBuf,
    },
    /// Check that a proxy sets the identity, removes a forged one, and refuses strangers
    Verify {
        /// The proxy
        #[arg(long)]
        target: SocketAddr,
        /// The folder with ca.crt and the clients' certificates
        #[arg(long)]
        pki: PathBuf,
        /// Who is let in
        #[arg(long, default_value = "client")]
        client: String,
        /// Who is not
        #[arg(long, default_value = "stranger")]
        stranger: String,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portcullis-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Compare(options) => compare::run(&options),
        Command::Instructions(options) => compare::instructions::run(&options),
        Command::Icinga(options) => icinga::run(&options),
        Command::Load(load) => load::run(load),
        Command::Upstream { address } => upstream::run(address),
        Command::Verify {
            target,
            pki,
            client,
            stranger,
        } => verify::run(target, &pki, &client, &stranger),
        Command::Floor {
            address,
            upstream,
            pki,
        } => floor::run(address, upstream, &pki),
    }
}
