//! `portcullis schema`: prints the keys of the config, as JSON Schema for editors or as a Markdown page.

use super::failed;
use crate::config::{json_schema, key_reference};
use clap::ValueEnum;
use std::io::{self, Write};
use std::process::ExitCode;

/// The flags of `portcullis schema`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With the schema beside the config, editors with Taplo or Even Better TOML complete and check\n\
                  keys if the config begins with `#:schema ./gateway.schema.json`.\n\n\
                  Examples:\n  \
                  portcullis schema > gateway.schema.json\n  \
                  portcullis schema --format markdown > keys.md"
)]
pub(super) struct Schema {
    /// What to print
    #[arg(long, value_enum, default_value_t = SchemaFormat::JsonSchema)]
    format: SchemaFormat,
}

/// The format of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SchemaFormat {
    /// JSON Schema (draft 7)
    JsonSchema,
    /// The reference of all keys
    Markdown,
}

impl Schema {
    pub(super) fn run(&self) -> ExitCode {
        let text = match self.format {
            SchemaFormat::JsonSchema => format!("{:#}\n", json_schema()),
            SchemaFormat::Markdown => key_reference(),
        };
        // The output usually goes to a file, so half of it is an error.
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }
}
