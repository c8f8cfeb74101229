//! `explain --live`: sends the question to a running gateway.

use super::super::admin_listener;
use crate::config::{self, Readable};
use crate::explain::{ExplainAnswer, ExplainQuestion};
use crate::snapshot::AdminPlace;
use std::path::Path;

/// The answer of the gateway at this URL, or at the admin address of the config if the URL is empty.
pub(super) fn answer(
    url: &str,
    config: &Path,
    question: &ExplainQuestion,
) -> Result<ExplainAnswer, String> {
    let place = if url.is_empty() {
        of_config(config)?
    } else {
        admin_listener::parse(url)?
    };
    let question = serde_json::to_string(question).map_err(|error| error.to_string())?;
    let failed = |why: String| format!("the admin listener {place} gives no answer: {why}");
    let answer = admin_listener::post(&place, "/explain", &question).map_err(failed)?;
    if answer.status_line.starts_with("HTTP/1.1 422 ") {
        return Err(answer.body.trim_end().to_owned());
    }
    if !answer.is_good() {
        return Err(failed(format!(
            "\"{}\" {}",
            answer.status_line,
            answer.body.trim_end()
        )));
    }
    serde_json::from_str(&answer.body)
        .map_err(|error| failed(format!("it is of another version: {error}")))
}

/// Only the text of the config is read; its errors do not matter to the running gateway.
fn of_config(file: &Path) -> Result<AdminPlace, String> {
    let loaded = config::load(file, config::Occasion::First);
    if loaded.readable == Readable::No {
        return Err(format!(
            "cannot read the config {}: name the gateway with --live=URL",
            file.display()
        ));
    }
    let known = admin_listener::of_config(&loaded.config, &loaded.sources)?;
    known.ok_or_else(|| {
        "the config has no admin listener with a socket or a fixed port: name one with --live=unix:PATH or --live=http://IP:PORT"
            .to_owned()
    })
}
