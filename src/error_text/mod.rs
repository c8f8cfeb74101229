//! Errors as plain sentences, for log lines and messages. Errors of the TLS libraries print the names of their variants, so
//! their texts are defined here.

mod certificate;
mod tls;

pub use certificate::{certificate_error_text, chain_error_text};
pub use tls::{alert_name, tls_error_text};

use std::error::Error;
use std::io;

/// An error and its causes in one line. Each error prints its own level only, so nothing is repeated.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error_text(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error_text(error));
        cause = error.source();
    }
    text
}

/// One error, without its causes.
pub fn error_text(error: &(dyn Error + 'static)) -> String {
    // An I/O error prints the wrapped error, and returns the cause of the wrapped error as its own.
    if let Some(wrapped) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return error_text(wrapped);
    }
    let of_tls = error.downcast_ref().map(tls_error_text);
    let of_chain = || error.downcast_ref().map(chain_error_text);
    of_tls
        .or_else(of_chain)
        .unwrap_or_else(|| error.to_string())
}

/// The name of a variant as words, without its fields: `NoCipherSuitesInCommon` is `no cipher suites in common`.
fn words(variant: impl std::fmt::Debug) -> String {
    let text = format!("{variant:?}");
    let name = text
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    let words = separated(name, ' ')
        .replace("tls12", "TLS 1.2")
        .replace("tls13", "TLS 1.3")
        .replace("tls ", "TLS ");
    let words: Vec<&str> = words.split(' ').map(long_form).collect();
    words.join(" ")
}

/// The long form of an abbreviation in a variant name.
fn long_form(word: &str) -> &str {
    match word {
        "kx" => "key exchange",
        "cert" => "certificate",
        "ccs" => "ChangeCipherSpec",
        "ems" => "extended master secret",
        "psk" => "pre-shared key",
        "crl" => "revocation list",
        "ech" => "encrypted ClientHello",
        "sig" => "signature",
        other => other,
    }
}

/// A camel-case name in lower case with `separator` between its words: `UnknownCA` is `unknown_ca`.
fn separated(name: &str, separator: char) -> String {
    let mut text = String::new();
    let mut is_after_lowercase = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && is_after_lowercase {
            text.push(separator);
        }
        is_after_lowercase = !letter.is_ascii_uppercase();
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests;
