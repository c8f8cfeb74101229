//! `portcullis import`: converts users of other software to config text on standard output. The conversion is in
//! `crate::import`.

use super::{say, say_error};
use crate::authorize::CompiledPermission;
use crate::error_text::with_causes;
use crate::import::{ImportError, ImportFile, ImportedConfig, Weight, haproxy, icinga2, nginx};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const CODES: &str = "Exit codes: 0 all of it was carried over, 1 something needs attention (it is named on standard error, \
    and in the config as NOTE), 2 nothing could be read.";

/// The commands below `portcullis import`.
#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// ApiUsers of Icinga 2, from the daemon's listing
    ///
    /// The configuration itself is written in a programming language that only Icinga can evaluate. The JSON has no passwords.
    /// The object list has them, and they become hashes; but it escapes no quotes, so a text with a quote in it may be
    /// rejected.
    #[command(after_help = format!("{CODES}\n\nExamples:\n  \
        icinga2 object list --type ApiUser > users.txt\n  \
        portcullis import icinga2 users.txt \\\n    \
        --node-name icinga-master.example.org > users.d/icinga.toml\n\n  \
        curl -sk -u root -H 'Accept: application/json' \\\n    \
        https://localhost:5665/v1/objects/apiusers |\n    \
        portcullis import icinga2 - > users.d/icinga.toml"))]
    Icinga2(Icinga2),
    /// Clients that nginx knows by `map` or `if` about the subject of their certificates
    #[command(after_help = format!("{CODES}\n\nExample:\n  \
        portcullis import nginx /etc/nginx/conf.d/api.conf \\\n    \
        --permission 'GET /api/*' > users.d/nginx.toml"))]
    Nginx(Clients),
    /// Clients that HAProxy knows by ACLs, files and maps over the common name
    #[command(after_help = format!("{CODES}\n\nExample:\n  \
        portcullis import haproxy /etc/haproxy/haproxy.cfg \\\n    \
        --permission '* /*' > users.d/haproxy.toml"))]
    Haproxy(Clients),
}

/// The arguments of `portcullis import icinga2`.
#[derive(Debug, Args)]
pub(super) struct Icinga2 {
    /// The listing; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name of a cluster node, so that its certificate is no user; may be repeated
    #[arg(long, value_name = "NAME")]
    node_name: Vec<String>,
}

/// The arguments of `portcullis import nginx` and `portcullis import haproxy`.
#[derive(Debug, Args)]
pub(super) struct Clients {
    /// The configuration; `-` is standard input. Files that it names are read from where it lies
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What each user may do; may be repeated. Without it, the users have no permissions yet
    #[arg(long, value_name = "PATTERN", value_parser = permission)]
    permission: Vec<String>,
}

fn permission(text: &str) -> Result<String, String> {
    CompiledPermission::check(text)
        .map(|()| text.to_owned())
        .map_err(|error| error.to_string())
}

/// Exit code if the input could not be read.
const NOTHING_READ: u8 = 2;

pub(super) fn run(command: &ImportCommand) -> ExitCode {
    let imported = match command {
        ImportCommand::Icinga2(flags) => {
            ImportFile::read(&flags.file).and_then(|file| icinga2(&file, &flags.node_name))
        }
        ImportCommand::Nginx(flags) => {
            ImportFile::read(&flags.file).and_then(|file| nginx(&file, &flags.permission))
        }
        ImportCommand::Haproxy(flags) => {
            ImportFile::read(&flags.file).and_then(|file| haproxy(&file, &flags.permission))
        }
    };
    match imported {
        Ok(imported) => report(&imported),
        Err(error) => failed(&error),
    }
}

fn report(imported: &ImportedConfig) -> ExitCode {
    say(&imported.config);
    for note in &imported.notes {
        let word = if note.weight == Weight::Attention {
            "attention"
        } else {
            "note"
        };
        say_error(&format!("{word}: {note}"));
    }
    if imported.needs_attention() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn failed(error: &ImportError) -> ExitCode {
    say_error(&format!(
        "error: {}\n  help: {}",
        with_causes(error),
        error.hint()
    ));
    ExitCode::from(NOTHING_READ)
}
